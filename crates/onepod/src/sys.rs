//! The edge to the kernel: signals that end the pod, the subreaper attribute, memory of a process group.
//!
//! Starting, signalling and waiting for processes is not here: that belongs to the reaper alone.

use std::fs;
use std::io;
use std::path::Path;

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

/// Resident memory of each process group, in KiB; pages that processes share are counted for each of them.
///
/// Fields 5 (pgrp) and 24 (rss, in pages) of `/proc/PID/stat`, see `proc_pid_stat(5)`.
#[must_use]
pub fn group_memory_kib(group: u32) -> Option<u64> {
    let page_kib = u64::try_from(rustix::param::page_size()).ok()? / 1024;
    let pages: Vec<u64> = fs::read_dir("/proc")
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .first()
                .is_some_and(u8::is_ascii_digit)
        })
        .filter_map(|entry| resident_pages(&entry.path(), group))
        .collect();
    if pages.is_empty() {
        None
    } else {
        Some(pages.iter().sum::<u64>() * page_kib)
    }
}

fn resident_pages(process: &Path, group: u32) -> Option<u64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // The command's name, field 2, is in parentheses and may itself hold blanks and parentheses.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    if fields.get(2)?.parse::<u32>().ok()? != group {
        return None;
    }
    fields.get(21)?.parse().ok()
}
