//! What the stages and the timers report beside their own progress: the database, the remotes, the timers' runs, and what
//! went wrong last. Plain values; `/status` shows them as they are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The database that this front-end works with. No password is part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseView {
    /// `mysql` or `sqlite`, as oned.conf names it.
    pub backend: String,
    /// Host, port and name of the database, or the path of the file.
    pub server: String,
    /// The server's own name and version, such as `MariaDB 11.4.5`.
    #[serde(default)]
    pub version: Option<String>,
    /// Version of the schema, such as `7.0.0`; none while the database is empty.
    pub schema: Option<String>,
    /// What was found at the start: `empty`, `half-bootstrapped`, `current`, `older`, `newer`, `foreign`.
    pub class: String,
    /// Whether this front-end is the only one on it.
    pub lock: DatabaseLock,
    /// Dumps that are kept on the volume.
    #[serde(default)]
    pub dumps: u32,
}

/// The lock that keeps a second front-end away from the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseLock {
    /// Nothing is known of it yet.
    #[default]
    Unknown,
    /// This front-end has it.
    Held,
    /// This front-end had it, and its connection has broken.
    Lost,
    /// The backend needs none.
    Needless,
}

impl DatabaseLock {
    /// Its name in `/status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Lost => "lost",
            Self::Needless => "needless",
        }
    }
}

/// How the remotes on the volume differ from those of the image's release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotesReport {
    /// The release whose files are there.
    pub release: Option<String>,
    /// The release whose files were there before this start.
    pub before: Option<String>,
    /// Every file that differs, by path.
    pub differences: Vec<RemoteDifference>,
}

/// One file below `remotes/` that is not the release's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteDifference {
    /// Relative to `remotes/`.
    pub path: String,
    /// In which way.
    pub kind: RemoteKind,
    /// What was done, or what the operator may want to do.
    #[serde(default)]
    pub note: Option<String>,
}

/// In which way a file differs from the release's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteKind {
    /// The user changed it, the release did not: the user's is kept.
    Changed,
    /// The user added it: it is kept.
    Added,
    /// The user removed it: it stays away.
    Removed,
    /// The user and the release both changed it.
    Conflict,
    /// The release's file replaced the user's.
    Replaced,
}

impl RemoteKind {
    /// Its name in `/status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Conflict => "conflict",
            Self::Replaced => "replaced",
        }
    }
}

/// A timer of services.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerView {
    /// Its name in services.toml.
    pub name: String,
    /// Where it stands.
    pub state: TimerState,
    /// When it runs, for people: `daily at 00:00`.
    pub schedule: String,
    /// The next run.
    pub next: Option<Timestamp>,
    /// When its last run began.
    pub last: Option<Timestamp>,
    /// How its last run ended.
    pub last_result: Option<String>,
    /// Runs since the start.
    pub runs: u32,
    /// Runs since the start that failed.
    pub failures: u32,
}

/// Where a timer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimerState {
    /// It waits for its next run, or for what it comes after.
    Waiting,
    /// It is at work.
    Running,
    /// Switched off by a setting.
    Off,
    /// Its program is not installed.
    Absent,
}

impl TimerState {
    /// Its name in `/status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Off => "off",
            Self::Absent => "absent",
        }
    }
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// When it was last seen.
    pub time: Timestamp,
    /// The stage, service or timer.
    pub source: String,
    /// What, for people.
    pub text: String,
    /// How often it was seen in a row.
    pub times: u32,
}

/// A unit of services.toml with its place in the order of the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// Its name in services.toml.
    pub name: String,
    /// What it is.
    pub kind: UnitKind,
    /// What must have been ready before it starts.
    pub after: Vec<String>,
    /// What it waits for when that can become ready.
    pub wants: Vec<String>,
}

/// What a unit of services.toml is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// It runs for as long as the pod.
    #[default]
    Service,
    /// It runs once.
    Task,
}
