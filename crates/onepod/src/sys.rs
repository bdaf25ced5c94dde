//! The edge to the kernel: signals that end the pod, the subreaper attribute.
//!
//! Starting, signalling and waiting for processes is not here: that belongs to the reaper alone.

use std::io;

use rustix::process::{getpid, set_child_subreaper};
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    terminate: Signal,
    interrupt: Signal,
}

impl StopRequests {
    /// Takes over SIGTERM and SIGINT, and has SIGHUP do nothing: without handlers PID 1 would not get the first two, and
    /// the last would end a process that is not PID 1.
    pub fn listen() -> io::Result<Self> {
        drop(signal(SignalKind::hangup())?);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next request.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
