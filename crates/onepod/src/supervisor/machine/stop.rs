//! The machine on its way to the end, and the stop of a single unit. Pure, as all of the machine.

use std::collections::BTreeMap;
use std::time::Duration;

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
                    actions.extend(self.shorten_drain(index));
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
        let kill_at = self.kill_time(index)?;
        let unit = self.units.get_mut(index)?;
        match unit.state {
            State::Starting | State::Ready | State::Unready | State::Running => {
                unit.state = State::Stopping {
                    kill_at: Some(kill_at),
                };
                Some(Action::Terminate(index))
            }
            _ => None,
        }
    }

    /// When a unit that stops from now on is killed: after its work has had time to finish, and early enough for what it
    /// comes after to stop in good order before the end of the time for all.
    fn kill_time(&self, index: Index) -> Option<Now> {
        let spec = &self.units.get(index)?.spec;
        let at_once = self.now.saturating_add(spec.stop_timeout);
        if spec.drain_timeout.is_zero() {
            return Some(at_once);
        }
        let drained = at_once.saturating_add(spec.drain_timeout);
        Some(match self.phase {
            Phase::Stopping { deadline } => {
                let reserved = deadline.saturating_sub(self.stop_time_of_dependencies(index));
                drained.min(reserved).max(at_once)
            }
            _ => drained,
        })
    }

    /// The time that everything a unit comes after or wants may take to stop, one after the other.
    fn stop_time_of_dependencies(&self, index: Index) -> Duration {
        let mut times: BTreeMap<Index, Duration> = BTreeMap::from([(index, Duration::ZERO)]);
        let mut longest = Duration::ZERO;
        // Units stand in an order in which they can start, so what one comes after has a smaller index.
        while let Some((unit, time)) = times.pop_last() {
            longest = longest.max(time);
            let Some(unit) = self.units.get(unit) else {
                continue;
            };
            for before in unit.spec.after.iter().chain(&unit.spec.wants) {
                let own = self
                    .units
                    .get(*before)
                    .filter(|before| before.state.runs())
                    .map_or(Duration::ZERO, |before| before.spec.stop_timeout);
                let known = times.entry(*before).or_default();
                *known = (*known).max(time + own);
            }
        }
        longest
    }

    /// Brings the end of a wait forward that began before the stop of all.
    fn shorten_drain(&mut self, index: Index) -> Option<Action> {
        let State::Stopping {
            kill_at: Some(kill_at),
        } = self.state(index)
        else {
            return None;
        };
        let latest = self.kill_time(index)?;
        let unit = self.units.get_mut(index)?;
        if unit.spec.drain_timeout.is_zero() || kill_at <= latest {
            return None;
        }
        unit.state = State::Stopping {
            kill_at: Some(latest),
        };
        Some(Action::ShortenDrain(index))
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
