//! One run of a unit: its process with pipes and probe, or its call of a function of onepod's own.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal};
use tokio::net::UnixDatagram;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use crate::reaper::{Reaper, Started};
use crate::supervisor::capture::{Capture, Lines, Tail};
use crate::supervisor::config::{Kind, Readiness, Unit, Work};
use crate::supervisor::drain::{self, Drained};
use crate::supervisor::machine::Index;
use crate::supervisor::probe::{self, Probe};
use crate::supervisor::{Finish, Means, News, Report};

/// Where programs are looked for, unless a unit has its own path.
pub(in crate::supervisor) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A run that is under way.
#[derive(Debug)]
pub(super) struct Run {
    began: Instant,
    doing: Doing,
}

#[derive(Debug)]
enum Doing {
    Process {
        pid: Pid,
        captures: Vec<Capture>,
        probe: Option<JoinHandle<()>>,
        /// Waits for the work of the service, then sends the stop signal.
        drain: Option<AbortHandle>,
    },
    Call(AbortHandle),
}

/// Where news of a run go.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    pub(super) unit: Index,
    /// Number of the run.
    pub(super) run: u32,
    pub(super) reports: UnboundedSender<Report>,
}

impl Reporter {
    fn tell(&self, news: News) {
        // Nobody listens any more: then nothing is supervised any more.
        let _ = self.reports.send(Report {
            unit: self.unit,
            run: self.run,
            news,
        });
    }
}

impl Run {
    /// Begins a run. The error is a sentence for people.
    pub(super) fn begin(unit: &Unit, means: &Means, tail: &Tail, reporter: Reporter) -> Result<Self, String> {
        let doing = match &unit.work {
            Work::Program { path, arguments } => {
                remove_leftovers(unit);
                start(unit, path, arguments, means, tail, reporter)?
            }
            Work::Builtin(name) => call(name, means, reporter)?,
        };
        Ok(Self {
            began: Instant::now(),
            doing,
        })
    }

    /// Seconds since its beginning.
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The number of its process.
    pub(super) fn pid(&self) -> Option<u32> {
        match &self.doing {
            Doing::Process { pid, .. } => u32::try_from(pid.as_raw_nonzero().get()).ok(),
            Doing::Call(_) => None,
        }
    }

    /// Asks it to end: at once, or when its work has finished, by `deadline` at the latest. What its probe answers from now
    /// on changes nothing.
    pub(super) fn terminate(&mut self, unit: &Unit, deadline: Instant, reaper: &Reaper) {
        match &mut self.doing {
            Doing::Process {
                pid, probe, drain, ..
            } => {
                probe.take().iter().for_each(JoinHandle::abort);
                let (pid, signal) = (*pid, unit.stop_signal);
                match &unit.drain {
                    None => reaper.signal(pid, signal),
                    Some(work) => {
                        let (name, process) = (Arc::clone(&unit.name), work.process.clone());
                        let (reaper, stop_timeout) = (reaper.clone(), unit.stop_timeout);
                        let waiting = tokio::spawn(async move {
                            if finish_work(&name, pid, &process, deadline).await == Drained::TimedOut {
                                // What the service leaves of its group when it ends is killed: the work ends first.
                                for member in drain::members(pid, &process).await {
                                    reaper.signal_member(pid, member, Signal::INT);
                                }
                                drain::wait(pid, &process, deadline + stop_timeout / 2).await;
                            }
                            reaper.signal(pid, signal);
                        });
                        if let Some(before) = drain.replace(waiting.abort_handle()) {
                            before.abort();
                        }
                    }
                }
            }
            // A call has no signals; what it does can be cut off at any point.
            Doing::Call(call) => call.abort(),
        }
    }

    /// Ends it, with its whole process group.
    pub(super) fn kill(&self, reaper: &Reaper) {
        match &self.doing {
            Doing::Process { pid, .. } => reaper.signal(*pid, Signal::KILL),
            Doing::Call(call) => call.abort(),
        }
    }

    /// Takes what it has still written, once it has ended; gives back the pipes that processes which it left behind hold.
    pub(super) fn close(self) -> Vec<Capture> {
        let Doing::Process {
            captures,
            probe,
            drain,
            ..
        } = self.doing
        else {
            return Vec::new();
        };
        captures.iter().for_each(Capture::drain);
        probe.iter().for_each(JoinHandle::abort);
        drain.iter().for_each(AbortHandle::abort);
        captures
    }
}

/// Waits for the work of a service and says how that went.
async fn finish_work(name: &str, pid: Pid, process: &str, deadline: Instant) -> Drained {
    if drain::members(pid, process).await.is_empty() {
        return Drained::Idle;
    }
    let seconds = deadline.saturating_duration_since(Instant::now()).as_secs();
    tracing::info!("{name}: waiting for {process} to finish, {seconds} s at most");
    let drained = drain::wait(pid, process, deadline).await;
    match drained {
        Drained::Idle | Drained::Finished => tracing::info!("{name}: {process} has finished"),
        Drained::TimedOut => tracing::error!(
            "{name}: {process} was still running after {seconds} s and is interrupted: OpenNebula may not know all \
             machines that it has made. See \"OneForm\" in docs/operations.md"
        ),
    }
    drained
}

fn start(
    unit: &Unit,
    path: &Path,
    arguments: &[String],
    means: &Means,
    tail: &Tail,
    reporter: Reporter,
) -> Result<Doing, String> {
    let readiness = match &unit.kind {
        Kind::Service { readiness, .. } => Some(readiness),
        Kind::Task { .. } | Kind::Timer { .. } => None,
    };
    let mut command = command(unit, path, arguments, means);
    let notify = match readiness {
        Some(Readiness::Notify) => {
            let socket = probe::notify_path(&means.paths.run_onepod(), &unit.name);
            command.env("NOTIFY_SOCKET", &socket);
            Some(notify_socket(&socket)?)
        }
        _ => None,
    };
    let Started {
        pid,
        exit,
        stdout,
        stderr,
    } = means
        .reaper
        .spawn(&mut command)
        .map_err(|error| format!("cannot start {}: {error}", path.display()))?;
    let captures = [stdout, stderr]
        .into_iter()
        .flatten()
        .filter_map(|pipe| {
            let lines = Lines::new(Arc::clone(&unit.name), means.log.clone(), tail.clone());
            Capture::start(pipe, lines).ok()
        })
        .collect();
    let what = probe::Run {
        pid,
        notify,
        auth_file: &means.paths.one_auth(),
        essential: unit.essential,
    };
    let (board, name) = (means.board.clone(), Arc::clone(&unit.name));
    let teller = reporter.clone();
    let probe = readiness
        .and_then(|readiness| Probe::new(readiness, what))
        .map(|probe| {
            tokio::spawn(probe.watch(
                move |answer| teller.tell(News::Answer(answer)),
                move |took, ready| board.probed(&name, took, ready),
            ))
        });
    tokio::spawn(async move {
        if let Ok(exit) = exit.await {
            reporter.tell(News::Ended(Finish::Exit(exit)));
        }
    });
    Ok(Doing::Process {
        pid,
        captures,
        probe,
        drain: None,
    })
}

fn call(name: &str, means: &Means, reporter: Reporter) -> Result<Doing, String> {
    let call = means
        .builtins
        .call(name)
        .ok_or_else(|| format!("there is no built-in {name:?} in this program"))?;
    let work = tokio::spawn(call);
    let abort = work.abort_handle();
    tokio::spawn(async move {
        let result = work.await.unwrap_or_else(|error| {
            Err(if error.is_cancelled() {
                "stopped".to_owned()
            } else {
                "a defect of onepod ended it".to_owned()
            })
        });
        reporter.tell(News::Ended(Finish::Call(result)));
    });
    Ok(Doing::Call(abort))
}

/// Removes what a predecessor that was killed could not remove. None of its processes lives at this time.
fn remove_leftovers(unit: &Unit) {
    let name = &unit.name;
    for path in &unit.remove_before_start {
        match fs::remove_file(path) {
            Ok(()) => tracing::info!("{name}: removed {}, left by an earlier run", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // The service itself will say what it cannot do because of it.
            Err(error) => tracing::warn!("{name}: cannot remove {}: {error}", path.display()),
        }
    }
}

fn notify_socket(path: &Path) -> Result<UnixDatagram, String> {
    fs::create_dir_all(path.parent().unwrap_or(path))
        .and_then(|()| probe::notify_socket(path))
        .map_err(|error| format!("cannot make {}: {error}", path.display()))
}

fn command(unit: &Unit, path: &Path, arguments: &[String], means: &Means) -> Command {
    let mut command = Command::new(path);
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/var/lib/one")
        .env("USER", "oneadmin")
        .env("LOGNAME", "oneadmin")
        .env("LANG", "C.UTF-8")
        .envs(means.inherited.passed())
        .envs(means.identity.environment().iter().cloned())
        .envs(&unit.environment);
    command
}
