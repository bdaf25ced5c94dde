//! What was asked of the running supervisor, and who still waits for the answer.

use super::Supervisor;
use super::config::Kind;
use super::handle::{Command, CommandError, Reply};
use super::machine::{End, Event, Index, State};
use super::unit::Supervised;

/// Someone who asked for something that takes its time.
#[derive(Debug)]
pub(super) struct Waiter {
    unit: Index,
    until: Until,
    reply: Reply,
}

#[derive(Debug, Clone, Copy)]
enum Until {
    /// So many runs have begun, and the last of them is under way.
    Starts(u32),
    /// So many runs have ended.
    Ends(u32),
}

impl Supervisor {
    /// Does what was asked for, or answers why not.
    pub(super) fn take(&mut self, command: Command) {
        match command {
            Command::Leader(leads) => self.lead(leads),
            Command::Fence(fenced) => self.step(Event::Fence(fenced)),
            Command::BootstrapComplete => self.step(Event::BootstrapComplete),
            Command::ShutDown(reason) => self.end_because(&reason),
            Command::Restart { name, reply } => {
                let asked = self.find(&name).and_then(|unit| self.restart(unit));
                self.answer_later(asked, reply);
            }
            Command::RunTask { name, reply } => {
                let asked = self.find(&name).and_then(|unit| self.run_again(unit));
                self.answer_later(asked, reply);
            }
        }
    }

    fn lead(&mut self, leads: bool) {
        if leads {
            tracing::info!("this front-end leads its zone");
        } else {
            tracing::info!("this front-end does not lead its zone: what is the leader's is on standby");
        }
        self.step(Event::Leader(leads));
    }

    fn find(&self, name: &str) -> Result<Index, CommandError> {
        let unit = self.units.iter().position(|unit| unit.name() == name);
        match unit {
            _ if self.ending.is_some() => Err(CommandError::Stopping),
            Some(unit) => Ok(unit),
            None => Err(CommandError::Unknown(name.to_owned())),
        }
    }

    /// Begins a restart; what is no service runs again.
    fn restart(&mut self, unit: Index) -> Result<(Index, Until), CommandError> {
        if !matches!(self.kind(unit), Some(Kind::Service { .. })) {
            return self.run_again(unit);
        }
        match self.machine.state(unit) {
            State::Starting | State::Ready | State::Unready | State::Backoff { .. } => {
                let next = self.machine.starts(unit) + 1;
                tracing::info!("{}: asked to restart", self.name(unit));
                self.step(Event::Restart(unit));
                Ok((unit, Until::Starts(next)))
            }
            State::Stopping { .. } => Ok((unit, Until::Starts(self.machine.starts(unit) + 1))),
            state => Err(self.wrong_state(unit, state)),
        }
    }

    /// Has a task run again, or a timer run now.
    fn run_again(&mut self, unit: Index) -> Result<(Index, Until), CommandError> {
        let ends = self.units.get(unit).map_or(0, Supervised::ends);
        let timer = match self.kind(unit) {
            Some(Kind::Service { .. }) | None => {
                return Err(CommandError::Kind {
                    name: self.name(unit).to_owned(),
                    kind: "service",
                    instead: "it can be restarted",
                });
            }
            Some(Kind::Task { .. }) => false,
            Some(Kind::Timer { .. }) => true,
        };
        match self.machine.state(unit) {
            State::Waiting | State::Done | State::Backoff { .. } | State::Scheduled => {
                self.step(Event::Due(unit));
                Ok((unit, Until::Ends(ends + 1)))
            }
            // What it is asked for may have come too late for the run that is under way.
            State::Running | State::Stopping { .. } if !timer => {
                self.step(Event::Due(unit));
                Ok((unit, Until::Ends(ends + 2)))
            }
            state => Err(self.wrong_state(unit, state)),
        }
    }

    fn answer_later(&mut self, asked: Result<(Index, Until), CommandError>, reply: Reply) {
        match asked {
            Ok((unit, until)) => {
                self.waiters.push(Waiter { unit, until, reply });
                self.answer();
            }
            // Whoever asked may be gone, here and below.
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Answers everyone whose wait is over.
    pub(super) fn answer(&mut self) {
        for waiter in std::mem::take(&mut self.waiters) {
            match self.outcome(&waiter) {
                Some(outcome) => drop(waiter.reply.send(outcome)),
                None => self.waiters.push(waiter),
            }
        }
    }

    fn outcome(&self, waiter: &Waiter) -> Option<Result<(), CommandError>> {
        let unit = self.units.get(waiter.unit)?;
        let state = self.machine.state(waiter.unit);
        match waiter.until {
            _ if self.ending.is_some() => Some(Err(CommandError::Stopping)),
            Until::Starts(starts) if self.machine.starts(waiter.unit) >= starts => match state {
                State::Starting | State::Ready | State::Unready => Some(Ok(())),
                _ => Some(Err(self.failed(waiter.unit))),
            },
            Until::Ends(ends) if unit.ends() >= ends => match unit.last_end() {
                End::Success => Some(Ok(())),
                End::Failure => Some(Err(self.failed(waiter.unit))),
            },
            _ if state.elsewhere() => Some(Err(self.wrong_state(waiter.unit, state))),
            _ => None,
        }
    }

    fn failed(&self, unit: Index) -> CommandError {
        CommandError::Failed {
            name: self.name(unit).to_owned(),
            cause: self
                .units
                .get(unit)
                .map_or_else(String::new, Supervised::cause_with_line),
        }
    }

    fn wrong_state(&self, unit: Index, state: State) -> CommandError {
        CommandError::State {
            name: self.name(unit).to_owned(),
            state: match state {
                State::Waiting => "waiting for what it comes after; `onepod status` says for what",
                State::Off => self.units.get(unit).map_or("off", Supervised::why_off),
                State::Absent => "not installed in this image",
                State::Standby => "on standby, as this front-end does not lead its zone",
                State::Fenced => "waiting for the lease of the database",
                State::Running | State::Stopping { .. } => "at work already",
                _ => "stopped",
            },
        }
    }

    fn name(&self, unit: Index) -> &str {
        self.units.get(unit).map_or("", Supervised::name)
    }

    fn kind(&self, unit: Index) -> Option<&Kind> {
        self.units.get(unit).map(|unit| &unit.config().kind)
    }
}
