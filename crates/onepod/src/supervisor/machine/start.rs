//! The machine while the pod runs: what starts, what runs again, and who leads. Pure, as all of the machine.

use super::{Action, Index, Kind, Machine, Run, State};
use crate::supervisor::config::Role;

impl Machine {
    /// A timer is due, or a task shall run again: now, or as soon as it may. A run that is under way is not doubled; a
    /// task under way runs once more after it, as what it was asked for may have come too late for this run.
    pub(super) fn due(&mut self, index: Index) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(index) else {
            return;
        };
        match (unit.spec.kind, unit.state) {
            (Kind::Task { .. }, State::Backoff { .. }) => unit.state = State::Backoff { until: now },
            (Kind::Task { .. }, State::Running | State::Done) | (Kind::Timer { .. }, State::Scheduled) => {
                unit.due = true;
            }
            _ => {}
        }
    }

    /// What tasks have done for a service went with its process: an agent has lost its key. They run again for the new one.
    pub(super) fn repeat_tasks_after(&mut self, service: Index) {
        for unit in &mut self.units {
            if matches!(unit.spec.kind, Kind::Task { .. })
                && matches!(unit.state, State::Running | State::Done)
                && unit.spec.after.contains(&service)
            {
                unit.due = true;
            }
        }
    }

    /// Stops a service that shall start again, or starts it at once if it waits for its next start.
    pub(super) fn restart(&mut self, index: Index) -> Option<Action> {
        let now = self.now;
        let unit = self.units.get_mut(index)?;
        match unit.state {
            State::Starting | State::Ready | State::Unready => self.terminate(index),
            State::Backoff { .. } => {
                unit.state = State::Backoff { until: now };
                None
            }
            _ => None,
        }
    }

    /// Notes who leads. Units for the leader that do not run go on standby or come back at once; those that run are
    /// stopped by [`Machine::hand_over`].
    pub(super) fn lead(&mut self, leads: bool) {
        self.leads = leads;
        for unit in &mut self.units {
            match (unit.spec.role, unit.state) {
                (Role::Leader, State::Standby) if leads && self.fenced && unit.spec.uses_database => {
                    unit.state = State::Fenced;
                }
                (Role::Leader, State::Standby) if leads => unit.state = unit.spec.kind.at_rest(),
                (
                    Role::Leader,
                    State::Waiting | State::Backoff { .. } | State::Done | State::Scheduled | State::Fenced,
                ) if !leads => {
                    unit.stand_by();
                }
                _ => {}
            }
        }
    }

    /// Notes whether the lease of the database can be renewed. What writes to it and does not run must not start without
    /// it, and starts at once with it; what runs is killed by [`Machine::kill_fenced`].
    pub(super) fn fence(&mut self, fenced: bool) {
        let now = self.now;
        self.fenced = fenced;
        for unit in self.units.iter_mut().filter(|unit| unit.spec.uses_database) {
            match unit.state {
                State::Waiting | State::Backoff { .. } if fenced => unit.state = State::Fenced,
                State::Fenced if !fenced && unit.started.is_some() => {
                    unit.state = State::Backoff { until: now };
                }
                State::Fenced if !fenced => unit.state = unit.spec.kind.at_rest(),
                _ => {}
            }
        }
    }

    /// Whether a unit must not run because of the database.
    pub(super) fn is_fenced(&self, index: Index) -> bool {
        self.fenced && self.units.get(index).is_some_and(|unit| unit.spec.uses_database)
    }

    /// Kills what writes to a database without its lease. No time for an orderly stop: that is the whole point.
    pub(super) fn kill_fenced(&mut self) -> Vec<Action> {
        self.units
            .iter_mut()
            .enumerate()
            .filter(|(_, unit)| unit.spec.uses_database && unit.state.runs())
            .filter(|(_, unit)| unit.state != State::Stopping { kill_at: None })
            .map(|(index, unit)| {
                unit.state = State::Stopping { kill_at: None };
                Action::Fence(index)
            })
            .collect()
    }

    /// Whether a unit runs on this front-end as things are.
    pub(super) fn fits(&self, index: Index) -> bool {
        self.units
            .get(index)
            .is_some_and(|unit| unit.spec.role == Role::Any || self.leads)
    }

    /// Stops the leader's units when this front-end no longer leads: each when all of them that come after it have gone.
    pub(super) fn hand_over(&mut self) -> Vec<Action> {
        let due: Vec<Index> = (0..self.units.len())
            .filter(|index| !self.fits(*index))
            .filter(|index| {
                self.units.get(*index).is_some_and(|unit| {
                    let needed = |later: &Index| !self.fits(*later) && self.state(*later).runs();
                    unit.state.runs() && !unit.dependents.iter().any(needed)
                })
            })
            .collect();
        due.into_iter()
            .filter_map(|index| self.terminate(index))
            .collect()
    }

    /// Stops runs that took too long; they have failed.
    pub(super) fn stop_what_is_too_late(&mut self) -> Vec<Action> {
        let late: Vec<Index> = (0..self.units.len())
            .filter(|index| {
                self.units.get(*index).is_some_and(|unit| {
                    matches!(unit.state, State::Starting | State::Running) && unit.out_of_time() <= self.now
                })
            })
            .collect();
        late.into_iter()
            .flat_map(|index| {
                let terminate = self.terminate(index);
                if let Some(unit) = self.units.get_mut(index) {
                    unit.run.too_late = true;
                }
                [Some(Action::TooLate(index)), terminate]
            })
            .flatten()
            .collect()
    }

    /// Starts what may start.
    pub(super) fn start_what_is_due(&mut self) -> Vec<Action> {
        let due: Vec<Index> = (0..self.units.len())
            .filter(|index| self.may_start(*index))
            .collect();
        for index in &due {
            let now = self.now;
            if let Some(unit) = self.units.get_mut(*index) {
                unit.state = match unit.spec.kind {
                    Kind::Service { .. } => State::Starting,
                    Kind::Task { .. } | Kind::Timer { .. } => State::Running,
                };
                unit.run = Run {
                    began: now,
                    ..Run::default()
                };
                unit.due = false;
                unit.started.get_or_insert(now);
                unit.starts += 1;
            }
        }
        due.into_iter().map(Action::Start).collect()
    }

    fn may_start(&self, index: Index) -> bool {
        self.units.get(index).is_some_and(|unit| match unit.state {
            State::Waiting => self.nothing_is_missing(index),
            State::Scheduled => unit.due && self.nothing_is_missing(index),
            State::Done => unit.due,
            State::Backoff { until } => until <= self.now,
            _ => false,
        })
    }

    /// Whether everything that a unit comes after or wants allows its start.
    fn nothing_is_missing(&self, index: Index) -> bool {
        self.units.get(index).is_some_and(|unit| {
            let given_up = |wanted: Index| self.state(wanted).elsewhere() || self.hopeless(wanted);
            unit.spec.after.iter().all(|before| self.was_ready(*before))
                && unit
                    .spec
                    .wants
                    .iter()
                    .all(|wanted| self.was_ready(*wanted) || given_up(*wanted))
        })
    }
}
