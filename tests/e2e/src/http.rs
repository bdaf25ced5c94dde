//! One HTTP/1.1 request over a stream that is already open: a port-forward or a TCP connection to the ingress
//! controller. No redirects, no pool, no TLS.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// No answer of the product takes longer, healthy or not.
const LIMIT: Duration = Duration::from_secs(20);

/// An answer: status and body. After a switch of protocols there is no body.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The cookies that it sets, each as `name=value`.
    pub(crate) cookies: Vec<String>,
    /// The body, as text.
    pub(crate) body: String,
}

/// GET of a path.
pub(crate) async fn get<S>(stream: S, host: &str, path: &str) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    send(
        stream,
        Request::get(path)
            .header(header::HOST, host)
            .body(Full::default())?,
    )
    .await
}

/// GET of a path as a browser asks for it.
pub(crate) async fn get_page<S>(stream: S, host: &str, path: &str) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(
            header::ACCEPT,
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )
        .body(Full::default())?;
    send(stream, request).await
}

/// POST of a JSON value.
pub(crate) async fn post_json<S>(
    stream: S,
    host: &str,
    path: &str,
    body: &serde_json::Value,
) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::post(path)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body.to_string()))?;
    send(stream, request).await
}

/// DELETE of a path.
pub(crate) async fn delete<S>(stream: S, host: &str, path: &str) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    send(
        stream,
        Request::delete(path)
            .header(header::HOST, host)
            .body(Full::default())?,
    )
    .await
}

/// The opening of a WebSocket (RFC 6455, section 4.1): status 101 says that it was accepted.
pub(crate) async fn open_websocket<S>(stream: S, host: &str, path: &str) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==") // 16 bytes: the RFC's own sample
        .body(Full::default())?;
    send(stream, request).await
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let what = format!("{} {}", request.method(), request.uri());
    tokio::time::timeout(LIMIT, exchange(stream, request))
        .await
        .with_context(|| format!("{what}: no answer within {} s", LIMIT.as_secs()))?
        .with_context(|| what)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection.with_upgrades());
    let response = sender.send_request(request).await?;
    let status = response.status();
    let set = response.headers().get_all(header::SET_COOKIE).iter();
    let cookies = set
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .map(str::to_owned)
        .collect();
    let body = if status == hyper::StatusCode::SWITCHING_PROTOCOLS {
        String::new()
    } else {
        String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()).into_owned()
    };
    connection.abort();
    Ok(Answer {
        status: status.as_u16(),
        cookies,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    /// Answers one request with fixed bytes and gives back what was asked.
    async fn serve(mut stream: DuplexStream, answer: &str) -> String {
        let mut asked = Vec::new();
        while !asked.windows(4).any(|window| window == b"\r\n\r\n") {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            asked.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(asked).unwrap()
    }

    /// One exchange: what was asked, and the answer as the client reads it.
    fn exchange<F>(served: &str, ask: impl FnOnce(DuplexStream) -> F) -> (String, Answer)
    where
        F: Future<Output = Result<Answer>>,
    {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let (near, far) = tokio::io::duplex(4096);
                let (asked, answer) = tokio::join!(serve(far, served), ask(near));
                (asked, answer.unwrap())
            })
    }

    #[test]
    fn an_unready_answer_keeps_its_reasons() {
        let (asked, answer) = exchange(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 13\r\n\r\noned: backoff",
            |stream| get(stream, "one.example", "/readyz"),
        );
        assert_eq!((answer.status, answer.body.as_str()), (503, "oned: backoff"));
        assert!(
            asked.starts_with("GET /readyz HTTP/1.1\r\nhost: one.example\r\n"),
            "{asked}"
        );
    }

    #[test]
    fn a_websocket_is_accepted_with_101() {
        let (asked, answer) = exchange(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            |stream| open_websocket(stream, "one.example", "/fireedge/guacamole"),
        );
        assert_eq!(answer.status, 101);
        assert!(asked.contains("upgrade: websocket"), "{asked}");
    }
}
