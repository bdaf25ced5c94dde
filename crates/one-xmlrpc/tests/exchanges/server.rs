//! A server for one exchange: takes a whole HTTP request, answers prepared bytes, closes.

use std::time::Duration;

use one_xmlrpc::{Client, Credentials, Endpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const PASSWORD: &str = "s3cret&<x>";

/// A server that is waiting for its one request. `request` gives what it was sent.
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) request: JoinHandle<String>,
}

/// Answers `bytes` to the first request.
pub(crate) async fn answer(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes = bytes.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/RPC2", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let request = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        while !complete(&received) {
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "the client closed before its request was complete");
            received.extend_from_slice(&buffer[..n]);
        }
        // The client may close as soon as it has seen enough.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        String::from_utf8(received).unwrap()
    });
    Server { endpoint, request }
}

/// A request is complete when its head and as many bytes as `Content-Length` says are there.
fn complete(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse::<usize>().unwrap());
    length.is_some_and(|length| body.len() >= length)
}

impl Server {
    pub(crate) fn client(&self) -> Client {
        client(&self.endpoint)
    }
}

pub(crate) fn client(endpoint: &Endpoint) -> Client {
    Client::new(endpoint.clone(), Credentials::new("oneadmin", PASSWORD).unwrap())
        .with_timeout(Duration::from_secs(10))
}

/// A whole HTTP answer around an XML body.
pub(crate) fn http(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-type: text/xml\r\nContent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The fixture `name`, with its length filled in.
pub(crate) fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}.http", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    text.replace("%LENGTH%", &body.len().to_string())
}
