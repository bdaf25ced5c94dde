//! The endpoint that tells of the pod's health: `/livez`, `/readyz`, `/startupz`, `/status`, `/metrics`.
//!
//! It has a thread of its own, so that the kubelet is answered whatever the services and whoever else reaches the port
//! do. It answers from the board and from `/proc` alone: no request ever causes a call to oned or the database.
//! Deliberately absent: authentication (nothing here is secret) and everything but GET; what changes something is in
//! `control`.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};

mod connections;
pub mod control;
pub mod liveness;
mod metrics;
pub mod page;
mod report;
pub mod usage;

pub use report::Sources;

use crate::log::visible::write_json;
use connections::Connections;

/// Connections that the kernel keeps until they are accepted; it has a limit of its own, `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

/// Stack of the endpoint's threads, in bytes.
const STACK: usize = 512 * 1024;

/// A thread that renders pages ends when nobody asked for one for so long.
const RENDERER_KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Binds the endpoint, so that a taken port is known before anything is done.
pub fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Answers in a thread of its own until the process ends.
pub fn start(listener: TcpListener, sources: Sources) -> io::Result<()> {
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Pages are rendered one after the other, beside the probes.
        .max_blocking_threads(1)
        .thread_name("health-pages")
        .thread_stack_size(STACK)
        .thread_keep_alive(RENDERER_KEEP_ALIVE)
        .build()?;
    thread::Builder::new()
        .name("health".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            runtime.block_on(async {
                // Registering with the event loop fails only where the loop could not be built.
                if let Ok(listener) = TcpListener::from_std(listener) {
                    Connections::new(router(sources.clone()), sources)
                        .serve(listener)
                        .await;
                }
            });
        })?;
    Ok(())
}

/// A path that the kubelet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProbePath {
    Live,
    Ready,
    Startup,
}

impl ProbePath {
    fn answer(self, sources: &Sources) -> (StatusCode, String) {
        let (good, reasons) = match self {
            Self::Live => match sources.event_loop.stalled() {
                None => ("alive\n", Vec::new()),
                Some(since) => (
                    "",
                    vec![format!("process 1 has not responded for {} s", since.as_secs())],
                ),
            },
            Self::Ready => ("ready\n", sources.board.reasons()),
            Self::Startup if sources.board.started_up() => ("started\n", Vec::new()),
            Self::Startup => ("", sources.board.start_reasons()),
        };
        if reasons.is_empty() && !good.is_empty() {
            (StatusCode::OK, good.to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
        }
    }
}

fn router(sources: Sources) -> Router {
    let probe = |path: ProbePath| get(async move |State(sources): State<Sources>| path.answer(&sources));
    Router::new()
        .route("/livez", probe(ProbePath::Live))
        .route("/readyz", probe(ProbePath::Ready))
        .route("/startupz", probe(ProbePath::Startup))
        .route("/status", get(status))
        .route("/metrics", get(measure))
        .with_state(sources)
}

/// What may be said of the page.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// Seconds.
    refresh: Option<u32>,
}

/// The page for browsers, JSON for everyone else.
async fn status(State(sources): State<Sources>, Query(wanted): Query<Wanted>, head: HeaderMap) -> Response {
    let html = page::wanted(&head);
    rendered(move || {
        let status = sources.status().without_lines();
        if html {
            page::answer(&status, wanted.refresh)
        } else {
            json(&status)
        }
    })
    .await
}

async fn measure(State(sources): State<Sources>) -> Response {
    rendered(move || match metrics::render(&sources) {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    })
    .await
}

/// A value as JSON that may also be read in a terminal.
fn json(value: &impl Serialize) -> Response {
    let mut body = Vec::new();
    match write_json(&mut body, value) {
        Ok(()) => {
            let head = [
                (CONTENT_TYPE, "application/json"),
                (CACHE_CONTROL, "no-store"),
                (VARY, "accept"),
            ];
            (head, body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Has a page rendered where it holds up nobody else.
async fn rendered(render: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(render)
        .await
        .unwrap_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response())
}
