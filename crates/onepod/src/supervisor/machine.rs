//! The supervisor's law, pure: what happens (events, with the time) decides what is to be done (actions).
//!
//! ```text
//! service   waiting ──► starting ──► ready ◄──► unready
//!                         ▲  │         │           │
//!                         │  ▼         ▼           ▼
//!                        backoff ◄─────┴───────────┘        the process ended
//!                         ▲
//!           stopping ─────┘   asked to restart, or not ready within its time (a failure)
//!
//! task      waiting ──► running ──► done                    asked to run again, or a service that it comes after was
//!                                                           started anew and is ready: done ──► running
//!                        ▲    │
//!                        └ backoff                          it ended without success, or took too long
//!
//! timer     scheduled ◄──► running                          due, and nothing before it is missing
//!
//! all       role leader and not leading: standby            any state but these ──► stopping ──► stopped
//!           uses the database without its lease: fenced
//!           switched off, not installed: off, absent        essential and hopeless: failed, which ends the pod
//! ```
//!
//! * A unit starts when everything it comes after was ready once (or will not run here: then, what that comes after), and
//!   everything it wants was ready once or is hopeless.
//! * A service or task that ended starts again at once if it had been ready for 30 s, otherwise after 0.5 s doubling to
//!   30 s. Five ends in a row without health end the pod if it is essential; a task that has succeeded before never does.
//! * It is told to stop when everything that comes after it or wants it has gone, and killed at the end of its own time or
//!   of the time for all.
//! * A unit that writes to the database is killed at once when this front-end can no longer renew its lease, and starts
//!   again when it can.
//! * A unit for the leader runs only while this front-end leads. It loses that: units stop in the same order, and
//!   everything else stays.
//!
//! The words are in `machine/model.rs`, the start in `machine/start.rs`, the stop in `machine/stop.rs`. Deliberately absent: processes, sockets, clocks
//! and randomness, and when timers are due.

use std::time::Duration;

mod model;
mod start;
mod stop;

pub use model::{Action, End, Event, Index, Kind, Now, Presence, Spec, State};

/// Ready for this long, a service counts as healthy: its next end is the first of a new series.
pub const HEALTHY: Duration = Duration::from_secs(30);

/// The first delay between an end and the next start.
pub const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The longest delay between an end and the next start.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// So many ends before it was ever ready, and a unit that is not essential no longer holds up the start.
pub const HOPELESS_ENDS: u32 = 3;

/// So long without being ready, and a unit that is not essential no longer holds up the start.
pub const SLOW_START: Duration = Duration::from_secs(30);

/// So many ends in a row without health, and an essential unit ends the pod.
pub const LAST_END: u32 = 5;

/// Processes that a kill does not end within this time are left to the end of PID 1.
pub const AFTER_KILL: Duration = Duration::from_secs(2);

/// All units and where they stand.
#[derive(Debug, Clone)]
pub struct Machine {
    units: Vec<Unit>,
    stop_within: Duration,
    leads: bool,
    /// The lease of the database cannot be renewed.
    fenced: bool,
    phase: Phase,
    /// The time of the last event.
    now: Now,
}

#[derive(Debug, Clone)]
struct Unit {
    spec: Spec,
    /// Everything that comes after it or wants it, directly or not.
    dependents: Vec<Index>,
    state: State,
    /// When it first started.
    started: Option<Now>,
    run: Run,
    /// It was ready once, or has succeeded once.
    was_ready: bool,
    /// It shall run as soon as it may.
    due: bool,
    /// Ends in a row without health.
    failures: u32,
    starts: u32,
}

/// What is known of the latest run alone.
#[derive(Debug, Clone, Default)]
struct Run {
    began: Now,
    ready_since: Option<Now>,
    /// It was ready for [`HEALTHY`].
    was_healthy: bool,
    /// It is stopped because it took too long.
    too_late: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Running,
    Stopping { deadline: Now },
    Killed { give_up: Now },
    Finished,
}

impl Machine {
    /// Nothing runs yet, and this front-end leads. `stop_within` is the time for all units together to stop.
    #[must_use]
    pub fn new(specs: Vec<Spec>, stop_within: Duration) -> Self {
        let dependents: Vec<Vec<Index>> = (0..specs.len())
            .map(|index| stop::dependents(&specs, index))
            .collect();
        let units = specs
            .into_iter()
            .zip(dependents)
            .map(|(spec, dependents)| Unit {
                state: match spec.presence {
                    Presence::Enabled => spec.kind.at_rest(),
                    Presence::Off => State::Off,
                    Presence::Absent => State::Absent,
                },
                spec,
                dependents,
                started: None,
                run: Run::default(),
                was_ready: false,
                due: false,
                failures: 0,
                starts: 0,
            })
            .collect();
        Self {
            units,
            stop_within,
            leads: true,
            fenced: false,
            phase: Phase::Idle,
            now: Now::ZERO,
        }
    }

    /// What one event, at one time, makes to be done, in this order.
    #[must_use]
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Action> {
        self.now = now;
        let mut actions = Vec::new();
        match event {
            Event::Begin if self.phase == Phase::Idle => self.phase = Phase::Running,
            Event::Ready(index) => self.ready(index),
            Event::Unready(index) => self.unready(index),
            Event::Ended { unit, end, jitter } => actions.extend(self.ended(unit, end, jitter)),
            Event::Due(index) => self.due(index),
            Event::Restart(index) if self.phase == Phase::Running => actions.extend(self.restart(index)),
            Event::Leader(leads) => self.lead(leads),
            Event::Fence(fenced) => self.fence(fenced),
            Event::BootstrapComplete => {
                for unit in &mut self.units {
                    unit.spec.max_failures = LAST_END;
                }
            }
            Event::Stop => self.stop(now.saturating_add(self.stop_within)),
            Event::StopNow => self.stop(now),
            Event::Begin | Event::Restart(_) | Event::Tick => {}
        }
        if self.fenced {
            actions.extend(self.kill_fenced());
        }
        match self.phase {
            Phase::Idle | Phase::Finished => {}
            Phase::Running => {
                actions.extend(self.stop_what_is_too_late());
                actions.extend(self.hand_over());
                actions.extend(self.kill_what_is_due());
                actions.extend(self.start_what_is_due());
            }
            Phase::Stopping { .. } | Phase::Killed { .. } => actions.extend(self.stop_what_is_due()),
        }
        actions
    }

    /// When [`Event::Tick`] is needed next, if nothing else happens.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        let overall = match self.phase {
            Phase::Stopping { deadline } => Some(deadline),
            Phase::Killed { give_up } => Some(give_up),
            Phase::Idle | Phase::Running | Phase::Finished => None,
        };
        let running = self.phase == Phase::Running;
        let slow = self
            .units
            .iter()
            .filter(|unit| running && !unit.was_ready)
            .filter_map(|unit| Some(unit.started? + SLOW_START))
            .filter(|late| *late > self.now);
        let own = self.units.iter().filter_map(|unit| match unit.state {
            State::Backoff { until } => Some(until),
            State::Stopping { kill_at } => kill_at,
            State::Starting | State::Running if running => Some(unit.out_of_time()),
            _ => None,
        });
        own.chain(slow).chain(overall).min()
    }

    /// Where a unit stands.
    #[must_use]
    pub fn state(&self, index: Index) -> State {
        self.units.get(index).map_or(State::Absent, |unit| unit.state)
    }

    /// How often a unit was started.
    #[must_use]
    pub fn starts(&self, index: Index) -> u32 {
        self.units.get(index).map_or(0, |unit| unit.starts)
    }

    /// How often a unit was started again.
    #[must_use]
    pub fn restarts(&self, index: Index) -> u32 {
        self.starts(index).saturating_sub(1)
    }

    /// How often in a row a unit ended without health.
    #[must_use]
    pub fn failures(&self, index: Index) -> u32 {
        self.units.get(index).map_or(0, |unit| unit.failures)
    }

    /// How long the unit's next start is away.
    #[must_use]
    pub fn backoff(&self, index: Index, now: Now) -> Option<Duration> {
        match self.state(index) {
            State::Backoff { until } => Some(until.saturating_sub(now)),
            _ => None,
        }
    }

    /// Whether nothing need wait for a unit now: a service is ready, a task has succeeded once, a timer never holds up
    /// anything, and what does not run here neither.
    #[must_use]
    pub fn satisfied(&self, index: Index) -> bool {
        self.units.get(index).is_none_or(|unit| {
            unit.state.elsewhere()
                || match unit.spec.kind {
                    Kind::Service { .. } => unit.state == State::Ready,
                    Kind::Task { .. } => unit.was_ready,
                    Kind::Timer { .. } => true,
                }
        })
    }

    /// True once the start is over: every essential unit was ready once, and every other one was, or is hopeless. Of the
    /// time of the last event.
    #[must_use]
    pub fn started_up(&self) -> bool {
        self.phase != Phase::Idle
            && (0..self.units.len()).all(|index| {
                self.units.get(index).is_some_and(|unit| {
                    matches!(unit.spec.kind, Kind::Timer { .. })
                        || unit.was_ready
                        || unit.state.elsewhere()
                        || (!unit.spec.essential && self.hopeless(index))
                })
            })
    }

    /// Whether a unit that was never ready shall no longer hold up anything: it keeps ending, takes long, or waits for
    /// one that is so, if only through one that does not run here.
    fn hopeless(&self, index: Index) -> bool {
        self.hopeless_of(index, &mut vec![None; self.units.len()])
    }

    /// The same; what is found of one unit is noted, because several ways may lead to it.
    fn hopeless_of(&self, index: Index, known: &mut [Option<bool>]) -> bool {
        if let Some(Some(known)) = known.get(index) {
            return *known;
        }
        let hopeless = self.units.get(index).is_none_or(|unit| {
            unit.failures >= HOPELESS_ENDS
                || unit.started.is_some_and(|at| self.now >= at + SLOW_START)
                || ((matches!(unit.state, State::Waiting | State::Fenced) || unit.state.elsewhere())
                    && unit
                        .spec
                        .after
                        .iter()
                        .any(|before| !self.was_ready(*before) && self.hopeless_of(*before, known)))
        });
        if let Some(known) = known.get_mut(index) {
            *known = Some(hopeless);
        }
        hopeless
    }

    /// Whether what comes after a unit need not wait for it: it was ready once. One that does not run here passes the
    /// question on to what it comes after itself.
    fn was_ready(&self, index: Index) -> bool {
        let mut seen = vec![false; self.units.len()];
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            let (Some(unit), Some(seen)) = (self.units.get(index), seen.get_mut(index)) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            if unit.state.elsewhere() {
                open.extend(&unit.spec.after);
            } else if !unit.was_ready {
                return false;
            }
        }
        true
    }

    fn ready(&mut self, index: Index) {
        let now = self.now;
        if let Some(unit) = self.units.get_mut(index)
            && matches!(unit.state, State::Starting | State::Unready)
        {
            let anew = unit.state == State::Starting && unit.was_ready;
            unit.state = State::Ready;
            unit.was_ready = true;
            unit.run.ready_since = Some(now);
            if anew {
                self.repeat_tasks_after(index);
            }
        }
    }

    fn unready(&mut self, index: Index) {
        let now = self.now;
        if let Some(unit) = self.units.get_mut(index)
            && unit.state == State::Ready
        {
            unit.state = State::Unready;
            unit.end_of_health(now);
        }
    }

    /// Takes the end of a run; an essential unit that has now failed too often begins the stop.
    fn ended(&mut self, index: Index, end: End, jitter: u8) -> Option<Action> {
        let (now, running) = (self.now, self.phase == Phase::Running);
        let (fits, fenced) = (self.fits(index), self.is_fenced(index));
        let unit = self.units.get_mut(index).filter(|unit| unit.state.runs())?;
        unit.end_of_health(now);
        let too_late = unit.run.too_late;
        let asked = matches!(unit.state, State::Stopping { .. }) && !too_late;
        if !running {
            unit.state = State::Stopped;
            return None;
        }
        if !fits {
            unit.stand_by();
            return None;
        }
        if fenced {
            unit.state = State::Fenced;
            return None;
        }
        match unit.spec.kind {
            Kind::Timer { .. } => unit.state = State::Scheduled,
            Kind::Service { .. } | Kind::Task { .. } if asked => unit.state = State::Backoff { until: now },
            Kind::Task { .. } if end == End::Success && !too_late => {
                unit.state = State::Done;
                unit.was_ready = true;
                unit.failures = 0;
            }
            Kind::Service { .. } | Kind::Task { .. } => {
                if unit.failed(jitter, now) {
                    self.stop(now.saturating_add(self.stop_within));
                    return Some(Action::GiveUp(index));
                }
            }
        }
        None
    }
}

impl Unit {
    /// Its time of being ready is over, for now.
    fn end_of_health(&mut self, now: Now) {
        if self
            .run
            .ready_since
            .take()
            .is_some_and(|since| now.saturating_sub(since) >= HEALTHY)
        {
            self.run.was_healthy = true;
        }
    }

    /// A run of a service or a task has failed. True when that was once too often.
    fn failed(&mut self, jitter: u8, now: Now) -> bool {
        let wait = if self.run.was_healthy {
            self.failures = 0;
            Duration::ZERO
        } else {
            let wait = delay(self.failures, jitter);
            self.failures = self.failures.saturating_add(1);
            wait
        };
        // A task that has succeeded before is asked to run again in a pod that works: its failure must not end that.
        let succeeded = matches!(self.spec.kind, Kind::Task { .. }) && self.was_ready;
        let once_too_often = self.spec.essential && self.failures >= self.spec.max_failures && !succeeded;
        self.state = if once_too_often {
            State::Failed
        } else {
            State::Backoff { until: now + wait }
        };
        once_too_often
    }

    /// It does not run here for now; when it does again, it begins anew.
    fn stand_by(&mut self) {
        self.state = State::Standby;
        self.started = None;
        self.was_ready = false;
        self.due = false;
        self.failures = 0;
    }

    /// When the run at hand has taken too long.
    fn out_of_time(&self) -> Now {
        let limit = match self.spec.kind {
            Kind::Service { start_within } => start_within,
            Kind::Task { timeout } | Kind::Timer { timeout } => timeout,
        };
        self.run.began.saturating_add(limit)
    }
}

/// The delay after the given number of earlier failures in a row: 0.5 s doubling to 30 s, less up to a fifth.
fn delay(failures: u32, jitter: u8) -> Duration {
    let whole = FIRST_DELAY
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_DELAY);
    whole.mul_f64(1.0 - f64::from(jitter) / 255.0 / 5.0)
}

#[cfg(test)]
mod tests;
