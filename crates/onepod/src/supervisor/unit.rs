//! One unit at the supervisor's hands: its runs, how they ended, and what is told about it.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::capture::{Capture, Tail};
use super::config::{self, Kind, Off};
use super::follow::Source;
use super::machine::{End, Index, Presence, State};
use super::{Finish, Means, Report};
use crate::board::status::with_line;
use crate::board::{ServiceState, ServiceView};
use crate::reaper::{Exit, Reaper};

mod run;

pub(super) use run::PATH;
use run::{Reporter, Run};

/// So much of a unit's last lines goes into the message that the pod leaves behind, in bytes. Kubernetes keeps 4096 of
/// all, see the field `terminationMessagePath` of a container.
const LAST_LINES: usize = 2048;

/// Earlier runs of a unit of which the output is still read, because processes that they left behind hold it.
const MAX_LEFT_OPEN: usize = 4;

/// Whether a unit can and shall run. What is not installed cannot be switched on, so it counts as absent rather than as
/// off by default.
pub(super) fn presence(unit: &config::Unit) -> Presence {
    let absent = unit.installed.as_ref().is_some_and(|path| !path.exists());
    match unit.off {
        Some(Off::Disabled) => Presence::Off,
        _ if absent => Presence::Absent,
        Some(Off::ByDefault) => Presence::Off,
        None => Presence::Enabled,
    }
}

#[derive(Debug)]
pub(super) struct Supervised {
    config: config::Unit,
    at_work: Option<Run>,
    /// Number of the run, from 1.
    run: u32,
    /// Runs that have ended or could not begin.
    ends: u32,
    tail: Tail,
    shown: (ServiceState, Timestamp),
    last_end: End,
    last_exit: Option<String>,
    last_lines: Vec<String>,
    /// The last line of a run that has failed.
    last_line: Option<String>,
    /// In our own words.
    cause: Option<String>,
    /// What the run at hand has not done in time.
    too_late: Option<String>,
    /// Pipes of earlier runs.
    left_open: VecDeque<Vec<Capture>>,
}

/// What came of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// It runs.
    Runs,
    /// There was nothing to do.
    Needless,
}

impl Supervised {
    pub(super) fn new(config: config::Unit) -> Self {
        Self {
            config,
            at_work: None,
            run: 0,
            ends: 0,
            tail: Tail::default(),
            shown: (ServiceState::Waiting, Timestamp::now()),
            last_end: End::Success,
            last_exit: None,
            last_lines: Vec::new(),
            last_line: None,
            cause: None,
            too_late: None,
            left_open: VecDeque::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    pub(super) fn config(&self) -> &config::Unit {
        &self.config
    }

    /// Why it is off, for people.
    pub(super) fn why_off(&self) -> &'static str {
        self.config.off.map_or("off", Off::text)
    }

    /// The file that tells whether the unit is installed.
    pub(super) fn installed(&self) -> String {
        self.config
            .installed
            .as_ref()
            .map_or_else(String::new, |path| path.display().to_string())
    }

    /// The files in which it logs.
    pub(super) fn log_files(&self) -> Vec<Source> {
        let source = |path: &PathBuf| Source {
            name: Arc::clone(&self.config.name),
            path: path.clone(),
            tail: self.tail.clone(),
        };
        self.config.logs.iter().map(source).collect()
    }

    /// Starts a run. The error is a sentence for people.
    pub(super) fn start(
        &mut self,
        index: Index,
        means: &Means,
        reports: &UnboundedSender<Report>,
    ) -> Result<Begun, String> {
        if self.has_nothing_to_do() {
            return Ok(Begun::Needless);
        }
        self.run += 1;
        self.cause = None;
        self.last_line = None;
        self.too_late = None;
        self.tail.clear();
        let reporter = Reporter {
            unit: index,
            run: self.run,
            reports: reports.clone(),
        };
        self.at_work = Some(Run::begin(&self.config, means, &self.tail, reporter)?);
        Ok(Begun::Runs)
    }

    /// Whether the directory that the unit works on is empty or absent.
    fn has_nothing_to_do(&self) -> bool {
        let Kind::Timer {
            only_if_not_empty: Some(directory),
            ..
        } = &self.config.kind
        else {
            return false;
        };
        fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none())
    }

    pub(super) fn terminate(&mut self, deadline: Instant, reaper: &Reaper) {
        if self.at_work.is_some() && self.too_late.is_none() {
            tracing::info!("{}: stopping", self.config.name);
        }
        self.drain_until(deadline, reaper);
    }

    /// Has it stop when its work has finished, by `deadline` at the latest.
    pub(super) fn drain_until(&mut self, deadline: Instant, reaper: &Reaper) {
        if let Some(run) = &mut self.at_work {
            run.terminate(&self.config, deadline, reaper);
        }
    }

    /// Its run has taken too long and will be stopped.
    pub(super) fn too_late(&mut self) {
        let text = match self.config.kind {
            Kind::Service { start_within, .. } => {
                let cause = self.cause.iter().map(|cause| format!(": {cause}"));
                format!(
                    "not ready within {} s{}",
                    start_within.as_secs(),
                    cause.collect::<String>()
                )
            }
            Kind::Task { timeout } | Kind::Timer { timeout, .. } => {
                format!("took longer than {} s", timeout.as_secs())
            }
        };
        tracing::warn!("{}: {text}; stopping it", self.name());
        self.too_late = Some(text);
    }

    pub(super) fn kill(&self, reaper: &Reaper) {
        if let Some(run) = &self.at_work {
            tracing::warn!("{}: killed, it had not ended in time", self.name());
            run.kill(reaper);
        }
    }

    /// Kills the run at hand, because another front-end may claim the database.
    pub(super) fn fence(&self, reaper: &Reaper) {
        if let Some(run) = &self.at_work {
            tracing::warn!(
                "{}: killed, because the lease of the database cannot be renewed",
                self.name()
            );
            run.kill(reaper);
        }
    }

    /// Whether this number is that of the run at hand.
    pub(super) fn is_run(&self, run: u32) -> bool {
        self.run == run && self.at_work.is_some()
    }

    /// Whether the run at hand is stopped because it took too long.
    pub(super) fn is_too_late(&self) -> bool {
        self.too_late.is_some()
    }

    /// How many runs have ended.
    pub(super) fn ends(&self) -> u32 {
        self.ends
    }

    /// Takes the probe's answer; says so in the log when it matters.
    pub(super) fn answered(&mut self, answer: Result<(), String>, state: State, means: &Means) {
        match (answer, state) {
            (Ok(()), State::Starting) => {
                let seconds = self.at_work.as_ref().map_or(0.0, Run::seconds);
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
                    means.board.error(self.name(), &format!("not ready: {cause}"));
                }
                self.cause = Some(cause);
            }
        }
    }

    /// A run could not begin.
    pub(super) fn failed(&mut self, reason: String) {
        self.ends += 1;
        self.last_end = End::Failure;
        self.last_exit = Some(reason.clone());
        self.last_lines.clear();
        self.last_line = None;
        self.cause = Some(reason);
    }

    /// Its run has ended.
    pub(super) fn ended(&mut self, finish: &Finish) {
        let seconds = self.at_work.take().map_or(0.0, |run| {
            let seconds = run.seconds();
            let captures = run.close();
            self.keep_open(captures);
            seconds
        });
        self.ends += 1;
        self.last_end = self.end(finish);
        let mut text = match finish {
            Finish::Exit(exit) => format!("{exit} after {seconds:.3} s"),
            Finish::Call(Ok(())) => format!("done after {seconds:.3} s"),
            Finish::Call(Err(reason)) => reason.clone(),
        };
        if let Some(too_late) = self.too_late.take() {
            self.last_end = End::Failure;
            text = format!("{too_late}; {text}");
        }
        self.last_lines = self.tail.lines();
        let failed = self.last_end == End::Failure;
        self.last_line = self.tail.last().filter(|_| failed);
        let told = failed || matches!(self.config.kind, Kind::Service { .. });
        self.cause = told.then(|| text.clone());
        self.last_exit = Some(text);
    }

    /// Goes on reading what processes write that a run left behind, of a few runs: each costs descriptors.
    fn keep_open(&mut self, captures: Vec<Capture>) {
        self.left_open
            .retain(|captures| captures.iter().any(Capture::is_open));
        self.left_open.push_back(captures);
        if self.left_open.len() > MAX_LEFT_OPEN
            && let Some(oldest) = self.left_open.pop_front()
        {
            tracing::warn!(
                "{}: processes of {MAX_LEFT_OPEN} earlier runs live on: the output of the oldest is closed",
                self.config.name
            );
            oldest.into_iter().for_each(Capture::close);
        }
    }

    /// Whether an end is none that anyone need worry about.
    fn end(&self, finish: &Finish) -> End {
        match finish {
            Finish::Exit(Exit::Code(code)) if self.config.success_exit.contains(code) => End::Success,
            Finish::Call(Ok(())) => End::Success,
            Finish::Exit(_) | Finish::Call(Err(_)) => End::Failure,
        }
    }

    /// How its last run ended.
    pub(super) fn last_end(&self) -> End {
        self.last_end
    }

    /// How its last run ended, in short.
    pub(super) fn last_exit(&self) -> &str {
        self.last_exit.as_deref().unwrap_or_default()
    }

    /// Why it is not ready, in our own words.
    pub(super) fn cause(&self) -> &str {
        self.cause.as_deref().unwrap_or_default()
    }

    /// The last line of its last run, where that has failed.
    pub(super) fn last_line(&self) -> Option<&str> {
        self.last_line.as_deref()
    }

    /// Both.
    pub(super) fn cause_with_line(&self) -> String {
        with_line(self.cause(), self.last_line())
    }

    /// Why it has ended the pod, in our own words.
    pub(super) fn reason_of_end(&self, failures: u32) -> String {
        let missing = match self.config.kind {
            Kind::Service { .. } => "having been ready for 30 s",
            Kind::Task { .. } | Kind::Timer { .. } => "success",
        };
        format!(
            "{}: ended {failures} times in a row without {missing}; the last time: {}",
            self.name(),
            self.last_exit()
        )
    }

    /// Its last lines as they follow that reason in the message that the pod leaves behind.
    pub(super) fn last_lines(&self) -> String {
        let mut text = self
            .last_line()
            .map(|line| format!("; its last line: {line}"))
            .unwrap_or_default();
        let mut room = LAST_LINES;
        let mut lines: Vec<&str> = Vec::new();
        for line in self.last_lines.iter().rev() {
            let Some(left) = room.checked_sub(line.len() + 1) else {
                break;
            };
            room = left;
            lines.push(line);
        }
        if !lines.is_empty() {
            text += "; its last lines:";
        }
        for line in lines.iter().rev() {
            text += "\n";
            text += line;
        }
        text
    }

    pub(super) fn view(&mut self, state: State, restarts: u32, satisfied: bool) -> ServiceView {
        let state = shown(state);
        if self.shown.0 != state {
            self.shown = (state, Timestamp::now());
        }
        ServiceView {
            name: self.name().to_owned(),
            state,
            pid: self.at_work.as_ref().and_then(Run::pid),
            since: self.shown.1,
            restarts,
            essential: self.config.essential,
            satisfied,
            last_exit: self.last_exit.clone(),
            last_lines: self.last_lines.clone(),
            cause: self.cause.clone(),
            ..ServiceView::default()
        }
    }
}

fn shown(state: State) -> ServiceState {
    match state {
        State::Waiting | State::Scheduled | State::Fenced => ServiceState::Waiting,
        State::Starting => ServiceState::Starting,
        State::Ready => ServiceState::Ready,
        State::Unready => ServiceState::Unready,
        State::Running => ServiceState::Running,
        State::Done => ServiceState::Done,
        State::Backoff { .. } => ServiceState::Backoff,
        State::Stopping { .. } => ServiceState::Stopping,
        State::Standby => ServiceState::Standby,
        State::Failed => ServiceState::Failed,
        State::Stopped => ServiceState::Stopped,
        State::Off => ServiceState::Off,
        State::Absent => ServiceState::Absent,
    }
}
