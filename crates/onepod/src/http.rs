//! One exchange over HTTP/1.1: for probes, and for the verbs that ask a running pod or its services, over TCP or over its
//! control socket.
//!
//! Deliberately absent: TLS (inside of the cluster all is plain), redirects, kept connections.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The longest body that is taken, in bytes.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// What is asked for, beside the place. No `Debug`: headers and body may hold a password.
#[derive(Clone)]
pub struct Ask {
    method: Method,
    header: Option<(HeaderName, String)>,
    body: Bytes,
}

impl Ask {
    /// With neither header nor body.
    #[must_use]
    pub fn new(method: Method) -> Self {
        Self {
            method,
            header: None,
            body: Bytes::new(),
        }
    }

    /// GET.
    #[must_use]
    pub fn get() -> Self {
        Self::new(Method::GET)
    }

    /// GET with the value of an `Authorization` header.
    #[must_use]
    pub fn get_as(authorization: String) -> Self {
        Self {
            header: Some((header::AUTHORIZATION, authorization)),
            ..Self::get()
        }
    }

    /// POST of a JSON value.
    #[must_use]
    pub fn post_json(body: &serde_json::Value) -> Self {
        Self {
            header: Some((header::CONTENT_TYPE, "application/json".to_owned())),
            body: Bytes::from(body.to_string()),
            ..Self::new(Method::POST)
        }
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// Names of the cookies that it sets. A value may be a session.
    pub cookies: Vec<String>,
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
        /// host:port, or the socket.
        authority: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("{authority} does not answer in HTTP: {source}")]
    Protocol {
        /// host:port, or the socket.
        authority: String,
        /// Where it broke.
        source: hyper::Error,
    },
    /// The body is too long or broke off.
    #[error("the answer of {authority} cannot be read: {reason}")]
    Body {
        /// host:port, or the socket.
        authority: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("no answer from {authority} within {} s", .limit.as_secs_f64())]
    Late {
        /// host:port, or the socket.
        authority: String,
        /// The limit.
        limit: Duration,
    },
}

/// Asks for a URL, redirects not followed, and reads the answer; `limit` is for all of it, the host's name included.
pub async fn get(url: &str, limit: Duration) -> Result<Answer, HttpError> {
    send(url, Ask::get(), limit).await
}

/// The same with a method, a header and a body.
pub async fn send(url: &str, ask: Ask, limit: Duration) -> Result<Answer, HttpError> {
    let target = Target::parse(url)?;
    within(&target.authority, limit, async {
        read(target.exchange(ask).await?, &target.authority).await
    })
    .await
}

/// Asks for a URL and gives the status alone: the body is not waited for.
pub async fn status(url: &str, ask: Ask, limit: Duration) -> Result<u16, HttpError> {
    let target = Target::parse(url)?;
    within(&target.authority, limit, async {
        Ok(target.exchange(ask).await?.status().as_u16())
    })
    .await
}

/// Asks through a socket of the file system, and reads the answer; `limit` is for all of it.
pub async fn through(
    socket: &Path,
    method: Method,
    path: &str,
    limit: Duration,
) -> Result<Answer, HttpError> {
    let authority = socket.display().to_string();
    within(&authority, limit, async {
        read(through_socket(socket, method, path).await?, &authority).await
    })
    .await
}

/// Asks through a socket of the file system, and hands over the body of a good answer as it comes, without end. An answer
/// with another status than 200 is given back whole.
pub async fn follow(
    socket: &Path,
    path: &str,
    mut take: impl FnMut(&[u8]),
) -> Result<Option<Answer>, HttpError> {
    let authority = socket.display().to_string();
    let mut answer = through_socket(socket, Method::GET, path).await?;
    if answer.status().as_u16() != 200 {
        return read(answer, &authority).await.map(Some);
    }
    while let Some(frame) = answer.frame().await {
        let frame = frame.map_err(|source| HttpError::Protocol {
            authority: authority.clone(),
            source,
        })?;
        if let Some(data) = frame.data_ref() {
            take(data);
        }
    }
    Ok(None)
}

async fn read(answer: Response<Incoming>, authority: &str) -> Result<Answer, HttpError> {
    let status = answer.status().as_u16();
    let set = answer.headers().get_all(header::SET_COOKIE).iter();
    let names = set.filter_map(|cookie| Some(cookie.to_str().ok()?.split_once('=')?.0.to_owned()));
    let cookies = names.collect();
    let body = Limited::new(answer.into_body(), LONGEST_BODY)
        .collect()
        .await
        .map_err(|error| HttpError::Body {
            authority: authority.to_owned(),
            reason: error.to_string(),
        })?;
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        cookies,
    })
}

async fn within<T>(
    authority: &str,
    limit: Duration,
    work: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(HttpError::Late {
            authority: authority.to_owned(),
            limit,
        })
    })
}

async fn through_socket(socket: &Path, method: Method, path: &str) -> Result<Response<Incoming>, HttpError> {
    let authority = socket.display().to_string();
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|source| HttpError::Connect {
            authority: authority.clone(),
            source,
        })?;
    // A socket has no name that a Host header could carry.
    exchange(stream, Ask::new(method), path, "localhost", authority).await
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

    async fn exchange(&self, ask: Ask) -> Result<Response<Incoming>, HttpError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|source| HttpError::Connect {
                authority: self.authority.clone(),
                source,
            })?;
        exchange(stream, ask, &self.path, &self.authority, self.authority.clone()).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ask: Ask,
    path: &str,
    host: &str,
    authority: String,
) -> Result<Response<Incoming>, HttpError> {
    let request = Request::builder()
        .method(ask.method)
        .uri(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close");
    let request = ask
        .header
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value))
        .body(Full::new(ask.body))
        .map_err(|_| HttpError::Url(path.to_owned()))?;
    let broken = |source| HttpError::Protocol {
        authority: authority.clone(),
        source,
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // It ends with the sender and the body, so it never outlives the caller for long.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(broken)
}
