//! The timers at the supervisor's hands: waits for the next one, remembers daily runs on the volume, shows them.
//!
//! When a timer is due is computed in `timer`, whether it may run is decided in `machine`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::time::Instant;

use super::Means;
use super::clock::Clock;
use super::config::Kind;
use super::machine::{End, Index, Machine, State};
use super::timer::{Schedule, Timetable};
use super::unit::Supervised;
use crate::board::{Board, TimerState, TimerView};
use crate::prepare::files;
use crate::regular;

/// Every timer of services.toml.
#[derive(Debug)]
pub(super) struct Timers {
    rows: Vec<Row>,
    clock: Clock,
    /// The next look at the clock.
    wake: Option<Instant>,
}

#[derive(Debug)]
struct Row {
    unit: Index,
    /// None for a timer that is off or absent.
    table: Option<Timetable>,
    /// The file that keeps the beginning of the last run, or the time since when there is one to miss, for daily runs.
    stamp: Option<PathBuf>,
    view: TimerView,
}

impl Timers {
    /// The timers among the units.
    pub(super) fn new(units: &[Supervised], machine: &Machine, means: &Means) -> Self {
        let now = means.clock.now();
        let rows = units
            .iter()
            .enumerate()
            .filter_map(|(unit, supervised)| match &supervised.config().kind {
                Kind::Timer { schedule, .. } => Some((unit, supervised.name(), schedule)),
                _ => None,
            })
            .map(|(unit, name, schedule)| {
                let enabled = !machine.state(unit).gone();
                let daily = enabled && matches!(schedule, Schedule::Daily(_));
                let stamp = daily.then(|| means.paths.timers().join(name));
                let kept = stamp.as_deref().and_then(Kept::read);
                let last = kept.as_ref().map(|kept| kept.moment);
                let row = Row {
                    unit,
                    table: enabled.then(|| Timetable::new(schedule.clone(), last, &now)),
                    stamp,
                    view: TimerView {
                        name: name.to_owned(),
                        state: TimerState::Waiting,
                        schedule: schedule.describe(),
                        next: None,
                        last: kept.filter(|kept| kept.has_run).map(|kept| kept.moment),
                        last_result: None,
                        runs: 0,
                        failures: 0,
                    },
                };
                if last.is_none_or(|last| last > now.timestamp()) {
                    // From now on a run that is missed is known as missed.
                    row.remember(now.timestamp(), LEFT_OUT);
                }
                row
            })
            .collect();
        let mut timers = Self {
            rows,
            clock: means.clock.clone(),
            wake: None,
        };
        timers.set_wake();
        timers
    }

    /// When the clock has to be looked at next.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wake
    }

    /// Looks at the clock: the timers that are due.
    pub(super) fn look(&mut self) -> Vec<Index> {
        let now = self.clock.now();
        let due = self
            .rows
            .iter_mut()
            .filter_map(|row| row.table.as_mut()?.look(&now).then_some(row.unit))
            .collect();
        self.set_wake();
        due
    }

    fn set_wake(&mut self) {
        let now = self.clock.now().timestamp();
        self.wake = self
            .rows
            .iter()
            .filter_map(|row| Some(row.table.as_ref()?.wait(now)))
            .min()
            .map(|wait| Instant::now() + wait);
    }

    /// A run begins.
    pub(super) fn began(&mut self, unit: Index) {
        let now = self.clock.now().timestamp();
        if let Some(row) = self.rows.iter_mut().find(|row| row.unit == unit) {
            row.view.last = Some(now);
            row.view.runs = row.view.runs.saturating_add(1);
            row.remember(now, RUN);
        }
    }

    /// A run was due and is left out, as there is nothing to do.
    pub(super) fn left_out(&mut self, unit: Index) {
        let now = self.clock.now().timestamp();
        if let Some(row) = self.rows.iter().find(|row| row.unit == unit) {
            row.remember(now, LEFT_OUT);
        }
    }

    /// A run has ended.
    pub(super) fn ended(&mut self, unit: Index, end: End, how: &str) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.unit == unit) {
            row.view.last_result = Some(how.to_owned());
            row.view.failures += u32::from(end == End::Failure);
        }
    }

    /// Shows where every timer stands.
    pub(super) fn publish(&mut self, machine: &Machine, board: &Board) {
        for row in &mut self.rows {
            row.view.next = row.table.as_ref().and_then(Timetable::next);
            row.view.state = match machine.state(row.unit) {
                State::Running | State::Stopping { .. } => TimerState::Running,
                State::Off => TimerState::Off,
                State::Absent => TimerState::Absent,
                State::Standby => TimerState::Standby,
                _ => TimerState::Waiting,
            };
            board.set_timer(row.view.clone());
        }
    }
}

impl Row {
    /// Keeps the beginning of a daily run, or that there was none to make, over the end of the pod.
    fn remember(&self, moment: Timestamp, what: &str) {
        let Some(path) = &self.stamp else { return };
        let kept = files::directory(path.parent().unwrap_or(path), 0o750)
            .and_then(|()| files::write(path, format!("{moment} {what}\n").as_bytes(), 0o640));
        if let Err(error) = kept {
            tracing::warn!(
                "{}: a run that is missed while the pod is down will stay out: {error}",
                self.view.name
            );
        }
    }
}

/// The longest file of a daily timer that is read, in bytes.
const KEPT_LIMIT: u64 = 256;
/// A run began then.
const RUN: &str = "run";
/// Up to then there was nothing to run.
const LEFT_OUT: &str = "none";

/// What the file of a daily timer keeps: a moment, and whether a run began then.
struct Kept {
    moment: Timestamp,
    has_run: bool,
}

impl Kept {
    fn read(path: &Path) -> Option<Self> {
        let text = regular::read_text(path, KEPT_LIMIT).ok()?;
        let mut words = text.split_whitespace();
        Some(Self {
            moment: words.next()?.parse().ok()?,
            has_run: words.next() == Some(RUN),
        })
    }
}
