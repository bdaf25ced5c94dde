//! The only owner of `wait()`: starts processes, hears of their end, and reaps what others left behind.
//!
//! One lock is held while a process is started and registered, and while ended processes are collected. So no end can be
//! collected before its process is registered, and the standard library's own wait for a command that could not be
//! executed cannot lose its race. Deliberately absent: any knowledge of services, restarts or logs.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpgid, kill_process, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// How many ends are collected before other tasks get their turn.
const BATCH: usize = 256;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It called `exit` with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    fn from_status(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            // waitpid without UNTRACED or CONTINUED reports nothing else.
            (None, None) => Self::Code(-1),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "killed by SIG{name}"),
                None => write!(f, "killed by signal {number}"),
            },
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::ILL, "ILL"),
        (Signal::ABORT, "ABRT"),
        (Signal::BUS, "BUS"),
        (Signal::FPE, "FPE"),
        (Signal::KILL, "KILL"),
        (Signal::SEGV, "SEGV"),
        (Signal::PIPE, "PIPE"),
        (Signal::TERM, "TERM"),
        (Signal::SYS, "SYS"),
    ]
    .into_iter()
    .find_map(|(signal, name)| (signal.as_raw() == number).then_some(name))
}

/// A process that runs, leader of its own process group.
#[derive(Debug)]
pub struct Started {
    /// Its number, which is also its group's.
    pub pid: Pid,
    /// Resolves when it has ended and been reaped.
    pub exit: oneshot::Receiver<Exit>,
    /// Read end of its standard output, where the command asked for a pipe.
    pub stdout: Option<OwnedFd>,
    /// Read end of its standard error, where the command asked for a pipe.
    pub stderr: Option<OwnedFd>,
}

/// Starts processes and reaps them. Clones share one table.
#[derive(Debug, Clone, Default)]
pub struct Reaper {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    running: HashMap<Pid, oneshot::Sender<Exit>>,
    orphans: u64,
}

impl Reaper {
    /// Begins to reap: from now on every child of this process, and every orphan below it, is collected here.
    pub fn start() -> io::Result<Self> {
        crate::sys::adopt_orphans()?;
        let mut child_ended = signal(SignalKind::child())?;
        let reaper = Self::default();
        let table = Arc::clone(&reaper.table);
        tokio::spawn(async move {
            // The signal is listened for before the first look, so whatever ends after a look wakes the next one.
            loop {
                while collect(&table) == BATCH {
                    tokio::task::yield_now().await;
                }
                if child_ended.recv().await.is_none() {
                    return;
                }
            }
        });
        Ok(reaper)
    }

    /// Starts a command as leader of a new process group, with nothing on its standard input.
    ///
    /// Fails with the system's reason when the command cannot be executed.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Started> {
        command.stdin(Stdio::null()).process_group(0);
        let mut table = lock(&self.table);
        #[expect(
            clippy::disallowed_methods,
            reason = "the reaper is the one place that starts processes"
        )]
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the system gave a process number that is none"))?;
        let (ended, exit) = oneshot::channel();
        table.running.insert(pid, ended);
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        Ok(Started {
            pid,
            exit,
            stdout,
            stderr,
        })
    }

    /// Signals the group of a started process, and nobody when that process has been reaped: its number may already be
    /// another one's.
    pub fn signal(&self, pid: Pid, signal: Signal) {
        let table = lock(&self.table);
        if table.running.contains_key(&pid) {
            signal_group(pid, signal);
        }
    }

    /// Signals one process of the group of a started process.
    pub fn signal_member(&self, group: Pid, pid: Pid, signal: Signal) {
        let table = lock(&self.table);
        if table.running.contains_key(&group) && getpgid(Some(pid)).is_ok_and(|of| of == group) {
            // ESRCH says that it has gone, which is no failure.
            let _ = kill_process(pid, signal);
        }
    }

    /// How many processes were reaped that nobody here had started.
    #[must_use]
    pub fn orphans_reaped(&self) -> u64 {
        lock(&self.table).orphans
    }
}

/// Collects up to [`BATCH`] ends and returns how many there were.
fn collect(table: &Mutex<Table>) -> usize {
    let mut table = lock(table);
    for collected in 0..BATCH {
        #[expect(
            clippy::disallowed_methods,
            reason = "the reaper is the one place that waits for processes"
        )]
        let ended = rustix::process::wait(WaitOptions::NOHANG);
        let (pid, status) = match ended {
            Ok(Some(ended)) => ended,
            Err(Errno::INTR) => continue,
            Ok(None) | Err(_) => return collected,
        };
        if let Some(waiting) = table.running.remove(&pid) {
            // What a service leaves of its group would hold the ports and locks that its successor needs. The number
            // cannot have been given to anyone else: as long as the group has a member it is taken, and when it has
            // none this reaches nobody.
            signal_group(pid, Signal::KILL);
            // Nobody listens any more: then nobody misses it.
            let _ = waiting.send(Exit::from_status(status));
        } else {
            table.orphans += 1;
        }
    }
    BATCH
}

fn signal_group(group: Pid, signal: Signal) {
    // ESRCH says that nobody is left, which is no failure; EPERM cannot happen to members of our own user.
    let _ = kill_process_group(group, signal);
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
