//! The connections of the endpoint: how many there are at a time, and who has to go when there are too many.
//!
//! Each connection is answered once and closed. When all places are taken, the oldest goes: whoever asks is answered
//! within milliseconds, so the oldest is one that says nothing or does not read.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Connections at a time; more wait in the kernel's queue.
const PLACES: usize = 64;

/// A connection ends after this, whatever it is doing.
const LONGEST: Duration = Duration::from_secs(5);

/// No connection has to go before this: it may have asked already and not be answered yet.
const SHORTEST: Duration = Duration::from_millis(100);

/// The most that is kept of a request, in bytes; longer ones are refused.
const LARGEST_REQUEST: usize = 16 * 1024;

/// The connections at hand, oldest first.
#[derive(Debug)]
pub(super) struct Connections {
    service: TowerToHyperService<Router>,
    open: VecDeque<(Instant, JoinHandle<()>)>,
}

impl Connections {
    pub(super) fn new(router: Router) -> Self {
        Self {
            service: TowerToHyperService::new(router),
            open: VecDeque::new(),
        }
    }

    /// Answers on a new connection, after a place was made for it where that is needed.
    pub(super) async fn take(&mut self, stream: TcpStream) {
        self.open.retain(|(_, connection)| !connection.is_finished());
        if self.open.len() >= PLACES
            && let Some((since, oldest)) = self.open.pop_front()
        {
            sleep_until(since + SHORTEST).await;
            oldest.abort();
        }
        let service = self.service.clone();
        let connection = tokio::spawn(async move {
            // A client that is slow or speaks no HTTP is its own affair.
            let _ = tokio::time::timeout(LONGEST, answer(stream, service)).await;
        });
        self.open.push_back((Instant::now(), connection));
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
