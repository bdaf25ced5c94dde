//! A small HTTP/1.1 server for XML-RPC (one request per connection) and the client of the command line
//! tools. It knows Content-Length bodies only.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The largest body that is read, as `MESSAGE_SIZE` limits it in the real daemon.
const LIMIT: usize = 1 << 30;

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    /// `POST`
    pub(crate) method: String,
    /// `/RPC2`
    pub(crate) path: String,
    /// The body as text.
    pub(crate) body: String,
}

/// Reads one request.
pub(crate) fn read_request(stream: &TcpStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let length = read_head(&mut reader, |name, value| {
        if name == "expect" && value.eq_ignore_ascii_case("100-continue") {
            let mut out = stream;
            let _ = out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    })?;
    let body = read_body(&mut reader, length)?;
    Ok(Request { method, path, body })
}

/// Reads header lines; returns the Content-Length.
fn read_head(reader: &mut impl io::BufRead, mut each: impl FnMut(&str, &str)) -> io::Result<Option<usize>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            return Ok(length);
        }
        if let Some((name, value)) = line.split_once(':') {
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            if name == "content-length" {
                length = value.parse().ok();
            }
            each(&name, value);
        }
    }
}

fn read_body(reader: &mut impl io::Read, length: Option<usize>) -> io::Result<String> {
    let length = length.unwrap_or(0);
    if length > LIMIT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Writes an answer with the head of the real server and closes.
pub(crate) fn respond(mut stream: &TcpStream, status: &str, body: &str) -> io::Result<()> {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S UTC");
    let kind = if status.starts_with("200") {
        "text/xml; charset=utf-8"
    } else {
        "text/html"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-type: {kind}\r\nContent-length: {}\r\nConnection: close\r\nDate: {date}\r\nServer: Xmlrpc-c_Abyss/1.33.14\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}

/// Sends a body to `http://host:port/path` and returns the body of the answer.
pub(crate) fn post(url: &str, body: &str) -> Result<String, String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| format!("unsupported endpoint {url}"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "RPC2"));
    let authority = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut stream = TcpStream::connect(&authority)
        .map_err(|_| format!("Failed to open TCP connection to {authority}"))?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let exchange = |stream: &mut TcpStream| -> io::Result<String> {
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut reader = BufReader::new(&*stream);
        let mut status = String::new();
        reader.read_line(&mut status)?;
        if let Some(length) = read_head(&mut reader, |_, _| {})? {
            return read_body(&mut reader, Some(length));
        }
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        Ok(text)
    };
    exchange(&mut stream).map_err(|e| format!("{authority}: {e}"))
}
