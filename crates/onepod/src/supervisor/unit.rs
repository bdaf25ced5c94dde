//! One service at the supervisor's hands: its process, pipes and probe, and what is told about it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::process::{Pid, Signal};
use tokio::net::UnixDatagram;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::capture::{Capture, Lines, Tail};
use super::config::{Kind, Readiness, Unit as Service, Work};
use super::follow::Source;
use super::machine::{Index, Presence, State};
use super::probe::{self, Probe};
use super::{Means, News, Report};
use crate::board::{ServiceState, ServiceView};
use crate::reaper::{Exit, Reaper, Started};

/// Where programs are looked for, unless a service has its own path.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a service can and shall run.
pub(super) fn presence(service: &Service, disabled: &BTreeSet<String>) -> Presence {
    if disabled.contains(&*service.name) {
        Presence::Off
    } else if service.installed.as_ref().is_some_and(|path| !path.exists()) {
        Presence::Absent
    } else {
        Presence::Enabled
    }
}

#[derive(Debug)]
pub(super) struct Unit {
    service: Service,
    process: Option<Process>,
    /// Number of the run, from 1.
    run: u32,
    tail: Tail,
    shown: (ServiceState, Timestamp),
    last_exit: Option<String>,
    last_lines: Vec<String>,
    cause: Option<String>,
}

#[derive(Debug)]
struct Process {
    pid: Pid,
    began: Instant,
    captures: Vec<Capture>,
    probe: Option<JoinHandle<()>>,
}

impl Unit {
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            process: None,
            run: 0,
            tail: Tail::default(),
            shown: (ServiceState::Waiting, Timestamp::now()),
            last_exit: None,
            last_lines: Vec::new(),
            cause: None,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.service.name
    }

    /// The file that tells whether the service is installed.
    pub(super) fn installed(&self) -> String {
        self.service
            .installed
            .as_ref()
            .map_or_else(String::new, |path| path.display().to_string())
    }

    /// The files in which it logs.
    pub(super) fn log_files(&self) -> Vec<Source> {
        let source = |path: &PathBuf| Source {
            name: Arc::clone(&self.service.name),
            path: path.clone(),
            tail: self.tail.clone(),
        };
        self.service.logs.iter().map(source).collect()
    }

    /// Starts a run. The error is a sentence for people.
    pub(super) fn start(
        &mut self,
        index: Index,
        means: &Means,
        reports: &UnboundedSender<Report>,
    ) -> Result<(), String> {
        self.run += 1;
        self.cause = None;
        self.tail.clear();
        self.remove_leftovers();
        let notify = self.notify_socket(means)?;
        let mut command = self.command(means);
        let started = means
            .reaper
            .spawn(&mut command)
            .map_err(|error| format!("cannot start {}: {error}", self.program()))?;
        let Started {
            pid,
            exit,
            stdout,
            stderr,
        } = started;
        let captures = [stdout, stderr]
            .into_iter()
            .flatten()
            .filter_map(|pipe| {
                let lines = Lines::new(
                    Arc::clone(&self.service.name),
                    means.log.clone(),
                    self.tail.clone(),
                );
                Capture::start(pipe, lines).ok()
            })
            .collect();
        let run = self.run;
        let reports_of_probe = reports.clone();
        let what = probe::Run {
            pid,
            notify,
            auth_file: &means.paths.auth_dir().join("one_auth"),
            essential: self.service.essential,
        };
        let (board, name) = (means.board.clone(), Arc::clone(&self.service.name));
        let probe = Probe::new(self.readiness(), what).map(|probe| {
            let tell = move |answer| {
                // Nobody listens any more: then nothing is supervised any more.
                let _ = reports_of_probe.send(Report {
                    service: index,
                    run,
                    news: News::Answer(answer),
                });
            };
            tokio::spawn(probe.watch(tell, move |took, ready| board.probed(&name, took, ready)))
        });
        let reports = reports.clone();
        tokio::spawn(async move {
            if let Ok(exit) = exit.await {
                let _ = reports.send(Report {
                    service: index,
                    run,
                    news: News::Ended(exit),
                });
            }
        });
        self.process = Some(Process {
            pid,
            began: Instant::now(),
            captures,
            probe,
        });
        Ok(())
    }

    /// Removes what a predecessor that was killed could not remove. None of its processes lives at this time.
    fn remove_leftovers(&self) {
        for path in &self.service.remove_before_start {
            match fs::remove_file(path) {
                Ok(()) => tracing::info!(
                    "{}: removed {}, left by an earlier run",
                    self.name(),
                    path.display()
                ),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // The service itself will say what it cannot do because of it.
                Err(error) => tracing::warn!("{}: cannot remove {}: {error}", self.name(), path.display()),
            }
        }
    }

    fn program(&self) -> String {
        match &self.service.work {
            Work::Program { path, .. } => path.display().to_string(),
            Work::Builtin(name) => name.clone(),
        }
    }

    fn readiness(&self) -> &Readiness {
        match &self.service.kind {
            Kind::Service { readiness, .. } => readiness,
            Kind::Task { .. } | Kind::Timer { .. } => &Readiness::Notify,
        }
    }

    fn notify_socket(&self, means: &Means) -> Result<Option<UnixDatagram>, String> {
        if !matches!(self.readiness(), Readiness::Notify) {
            return Ok(None);
        }
        let directory = means.paths.run_onepod();
        let path = probe::notify_path(&directory, self.name());
        fs::create_dir_all(&directory)
            .and_then(|()| probe::notify_socket(&path))
            .map(Some)
            .map_err(|error| format!("cannot make {}: {error}", path.display()))
    }

    fn command(&self, means: &Means) -> Command {
        let (program, arguments): (&Path, &[String]) = match &self.service.work {
            Work::Program { path, arguments } => (path, arguments),
            Work::Builtin(_) => (Path::new(""), &[]),
        };
        let mut command = Command::new(program);
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
            .envs(means.time_zone.iter().map(|zone| ("TZ", zone)))
            .envs(&self.service.environment);
        if matches!(self.readiness(), Readiness::Notify) {
            command.env(
                "NOTIFY_SOCKET",
                probe::notify_path(&means.paths.run_onepod(), self.name()),
            );
        }
        command
    }

    pub(super) fn terminate(&mut self, reaper: &Reaper) {
        if let Some(process) = &mut self.process {
            tracing::info!("{}: stopping", self.service.name);
            // What it answers from now on changes nothing.
            process.probe.take().iter().for_each(JoinHandle::abort);
            reaper.signal(process.pid, self.service.stop_signal);
        }
    }

    pub(super) fn kill(&self, reaper: &Reaper) {
        if let Some(process) = &self.process {
            reaper.signal(process.pid, Signal::KILL);
        }
    }

    /// Whether this number is that of the run at hand.
    pub(super) fn is_run(&self, run: u32) -> bool {
        self.run == run && self.process.is_some()
    }

    /// Whether this end is none that anyone need worry about.
    pub(super) fn success(&self, exit: Exit) -> bool {
        matches!(exit, Exit::Code(code) if self.service.success_exit.contains(&code))
    }

    /// Takes the probe's answer; says so in the log when it matters.
    pub(super) fn answered(&mut self, answer: Result<(), String>, state: State) {
        match (answer, state) {
            (Ok(()), State::Starting) => {
                let seconds = self
                    .process
                    .as_ref()
                    .map_or(0.0, |process| process.began.elapsed().as_secs_f64());
                tracing::info!("{}: ready after {seconds:.3} s", self.name());
                self.cause = None;
            }
            (Ok(()), _) => {
                if state == State::Unready {
                    tracing::info!("{}: ready again", self.name());
                }
                self.cause = None;
            }
            (Err(cause), _) => {
                if matches!(state, State::Ready | State::Unready) {
                    tracing::warn!("{}: not ready: {cause}", self.name());
                }
                self.cause = Some(cause);
            }
        }
    }

    /// Its process could not be started.
    pub(super) fn failed(&mut self, reason: String) {
        self.last_exit = Some(reason.clone());
        self.last_lines.clear();
        self.cause = Some(reason);
    }

    /// Its process has ended.
    pub(super) fn ended(&mut self, exit: Exit) {
        let mut text = exit.to_string();
        if let Some(process) = self.process.take() {
            process.captures.iter().for_each(Capture::drain);
            process.probe.iter().for_each(JoinHandle::abort);
            let seconds = process.began.elapsed().as_secs_f64();
            text = format!("{text} after {seconds:.3} s");
        }
        self.last_lines = self.tail.lines();
        self.cause = Some(match self.tail.last() {
            Some(line) if !self.success(exit) => format!("{text}; its last line: {line}"),
            _ => text.clone(),
        });
        self.last_exit = Some(text);
    }

    /// How its last run ended, in short.
    pub(super) fn last_exit(&self) -> &str {
        self.last_exit.as_deref().unwrap_or_default()
    }

    /// Why it is not ready; after an end with the last line that it wrote.
    pub(super) fn cause(&self) -> &str {
        self.cause.as_deref().unwrap_or_default()
    }

    pub(super) fn view(&mut self, state: State, restarts: u32) -> ServiceView {
        let state = shown(state);
        if self.shown.0 != state {
            self.shown = (state, Timestamp::now());
        }
        ServiceView {
            name: self.name().to_owned(),
            satisfied: matches!(
                state,
                ServiceState::Ready | ServiceState::Off | ServiceState::Absent
            ),
            state,
            pid: self
                .process
                .as_ref()
                .and_then(|process| u32::try_from(process.pid.as_raw_nonzero().get()).ok()),
            since: self.shown.1,
            restarts,
            essential: self.service.essential,
            last_exit: self.last_exit.clone(),
            last_lines: self.last_lines.clone(),
            cause: self.cause.clone(),
            ..ServiceView::default()
        }
    }
}

fn shown(state: State) -> ServiceState {
    match state {
        State::Waiting => ServiceState::Waiting,
        State::Starting => ServiceState::Starting,
        State::Ready => ServiceState::Ready,
        State::Unready => ServiceState::Unready,
        State::Backoff { .. } => ServiceState::Backoff,
        State::Stopping { .. } => ServiceState::Stopping,
        State::Stopped => ServiceState::Stopped,
        State::Off => ServiceState::Off,
        State::Absent => ServiceState::Absent,
    }
}
