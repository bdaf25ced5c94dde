//! The supervisor's law, pure: what happens (events, with the time) decides what is to be done (actions).
//!
//! ```text
//! waiting ──► starting ──► ready ◄──► unready
//!               │  ▲          │          │
//!               ▼  │          ▼          ▼
//!              backoff ◄──────┴──────────┘       (the process ended)
//! any of these ──► stopping ──► stopped          off, absent: never anything else
//! ```
//!
//! * A service starts when everything it comes after was ready once (or is off or absent).
//! * It starts again at once if it had been ready for 30 s, otherwise after 0.5 s doubling to 30 s.
//! * It is told to stop when everything that comes after it has gone, and killed at the end of its own time or of the
//!   time for all.
//!
//! Deliberately absent: processes, sockets, clocks and randomness; a service that never becomes ready is not ended.

use std::time::Duration;

/// Ready for this long, a service counts as healthy: its next end is the first of a new series.
pub const HEALTHY: Duration = Duration::from_secs(30);

/// The first delay between an end and the next start.
pub const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The longest delay between an end and the next start.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// So many ends before it was ever ready, and a service that is not essential no longer holds up the start.
pub const HOPELESS_ENDS: u32 = 3;

/// So long without being ready, and a service that is not essential no longer holds up the start.
pub const SLOW_START: Duration = Duration::from_secs(30);

/// Processes that a kill does not end within this time are left to the end of PID 1.
pub const AFTER_KILL: Duration = Duration::from_secs(2);

/// Time since the supervisor began.
pub type Now = Duration;

/// A service's place in the plan.
pub type Index = usize;

/// What the machine must know of one service.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Services that must have been ready before this one starts.
    pub after: Vec<Index>,
    /// Whether it can and shall run.
    pub presence: Presence,
    /// Whether the pod is not ready without it.
    pub essential: bool,
    /// Time between its stop signal and its kill.
    pub stop_timeout: Duration,
}

/// Whether a service can and shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Yes.
    Enabled,
    /// Switched off by a setting.
    Off,
    /// Not installed in this image.
    Absent,
}

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Something it comes after was not ready yet.
    Waiting,
    /// It runs and was not ready yet in this run.
    Starting,
    /// It runs and its probe says yes.
    Ready,
    /// It runs, was ready, and its probe says no.
    Unready,
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
    /// It has ended and will not start again.
    Stopped,
    /// Switched off by a setting.
    Off,
    /// Not installed in this image.
    Absent,
}

impl State {
    /// Whether there is a process.
    #[must_use]
    pub fn runs(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Ready | Self::Unready | Self::Stopping { .. }
        )
    }

    /// Whether there is no process and will be none.
    #[must_use]
    pub fn gone(self) -> bool {
        matches!(self, Self::Stopped | Self::Off | Self::Absent)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The pod is prepared: services may start.
    Begin,
    /// A service's probe says yes.
    Ready(Index),
    /// A service's probe says no.
    Unready(Index),
    /// A service's process has ended, or could not be started.
    Ended {
        /// Which.
        service: Index,
        /// A random number that spreads the delay, 0 to 255.
        jitter: u8,
    },
    /// Time has passed.
    Tick,
    /// Stop in good order, within this time.
    Stop {
        /// For all services together.
        within: Duration,
    },
    /// Stop at once.
    StopNow,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start its process.
    Start(Index),
    /// Send its stop signal.
    Terminate(Index),
    /// Kill its process group.
    Kill(Index),
    /// Everything has gone: the supervisor's work is done.
    Finish,
}

/// All services and where they stand.
#[derive(Debug, Clone)]
pub struct Machine {
    services: Vec<Service>,
    phase: Phase,
    /// The time of the last event.
    now: Now,
}

#[derive(Debug, Clone)]
struct Service {
    spec: Spec,
    state: State,
    started: Option<Now>,
    ready_since: Option<Now>,
    was_ready: bool,
    /// It was ready for [`HEALTHY`] in this run.
    was_healthy: bool,
    /// Ends in a row without health.
    failures: u32,
    starts: u32,
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
    /// Nothing runs yet. What comes after a service that is off or absent comes after that service's own predecessors.
    #[must_use]
    pub fn new(specs: Vec<Spec>) -> Self {
        let after: Vec<Vec<Index>> = (0..specs.len())
            .map(|index| effective_after(&specs, index))
            .collect();
        let services = specs
            .into_iter()
            .zip(after)
            .map(|(spec, after)| Service {
                state: match spec.presence {
                    Presence::Enabled => State::Waiting,
                    Presence::Off => State::Off,
                    Presence::Absent => State::Absent,
                },
                spec: Spec { after, ..spec },
                started: None,
                ready_since: None,
                was_ready: false,
                was_healthy: false,
                failures: 0,
                starts: 0,
            })
            .collect();
        Self {
            services,
            phase: Phase::Idle,
            now: Now::ZERO,
        }
    }

    /// What one event, at one time, makes to be done, in this order.
    #[must_use]
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Action> {
        self.now = now;
        match event {
            Event::Begin if self.phase == Phase::Idle => self.phase = Phase::Running,
            Event::Ready(index) => self.ready(index, now),
            Event::Unready(index) => self.unready(index, now),
            Event::Ended { service, jitter } => self.ended(service, jitter, now),
            Event::Stop { within } => self.stop(now + within),
            Event::StopNow => self.stop(now),
            Event::Begin | Event::Tick => {}
        }
        match self.phase {
            Phase::Idle | Phase::Finished => Vec::new(),
            Phase::Running => self.start_what_is_due(now),
            Phase::Stopping { .. } | Phase::Killed { .. } => self.stop_what_is_due(now),
        }
    }

    /// When [`Event::Tick`] is needed next, if nothing else happens.
    #[must_use]
    pub fn next_tick(&self) -> Option<Now> {
        let overall = match self.phase {
            Phase::Stopping { deadline } => Some(deadline),
            Phase::Killed { give_up } => Some(give_up),
            Phase::Idle | Phase::Running | Phase::Finished => None,
        };
        let slow = self
            .services
            .iter()
            .filter(|service| self.phase == Phase::Running && !service.was_ready)
            .filter_map(|service| Some(service.started? + SLOW_START))
            .filter(|late| *late > self.now);
        let own = self.services.iter().filter_map(|service| match service.state {
            State::Backoff { until } => Some(until),
            State::Stopping { kill_at } => kill_at,
            _ => None,
        });
        own.chain(slow).chain(overall).min()
    }

    /// Where a service stands.
    #[must_use]
    pub fn state(&self, index: Index) -> State {
        self.services
            .get(index)
            .map_or(State::Absent, |service| service.state)
    }

    /// How often a service was started again.
    #[must_use]
    pub fn restarts(&self, index: Index) -> u32 {
        self.services
            .get(index)
            .map_or(0, |service| service.starts.saturating_sub(1))
    }

    /// How long the service's next start is away.
    #[must_use]
    pub fn backoff(&self, index: Index, now: Now) -> Option<Duration> {
        match self.state(index) {
            State::Backoff { until } => Some(until.saturating_sub(now)),
            _ => None,
        }
    }

    /// True once the start is over: every essential service was ready once, and every other one was, or has ended three
    /// times before it was, or has had half a minute. Of the time of the last event.
    #[must_use]
    pub fn started_up(&self) -> bool {
        self.phase != Phase::Idle
            && self.services.iter().all(|service| {
                service.was_ready
                    || matches!(service.state, State::Off | State::Absent)
                    || (!service.spec.essential && service.hopeless(self.now))
            })
    }

    fn ready(&mut self, index: Index, now: Now) {
        if let Some(service) = self.services.get_mut(index)
            && matches!(service.state, State::Starting | State::Unready)
        {
            service.state = State::Ready;
            service.was_ready = true;
            service.ready_since = Some(now);
        }
    }

    fn unready(&mut self, index: Index, now: Now) {
        if let Some(service) = self.services.get_mut(index)
            && service.state == State::Ready
        {
            service.state = State::Unready;
            service.end_of_health(now);
        }
    }

    fn ended(&mut self, index: Index, jitter: u8, now: Now) {
        let stopping = self.phase != Phase::Running;
        let Some(service) = self.services.get_mut(index) else {
            return;
        };
        if !service.state.runs() {
            return;
        }
        service.end_of_health(now);
        service.state = if stopping {
            State::Stopped
        } else {
            let wait = if service.was_healthy {
                Duration::ZERO
            } else {
                delay(service.failures, jitter)
            };
            service.failures = if service.was_healthy {
                0
            } else {
                service.failures.saturating_add(1)
            };
            State::Backoff { until: now + wait }
        };
    }

    fn stop(&mut self, deadline: Now) {
        if matches!(self.phase, Phase::Killed { .. } | Phase::Finished) {
            return;
        }
        let deadline = match self.phase {
            Phase::Stopping { deadline: earlier } => deadline.min(earlier),
            _ => deadline,
        };
        self.phase = Phase::Stopping { deadline };
        for service in &mut self.services {
            if matches!(service.state, State::Waiting | State::Backoff { .. }) {
                service.state = State::Stopped;
            }
        }
    }

    fn start_what_is_due(&mut self, now: Now) -> Vec<Action> {
        let due = |service: &Service| match service.state {
            State::Waiting => service
                .spec
                .after
                .iter()
                .all(|before| self.services.get(*before).is_some_and(|before| before.was_ready)),
            State::Backoff { until } => until <= now,
            _ => false,
        };
        let due: Vec<Index> = (0..self.services.len())
            .filter(|index| self.services.get(*index).is_some_and(due))
            .collect();
        for index in &due {
            if let Some(service) = self.services.get_mut(*index) {
                service.state = State::Starting;
                service.was_healthy = false;
                service.started.get_or_insert(now);
                service.starts += 1;
            }
        }
        due.into_iter().map(Action::Start).collect()
    }

    fn stop_what_is_due(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Phase::Stopping { deadline } = self.phase
            && deadline <= now
        {
            self.phase = Phase::Killed {
                give_up: now + AFTER_KILL,
            };
            for (index, service) in self.services.iter_mut().enumerate() {
                if service.state.runs() {
                    service.state = State::Stopping { kill_at: None };
                    actions.push(Action::Kill(index));
                }
            }
        }
        if let Phase::Stopping { .. } = self.phase {
            for index in 0..self.services.len() {
                actions.extend(self.stop_if_due(index, now));
            }
        }
        let gone = self.services.iter().all(|service| service.state.gone());
        let given_up = matches!(self.phase, Phase::Killed { give_up } if give_up <= now);
        if gone || given_up {
            self.phase = Phase::Finished;
            actions.push(Action::Finish);
        }
        actions
    }

    fn stop_if_due(&mut self, index: Index, now: Now) -> Option<Action> {
        let comes_after = |other: &Service| other.spec.after.contains(&index) && !other.state.gone();
        let needed = self.services.iter().any(comes_after);
        let service = self.services.get_mut(index)?;
        match service.state {
            State::Starting | State::Ready | State::Unready if !needed => {
                service.state = State::Stopping {
                    kill_at: Some(now + service.spec.stop_timeout),
                };
                Some(Action::Terminate(index))
            }
            State::Stopping {
                kill_at: Some(kill_at),
            } if kill_at <= now => {
                service.state = State::Stopping { kill_at: None };
                Some(Action::Kill(index))
            }
            _ => None,
        }
    }
}

impl Service {
    /// Its time of being ready is over, for now.
    fn end_of_health(&mut self, now: Now) {
        if self
            .ready_since
            .take()
            .is_some_and(|since| now.saturating_sub(since) >= HEALTHY)
        {
            self.was_healthy = true;
        }
    }

    /// It shall no longer hold up the start.
    fn hopeless(&self, now: Now) -> bool {
        self.failures >= HOPELESS_ENDS || self.started.is_some_and(|at| now >= at + SLOW_START)
    }
}

/// The delay after the given number of earlier failures in a row: 0.5 s doubling to 30 s, less up to a fifth.
fn delay(failures: u32, jitter: u8) -> Duration {
    let whole = FIRST_DELAY
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_DELAY);
    whole.mul_f64(1.0 - f64::from(jitter) / 255.0 / 5.0)
}

/// The services that `index` comes after, with those that will not run replaced by what they come after themselves.
fn effective_after(specs: &[Spec], index: Index) -> Vec<Index> {
    let mut found = Vec::new();
    let mut seen = vec![false; specs.len()];
    let mut open: Vec<Index> = specs
        .get(index)
        .map(|spec| spec.after.clone())
        .unwrap_or_default();
    while let Some(before) = open.pop() {
        let Some(spec) = specs.get(before) else { continue };
        if seen
            .get_mut(before)
            .is_none_or(|seen| std::mem::replace(seen, true))
        {
            continue;
        }
        match spec.presence {
            Presence::Enabled => found.push(before),
            Presence::Off | Presence::Absent => open.extend(&spec.after),
        }
    }
    found
}

#[cfg(test)]
mod tests;
