//! Runs the services: turns what happens to processes and probes into events of the machine, and its actions into deeds.
//!
//! The law is in `machine`, the processes belong to the reaper. Deliberately absent: ending the pod because a service
//! fails; it is started again for as long as the pod lives.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::board::{Board, Phase, PlanView, UnitKind};
use crate::log::Log;
use crate::paths::Paths;
use crate::reaper::{Exit, Reaper};
use crate::sys::StopRequests;

pub mod builtin;
pub mod capture;
pub mod config;
pub mod follow;
pub mod handle;
pub mod machine;
pub mod probe;
pub mod timer;
mod unit;

use builtin::Builtins;
use config::{Config, Kind};
use follow::Follower;
use handle::Commands;
use machine::{Action, Event, Index, Machine, Spec, State};
use unit::Unit;

/// What the supervisor works with.
#[derive(Debug, Clone)]
pub struct Means {
    /// Starts and reaps processes.
    pub reaper: Reaper,
    /// Takes the services' lines.
    pub log: Log,
    /// Shows where the services stand.
    pub board: Board,
    /// Where sockets and credentials lie.
    pub paths: Paths,
    /// The time zone of the services, if one is set (`TZ`).
    pub time_zone: Option<String>,
    /// What tasks and timers may call.
    pub builtins: Builtins,
}

/// What a probe or the reaper tells about one run of a service.
#[derive(Debug)]
struct Report {
    service: Index,
    /// Which run: what is told of an earlier one is out of date.
    run: u32,
    news: News,
}

#[derive(Debug)]
enum News {
    Answer(Result<(), String>),
    Ended(Exit),
}

/// Runs all services until a stop is asked for and the last has gone. A second request skips every wait.
pub async fn supervise(
    config: Config,
    disabled: &BTreeSet<String>,
    means: Means,
    _commands: Commands,
    stop: &mut StopRequests,
) {
    let stage = means.board.stage("supervise");
    let stop_within = config.stop_within;
    means.board.set_plan(plan(&config));
    let (reports, mut news) = mpsc::unbounded_channel();
    let mut supervisor = Supervisor::new(config, disabled, means, reports);
    let follow = tokio::spawn(supervisor.follower.clone().follow());
    let mut stage = Some(stage);
    let mut asked = false;
    supervisor.means.board.set_phase(Phase::Running);
    supervisor.step(Event::Begin);
    while !supervisor.finished {
        if stage.is_some() && supervisor.machine.started_up() && !asked {
            stage.take().into_iter().for_each(crate::board::Stage::done);
        }
        let tick = supervisor.machine.next_tick().map(|at| supervisor.began + at);
        tokio::select! {
            report = news.recv() => if let Some(report) = report { supervisor.report(report) },
            () = stop.next() => {
                supervisor.means.board.set_phase(Phase::Stopping);
                if asked {
                    tracing::warn!("asked to stop again: killing what is left");
                } else {
                    tracing::info!("asked to stop: stopping the services within {} s", stop_within.as_secs());
                }
                supervisor.step(if asked { Event::StopNow } else { Event::Stop { within: stop_within } });
                asked = true;
            }
            () = until(tick) => supervisor.step(Event::Tick),
        }
    }
    follow.abort();
    supervisor.follower.catch_up_all();
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

struct Supervisor {
    machine: Machine,
    units: Vec<Unit>,
    follower: Follower,
    means: Means,
    reports: mpsc::UnboundedSender<Report>,
    began: Instant,
    finished: bool,
}

impl Supervisor {
    fn new(
        config: Config,
        disabled: &BTreeSet<String>,
        means: Means,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Self {
        let services: Vec<config::Unit> = config
            .units
            .into_iter()
            .filter(|unit| matches!(unit.kind, Kind::Service { .. }))
            .collect();
        let place = |name: &String| services.iter().position(|service| *service.name == **name);
        let specs = services
            .iter()
            .map(|service| Spec {
                after: service.after.iter().filter_map(place).collect(),
                presence: unit::presence(service, disabled),
                essential: service.essential,
                stop_timeout: service.stop_timeout,
            })
            .collect();
        let machine = Machine::new(specs);
        let units: Vec<Unit> = services.into_iter().map(Unit::new).collect();
        let sources = units
            .iter()
            .enumerate()
            .filter(|(index, _)| !matches!(machine.state(*index), State::Off | State::Absent))
            .flat_map(|(_, unit)| unit.log_files())
            .collect();
        let supervisor = Self {
            machine,
            units,
            follower: Follower::new(sources, &means.log),
            means,
            reports,
            began: Instant::now(),
            finished: false,
        };
        for (index, unit) in supervisor.units.iter().enumerate() {
            match supervisor.machine.state(index) {
                State::Off => tracing::info!("{}: off, by ONEPOD_DISABLE", unit.name()),
                State::Absent => {
                    tracing::info!("{}: absent, {} is not installed", unit.name(), unit.installed());
                }
                _ => {}
            }
        }
        supervisor
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
    }

    /// Does one thing; an event that this is at once the cause of comes back.
    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Start(service) => {
                let unit = self.units.get_mut(service)?;
                match unit.start(service, &self.means, &self.reports) {
                    Ok(()) => None,
                    Err(reason) => {
                        tracing::error!("{}: {reason}", unit.name());
                        unit.failed(reason);
                        Some(Event::Ended {
                            service,
                            jitter: rand::random(),
                        })
                    }
                }
            }
            Action::Terminate(service) => {
                self.units.get_mut(service)?.terminate(&self.means.reaper);
                None
            }
            Action::Kill(service) => {
                let unit = self.units.get(service)?;
                tracing::warn!("{}: killed, it had not ended in time", unit.name());
                unit.kill(&self.means.reaper);
                None
            }
            Action::Finish => {
                self.finished = true;
                None
            }
        }
    }

    fn report(&mut self, report: Report) {
        let Report { service, run, news } = report;
        let Some(unit) = self.units.get_mut(service) else {
            return;
        };
        if !unit.is_run(run) {
            return;
        }
        match news {
            News::Answer(answer) => {
                let event = if answer.is_ok() {
                    Event::Ready(service)
                } else {
                    Event::Unready(service)
                };
                unit.answered(answer, self.machine.state(service));
                self.step(event);
            }
            News::Ended(exit) => {
                let asked = matches!(self.machine.state(service), State::Stopping { .. });
                self.follower.catch_up(unit.name());
                unit.ended(exit);
                let ended = Event::Ended {
                    service,
                    jitter: rand::random(),
                };
                let actions = self.machine.step(ended, self.now());
                self.tell_end(service, exit, asked);
                self.act_on_all(actions);
            }
        }
    }

    fn tell_end(&self, service: Index, exit: Exit, asked: bool) {
        let Some(unit) = self.units.get(service) else {
            return;
        };
        let name = unit.name();
        let next = match self.machine.state(service) {
            State::Starting => "; starts again at once".to_owned(),
            State::Backoff { .. } => {
                let wait = self.machine.backoff(service, self.now()).unwrap_or_default();
                format!("; starts again in {:.1} s", wait.as_secs_f64())
            }
            _ => String::new(),
        };
        if asked || unit.success(exit) {
            tracing::info!("{name}: {}{next}", unit.last_exit());
        } else {
            tracing::error!("{name}: {}{next}", unit.cause());
        }
    }

    fn publish(&mut self) {
        let machine = &self.machine;
        let views = self
            .units
            .iter_mut()
            .enumerate()
            .map(|(index, unit)| unit.view(machine.state(index), machine.restarts(index)))
            .collect();
        self.means.board.set_services(views, machine.started_up());
    }
}
