//! One GET over HTTP/1.1: for probes, and for the verbs that ask a running pod.
//!
//! Deliberately absent: TLS, redirects, kept connections, anything but GET.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest body that is taken, in bytes.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL is not one of ours.
    #[error("{0:?} is not an http:// URL with a host")]
    Url(String),
    /// No connection.
    #[error("cannot connect to {authority}: {source}")]
    Connect {
        /// host:port.
        authority: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("{authority} does not answer in HTTP: {source}")]
    Protocol {
        /// host:port.
        authority: String,
        /// Where it broke.
        source: hyper::Error,
    },
    /// The body is too long or broke off.
    #[error("the answer of {authority} cannot be read: {reason}")]
    Body {
        /// host:port.
        authority: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("no answer from {authority} within {} s", .limit.as_secs_f64())]
    Late {
        /// host:port.
        authority: String,
        /// The limit.
        limit: Duration,
    },
}

/// Asks for a URL, redirects not followed, and reads the answer; `limit` is for all of it, the host's name included.
pub async fn get(url: &str, limit: Duration) -> Result<Answer, HttpError> {
    let target = Target::parse(url)?;
    within(&target, limit, async {
        let (status, body) = target.ask().await?;
        let body = Limited::new(body, LONGEST_BODY)
            .collect()
            .await
            .map_err(|error| HttpError::Body {
                authority: target.authority.clone(),
                reason: error.to_string(),
            })?;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        })
    })
    .await
}

/// Asks for a URL and gives the status alone: the body is not waited for.
pub async fn status(url: &str, limit: Duration) -> Result<u16, HttpError> {
    let target = Target::parse(url)?;
    within(&target, limit, async { Ok(target.ask().await?.0) }).await
}

async fn within<T>(
    target: &Target,
    limit: Duration,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(HttpError::Late {
            authority: target.authority.clone(),
            limit,
        })
    })
}

struct Target {
    host: String,
    port: u16,
    /// host:port
    authority: String,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, HttpError> {
        let wrong = || HttpError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong());
        }
        let host = uri.host().ok_or_else(wrong)?;
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority: format!("{host}:{port}"),
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }

    async fn ask(&self) -> Result<(u16, hyper::body::Incoming), HttpError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|source| HttpError::Connect {
                authority: self.authority.clone(),
                source,
            })?;
        let broken = |source| HttpError::Protocol {
            authority: self.authority.clone(),
            source,
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        // It ends with the sender and the body, so it never outlives the caller for long.
        tokio::spawn(connection);
        let request = Request::get(&self.path)
            .header(header::HOST, &self.authority)
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|_| HttpError::Url(self.path.clone()))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }
}
