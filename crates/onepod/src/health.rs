//! The endpoint that tells of the pod's health: `/livez`, `/readyz`, `/startupz`, `/status`, `/metrics`.
//!
//! It answers from the board and from `/proc` alone: no request ever causes a call to oned or the database. Deliberately
//! absent: authentication (nothing here is secret) and everything but GET; what changes something is in `control`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

mod connections;
pub mod control;
mod metrics;
pub mod page;
mod report;
pub mod usage;

pub use report::Sources;

use connections::Connections;

/// Pause after the system refused a connection, so that a lack of descriptors does not become a busy loop.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// Binds the endpoint, so that a taken port is known before anything is done.
pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, sources: Sources) {
    let mut connections = Connections::new(router(sources));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connections.take(stream).await,
            Err(_) => tokio::time::sleep(AFTER_REFUSAL).await,
        }
    }
}

fn router(sources: Sources) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/status", get(status))
        .route("/metrics", get(measure))
        .with_state(sources)
}

async fn readyz(State(sources): State<Sources>) -> (StatusCode, String) {
    let reasons = sources.board.reasons();
    if reasons.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
    }
}

async fn startupz(State(sources): State<Sources>) -> (StatusCode, String) {
    if sources.board.started_up() {
        return (StatusCode::OK, "started\n".to_owned());
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        sources.board.start_reasons().join("\n") + "\n",
    )
}

/// What may be said of the page.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// Seconds.
    refresh: Option<u32>,
}

/// The page for browsers, JSON for everyone else.
async fn status(State(sources): State<Sources>, Query(wanted): Query<Wanted>, head: HeaderMap) -> Response {
    if page::wanted(&head) {
        return page::answer(&sources.status(), wanted.refresh);
    }
    let head = [(CACHE_CONTROL, "no-store"), (VARY, "accept")];
    (head, Json(sources.status())).into_response()
}

async fn measure(State(sources): State<Sources>) -> Response {
    match metrics::render(&sources) {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
