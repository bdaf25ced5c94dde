//! Waits for the work of a service before the service gets its stop signal: a process of a certain name in its process
//! group. It sends no signal itself.
//!
//! `OneForm` starts Terraform and learns from it which machines it has made only when it ends (7.4.0,
//! `src/form/lib/tools/terraform.rb`): stopped in between, it leaves machines behind that nobody knows and somebody pays.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;
use tokio::time::{self, Instant};

/// Time between two looks through `/proc`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The service writes down what came of its work, and begins its next step, within this time after a process of its
/// work has ended.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// How long a service may be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drain {
    /// Name of the process, as `/proc/PID/comm` has it.
    pub(crate) process: String,
    /// The longest time.
    pub(crate) timeout: Duration,
}

/// How the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// There was no such process.
    Idle,
    /// They have ended, and the service has had time to write down what came of them.
    Finished,
    /// One still runs.
    TimedOut,
}

/// The processes of this name in the process group.
pub(super) async fn members(group: Pid, process: &str) -> Vec<Pid> {
    let process = process.to_owned();
    // With thousands of processes this takes longer than whoever asks for the health waits.
    tokio::task::spawn_blocking(move || members_in(Path::new("/proc"), group, &process))
        .await
        .unwrap_or_default()
}

/// Waits until the process group has had no process of this name for [`SETTLE_TIME`], or until `deadline`. A service
/// that is idle at first is not waited for.
pub(super) async fn wait(group: Pid, process: &str, deadline: Instant) -> Drained {
    if members(group, process).await.is_empty() {
        return Drained::Idle;
    }
    let mut last_busy = Instant::now();
    while Instant::now() < deadline {
        time::sleep_until(deadline.min(Instant::now() + POLL_INTERVAL)).await;
        if !members(group, process).await.is_empty() {
            last_busy = Instant::now();
        } else if last_busy.elapsed() >= SETTLE_TIME {
            return Drained::Finished;
        }
    }
    Drained::TimedOut
}

fn members_in(proc: &Path, group: Pid, process: &str) -> Vec<Pid> {
    let group = group.as_raw_nonzero().get();
    let Ok(directory) = fs::read_dir(proc) else {
        return Vec::new();
    };
    directory
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            (name_and_group(&stat)? == (process, group)).then_some(pid)
        })
        .collect()
}

/// Fields 2 (comm, in parentheses, which may hold any character) and 5 (pgrp) of `/proc/PID/stat`, unless the process has
/// ended and only waits to be reaped (field 3 is Z), see `proc_pid_stat(5)`.
fn name_and_group(stat: &str) -> Option<(&str, i32)> {
    let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
    let mut fields = stat.get(end + 2..)?.split(' ');
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    (state != "Z").then_some((stat.get(begin + 1..end)?, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_group_are_found_behind_any_name() {
        assert_eq!(name_and_group("7 (a) (b) S 3 5 5 0"), Some(("a) (b", 5)));
        assert_eq!(name_and_group("7 (terraform) Z 3 5 5 0"), None);
        assert_eq!(name_and_group("7 (cut"), None);
    }

    #[test]
    fn only_the_process_group_counts() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let (name, group) = name_and_group(&stat).unwrap();
        let group = Pid::from_raw(group).unwrap();
        let proc = Path::new("/proc");
        assert!(members_in(proc, group, name).contains(&rustix::process::getpid()));
        for (proc, group, name) in [
            (proc, group, "terraform"),
            (proc, Pid::INIT, name),
            (Path::new("/nowhere"), group, name),
        ] {
            assert_eq!(members_in(proc, group, name), []);
        }
    }
}
