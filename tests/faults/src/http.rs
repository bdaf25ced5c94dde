//! HTTP by hand: one request on one connection, so that no client of ours stands between the test and the answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Status code and body of a GET.
pub fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    get_with(address, path, "")
}

/// The same with more lines of the head, each with its end.
pub fn get_with(address: SocketAddr, path: &str, head: &str) -> Result<(u16, String)> {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n{head}\r\n"),
    )
    .map(|(code, _, body)| (code, body))
}

/// Status code and body of a POST.
pub fn post(address: SocketAddr, path: &str, kind: &str, body: &str) -> Result<(u16, String)> {
    post_for_head(address, path, kind, body).map(|(code, _, body)| (code, body))
}

/// The same with the head of the answer before the body, for the cookies.
pub fn post_for_head(
    address: SocketAddr,
    path: &str,
    kind: &str,
    body: &str,
) -> Result<(u16, String, String)> {
    exchange(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

/// Status code, head and body.
fn exchange(address: SocketAddr, request: &str) -> Result<(u16, String, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| address.to_string())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .with_context(|| address.to_string())?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without a head")?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let code = code.context("an answer without a status")?;
    Ok((code, head.to_owned(), body.to_owned()))
}
