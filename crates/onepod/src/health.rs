//! The endpoint that tells of the pod's health: `/livez`, `/readyz`, `/startupz`, `/status`.
//!
//! It answers from the board alone: no request ever causes a call to oned or the database. Deliberately absent:
//! authentication (nothing here is secret) and everything but GET.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::board::Board;
use crate::board::status::Status;
use crate::log::Log;
use crate::reaper::Reaper;
use crate::sys;

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// A connection ends after this, whatever it is doing.
const LONGEST: Duration = Duration::from_secs(5);

/// The most that is kept of a request, in bytes; longer ones are refused.
const LARGEST_REQUEST: usize = 16 * 1024;

/// Pause after the system refused a connection, so that a lack of descriptors does not become a busy loop.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// What the answers are made of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Stages and services.
    pub board: Board,
    /// How many orphans there were.
    pub reaper: Reaper,
    /// How many lines were lost.
    pub log: Log,
    /// The file with OpenNebula's release.
    pub release: PathBuf,
    /// When onepod began.
    pub started_at: Timestamp,
}

/// Binds the endpoint, so that a taken port is known before anything is done.
pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Answers until it is dropped.
pub async fn serve(listener: TcpListener, sources: Sources) {
    let service = TowerToHyperService::new(router(sources));
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service.clone();
                tokio::spawn(async move {
                    // A client that is slow or speaks no HTTP is its own affair.
                    let _ = tokio::time::timeout(LONGEST, answer(stream, service)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(AFTER_REFUSAL).await,
        }
    }
}

async fn answer(stream: TcpStream, service: TowerToHyperService<Router>) -> hyper::Result<()> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST)
        .keep_alive(false)
        .max_buf_size(LARGEST_REQUEST)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn router(sources: Sources) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/status", get(status))
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

async fn status(State(sources): State<Sources>) -> Json<Status> {
    let Sources {
        board,
        reaper,
        log,
        release,
        started_at,
    } = sources;
    let reasons = board.reasons();
    let mut services = board.services();
    for service in &mut services {
        service.memory_kib = service.pid.and_then(sys::group_memory_kib);
    }
    Json(Status {
        onepod: env!("CARGO_PKG_VERSION"),
        release: fs::read_to_string(release)
            .ok()
            .map(|text| text.trim().to_owned()),
        phase: board.phase(),
        ready: reasons.is_empty(),
        reasons,
        started_at,
        orphans_reaped: reaper.orphans_reaped(),
        log_lines_dropped: log.dropped(),
        stages: board.stages(),
        services,
    })
}
