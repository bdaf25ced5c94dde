//! The pod's state as `/status` and `/readyz` give it. Its fields are an interface: `onepod status` and scripts read them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Bar, Board, DatabaseView, ErrorView, PlanView, RemotesReport, Shared, StageState, StageView, TimerView,
};

/// What the pod as a whole is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The stages before the services.
    #[default]
    Preparing,
    /// The services.
    Running,
    /// On the way to the end.
    Stopping,
}

impl Phase {
    /// The phase's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Running => "running",
            Self::Stopping => "stopping",
        }
    }
}

/// Where a service or a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the names are those of the supervisor's machine, where they are explained"
)]
pub enum ServiceState {
    #[default]
    Waiting,
    Starting,
    Ready,
    Unready,
    Backoff,
    Stopping,
    Stopped,
    /// It runs only while this front-end leads, and it does not lead.
    Standby,
    /// A task at work.
    Running,
    /// A task that has done its work.
    Done,
    /// Its failures have ended the pod.
    Failed,
    Off,
    Absent,
}

impl ServiceState {
    /// Every state, in the order of a service's life.
    pub const ALL: [Self; 13] = [
        Self::Waiting,
        Self::Starting,
        Self::Ready,
        Self::Unready,
        Self::Backoff,
        Self::Stopping,
        Self::Stopped,
        Self::Standby,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Off,
        Self::Absent,
    ];

    /// The state's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Standby => "standby",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Off => "off",
            Self::Absent => "absent",
        }
    }
}

/// One service or task.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name in services.toml.
    pub name: String,
    /// Where it stands.
    pub state: ServiceState,
    /// Number of its process, which is also its process group's.
    pub pid: Option<u32>,
    /// When it came into this state.
    pub since: Timestamp,
    /// How often it was started again.
    pub restarts: u32,
    /// Resident memory of all its processes, in KiB; filled in when someone asks, like the next two.
    pub memory_kib: Option<u64>,
    /// Processor time of all its processes over all its runs, in seconds.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// Its living processes.
    #[serde(default)]
    pub processes: Option<u32>,
    /// Whether the pod is not ready without it.
    pub essential: bool,
    /// Whether nothing need wait for it: a service that is ready, a task that has succeeded once, what does not run here.
    #[serde(skip)]
    pub satisfied: bool,
    /// How its last run ended.
    pub last_exit: Option<String>,
    /// The last lines of the run that ended last, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// Why it is not ready.
    pub cause: Option<String>,
}

/// Everything. What a newer `onepod status` does not get from an older pod counts as empty.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// onepod's own version.
    pub onepod: String,
    /// The OpenNebula release in the image.
    pub release: Option<String>,
    /// What the pod is doing.
    pub phase: Phase,
    /// Whether all essential services are ready.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// When onepod began.
    pub started_at: Timestamp,
    /// Processes that were reaped for others.
    pub orphans_reaped: u64,
    /// Log lines that were lost because nobody read them.
    pub log_lines_dropped: u64,
    /// The stages of the start.
    pub stages: Vec<StageView>,
    /// The services, in the order of their start.
    pub services: Vec<ServiceView>,
    /// The timers.
    #[serde(default)]
    pub timers: Vec<TimerView>,
    /// The database, once it is known.
    #[serde(default)]
    pub database: Option<DatabaseView>,
    /// How the remotes differ from the release's, once that is known.
    #[serde(default)]
    pub remotes: Option<RemotesReport>,
    /// What went wrong last, oldest first.
    #[serde(default)]
    pub errors: Vec<ErrorView>,
    /// What each service and task waits for at the start.
    #[serde(default)]
    pub plan: Vec<PlanView>,
    /// The start as bars.
    #[serde(default)]
    pub timeline: Vec<Bar>,
}

impl Status {
    /// The same without what services wrote: for whoever asks without having shown who they are.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        for service in &mut self.services {
            service.last_lines.clear();
        }
        for error in &mut self.errors {
            error.last_line = None;
        }
        self
    }
}

impl ServiceView {
    /// Why it is not as it should be, with the last line of the run that has ended.
    #[must_use]
    pub fn cause_with_line(&self) -> Option<String> {
        Some(with_line(self.cause.as_deref()?, self.last_line()))
    }

    /// The last line of the run that has ended, while it says why there is no other.
    fn last_line(&self) -> Option<&str> {
        let ended = matches!(
            self.state,
            ServiceState::Backoff | ServiceState::Failed | ServiceState::Stopped
        );
        let mut lines = self.last_lines.iter().rev();
        lines
            .find(|line| ended && !line.trim().is_empty())
            .map(String::as_str)
    }
}

/// A cause and the last line of whoever it is about.
#[must_use]
pub fn with_line(cause: &str, line: Option<&str>) -> String {
    match line {
        Some(line) => format!("{cause}; its last line: {line}"),
        None => cause.to_owned(),
    }
}

impl Board {
    /// Why the pod is not ready, a line for each reason; none when it is ready.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let stages = self.stages();
        let shared = self.lock();
        match shared.phase {
            Phase::Stopping => {
                let because = shared.ending.iter().map(|reason| format!(": {reason}"));
                vec![format!("the pod is stopping{}", because.collect::<String>())]
            }
            Phase::Preparing => vec![preparing(&stages)],
            Phase::Running => not_ready(&shared),
        }
    }

    /// True once the start is over.
    #[must_use]
    pub fn started_up(&self) -> bool {
        self.lock().started_up
    }

    /// What holds up the start, a line for each service.
    #[must_use]
    pub fn start_reasons(&self) -> Vec<String> {
        let stages = self.stages();
        let shared = self.lock();
        match shared.phase {
            Phase::Preparing => vec![preparing(&stages)],
            _ => shared
                .services
                .iter()
                .filter(|service| !service.satisfied)
                .map(reason)
                .collect(),
        }
    }

    /// What the pod is doing as a whole.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// The services as they were last recorded, in the order of their start.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceView> {
        self.lock().services.clone()
    }
}

fn preparing(stages: &[StageView]) -> String {
    match stages.iter().rev().find(|stage| stage.state != StageState::Done) {
        Some(StageView {
            name,
            cause: Some(cause),
            ..
        }) => format!("{name}: {cause}"),
        Some(StageView { name, .. }) => format!("{name}: at work"),
        None => "the start has only begun".to_owned(),
    }
}

fn not_ready(shared: &Shared) -> Vec<String> {
    let mut reasons: Vec<String> = shared
        .services
        .iter()
        .filter(|service| service.essential && !service.satisfied)
        .map(reason)
        .collect();
    // A service that has lost its database often says something else; what is behind it comes first.
    if let Some(cause) = shared
        .database
        .as_ref()
        .and_then(|database| database.cause.as_ref())
        && !reasons.is_empty()
    {
        reasons.insert(0, format!("database: {cause}"));
    }
    reasons
}

fn reason(service: &ServiceView) -> String {
    let cause = service.cause.iter().map(|cause| format!(": {cause}"));
    // While it waits for its next start, the cause already is how the last run ended.
    let before = service
        .last_exit
        .iter()
        .filter(|_| service.state != ServiceState::Backoff)
        .map(|exit| format!("; its last run: {exit}"));
    let more: Vec<String> = cause.chain(before).collect();
    format!("{}: {}{}", service.name, service.state.name(), more.concat())
}
