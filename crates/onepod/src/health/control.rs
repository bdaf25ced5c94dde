//! The control socket: HTTP over a socket of the file system that only the pod's own user can open. It changes something,
//! so it is not part of the endpoint that everyone in the cluster reaches.
//!
//! `POST /restart/NAME` restarts a service, or has a task or timer run now. `GET /logs/NAME` and `GET /logs` give the last
//! records of the log; `lines=N` says how many, `follow=true` goes on with new ones.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path as Name, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use super::Sources;
use crate::board::{Board, ServiceState, UnitKind};
use crate::log::{Heard, Log, Subscription};
use crate::settings::table::distance;
use crate::supervisor::handle::{CommandError, Handle};

/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 32;

/// So many records are given when nobody says how many.
const LINES: usize = 100;

/// Pause after the system refused a connection, so that a lack of descriptors does not become a busy loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// Binds the control socket, which only its owner can open.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until it is dropped.
pub async fn serve(listener: UnixListener, sources: Sources, handle: Handle) {
    let service = TowerToHyperService::new(router(Control { sources, handle }));
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&free).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service.clone();
                tokio::spawn(async move {
                    // Whoever leaves early is nothing to fail about. There is no time limit: logs are followed for hours.
                    let _ = http1::Builder::new()
                        .keep_alive(false)
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE_AFTER_ERROR).await,
        }
    }
}

#[derive(Debug, Clone)]
struct Control {
    sources: Sources,
    handle: Handle,
}

fn router(control: Control) -> Router {
    Router::new()
        .route("/restart/{name}", post(restart))
        .route("/logs", get(all_logs))
        .route("/logs/{name}", get(logs))
        .route("/status", get(status))
        .with_state(control)
}

/// What `POST /restart/NAME` answers with when it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarted {
    /// The service, task or timer.
    pub name: String,
    /// `service`, `task` or `timer`.
    pub kind: String,
    /// The state before.
    pub before: Option<ServiceState>,
    /// Number of the process that was there before.
    pub old_pid: Option<u32>,
    /// Number of the process that is there now.
    pub new_pid: Option<u32>,
}

async fn restart(State(control): State<Control>, Name(name): Name<String>) -> Response {
    let board = &control.sources.board;
    let Some(kind) = kind(board, &name) else {
        return (StatusCode::NOT_FOUND, unknown(&name, &units(board))).into_response();
    };
    tracing::info!(
        "{name}: asked for through the control socket: {}",
        match kind {
            Kind::Service => "restart",
            Kind::Task | Kind::Timer => "run",
        }
    );
    let find = || board.services().into_iter().find(|service| service.name == name);
    let before = find();
    let done = match kind {
        Kind::Service => control.handle.restart(&name).await,
        Kind::Task | Kind::Timer => control.handle.run_task(&name).await,
    };
    match done {
        Ok(()) => Json(Restarted {
            kind: kind.name().to_owned(),
            before: before.as_ref().map(|service| service.state),
            old_pid: before.and_then(|service| service.pid),
            new_pid: find().and_then(|service| service.pid),
            name,
        })
        .into_response(),
        Err(error) => {
            let status = match error {
                CommandError::Unknown(_) => StatusCode::NOT_FOUND,
                CommandError::Kind { .. } | CommandError::State { .. } => StatusCode::CONFLICT,
                CommandError::Failed { .. } => StatusCode::INTERNAL_SERVER_ERROR,
                CommandError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, format!("{error}\n")).into_response()
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Service,
    Task,
    Timer,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Task => "task",
            Self::Timer => "timer",
        }
    }
}

fn kind(board: &Board, name: &str) -> Option<Kind> {
    if board.timers().iter().any(|timer| timer.name == name) {
        return Some(Kind::Timer);
    }
    let planned = board.plan().into_iter().find(|unit| unit.name == name)?;
    Some(match planned.kind {
        UnitKind::Service => Kind::Service,
        UnitKind::Task => Kind::Task,
    })
}

/// The names of all services, tasks and timers.
fn units(board: &Board) -> Vec<String> {
    let planned = board.plan().into_iter().map(|unit| unit.name);
    planned
        .chain(board.timers().into_iter().map(|timer| timer.name))
        .collect()
}

/// That there is no such name, which one may have been meant, and which ones there are.
fn unknown(name: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("there is no {name:?}; no service is known yet, the pod is still preparing\n");
    }
    let nearest = names
        .iter()
        .map(|known| (distance(name, known), known))
        .filter(|(edits, known)| *edits <= 3 && *edits < known.len())
        .min_by_key(|(edits, _)| *edits);
    let meant = nearest.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"));
    format!("there is no {name:?}{meant}\nthere are: {}\n", names.join(", "))
}

async fn status(State(control): State<Control>) -> Response {
    super::rendered(move || super::json(&control.sources.status())).await
}

/// What of the log is wanted.
#[derive(Debug, Deserialize)]
struct Wanted {
    lines: Option<usize>,
    #[serde(default)]
    follow: bool,
}

async fn all_logs(State(control): State<Control>, Query(wanted): Query<Wanted>) -> Response {
    tell(&control.sources.log, None, &wanted)
}

async fn logs(
    State(control): State<Control>,
    Name(name): Name<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Control { sources, .. } = control;
    let mut names = units(&sources.board);
    names.extend(sources.log.services());
    if !names.contains(&name) {
        names.sort_unstable();
        names.dedup();
        return (StatusCode::NOT_FOUND, unknown(&name, &names)).into_response();
    }
    tell(&sources.log, Some(&name), &wanted)
}

fn tell(log: &Log, service: Option<&str>, wanted: &Wanted) -> Response {
    let (records, subscription) = if wanted.follow {
        let (records, subscription) = log.subscribe(service);
        (records, Some(subscription))
    } else {
        (log.recent(service), None)
    };
    let skipped = records.len().saturating_sub(wanted.lines.unwrap_or(LINES));
    let mut text = String::new();
    for record in records.iter().skip(skipped) {
        text.push_str(record);
        text.push('\n');
    }
    match subscription {
        None => text.into_response(),
        Some(subscription) => Body::new(Following {
            first: Some(text),
            next: Box::pin(hear(subscription)),
        })
        .into_response(),
    }
}

/// The body of an answer that goes on for as long as the client reads it.
struct Following {
    first: Option<String>,
    next: Pin<Box<dyn Future<Output = (String, Subscription)> + Send>>,
}

async fn hear(mut subscription: Subscription) -> (String, Subscription) {
    let mut text = line(subscription.next().await);
    // What else is there goes along.
    while text.len() < 16 * 1024
        && let Some(heard) = subscription.take()
    {
        text += &line(heard);
    }
    (text, subscription)
}

fn line(heard: Heard) -> String {
    match heard {
        Heard::Record(record) => record + "\n",
        Heard::Missed(count) => format!("--- {count} records were missed, they came too fast ---\n"),
    }
}

impl hyper::body::Body for Following {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take().filter(|text| !text.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first.into()))));
        }
        let (text, subscription) = ready!(self.next.as_mut().poll(context));
        self.next = Box::pin(hear(subscription));
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_all() {
        let names = ["oned", "oneflow", "onegate"].map(str::to_owned);
        assert_eq!(
            unknown("oneflwo", &names),
            "there is no \"oneflwo\"; did you mean oneflow?\nthere are: oned, oneflow, onegate\n"
        );
        assert_eq!(
            unknown("sunstone", &names),
            "there is no \"sunstone\"\nthere are: oned, oneflow, onegate\n"
        );
        assert!(unknown("oned", &[]).contains("still preparing"));
    }

    #[tokio::test]
    async fn only_the_owner_can_open_the_socket_and_a_stale_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/control");
        drop(bind(&path).unwrap());
        let _listener = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
