//! What the stages and the timers report beside their own progress: the database, the remotes, the timers' runs, and what
//! went wrong last. Plain values; `/status` shows them as they are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Board;

/// So many of the last errors are kept.
const ERRORS: usize = 50;

/// Of an error's text no more than this is kept, in bytes.
const LONGEST_ERROR: usize = 2048;

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
    /// What was found at the start: `empty`, `incomplete`, `current`, `older`, `newer`, `foreign`.
    pub class: String,
    /// Whether this front-end is the only one on it.
    pub lock: DatabaseLock,
    /// Why the lease cannot be renewed, while that is so.
    #[serde(default)]
    pub cause: Option<String>,
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
    /// This front-end had it, and cannot renew it.
    Lost,
}

impl DatabaseLock {
    /// Its name in `/status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Lost => "lost",
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
    /// Something is mounted there: it is left alone.
    Mounted,
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
            Self::Mounted => "mounted",
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
    /// It runs only while this front-end leads, and it does not lead.
    Standby,
    /// Switched off by a setting.
    Off,
    /// Its program is not installed.
    Absent,
}

impl TimerView {
    /// What came of the last run.
    #[must_use]
    pub fn outcome(&self) -> &str {
        match (self.state, &self.last_result) {
            (TimerState::Running, _) => "at work",
            (_, Some(result)) => result,
            (_, None) => "in an earlier container",
        }
    }
}

impl TimerState {
    /// Its name in `/status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Standby => "standby",
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
    /// The last line that the service or timer wrote before.
    #[serde(default)]
    pub last_line: Option<String>,
    /// How often it was seen in a row.
    pub times: u32,
}

/// A unit of services.toml with its place in the order of the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl Board {
    /// Records the order in which services and tasks start; said once, before the first starts.
    pub fn set_plan(&self, plan: Vec<PlanView>) {
        self.lock().plan = plan;
    }

    /// Records where a timer stands.
    pub fn set_timer(&self, timer: TimerView) {
        let mut shared = self.lock();
        match shared.timers.iter_mut().find(|known| known.name == timer.name) {
            Some(known) => *known = timer,
            None => shared.timers.push(timer),
        }
    }

    /// Records what is known of the database; it replaces what was known before.
    pub fn set_database(&self, database: DatabaseView) {
        self.lock().database = Some(database);
    }

    /// Records how the database's lock stands, once the database is known.
    pub fn set_database_lock(&self, lock: DatabaseLock) {
        if let Some(database) = &mut self.lock().database {
            database.lock = lock;
            database.cause = None;
        }
    }

    /// Records that the connection to the database is lost, and why.
    pub fn lose_database(&self, cause: &str) {
        if let Some(database) = &mut self.lock().database {
            database.lock = DatabaseLock::Lost;
            database.cause = Some(cause.to_owned());
        }
    }

    /// Resolves when an essential service has stopped answering: whoever knows a cause that they share looks then.
    pub async fn doubt(&self) {
        self.doubt.notified().await;
    }

    /// Records how the remotes on the volume differ from the release's.
    pub fn set_remotes(&self, remotes: RemotesReport) {
        self.lock().remotes = Some(remotes);
    }

    /// Keeps an error for `/status`; the log is told by whoever calls. The same one again is counted, not repeated.
    pub fn error(&self, source: &str, text: &str) {
        self.error_with_line(source, text, None);
    }

    /// The same with the last line that a service or timer wrote before. Kept apart, because it is not for everybody.
    pub fn error_with_line(&self, source: &str, text: &str, last_line: Option<&str>) {
        let time = Timestamp::now();
        let text = limited(text);
        let errors = &mut self.lock().errors;
        match errors.back_mut() {
            Some(last) if last.source == source && last.text == text => {
                last.time = time;
                last.times = last.times.saturating_add(1);
                last.last_line = last_line.map(limited).map(str::to_owned);
            }
            _ => {
                if errors.len() == ERRORS {
                    errors.pop_front();
                }
                errors.push_back(ErrorView {
                    time,
                    source: source.to_owned(),
                    text: text.to_owned(),
                    last_line: last_line.map(limited).map(str::to_owned),
                    times: 1,
                });
            }
        }
    }

    /// The last errors, oldest first.
    #[must_use]
    pub fn errors(&self) -> Vec<ErrorView> {
        self.lock().errors.iter().cloned().collect()
    }

    /// What is known of the database.
    #[must_use]
    pub fn database(&self) -> Option<DatabaseView> {
        self.lock().database.clone()
    }

    /// How the remotes differ from the release's.
    #[must_use]
    pub fn remotes(&self) -> Option<RemotesReport> {
        self.lock().remotes.clone()
    }

    /// The timers, in the order in which they were first recorded.
    #[must_use]
    pub fn timers(&self) -> Vec<TimerView> {
        self.lock().timers.clone()
    }

    /// The order in which services and tasks start.
    #[must_use]
    pub fn plan(&self) -> Vec<PlanView> {
        self.lock().plan.clone()
    }
}

fn limited(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_ERROR))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_errors_are_kept_and_repetitions_counted() {
        let board = Board::new();
        for number in 0..60 {
            board.error("oned", &format!("error {number}"));
            board.error("oned", &format!("error {number}"));
        }
        board.error("fireedge", &"ä".repeat(LONGEST_ERROR));
        let errors = board.errors();
        assert_eq!(errors.len(), ERRORS);
        assert_eq!((errors[0].text.as_str(), errors[0].times), ("error 11", 2));
        assert_eq!(errors[49].text.len(), LONGEST_ERROR);
    }
}
