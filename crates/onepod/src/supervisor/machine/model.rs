//! The machine's words: what a unit is, where it can stand, what can happen and what can be done.

use std::time::Duration;

use crate::supervisor::config::Role;

/// Time since the supervisor began.
pub type Now = Duration;

/// A unit's place in the plan.
pub type Index = usize;

/// What the machine must know of one unit.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What sort of unit it is.
    pub kind: Kind,
    /// Units that must have been ready before this one starts.
    pub after: Vec<Index>,
    /// Units that are waited for as long as there is hope.
    pub wants: Vec<Index>,
    /// Whether it can and shall run.
    pub presence: Presence,
    /// On which front-ends it runs.
    pub role: Role,
    /// Whether the pod is not ready without it.
    pub essential: bool,
    /// Whether it writes to the database, and so must not run while this front-end cannot renew its lease.
    pub uses_database: bool,
    /// So many ends in a row without health, and an essential unit ends the pod.
    pub max_failures: u32,
    /// Time between its stop signal and its kill.
    pub stop_timeout: Duration,
    /// The longest time before its stop signal that its work may take to finish; zero for most.
    pub drain_timeout: Duration,
}

/// What sort of unit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It runs for as long as the pod.
    Service {
        /// A run that is not ready within this time has failed.
        start_within: Duration,
    },
    /// It runs once and has to succeed.
    Task {
        /// A run that takes longer has failed.
        timeout: Duration,
    },
    /// It runs when it is due.
    Timer {
        /// A run that takes longer has failed.
        timeout: Duration,
    },
}

/// Whether a unit can and shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Yes.
    Enabled,
    /// Switched off by a setting.
    Off,
    /// Not installed in this image.
    Absent,
}

/// Where a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Something it comes after was not ready yet.
    Waiting,
    /// A service that runs and was not ready yet in this run.
    Starting,
    /// A service that runs, and its probe says yes.
    Ready,
    /// A service that runs, was ready, and its probe says no.
    Unready,
    /// A task or a timer at work.
    Running,
    /// A task that has succeeded.
    Done,
    /// A timer between two runs.
    Scheduled,
    /// It ended and starts again at this time.
    Backoff {
        /// When.
        until: Now,
    },
    /// It got its stop signal.
    Stopping {
        /// When it will be killed; none once it has been.
        kill_at: Option<Now>,
    },
    /// It runs only while this front-end leads.
    Standby,
    /// It writes to the database, and runs only while this front-end can renew its lease.
    Fenced,
    /// It has ended the pod.
    Failed,
    /// It has ended and will not start again.
    Stopped,
    /// Switched off by a setting.
    Off,
    /// Not installed in this image.
    Absent,
}

impl State {
    /// Whether there is a process or a call.
    #[must_use]
    pub fn runs(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Ready | Self::Unready | Self::Running | Self::Stopping { .. }
        )
    }

    /// Whether there is no process and will be none.
    #[must_use]
    pub fn gone(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed | Self::Off | Self::Absent)
    }

    /// Whether it is no matter of this front-end, for now or for good.
    #[must_use]
    pub fn elsewhere(self) -> bool {
        matches!(self, Self::Standby | Self::Off | Self::Absent)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As a task should.
    Success,
    /// Otherwise, or it could not be started.
    Failure,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The pod is prepared: units may start.
    Begin,
    /// A service's probe says yes.
    Ready(Index),
    /// A service's probe says no.
    Unready(Index),
    /// A unit's process or call has ended, or could not be started.
    Ended {
        /// Which.
        unit: Index,
        /// How; a service that ends has failed however it did.
        end: End,
        /// A random number that spreads the delay, 0 to 255.
        jitter: u8,
    },
    /// A timer is due, or a task shall run again.
    Due(Index),
    /// A service shall be stopped and started again.
    Restart(Index),
    /// This front-end leads its zone from now on, or does not.
    Leader(bool),
    /// This front-end cannot renew the lease of its database from now on, or can again.
    Fence(bool),
    /// oned's first start on its database is complete: what writes to it may fail as often as others.
    BootstrapComplete,
    /// Time has passed.
    Tick,
    /// Stop in good order, within the time for all.
    Stop,
    /// Stop at once.
    StopNow,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start its process or call.
    Start(Index),
    /// Send its stop signal, once its work has finished or [`State::Stopping`] leaves just the time for its stop.
    Terminate(Index),
    /// Its work has less time to finish than it was told.
    ShortenDrain(Index),
    /// It has not done in time what it should, and is stopped for that.
    TooLate(Index),
    /// Kill its process group.
    Kill(Index),
    /// Kill its process group at once, because it writes to a database that another front-end may claim.
    Fence(Index),
    /// It was essential and has failed too often: the pod stops because of it.
    GiveUp(Index),
    /// Everything has gone: the supervisor's work is done.
    Finish,
}

impl Kind {
    /// Where a unit of this kind stands before its first run.
    pub(super) fn at_rest(self) -> State {
        match self {
            Self::Timer { .. } => State::Scheduled,
            Self::Service { .. } | Self::Task { .. } => State::Waiting,
        }
    }
}
