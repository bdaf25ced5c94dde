//! The connections of the endpoint. Probes are answered as soon as they are read; pages have a limited number of places
//! beside them.
//!
//! Every connection is accepted at once, answered once and closed. When all places are taken, the address that has most of
//! them gives up its oldest: whoever opens thousands of connections shuts out itself, and not the kubelet.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::{ProbePath, Sources};

/// Connections at a time that have not sent a request, or ask for a probe; each takes about a KiB.
const PROBE_PLACES: usize = 4096;

/// Connections at a time that ask for a page.
const PAGE_PLACES: usize = 32;

/// A connection ends after this, whatever it is doing.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest request, in bytes.
const MAX_REQUEST: usize = 16 * 1024;

/// Pause after the system refused to accept, so that a lack of descriptors does not become a busy loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// Accepts and answers.
#[derive(Debug)]
pub(super) struct Connections {
    pages: TowerToHyperService<Router>,
    sources: Sources,
    page_places: Mutex<Places>,
}

impl Connections {
    pub(super) fn new(pages: Router, sources: Sources) -> Self {
        Self {
            pages: TowerToHyperService::new(pages),
            sources,
            page_places: Mutex::new(Places::new(PAGE_PLACES)),
        }
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(self, listener: TcpListener) {
        let connections = Arc::new(self);
        let mut places = Places::new(probe_places());
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (connections, from) = (Arc::clone(&connections), peer.ip());
                    let answer = async move {
                        // A client that is slow or does not speak HTTP gets no answer.
                        let _ = timeout(TIMEOUT, connections.answer(stream, from)).await;
                    };
                    places.take(from, tokio::spawn(answer).abort_handle());
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    places.keep(places.count / 2);
                    sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    async fn answer(&self, stream: TcpStream, from: IpAddr) -> io::Result<()> {
        // Until it has sent something it is closed by a reset, which leaves nothing behind in the kernel.
        set_socket_linger(&stream, Some(Duration::ZERO))?;
        let mut start = [0; 16];
        let length = stream.peek(&mut start).await?;
        if length == 0 {
            return Ok(());
        }
        set_socket_linger(&stream, None)?;
        if let Some(path) = probe_path(start.get(..length).unwrap_or_default()) {
            return self.answer_probe(stream, path).await;
        }
        let page = tokio::spawn(answer_page(stream, self.pages.clone()));
        self.page_places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(from, page.abort_handle());
        Ok(())
    }

    async fn answer_probe(&self, mut stream: TcpStream, path: ProbePath) -> io::Result<()> {
        // All of the request is read: closed before that, the connection would be reset and the answer lost.
        let mut request = Vec::with_capacity(512);
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 || request.len() > MAX_REQUEST {
                return Ok(());
            }
        }
        let (status, body) = path.answer(&self.sources);
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

async fn answer_page(stream: TcpStream, pages: TowerToHyperService<Router>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TIMEOUT)
        .keep_alive(false)
        .max_buf_size(MAX_REQUEST)
        .serve_connection(TokioIo::new(stream), pages);
    let _ = timeout(TIMEOUT, connection).await;
}

/// The probe that a request asks for, by its first bytes. A request of which fewer have come is answered like one for a page.
fn probe_path(start: &[u8]) -> Option<ProbePath> {
    let path = start.strip_prefix(b"GET /")?;
    [
        (&b"livez"[..], ProbePath::Live),
        (b"readyz", ProbePath::Ready),
        (b"startupz", ProbePath::Startup),
    ]
    .into_iter()
    .find_map(|(name, probe)| {
        let rest = path.strip_prefix(name)?;
        matches!(rest.first(), Some(b' ' | b'?')).then_some(probe)
    })
}

/// Half of the descriptors that this process may have are for its other work.
fn probe_places() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors / 2).map_or(PROBE_PLACES, |places| places.clamp(64, PROBE_PLACES))
}

/// The connections of one kind, by the address that they come from.
#[derive(Debug)]
struct Places {
    limit: usize,
    /// Oldest first, each with its number.
    open: HashMap<IpAddr, VecDeque<(u64, AbortHandle)>>,
    count: usize,
    taken: u64,
}

impl Places {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            open: HashMap::new(),
            count: 0,
            taken: 0,
        }
    }

    /// Gives a place to a connection, after room was made where that is needed.
    fn take(&mut self, from: IpAddr, connection: AbortHandle) {
        if self.count >= self.limit {
            // An eighth at once: doing that for each new connection would cost more.
            self.keep(self.limit - self.limit / 8);
        }
        self.taken += 1;
        self.count += 1;
        self.open
            .entry(from)
            .or_default()
            .push_back((self.taken, connection));
    }

    /// Frees the places of connections that have ended, and of others until no more than so many are left.
    fn keep(&mut self, most: usize) {
        self.open.retain(|_, connections| {
            connections.retain(|(_, connection)| !connection.is_finished());
            !connections.is_empty()
        });
        self.count = self.open.values().map(VecDeque::len).sum();
        while self.count > most {
            let largest = self.open.values_mut().max_by_key(|connections| {
                let oldest = connections.front().map(|(number, _)| *number);
                (connections.len(), Reverse(oldest))
            });
            let Some((_, oldest)) = largest.and_then(VecDeque::pop_front) else {
                return;
            };
            oldest.abort();
            self.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[test]
    fn probes_are_told_by_the_beginning_of_the_request() {
        for (start, probe) in [
            (&b"GET /livez HTTP/"[..], Some(ProbePath::Live)),
            (b"GET /readyz?x=1 ", Some(ProbePath::Ready)),
            (b"GET /startupz HT", Some(ProbePath::Startup)),
            (b"GET /startupz", None),
            (b"GET /livezz HTTP", None),
            (b"GET /status HTTP", None),
            (b"HEAD /livez HTTP", None),
            (b"G", None),
        ] {
            assert_eq!(probe_path(start), probe, "{start:?}");
        }
    }

    #[tokio::test]
    async fn the_address_with_most_connections_gives_up_its_oldest() {
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let connection = || tokio::spawn(pending::<()>());
        let mut places = Places::new(16);
        let kubelet = connection();
        places.take(address(1), kubelet.abort_handle());
        let flood: Vec<_> = (0..100).map(|_| connection()).collect();
        for one in &flood {
            places.take(address(2), one.abort_handle());
        }
        assert!(places.count <= 16, "{}", places.count);
        let oldest = flood.into_iter().next().unwrap();
        assert!(oldest.await.unwrap_err().is_cancelled());
        assert!(!kubelet.is_finished());
        // An address that gave up everything is forgotten.
        kubelet.abort();
        assert!(kubelet.await.is_err());
        places.keep(16);
        assert!(!places.open.contains_key(&address(1)));
    }
}
