//! The machine in a simulated world: random units with random behaviour and random requests, and the law checked at
//! every step from what the world itself has seen.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// How a unit of the simulated world behaves in all its runs, in milliseconds; none is never.
#[derive(Debug, Clone)]
struct Behaviour {
    ready_after: Option<u64>,
    ends_after: Option<u64>,
    /// A task or timer fails so many times before it succeeds.
    fails: u32,
    stop_takes: Option<u64>,
}

#[derive(Debug, Clone)]
struct Scenario {
    units: Vec<(Spec, Behaviour)>,
    requests: Vec<(u64, Request)>,
    stop_at: u64,
    within: u64,
    stop_again_after: Option<u64>,
    jitter: u8,
}

/// Something that is asked of the machine, the unit as a number of any size.
#[derive(Debug, Clone, Copy)]
enum Request {
    Restart(usize),
    Due(usize),
    Leader(bool),
    Fence(bool),
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    (
        prop::option::weighted(0.8, 0..3_000_u64),
        prop::option::weighted(0.5, prop_oneof![0..2_000_u64, 29_000..40_000_u64]),
        prop_oneof![3 => Just(0), 1 => 0..8_u32],
        prop::option::weighted(0.8, 0..4_000_u64),
    )
        .prop_map(|(ready_after, ends_after, fails, stop_takes)| Behaviour {
            ready_after,
            ends_after,
            fails,
            stop_takes,
        })
}

fn kind() -> impl Strategy<Value = Kind> {
    let limit = prop_oneof![1 => 500..5_000_u64, 3 => Just(300_000)].prop_map(ms);
    (0..5_u8, limit).prop_map(|(kind, limit)| match kind {
        0 => Kind::Task { timeout: limit },
        1 => Kind::Timer { timeout: limit },
        _ => Kind::Service { start_within: limit },
    })
}

fn spec() -> impl Strategy<Value = (Spec, Behaviour)> {
    let presence =
        prop_oneof![8 => Just(Presence::Enabled), 1 => Just(Presence::Off), 1 => Just(Presence::Absent)];
    let role = prop_oneof![3 => Just(Role::Any), 1 => Just(Role::Leader)];
    // Essential units that fail end the pod, and with that the scenario: not too many of them.
    let essential = prop::bool::weighted(0.2);
    let uses_database = prop::bool::weighted(0.3);
    let max_failures = prop_oneof![4 => Just(LAST_END), 1 => Just(1)];
    (
        kind(),
        presence,
        role,
        (essential, uses_database, max_failures),
        (0..5_000_u64, prop_oneof![3 => Just(0), 1 => 0..30_000_u64]),
        behaviour(),
    )
        .prop_map(
            |(
                kind,
                presence,
                role,
                (essential, uses_database, max_failures),
                (timeout, drain),
                behaviour,
            )| {
                let essential = essential && !matches!(kind, Kind::Timer { .. });
                let spec = Spec {
                    kind,
                    after: Vec::new(),
                    wants: Vec::new(),
                    presence,
                    role,
                    essential,
                    uses_database: uses_database && matches!(kind, Kind::Service { .. }),
                    max_failures,
                    stop_timeout: ms(timeout),
                    drain_timeout: ms(drain),
                };
                (spec, behaviour)
            },
        )
}

fn request() -> impl Strategy<Value = (u64, Request)> {
    let what = prop_oneof![
        2 => any::<usize>().prop_map(Request::Restart),
        3 => any::<usize>().prop_map(Request::Due),
        2 => any::<bool>().prop_map(Request::Leader),
        2 => any::<bool>().prop_map(Request::Fence),
    ];
    (0..120_000_u64, what)
}

prop_compose! {
    fn scenario()(units in prop::collection::vec(spec(), 1..9))(
        edges in prop::collection::vec(prop_oneof![4 => Just(0_u8), 1 => Just(1), 1 => Just(2)], units.len() * units.len()),
        requests in prop::collection::vec(request(), 0..12),
        stop_at in 0..240_000_u64,
        within in 0..20_000_u64,
        stop_again_after in prop::option::weighted(0.3, 0..10_000_u64),
        jitter in any::<u8>(),
        units in Just(units),
    ) -> Scenario {
        let count = units.len();
        let timers: Vec<bool> = units.iter().map(|(spec, _)| matches!(spec.kind, Kind::Timer { .. })).collect();
        // Only edges to earlier units, so that there are no circles; nothing comes after a timer.
        let units = units.into_iter().enumerate().map(|(index, (spec, behaviour))| {
            let edge = |kind: u8| (0..index).filter(|before| edges[index * count + before] == kind && !timers[*before]).collect();
            (Spec { after: edge(1), wants: edge(2), ..spec }, behaviour)
        }).collect();
        Scenario { units, requests, stop_at, within, stop_again_after, jitter }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Ready,
    Ended,
}

/// Why a run is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Asked,
    TooLate,
    Fenced,
}

/// What the world knows of one unit.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
struct Known {
    runs: bool,
    ready: bool,
    began: Now,
    terminated: Option<Now>,
    stopped_for: Option<Why>,
    restart_asked: bool,
    /// Since it last began anew.
    first_began: Option<Now>,
    was_ready: bool,
    ready_at: Option<Now>,
    healthy_run: bool,
    /// The end after which it shall start again, and the shortest and longest wait.
    again: Option<(Now, Duration, Duration)>,
    failures: u32,
    starts: u32,
    dues: u32,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
struct World {
    scenario: Scenario,
    known: Vec<Known>,
    due: BTreeSet<(Now, Index, Due)>,
    leads: bool,
    fenced: bool,
    stopping: bool,
    deadline: Now,
    gave_up: bool,
    finished: bool,
}

impl World {
    fn new(scenario: Scenario) -> Self {
        Self {
            known: vec![Known::default(); scenario.units.len()],
            scenario,
            due: BTreeSet::new(),
            leads: true,
            fenced: false,
            stopping: false,
            deadline: Duration::MAX,
            gave_up: false,
            finished: false,
        }
    }

    fn spec(&self, index: Index) -> &Spec {
        &self.scenario.units[index].0
    }

    fn enabled(&self, index: Index) -> bool {
        self.spec(index).presence == Presence::Enabled
    }

    fn fits(&self, index: Index) -> bool {
        self.spec(index).role == Role::Any || self.leads
    }

    fn is_fenced(&self, index: Index) -> bool {
        self.fenced && self.spec(index).uses_database
    }

    /// It is off, absent or on standby.
    fn elsewhere(&self, index: Index) -> bool {
        !self.enabled(index) || (!self.fits(index) && !self.known[index].runs)
    }

    fn allows(&self, before: Index) -> bool {
        if self.elsewhere(before) {
            self.spec(before)
                .after
                .iter()
                .all(|earlier| self.allows(*earlier))
        } else {
            self.known[before].was_ready
        }
    }

    fn hopeless(&self, index: Index, now: Now) -> bool {
        let known = &self.known[index];
        known.failures >= HOPELESS_ENDS
            || known.first_began.is_some_and(|began| now >= began + SLOW_START)
            || (known.first_began.is_none()
                && self
                    .spec(index)
                    .after
                    .iter()
                    .any(|before| !self.allows(*before) && self.hopeless(*before, now)))
    }

    /// Whether a unit that has not started since it last began anew may start.
    fn may_begin(&self, index: Index, now: Now) -> bool {
        let spec = self.spec(index);
        !self.is_fenced(index)
            && spec.after.iter().all(|before| self.allows(*before))
            && spec
                .wants
                .iter()
                .all(|wanted| self.allows(*wanted) || self.elsewhere(*wanted) || self.hopeless(*wanted, now))
    }

    /// Whether `later` must have gone before `earlier` stops.
    fn outlived_by(&self, later: Index, earlier: Index) -> bool {
        let spec = self.spec(later);
        spec.after
            .iter()
            .chain(&spec.wants)
            .any(|before| *before == earlier || self.outlived_by(*before, earlier))
    }

    /// What is asked of the machine is known to the world first.
    fn note(&mut self, event: Event, now: Now) {
        match event {
            Event::Stop => {
                self.stopping = true;
                self.deadline = self.deadline.min(now + ms(self.scenario.within));
            }
            Event::StopNow => {
                self.stopping = true;
                self.deadline = now;
            }
            Event::Restart(index) => {
                let known = &mut self.known[index];
                known.restart_asked = known.runs;
                if let Some((end, shortest, _)) = &mut known.again
                    && *end + *shortest > now
                {
                    known.again = Some((now, Duration::ZERO, Duration::ZERO));
                }
            }
            Event::Due(index) => {
                let task = matches!(self.spec(index).kind, Kind::Task { .. });
                let known = &mut self.known[index];
                known.dues += 1;
                if task && known.again.is_some() {
                    known.again = Some((now, Duration::ZERO, Duration::ZERO));
                }
            }
            Event::Leader(leads) => {
                self.leads = leads;
                for index in 0..self.known.len() {
                    if !self.fits(index) && !self.known[index].runs {
                        self.begin_anew(index);
                    }
                }
            }
            Event::Fence(fenced) if fenced == self.fenced => {}
            Event::Fence(fenced) => {
                self.fenced = fenced;
                for index in 0..self.known.len() {
                    let writes = self.spec(index).uses_database && self.enabled(index) && self.fits(index);
                    let known = &mut self.known[index];
                    if writes && !known.runs && known.first_began.is_some() {
                        known.again = (!fenced).then_some((now, Duration::ZERO, Duration::ZERO));
                    }
                }
            }
            Event::BootstrapComplete
            | Event::Begin
            | Event::Ready(_)
            | Event::Unready(_)
            | Event::Ended { .. }
            | Event::Tick => {}
        }
    }

    fn begin_anew(&mut self, index: Index) {
        let known = &mut self.known[index];
        (known.first_began, known.again) = (None, None);
        (known.was_ready, known.failures) = (false, 0);
    }

    fn check(&mut self, action: Action, now: Now) {
        match action {
            Action::Start(index) => self.check_start(index, now),
            Action::TooLate(index) => {
                let known = &self.known[index];
                let limit = match self.spec(index).kind {
                    Kind::Service { start_within } => start_within,
                    Kind::Task { timeout } | Kind::Timer { timeout } => timeout,
                };
                assert!(
                    known.runs && !known.ready && now >= known.began + limit,
                    "{index} was not late"
                );
                self.known[index].stopped_for = Some(Why::TooLate);
            }
            Action::Terminate(index) => self.check_terminate(index, now),
            Action::ShortenDrain(index) => {
                assert!(
                    self.stopping
                        && self.known[index].terminated.is_some()
                        && self.spec(index).drain_timeout > Duration::ZERO,
                    "{index} does not wait for its work"
                );
            }
            Action::Kill(index) => {
                let overdue = self.known[index]
                    .terminated
                    .is_some_and(|at| now >= at + self.spec(index).stop_timeout);
                assert!(
                    self.known[index].runs && (overdue || (self.stopping && now >= self.deadline)),
                    "{index} was killed before its time"
                );
                self.due.insert((now + ms(1), index, Due::Ended));
            }
            Action::Fence(index) => {
                assert!(
                    self.known[index].runs && self.is_fenced(index),
                    "{index} was killed for no reason"
                );
                let known = &mut self.known[index];
                known.stopped_for.get_or_insert(Why::Fenced);
                known.terminated.get_or_insert(now);
                self.due.insert((now + ms(1), index, Due::Ended));
            }
            Action::GiveUp(index) => {
                let known = &self.known[index];
                assert!(!self.stopping && self.spec(index).essential && !known.runs);
                assert_eq!(
                    known.failures,
                    self.spec(index).max_failures,
                    "{index} ended the pod"
                );
                self.stopping = true;
                self.gave_up = true;
                self.deadline = now + ms(self.scenario.within);
            }
            Action::Finish => {
                assert!(
                    self.stopping && self.known.iter().all(|known| !known.runs),
                    "something still runs"
                );
                self.finished = true;
            }
        }
    }

    fn check_start(&mut self, index: Index, now: Now) {
        let (spec, behaviour) = self.scenario.units[index].clone();
        assert!(!self.stopping, "{index} was started during the stop");
        assert!(
            self.enabled(index) && self.fits(index) && !self.is_fenced(index) && !self.known[index].runs,
            "{index} was started twice, is off, fenced, or is the leader's"
        );
        let timer = matches!(spec.kind, Kind::Timer { .. });
        if self.known[index].first_began.is_none() || timer {
            assert!(
                self.may_begin(index, now),
                "{index} was started too early at {now:?}"
            );
        }
        let known = &mut self.known[index];
        if timer {
            assert!(
                known.starts < known.dues,
                "{index} ran more often than it was due"
            );
        } else if let Some((end, shortest, longest)) = known.again.take() {
            let waited = now.saturating_sub(end);
            assert!(
                waited >= shortest && waited <= longest,
                "{index} waited {waited:?}, not {shortest:?} to {longest:?}"
            );
        } else if known.first_began.is_some() {
            assert!(
                matches!(spec.kind, Kind::Task { .. }) && known.dues > 0,
                "{index} was started again for no reason"
            );
        }
        known.first_began.get_or_insert(now);
        known.starts += 1;
        known.began = now;
        (known.runs, known.ready, known.healthy_run) = (true, false, false);
        (known.ready_at, known.terminated, known.stopped_for) = (None, None, None);
        known.restart_asked = false;
        if let (Kind::Service { .. }, Some(after)) = (spec.kind, behaviour.ready_after) {
            self.due.insert((now + ms(after), index, Due::Ready));
        }
        if let Some(after) = behaviour.ends_after {
            self.due.insert((now + ms(after), index, Due::Ended));
        }
    }

    fn check_terminate(&mut self, index: Index, now: Now) {
        let known = &self.known[index];
        assert!(
            known.runs && known.terminated.is_none(),
            "{index} cannot be stopped"
        );
        let too_late = known.stopped_for == Some(Why::TooLate);
        assert!(
            self.stopping || too_late || known.restart_asked || !self.fits(index),
            "{index} was stopped for no reason"
        );
        let whole = self.stopping || !(too_late || known.restart_asked);
        for later in (0..self.known.len()).filter(|later| whole && self.outlived_by(*later, index)) {
            assert!(
                !self.known[later].runs || (!self.stopping && self.fits(later)),
                "{index} was stopped before {later} had gone"
            );
        }
        let takes = self.scenario.units[index].1.stop_takes;
        self.due
            .extend(takes.map(|takes| (now + ms(takes), index, Due::Ended)));
        let known = &mut self.known[index];
        known.stopped_for.get_or_insert(Why::Asked);
        known.terminated = Some(now);
    }

    /// A service that was started anew needs what its tasks did for the one before.
    fn repeat_tasks_after(&mut self, service: Index) {
        for index in 0..self.known.len() {
            let spec = self.spec(index);
            if matches!(spec.kind, Kind::Task { .. }) && spec.after.contains(&service) {
                self.known[index].dues += 1;
            }
        }
    }

    /// Takes what is due first and no later than `limit`.
    fn next(&mut self, limit: Now) -> Option<(Now, Event)> {
        while let Some(&(at, index, due)) = self.due.first() {
            if at > limit {
                return None;
            }
            self.due.pop_first();
            match due {
                _ if !self.known[index].runs => {}
                Due::Ready if self.known[index].terminated.is_some() => {}
                Due::Ready => {
                    if self.known[index].was_ready {
                        self.repeat_tasks_after(index);
                    }
                    let known = &mut self.known[index];
                    (known.ready, known.was_ready, known.ready_at) = (true, true, Some(at));
                    return Some((at, Event::Ready(index)));
                }
                Due::Ended => return Some((at, self.end(index, at))),
            }
        }
        None
    }

    fn end(&mut self, index: Index, at: Now) -> Event {
        // What the ended run would still have done is void.
        self.due.retain(|(_, other, _)| *other != index);
        let (spec, behaviour) = self.scenario.units[index].clone();
        let jitter = self.scenario.jitter;
        let (fits, fenced) = (self.fits(index), self.is_fenced(index));
        let known = &mut self.known[index];
        known.runs = false;
        known.ready = false;
        let success = known.starts > behaviour.fails && known.terminated.is_none();
        let end = if success { End::Success } else { End::Failure };
        let healthy = known.ready_at.is_some_and(|ready| at >= ready + HEALTHY);
        match spec.kind {
            _ if self.stopping => {}
            _ if !fits => self.begin_anew(index),
            _ if fenced => known.again = None,
            Kind::Timer { .. } => {}
            _ if matches!(known.stopped_for, Some(Why::Asked | Why::Fenced)) => {
                known.again = Some((at, Duration::ZERO, Duration::ZERO));
            }
            Kind::Task { .. } if success => {
                known.was_ready = true;
                known.failures = 0;
            }
            Kind::Service { .. } if healthy => {
                known.failures = 0;
                known.again = Some((at, Duration::ZERO, Duration::ZERO));
            }
            Kind::Service { .. } | Kind::Task { .. } => {
                let whole = ms(500 << known.failures.min(6)).min(ms(30_000));
                known.failures += 1;
                known.again = Some((at, whole.mul_f64(0.799), whole));
            }
        }
        Event::Ended {
            unit: index,
            end,
            jitter,
        }
    }

    /// Nothing that could run is forgotten. Only to be asked when the machine has nothing to do at this time.
    fn check_nothing_is_missed(&self, now: Now) {
        for (index, known) in self.known.iter().enumerate() {
            if !self.enabled(index) || self.stopping {
                continue;
            }
            if self.fits(index) {
                let waits =
                    known.first_began.is_none() && !matches!(self.spec(index).kind, Kind::Timer { .. });
                assert!(!waits || !self.may_begin(index, now), "{index} was forgotten");
                assert!(
                    known
                        .again
                        .is_none_or(|(end, _, longest)| known.runs || now <= end + longest),
                    "{index} was not started again"
                );
            } else if known.runs && known.terminated.is_none() {
                let held = (0..self.known.len()).any(|later| {
                    self.outlived_by(later, index) && self.known[later].runs && !self.fits(later)
                });
                assert!(held, "{index} runs without the lead");
            }
        }
    }
}

/// Runs the machine in the world from the beginning to its end.
fn live(scenario: Scenario) {
    let (stop_at, within) = (ms(scenario.stop_at), ms(scenario.within));
    let count = scenario.units.len();
    let mut requests: Vec<(Now, Event)> = scenario
        .requests
        .iter()
        .map(|(at, request)| {
            let event = match request {
                Request::Restart(index) => Event::Restart(index % count),
                Request::Due(index) => Event::Due(index % count),
                Request::Leader(leads) => Event::Leader(*leads),
                Request::Fence(fenced) => Event::Fence(*fenced),
            };
            (ms(*at), event)
        })
        .chain([(stop_at, Event::Stop)])
        .chain(
            scenario
                .stop_again_after
                .map(|after| (stop_at + ms(after), Event::StopNow)),
        )
        .filter(|(_, event)| {
            // The supervisor asks only services to restart.
            !matches!(event, Event::Restart(index) if !matches!(scenario.units[*index].0.kind, Kind::Service { .. }))
        })
        .collect();
    requests.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let specs = scenario.units.iter().map(|(spec, _)| spec.clone()).collect();
    let mut machine = Machine::new(specs, within);
    let mut world = World::new(scenario);
    let mut now = Now::ZERO;
    let mut event = Event::Begin;
    let mut stop_began = None;
    for _ in 0..20_000 {
        world.note(event, now);
        for action in machine.step(event, now) {
            world.check(action, now);
        }
        world.check_nothing_is_missed(now);
        if world.stopping {
            stop_began.get_or_insert(now);
        }
        if world.finished {
            break;
        }
        let tick = machine.next_tick();
        // A tick for now is right after a stop with no time to spare; one that never ends is caught by the loop's end.
        assert!(
            tick.is_none_or(|tick| tick >= now),
            "the tick at {tick:?} lies behind {now:?}"
        );
        let request = requests.last().map(|(at, _)| *at);
        let limit = tick.into_iter().chain(request).min().unwrap_or(Duration::MAX);
        (now, event) = match world.next(limit) {
            Some(next) => next,
            None if request == Some(limit) => requests.pop().unwrap(),
            None => (tick.expect("nothing would ever happen again"), Event::Tick),
        };
    }
    assert!(world.finished, "it never ended");
    assert!(
        now <= stop_began.unwrap() + within + AFTER_KILL,
        "the stop took until {now:?}"
    );
    assert!(world.gave_up || stop_began == Some(stop_at));
    for late in [Event::Tick, Event::Due(0), Event::Leader(true), Event::Restart(0)] {
        assert_eq!(machine.step(late, now), [], "nothing is done after the end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_law_holds_for_all_units_that_behave_anyhow(scenario in scenario()) {
        live(scenario);
    }
}
