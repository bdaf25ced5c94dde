//! What the pod is doing, in one place: stages and services as `/status` and `/readyz` show them.
//!
//! The stages and the supervisor write here, the health endpoint reads. It decides nothing and starts nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub mod facts;
pub mod probes;
pub mod status;
pub mod timeline;

pub use facts::{
    DatabaseLock, DatabaseView, ErrorView, PlanView, RemoteDifference, RemoteKind, RemotesReport, TimerState,
    TimerView, UnitKind,
};
pub use status::{Phase, ServiceState, ServiceView};
pub use timeline::{Bar, BarKind};

use probes::ProbeStats;
use timeline::Timeline;

/// Shared record of stages and services; clones show the same record.
#[derive(Debug, Clone, Default)]
pub struct Board {
    shared: Arc<Mutex<Shared>>,
    /// An essential service has stopped answering.
    doubt: Arc<Notify>,
}

#[derive(Debug)]
struct Shared {
    /// The zero of the timeline.
    began: Instant,
    phase: Phase,
    /// Why the pod ends, when it was not asked to.
    ending: Option<String>,
    started_up: bool,
    stages: Vec<StageRecord>,
    services: Vec<ServiceView>,
    plan: Vec<PlanView>,
    timers: Vec<TimerView>,
    timeline: Timeline,
    probes: Vec<ProbeStats>,
    database: Option<DatabaseView>,
    remotes: Option<RemotesReport>,
    errors: VecDeque<ErrorView>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            phase: Phase::default(),
            ending: None,
            started_up: false,
            stages: Vec::new(),
            services: Vec::new(),
            plan: Vec::new(),
            timers: Vec::new(),
            timeline: Timeline::default(),
            probes: Vec::new(),
            database: None,
            remotes: None,
            errors: VecDeque::new(),
        }
    }
}

#[derive(Debug)]
struct StageRecord {
    name: &'static str,
    state: StageState,
    started: Instant,
    seconds: Option<f64>,
    cause: Option<String>,
    notes: Vec<String>,
}

/// Where a stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    /// At work.
    Running,
    /// Waiting for something outside of the pod; its cause says for what.
    Waiting,
    /// Finished.
    Done,
    /// Ended without finishing: an error, or the pod is being stopped.
    Failed,
}

impl StageState {
    /// The state's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One stage as `/status` shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageView {
    /// Name of the stage.
    pub name: String,
    /// Where it stands.
    pub state: StageState,
    /// Seconds it took, or has been at work until now.
    pub seconds: f64,
    /// What it waits for, or why it failed.
    pub cause: Option<String>,
    /// Warnings that the operator should see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that a stage begins.
    #[must_use]
    pub fn stage(&self, name: &'static str) -> Stage {
        let mut shared = self.lock();
        shared.stages.push(StageRecord {
            name,
            state: StageState::Running,
            started: Instant::now(),
            seconds: None,
            cause: None,
            notes: Vec::new(),
        });
        Stage {
            board: self.clone(),
            index: shared.stages.len() - 1,
        }
    }

    /// Every stage so far, in the order of their beginning.
    #[must_use]
    pub fn stages(&self) -> Vec<StageView> {
        self.lock()
            .stages
            .iter()
            .map(|stage| StageView {
                name: stage.name.to_owned(),
                state: stage.state,
                seconds: stage
                    .seconds
                    .unwrap_or_else(|| stage.started.elapsed().as_secs_f64()),
                cause: stage.cause.clone(),
                notes: stage.notes.clone(),
            })
            .collect()
    }

    /// Records what the pod is doing as a whole.
    pub fn set_phase(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    /// Records why the pod ends without having been asked to; the first reason stays.
    pub fn end_because(&self, reason: &str) {
        self.lock().ending.get_or_insert_with(|| reason.to_owned());
    }

    /// Records every service, and whether the start is over; that never changes back.
    pub fn set_services(&self, services: Vec<ServiceView>, started_up: bool) {
        let mut shared = self.lock();
        let (began, over) = (shared.began, shared.started_up);
        let answers = |service: &ServiceView| !service.essential || service.state != ServiceState::Unready;
        if shared.services.iter().all(answers) && !services.iter().all(answers) {
            self.doubt.notify_one();
        }
        shared.timeline.see(&services, began, over);
        shared.services = services;
        shared.started_up |= started_up;
    }

    /// The start as bars: the stages, then the services' runs until the start was over.
    #[must_use]
    pub fn timeline(&self) -> Vec<Bar> {
        let shared = self.lock();
        let stages = shared.stages.iter().map(|stage| {
            let begins = stage
                .started
                .saturating_duration_since(shared.began)
                .as_secs_f64();
            let end = stage.seconds.map(|seconds| begins + seconds);
            Bar {
                name: stage.name.to_owned(),
                kind: BarKind::Stage,
                begins,
                ready: end.filter(|_| stage.state == StageState::Done),
                failed: end.filter(|_| stage.state == StageState::Failed),
            }
        });
        stages.chain(shared.timeline.bars()).collect()
    }

    /// Seconds that the latest start of each service took, of those that have been ready.
    #[must_use]
    pub fn start_seconds(&self) -> Vec<(String, f64)> {
        self.lock().timeline.start_seconds()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stage at work. Dropped without [`Stage::done`], it counts as failed or cancelled.
#[derive(Debug)]
pub struct Stage {
    board: Board,
    index: usize,
}

impl Stage {
    /// Says what the stage waits for; logged only when it differs from what was said before.
    pub fn waiting(&self, cause: &str) {
        self.update(|stage| {
            if stage.cause.as_deref() != Some(cause) || stage.state != StageState::Waiting {
                tracing::warn!("{}: waiting: {cause}", stage.name);
            }
            stage.state = StageState::Waiting;
            stage.cause = Some(cause.to_owned());
        });
    }

    /// Says something that the operator should see and that does not hold up the start.
    pub fn note(&self, text: &str) {
        self.update(|stage| {
            tracing::warn!("{}: {text}", stage.name);
            stage.notes.push(text.to_owned());
        });
    }

    /// Records and logs that the stage has finished, with its duration.
    pub fn done(self) {
        self.update(|stage| {
            let seconds = stage.started.elapsed().as_secs_f64();
            tracing::info!("{}: done in {seconds:.3} s", stage.name);
            stage.state = StageState::Done;
            stage.seconds = Some(seconds);
            stage.cause = None;
        });
    }

    fn update(&self, change: impl FnOnce(&mut StageRecord)) {
        if let Some(stage) = self.board.lock().stages.get_mut(self.index) {
            change(stage);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.update(|stage| {
            if stage.state != StageState::Done {
                stage.state = StageState::Failed;
                stage.seconds = Some(stage.started.elapsed().as_secs_f64());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(board: &Board) -> Vec<(StageState, Option<String>)> {
        board
            .stages()
            .into_iter()
            .map(|stage| (stage.state, stage.cause))
            .collect()
    }

    #[test]
    fn a_stage_runs_waits_and_is_done() {
        let board = Board::new();
        let stage = board.stage("database");
        assert_eq!(states(&board), [(StageState::Running, None)]);
        stage.waiting("refused");
        stage.waiting("refused");
        assert_eq!(
            states(&board),
            [(StageState::Waiting, Some("refused".to_owned()))]
        );
        stage.note("a warning");
        stage.done();
        assert_eq!(states(&board), [(StageState::Done, None)]);
        assert_eq!(board.stages()[0].notes, ["a warning"]);
    }

    #[test]
    fn the_timeline_has_the_runs_of_the_start() {
        let service = |state, pid| ServiceView {
            name: "oned".to_owned(),
            state,
            pid,
            ..ServiceView::default()
        };
        let board = Board::new();
        board.stage("settle").done();
        for (state, pid, over) in [
            (ServiceState::Waiting, None, false),
            (ServiceState::Starting, Some(2), false),
            (ServiceState::Backoff, None, false),
            (ServiceState::Starting, Some(3), false),
            (ServiceState::Ready, Some(3), true),
            (ServiceState::Unready, Some(3), true),
            (ServiceState::Starting, Some(4), true),
        ] {
            board.set_services(vec![service(state, pid)], over);
        }
        let bars: Vec<(String, bool, bool)> = board
            .timeline()
            .into_iter()
            .map(|bar| (bar.name, bar.ready.is_some(), bar.failed.is_some()))
            .collect();
        let bar = |name: &str, ready, failed| (name.to_owned(), ready, failed);
        assert_eq!(
            bars,
            [
                bar("settle", true, false),
                bar("oned", false, true),
                bar("oned", true, false)
            ]
        );
        assert_eq!(board.start_seconds().len(), 1);
    }

    #[test]
    fn a_lost_database_comes_first_among_the_reasons_and_only_where_there_are_some() {
        let board = Board::new();
        let oned = |satisfied, state| ServiceView {
            name: "oned".to_owned(),
            essential: true,
            satisfied,
            state,
            ..ServiceView::default()
        };
        board.set_phase(Phase::Running);
        board.set_database(DatabaseView::default());
        board.set_services(vec![oned(true, ServiceState::Ready)], true);
        board.lose_database("db:3306: connection refused");
        assert_eq!(board.reasons(), Vec::<String>::new());
        board.set_services(vec![oned(false, ServiceState::Unready)], true);
        assert_eq!(
            board.reasons(),
            ["database: db:3306: connection refused", "oned: unready"]
        );
        board.set_database_lock(DatabaseLock::Held);
        assert_eq!(board.reasons(), ["oned: unready"]);
    }

    #[test]
    fn a_stage_that_is_dropped_has_failed_and_keeps_its_cause() {
        let board = Board::new();
        let stage = board.stage("database");
        stage.waiting("refused");
        drop(stage);
        assert_eq!(states(&board), [(StageState::Failed, Some("refused".to_owned()))]);
    }
}
