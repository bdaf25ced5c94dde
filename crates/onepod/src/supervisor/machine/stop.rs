//! The machine on its way to the end, and the stop of a single unit. Pure, as all of the machine.

use super::{AFTER_KILL, Action, Index, Machine, Now, Phase, Spec, State};

/// Everything that comes after a unit or wants it, directly or through others.
pub(super) fn dependents(specs: &[Spec], index: Index) -> Vec<Index> {
    let mut found = Vec::new();
    let mut open = vec![index];
    while let Some(before) = open.pop() {
        for (later, spec) in specs.iter().enumerate() {
            if (spec.after.contains(&before) || spec.wants.contains(&before)) && !found.contains(&later) {
                found.push(later);
                open.push(later);
            }
        }
    }
    found
}

impl Machine {
    /// Begins the stop, or brings its deadline forward.
    pub(super) fn stop(&mut self, deadline: Now) {
        if matches!(self.phase, Phase::Killed { .. } | Phase::Finished) {
            return;
        }
        let deadline = match self.phase {
            Phase::Stopping { deadline: earlier } => deadline.min(earlier),
            _ => deadline,
        };
        self.phase = Phase::Stopping { deadline };
        for unit in &mut self.units {
            if !unit.state.runs() && !unit.state.gone() {
                unit.state = State::Stopped;
            }
        }
    }

    /// Stops, kills and finishes what it is time for.
    pub(super) fn stop_what_is_due(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Phase::Stopping { deadline } = self.phase {
            if deadline <= self.now {
                self.phase = Phase::Killed {
                    give_up: self.now + AFTER_KILL,
                };
                for (index, unit) in self.units.iter_mut().enumerate() {
                    if unit.state.runs() {
                        unit.state = State::Stopping { kill_at: None };
                        actions.push(Action::Kill(index));
                    }
                }
            } else {
                for index in 0..self.units.len() {
                    if !self.is_needed(index) {
                        actions.extend(self.terminate(index));
                    }
                }
                actions.extend(self.kill_what_is_due());
            }
        }
        let gone = self.units.iter().all(|unit| unit.state.gone());
        let given_up = matches!(self.phase, Phase::Killed { give_up } if give_up <= self.now);
        if gone || given_up {
            self.phase = Phase::Finished;
            actions.push(Action::Finish);
        }
        actions
    }

    /// Whether something that comes after a unit has not gone yet.
    fn is_needed(&self, index: Index) -> bool {
        self.units
            .get(index)
            .is_some_and(|unit| unit.dependents.iter().any(|later| !self.state(*later).gone()))
    }

    /// Has a unit that runs stop; nothing when that has begun already.
    pub(super) fn terminate(&mut self, index: Index) -> Option<Action> {
        let now = self.now;
        let unit = self.units.get_mut(index)?;
        match unit.state {
            State::Starting | State::Ready | State::Unready | State::Running => {
                let kill_at = now.saturating_add(unit.spec.stop_timeout);
                unit.state = State::Stopping {
                    kill_at: Some(kill_at),
                };
                Some(Action::Terminate(index))
            }
            _ => None,
        }
    }

    /// Kills what has not ended in its time.
    pub(super) fn kill_what_is_due(&mut self) -> Vec<Action> {
        let now = self.now;
        self.units
            .iter_mut()
            .enumerate()
            .filter_map(|(index, unit)| match unit.state {
                State::Stopping {
                    kill_at: Some(kill_at),
                } if kill_at <= now => {
                    unit.state = State::Stopping { kill_at: None };
                    Some(Action::Kill(index))
                }
                _ => None,
            })
            .collect()
    }
}
