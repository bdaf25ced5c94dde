//! Networks and servers that do not behave.

use std::time::{Duration, Instant};

use one_xmlrpc::{Error, TransportError};
use tokio::net::TcpListener;

use super::server::{answer, client, fixture, http};

async fn failure(bytes: impl Into<Vec<u8>>) -> Error {
    answer(bytes).await.client().system_version().await.unwrap_err()
}

#[tokio::test]
async fn nobody_listening_is_a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/RPC2", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let error = client(&endpoint).system_version().await.unwrap_err();
    let Error::Transport {
        source: TransportError::Connect { source, .. },
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(error.is_transport());
}

#[tokio::test]
async fn an_unknown_name_is_named() {
    let error = client(&"http://nowhere.invalid:2633/RPC2".parse().unwrap())
        .system_version()
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Transport { source: TransportError::Resolve { host, .. }, .. } if host == "nowhere.invalid"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_silent_server_runs_into_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/RPC2", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let limit = Duration::from_millis(200);
    let begin = Instant::now();
    let error = client(&endpoint)
        .with_timeout(limit)
        .system_version()
        .await
        .unwrap_err();
    assert!(
        begin.elapsed() >= limit && begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        matches!(error, Error::Transport { source: TransportError::Timeout(t), .. } if t == limit),
        "{error:?}"
    );
    drop(listener);
}

#[tokio::test]
async fn an_answer_over_the_size_limit_is_refused() {
    let whole = fixture("version");
    let body = whole.split_once("\r\n\r\n").unwrap().1.len();
    let server = answer(whole.clone()).await;
    let error = server
        .client()
        .with_response_limit(body - 1)
        .system_version()
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Transport { source: TransportError::TooLarge(n), .. } if n == body - 1),
        "{error:?}"
    );
    let server = answer(whole).await;
    assert_eq!(
        server
            .client()
            .with_response_limit(body)
            .system_version()
            .await
            .unwrap(),
        "7.0.0"
    );
}

#[tokio::test]
async fn an_answer_cut_short_is_a_broken_exchange() {
    let whole = fixture("version");
    for cut in [0, 10, 60, whole.len() - 5] {
        let error = failure(&whole.as_bytes()[..cut]).await;
        assert!(
            matches!(
                error,
                Error::Transport {
                    source: TransportError::Http(_),
                    ..
                }
            ),
            "{cut}: {error:?}"
        );
    }
}

#[tokio::test]
async fn another_service_on_the_port_is_recognised() {
    let error = failure("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert!(
        matches!(
            error,
            Error::Transport {
                source: TransportError::Status(404),
                ..
            }
        ),
        "{error:?}"
    );
    let error = failure("SSH-2.0-OpenSSH_9.6\r\n").await;
    assert!(
        matches!(
            error,
            Error::Transport {
                source: TransportError::Http(_),
                ..
            }
        ),
        "{error:?}"
    );
    let error = failure(http("<html>welcome</html>")).await;
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_malformed() {
    let mut bytes = http("<a>x</a>").into_bytes();
    let n = bytes.len();
    bytes[n - 5] = 0xff;
    let error = failure(bytes).await;
    assert_eq!(
        error.to_string(),
        "one.system.version: the answer cannot be read: it is not UTF-8"
    );
}

#[tokio::test]
async fn an_ipv6_endpoint_works() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        println!("left out: this machine has no IPv6 loopback");
        return;
    };
    let endpoint: one_xmlrpc::Endpoint = format!("http://{}/RPC2", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let error = client(&endpoint).system_version().await.unwrap_err();
    let Error::Transport {
        source: TransportError::Connect { address, .. },
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(address.is_ipv6());
    assert!(
        error
            .to_string()
            .contains(&format!("http://[::1]:{}", address.port())),
        "{error}"
    );
}
