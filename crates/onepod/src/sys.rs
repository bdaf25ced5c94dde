//! The edge to the kernel: signals that end the pod, the subreaper attribute.
//!
//! Starting, signalling and waiting for processes is not here: that belongs to the reaper alone.

use std::io;

use rustix::process::{getpid, set_child_subreaper};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Makes orphans of our descendants our children, as they are anyway for PID 1 of a PID namespace.
pub fn adopt_orphans() -> io::Result<()> {
    if !getpid().is_init() {
        set_child_subreaper(Some(getpid()))?;
    }
    Ok(())
}

/// Requests to end the pod: SIGTERM, and SIGINT for people at a terminal.
#[derive(Debug)]
pub struct StopRequests {
    requests: mpsc::UnboundedReceiver<()>,
}

impl StopRequests {
    /// Takes over SIGTERM and SIGINT, and has SIGHUP do nothing: without handlers PID 1 would not get the first two, and
    /// the last would end a process that is not PID 1.
    pub fn listen() -> io::Result<Self> {
        drop(signal(SignalKind::hangup())?);
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (sender, requests) = Self::channel();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
        Ok(requests)
    }

    /// Requests that come from elsewhere.
    #[must_use]
    pub fn channel() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, requests) = mpsc::unbounded_channel();
        (sender, Self { requests })
    }

    /// Waits for the next request; for ever when none can come any more.
    pub async fn next(&mut self) {
        if self.requests.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
