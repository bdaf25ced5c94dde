//! One HTTP exchange with a header or a JSON body, for the checks of `onepod verify`.
//!
//! Deliberately absent: TLS (the Services inside the cluster are plain), redirects, kept connections.

use std::fmt;
use std::io;
use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Time limit of one exchange, from the resolver to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);

/// No more than this of an answer is read, in bytes; what matters stands at its beginning.
const READ_LIMIT: usize = 256 * 1024;

/// `http://host:port`, the part of a URL before its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

/// Why a text is no [`Base`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BaseError {
    #[error("not a URL of the form http://host:port")]
    NotAUrl,
    #[error("the scheme is {0}, but inside the cluster it is http")]
    Scheme(String),
    #[error("name host and port only; the path is known")]
    Path,
}

impl FromStr for Base {
    type Err = BaseError;

    fn from_str(text: &str) -> Result<Self, BaseError> {
        let uri: Uri = text.trim().parse().map_err(|_| BaseError::NotAUrl)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => return Err(BaseError::Scheme(other.to_owned())),
            None => return Err(BaseError::NotAUrl),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(BaseError::Path);
        }
        let authority = uri
            .authority()
            .filter(|a| !a.as_str().contains('@'))
            .ok_or(BaseError::NotAUrl)?;
        let host = authority.host();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str() == host => 80,
            None => return Err(BaseError::NotAUrl),
        };
        let host = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if host.is_empty() {
            return Err(BaseError::NotAUrl);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl Base {
    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

/// An answer. Its body may be cut at the read limit.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("cannot connect to {authority}: {source}")]
    Connect { authority: String, source: io::Error },
    #[error("{authority} does not speak HTTP as expected: {source}")]
    Exchange { authority: String, source: hyper::Error },
    #[error("{authority} gave no complete answer within {} s", TIMEOUT.as_secs())]
    Timeout { authority: String },
    #[error("the request to {authority} cannot be written: {source}")]
    Request {
        authority: String,
        source: hyper::http::Error,
    },
}

/// GET `path`, with an `Authorization` header if given.
pub(super) async fn get(base: &Base, path: &str, authorization: Option<&str>) -> Result<Reply, HttpError> {
    let mut request = Request::get(path);
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    send(base, request, Bytes::new()).await
}

/// POST `body` as JSON to `path`.
pub(super) async fn post_json(base: &Base, path: &str, body: &Value) -> Result<Reply, HttpError> {
    let request = Request::post(path).header(CONTENT_TYPE, "application/json");
    send(base, request, Bytes::from(body.to_string())).await
}

async fn send(base: &Base, request: hyper::http::request::Builder, body: Bytes) -> Result<Reply, HttpError> {
    let authority = base.authority();
    let request = request
        .header(HOST, &authority)
        .header(CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|source| HttpError::Request {
            authority: authority.clone(),
            source,
        })?;
    tokio::time::timeout(TIMEOUT, exchange(base, request))
        .await
        .unwrap_or(Err(HttpError::Timeout { authority }))
}

async fn exchange(base: &Base, request: Request<Full<Bytes>>) -> Result<Reply, HttpError> {
    let broken = |source| HttpError::Exchange {
        authority: base.authority(),
        source,
    };
    let stream = TcpStream::connect((base.host.as_str(), base.port))
        .await
        .map_err(|source| HttpError::Connect {
            authority: base.authority(),
            source,
        })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let mut incoming = response.into_body();
        let mut body = BytesMut::new();
        while body.len() < READ_LIMIT {
            let Some(frame) = incoming.frame().await else {
                break;
            };
            if let Ok(data) = frame.map_err(broken)?.into_data() {
                body.extend_from_slice(&data);
            }
        }
        Ok(Reply {
            status,
            body: body.freeze(),
        })
    });
    // Driven here, not in a task of its own: when the time is over, nothing is left behind.
    tokio::select! {
        result = &mut answer => result,
        end = connection => match end {
            Ok(()) => answer.await,
            Err(source) => answer.await.or(Err(broken(source))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_host_and_port() {
        for (text, printed) in [
            ("http://opennebula-oneflow:2474", "http://opennebula-oneflow:2474"),
            ("http://one.example/", "http://one.example:80"),
            ("http://[fd00::1]:5030", "http://[fd00::1]:5030"),
        ] {
            assert_eq!(text.parse::<Base>().unwrap().to_string(), printed);
        }
        for (text, error) in [
            ("https://one:2616", BaseError::Scheme("https".to_owned())),
            ("http://one:2616/fireedge", BaseError::Path),
            ("http://a:b@one:2616", BaseError::NotAUrl),
            ("http://one:99999", BaseError::NotAUrl),
            ("one:2616", BaseError::NotAUrl),
            ("", BaseError::NotAUrl),
        ] {
            assert_eq!(text.parse::<Base>(), Err(error), "{text}");
        }
    }
}
