//! One HTTP POST over one TCP connection, with a time limit and a size limit.
//!
//! Deliberately absent: TLS, proxies, redirects, and keeping the connection (oned's server answers `Connection: close`).

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

use crate::endpoint::Endpoint;

/// Why there is no HTTP answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host's name has no address, or the resolver does not answer.
    #[error("the name {host} cannot be resolved: {source}")]
    Resolve {
        /// The name as configured.
        host: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// No address took the connection; the last one's reason.
    #[error("{address}: {source}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// The system's reason: refused, unreachable, …
        source: io::Error,
    },
    /// The endpoint's path or host cannot stand in an HTTP request.
    #[error("the request cannot be written: {0}")]
    Request(#[source] hyper::http::Error),
    /// The connection broke, or what came over it is not HTTP.
    #[error("the HTTP exchange failed: {}", root_cause(.0))]
    Http(#[source] hyper::Error),
    /// Another status than 200, which oned always answers: something else listens there.
    #[error("HTTP status {0}, where oned always answers 200")]
    Status(u16),
    /// The whole call took longer than allowed.
    #[error("nothing complete within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The answer is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
}

/// hyper's own text says only which step failed; the reason is what it wraps.
fn root_cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Posts `body` to `endpoint` and returns the answer's body. `limit` in bytes; `timeout` covers everything from the
/// resolver to the last byte.
pub(crate) async fn post(
    endpoint: &Endpoint,
    body: String,
    timeout: Duration,
    limit: usize,
) -> Result<Bytes, TransportError> {
    let exchange = async {
        let stream = connect(endpoint).await?;
        exchange(stream, endpoint, body, limit).await
    };
    tokio::time::timeout(timeout, exchange)
        .await
        .unwrap_or(Err(TransportError::Timeout(timeout)))
}

/// Tries the host's addresses in the resolver's order.
async fn connect(endpoint: &Endpoint) -> Result<TcpStream, TransportError> {
    let unresolved = |source| TransportError::Resolve {
        host: endpoint.host().to_owned(),
        source,
    };
    let addresses = lookup_host((endpoint.host(), endpoint.port()))
        .await
        .map_err(unresolved)?;
    let mut last = unresolved(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(source) => last = TransportError::Connect { address, source },
        }
    }
    Err(last)
}

async fn exchange(
    stream: TcpStream,
    endpoint: &Endpoint,
    body: String,
    limit: usize,
) -> Result<Bytes, TransportError> {
    let request = Request::post(endpoint.path())
        .header(HOST, endpoint.authority())
        .header(CONTENT_TYPE, "text/xml; charset=utf-8")
        .header(CONNECTION, "close")
        .header(USER_AGENT, concat!("one-xmlrpc/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)))
        .map_err(TransportError::Request)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(TransportError::Http)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(TransportError::Http)?;
        if response.status() != StatusCode::OK {
            return Err(TransportError::Status(response.status().as_u16()));
        }
        let mut body = response.into_body();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            // Trailers are the other kind of frame; nothing here uses them.
            let Ok(data) = frame.map_err(TransportError::Http)?.into_data() else {
                continue;
            };
            if whole.len() + data.len() > limit {
                return Err(TransportError::TooLarge(limit));
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    });
    // Driven here, not in a task of its own: when the caller gives up, nothing is left behind.
    tokio::select! {
        result = &mut answer => result,
        end = &mut connection => match end {
            Ok(()) => answer.await,
            Err(error) => answer.await.or(Err(TransportError::Http(error))),
        },
    }
}
