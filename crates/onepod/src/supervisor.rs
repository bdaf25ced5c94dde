//! Runs the units of services.toml: turns what happens to processes, probes, timers and requests into events of the
//! machine, and its actions into deeds.
//!
//! The law is in `machine`, the processes belong to the reaper, requests come through `handle`. Deliberately absent: why
//! anything is to be done.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::board::{Board, Phase, PlanView, UnitKind};
use crate::environment::Inherited;
use crate::identity::Identity;
use crate::log::Log;
use crate::paths::Paths;
use crate::reaper::{Exit, Reaper};
use crate::sys::StopRequests;

pub(crate) mod beat;
pub mod builtin;
pub mod capture;
pub mod clock;
pub mod config;
pub(crate) mod drain;
pub mod follow;
pub mod handle;
pub mod machine;
mod own_probes;
pub mod probe;
mod requests;
pub mod timer;
mod timers;
mod unit;

use builtin::Builtins;
use clock::Clock;
use config::{Config, Kind};
use follow::Follower;
use handle::Commands;
use machine::{Action, End, Event, Index, Machine, Spec, State};
use requests::Waiter;
use timers::Timers;
use unit::{Begun, Supervised};

/// What the supervisor works with.
#[derive(Debug, Clone)]
pub struct Means {
    /// Starts and reaps processes.
    pub reaper: Reaper,
    /// Takes the units' lines.
    pub log: Log,
    /// Shows where the units stand.
    pub board: Board,
    /// Where sockets and credentials lie.
    pub paths: Paths,
    /// What the units get of the container's environment.
    pub inherited: Inherited,
    /// Who the units take their user for.
    pub identity: Identity,
    /// What tasks and timers may call.
    pub builtins: Builtins,
    /// When timers are due.
    pub clock: Clock,
    /// Whether oned's first start on its database has not been seen to complete: what writes to it gets no second try
    /// then, because that would go on with half of a bootstrap.
    pub bootstrapping: bool,
}

/// Why the supervisor's work is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to stop.
    Asked,
    /// It could not go on: the reason for people, with the last lines of whoever caused it.
    Failed(String),
}

/// What a probe, the reaper or a call tells about one run of a unit.
#[derive(Debug)]
struct Report {
    unit: Index,
    /// Which run: what is told of an earlier one is out of date.
    run: u32,
    news: News,
}

#[derive(Debug)]
enum News {
    Answer(Result<(), String>),
    Ended(Finish),
}

/// How a run came to its end.
#[derive(Debug)]
enum Finish {
    Exit(Exit),
    Call(Result<(), String>),
}

/// Runs everything until a stop is asked for, or an essential unit keeps failing, and the last process has gone. A second
/// request to stop skips every wait.
pub async fn supervise(
    config: Config,
    means: Means,
    mut commands: Commands,
    stop: &mut StopRequests,
) -> Ending {
    let mut stage = Some(means.board.stage("supervise"));
    means.board.set_plan(plan(&config));
    let (reports, mut news) = mpsc::unbounded_channel();
    let mut supervisor = Supervisor::new(config, means, reports);
    let follow = tokio::spawn(supervisor.follower.clone().follow());
    // The endpoint answers meanwhile: without services nothing would be missing, and the pod would be ready.
    supervisor.publish();
    supervisor.means.board.set_phase(Phase::Running);
    // What was asked for before anything runs.
    while let Some(command) = commands.take() {
        supervisor.take(command);
    }
    supervisor.step(Event::Begin);
    while !supervisor.finished {
        if stage.is_some() && supervisor.machine.started_up() && supervisor.ending.is_none() {
            stage.take().into_iter().for_each(crate::board::Stage::done);
        }
        let tick = supervisor
            .machine
            .next_tick()
            .and_then(|at| supervisor.began.checked_add(at));
        let wake = supervisor.timers.wake().filter(|_| supervisor.ending.is_none());
        tokio::select! {
            report = news.recv() => if let Some(report) = report { supervisor.report(report) },
            () = stop.next() => supervisor.asked_to_stop(),
            command = commands.next() => supervisor.take(command),
            () = until(tick) => supervisor.step(Event::Tick),
            () = until(wake) => supervisor.look_at_timers(),
        }
    }
    follow.abort();
    supervisor.follower.catch_up_all();
    supervisor.ending.unwrap_or(Ending::Asked)
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The order of the start, for `/status`.
fn plan(config: &Config) -> Vec<PlanView> {
    let view = |unit: &config::Unit| {
        let kind = match unit.kind {
            Kind::Service { .. } => UnitKind::Service,
            Kind::Task { .. } => UnitKind::Task,
            Kind::Timer { .. } => return None,
        };
        Some(PlanView {
            name: unit.name.to_string(),
            kind,
            after: unit.after.clone(),
            wants: unit.wants.clone(),
        })
    };
    config.units.iter().filter_map(view).collect()
}

/// What the machine must know of each unit.
fn specs(config: &Config, bootstrapping: bool) -> Vec<Spec> {
    let place = |name: &String| config.units.iter().position(|unit| *unit.name == **name);
    config
        .units
        .iter()
        .map(|unit| Spec {
            kind: match unit.kind {
                Kind::Service { start_within, .. } => machine::Kind::Service { start_within },
                Kind::Task { timeout } => machine::Kind::Task { timeout },
                Kind::Timer { timeout, .. } => machine::Kind::Timer { timeout },
            },
            after: unit.after.iter().filter_map(place).collect(),
            wants: unit.wants.iter().filter_map(place).collect(),
            presence: unit::presence(unit),
            role: unit.role,
            essential: unit.essential,
            uses_database: unit.uses_database,
            max_failures: if bootstrapping && unit.uses_database {
                1
            } else {
                machine::LAST_END
            },
            stop_timeout: unit.stop_timeout,
            drain_timeout: unit.drain.as_ref().map_or(Duration::ZERO, |drain| drain.timeout),
        })
        .collect()
}

struct Supervisor {
    machine: Machine,
    units: Vec<Supervised>,
    timers: Timers,
    follower: Follower,
    means: Means,
    reports: mpsc::UnboundedSender<Report>,
    waiters: Vec<Waiter>,
    began: Instant,
    stop_within: Duration,
    /// A signal has asked for the stop.
    asked: bool,
    /// Why the pod is on its way to the end.
    ending: Option<Ending>,
    finished: bool,
}

impl Supervisor {
    fn new(config: Config, means: Means, reports: mpsc::UnboundedSender<Report>) -> Self {
        let stop_within = config.stop_within;
        let machine = Machine::new(specs(&config, means.bootstrapping), stop_within);
        let units: Vec<Supervised> = config.units.into_iter().map(Supervised::new).collect();
        for (index, unit) in units.iter().enumerate() {
            match machine.state(index) {
                State::Off => tracing::info!("{}: {}", unit.name(), unit.why_off()),
                State::Absent => {
                    tracing::info!("{}: absent, {} is not installed", unit.name(), unit.installed());
                }
                _ => {}
            }
        }
        let sources = units
            .iter()
            .enumerate()
            .filter(|(index, _)| !machine.state(*index).gone())
            .flat_map(|(_, unit)| unit.log_files())
            .collect();
        Self {
            timers: Timers::new(&units, &machine, &means),
            follower: Follower::new(sources, &means.log),
            machine,
            units,
            means,
            reports,
            waiters: Vec::new(),
            began: Instant::now(),
            stop_within,
            asked: false,
            ending: None,
            finished: false,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Takes an event through the machine and does what it says.
    fn step(&mut self, event: Event) {
        let actions = self.machine.step(event, self.now());
        self.act_on_all(actions);
    }

    fn act_on_all(&mut self, mut actions: Vec<Action>) {
        while !actions.is_empty() {
            let causes: Vec<Event> = actions
                .into_iter()
                .filter_map(|action| self.act(action))
                .collect();
            let now = self.now();
            actions = causes
                .into_iter()
                .flat_map(|event| self.machine.step(event, now))
                .collect();
        }
        self.publish();
        self.answer();
    }

    /// Does one thing; an event that this is at once the cause of comes back.
    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Start(unit) => self.start(unit),
            Action::Terminate(unit) => {
                let deadline = self.signal_deadline(unit);
                self.units.get_mut(unit)?.terminate(deadline, &self.means.reaper);
                None
            }
            Action::ShortenDrain(unit) => {
                let deadline = self.signal_deadline(unit);
                self.units
                    .get_mut(unit)?
                    .drain_until(deadline, &self.means.reaper);
                None
            }
            Action::TooLate(unit) => {
                self.units.get_mut(unit)?.too_late();
                None
            }
            Action::Kill(unit) => {
                self.units.get(unit)?.kill(&self.means.reaper);
                None
            }
            Action::Fence(unit) => {
                self.units.get(unit)?.fence(&self.means.reaper);
                None
            }
            Action::GiveUp(unit) => {
                let unit_that_failed = self.units.get(unit)?;
                let reason = unit_that_failed.reason_of_end(self.machine.failures(unit));
                let lines = unit_that_failed.last_lines();
                self.ending_because(&reason, &lines);
                None
            }
            Action::Finish => {
                self.finished = true;
                None
            }
        }
    }

    /// When a unit on its way to its stop gets its stop signal at the latest.
    fn signal_deadline(&self, index: Index) -> Instant {
        let stop_timeout = self
            .units
            .get(index)
            .map_or(Duration::ZERO, |unit| unit.config().stop_timeout);
        match self.machine.state(index) {
            State::Stopping {
                kill_at: Some(kill_at),
            } => self.began + kill_at.saturating_sub(stop_timeout),
            _ => self.began + self.now(),
        }
    }

    fn start(&mut self, index: Index) -> Option<Event> {
        let unit = self.units.get_mut(index)?;
        let end = match unit.start(index, &self.means, &self.reports) {
            Ok(Begun::Runs) => {
                self.timers.began(index);
                return None;
            }
            Ok(Begun::Needless) => {
                self.timers.left_out(index);
                End::Success
            }
            Err(reason) => {
                tracing::error!("{}: {reason}", unit.name());
                self.means.board.error(unit.name(), &reason);
                self.timers.began(index);
                self.timers.ended(index, End::Failure, &reason);
                unit.failed(reason);
                End::Failure
            }
        };
        Some(Event::Ended {
            unit: index,
            end,
            jitter: rand::random(),
        })
    }

    fn report(&mut self, report: Report) {
        let Report {
            unit: index,
            run,
            news,
        } = report;
        let state = self.machine.state(index);
        let Some(unit) = self.units.get_mut(index).filter(|unit| unit.is_run(run)) else {
            return;
        };
        match news {
            News::Answer(answer) => {
                let event = if answer.is_ok() {
                    Event::Ready(index)
                } else {
                    Event::Unready(index)
                };
                unit.answered(answer, state, &self.means);
                self.step(event);
            }
            News::Ended(finish) => {
                let too_late = unit.is_too_late();
                self.follower.catch_up(unit.name());
                unit.ended(&finish);
                let end = unit.last_end();
                self.timers.ended(index, end, unit.last_exit());
                let ended = Event::Ended {
                    unit: index,
                    end,
                    jitter: rand::random(),
                };
                let actions = self.machine.step(ended, self.now());
                let asked = matches!(state, State::Stopping { .. }) && !too_late;
                self.tell_end(index, end, asked);
                self.act_on_all(actions);
            }
        }
    }

    fn tell_end(&self, index: Index, end: End, asked: bool) {
        let Some(unit) = self.units.get(index) else {
            return;
        };
        let (name, exit) = (unit.name(), unit.last_exit());
        let cause = unit.cause_with_line();
        let record = || {
            self.means
                .board
                .error_with_line(name, unit.cause(), unit.last_line());
        };
        let next = match self.machine.state(index) {
            State::Starting | State::Running => "; starts again at once".to_owned(),
            State::Backoff { .. } => {
                let wait = self.machine.backoff(index, self.now()).unwrap_or_default();
                format!("; starts again in {:.1} s", wait.as_secs_f64())
            }
            _ => String::new(),
        };
        match unit.config().kind {
            _ if asked => tracing::info!("{name}: {exit}{next}"),
            // Some run twice a minute.
            Kind::Timer { .. } if end == End::Success => tracing::debug!("{name}: {exit}"),
            Kind::Timer { .. } => {
                tracing::warn!("{name}: {cause}");
                record();
            }
            _ if end == End::Success => tracing::info!("{name}: {exit}{next}"),
            _ => {
                tracing::error!("{name}: {cause}{next}");
                record();
            }
        }
    }

    /// A signal asks to stop: in good order the first time, at once the second time.
    fn asked_to_stop(&mut self) {
        self.means.board.set_phase(Phase::Stopping);
        let again = std::mem::replace(&mut self.asked, true);
        if again {
            tracing::warn!("asked to stop again: killing what is left");
            self.step(Event::StopNow);
            return;
        }
        tracing::info!(
            "asked to stop: stopping the services within {} s",
            self.stop_within.as_secs()
        );
        self.ending.get_or_insert(Ending::Asked);
        self.step(Event::Stop);
    }

    /// Stops everything in order, with this as the reason.
    fn end_because(&mut self, reason: &str) {
        if self.ending.is_none() {
            self.ending_because(reason, "");
            self.step(Event::Stop);
        }
    }

    /// Notes why the pod ends, before anything is stopped: whoever asks for its health hears it first, without the lines of
    /// the service that caused it.
    fn ending_because(&mut self, reason: &str, lines: &str) {
        tracing::error!(
            "the pod stops within {} s: {reason}{lines}",
            self.stop_within.as_secs()
        );
        self.means.board.end_because(reason);
        self.means.board.set_phase(Phase::Stopping);
        self.ending = Some(Ending::Failed(format!("{reason}{lines}")));
    }

    fn look_at_timers(&mut self) {
        for timer in self.timers.look() {
            if self.machine.state(timer) == State::Running
                && let Some(unit) = self.units.get(timer)
            {
                tracing::warn!(
                    "{}: due, but its last run is still at work: left out",
                    unit.name()
                );
            }
            self.step(Event::Due(timer));
        }
    }

    fn publish(&mut self) {
        let machine = &self.machine;
        let views = self
            .units
            .iter_mut()
            .enumerate()
            .filter(|(_, unit)| !matches!(unit.config().kind, Kind::Timer { .. }))
            .map(|(index, unit)| {
                unit.view(
                    machine.state(index),
                    machine.restarts(index),
                    machine.satisfied(index),
                )
            })
            .collect();
        self.means.board.set_services(views, machine.started_up());
        self.timers.publish(machine, &self.means.board);
    }
}

#[cfg(test)]
mod tests;
