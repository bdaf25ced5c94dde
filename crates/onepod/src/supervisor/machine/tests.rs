//! The machine in a simulated world: random services with random behaviour, and the law checked at every step.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn enabled(after: &[Index]) -> Spec {
    Spec {
        after: after.to_vec(),
        presence: Presence::Enabled,
        essential: true,
        stop_timeout: ms(1_000),
    }
}

fn ended(service: Index) -> Event {
    Event::Ended { service, jitter: 0 }
}

#[test]
fn a_service_starts_when_what_it_comes_after_was_ready() {
    let mut machine = Machine::new(vec![enabled(&[]), enabled(&[0])]);
    assert_eq!(machine.step(Event::Begin, ms(0)), [Action::Start(0)]);
    assert_eq!(machine.step(Event::Unready(0), ms(10)), []);
    assert!(!machine.started_up());
    assert_eq!(machine.step(Event::Ready(0), ms(20)), [Action::Start(1)]);
    assert_eq!(machine.step(Event::Ready(1), ms(30)), []);
    assert!(machine.started_up());
}

#[test]
fn what_comes_after_an_absent_service_comes_after_its_predecessors() {
    let absent = Spec {
        presence: Presence::Absent,
        ..enabled(&[0])
    };
    let mut machine = Machine::new(vec![enabled(&[]), absent, enabled(&[1])]);
    assert_eq!(machine.step(Event::Begin, ms(0)), [Action::Start(0)]);
    assert_eq!(machine.step(Event::Ready(0), ms(20)), [Action::Start(2)]);
}

#[test]
fn a_service_that_was_healthy_starts_again_at_once_and_the_next_time_after_half_a_second() {
    let mut machine = Machine::new(vec![enabled(&[])]);
    assert_eq!(machine.step(Event::Begin, ms(0)), [Action::Start(0)]);
    assert_eq!(machine.step(Event::Ready(0), ms(100)), []);
    assert_eq!(machine.step(ended(0), ms(30_100)), [Action::Start(0)]);
    assert_eq!(machine.step(Event::Ready(0), ms(30_200)), []);
    assert_eq!(machine.step(ended(0), ms(60_199)), []);
    assert_eq!(machine.next_tick(), Some(ms(60_699)));
    assert_eq!(machine.step(Event::Tick, ms(60_698)), []);
    assert_eq!(machine.step(Event::Tick, ms(60_699)), [Action::Start(0)]);
    assert_eq!(machine.restarts(0), 2);
}

#[test]
fn delays_double_from_half_a_second_to_thirty_and_jitter_shortens_them() {
    let whole: Vec<u128> = (0..9).map(|failures| delay(failures, 0).as_millis()).collect();
    assert_eq!(
        whole,
        [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
    );
    assert_eq!(delay(0, 255), ms(400));
    assert_eq!(delay(u32::MAX, 255), ms(24_000));
}

#[test]
fn a_service_that_fails_or_dawdles_does_not_hold_up_the_start_unless_it_is_essential() {
    for essential in [false, true] {
        let mut machine = Machine::new(vec![Spec {
            essential,
            ..enabled(&[])
        }]);
        let mut now = ms(0);
        let _ = machine.step(Event::Begin, now);
        for _ in 0..3 {
            assert!(!machine.started_up());
            let _ = machine.step(ended(0), now);
            now = machine.next_tick().unwrap();
            let _ = machine.step(Event::Tick, now);
        }
        assert_eq!(machine.started_up(), !essential);

        let mut machine = Machine::new(vec![Spec {
            essential,
            ..enabled(&[])
        }]);
        let _ = machine.step(Event::Begin, ms(0));
        assert_eq!(machine.next_tick(), Some(SLOW_START));
        let _ = machine.step(Event::Tick, SLOW_START);
        assert_eq!(machine.started_up(), !essential);
        assert_eq!(
            machine.next_tick(),
            None,
            "a tick that lies behind would never end"
        );
    }
}

#[test]
fn the_first_to_start_is_the_last_to_stop() {
    let mut machine = Machine::new(vec![enabled(&[]), enabled(&[0]), enabled(&[0])]);
    for event in [Event::Begin, Event::Ready(0), Event::Ready(1)] {
        let _ = machine.step(event, ms(0));
    }
    let stop = Event::Stop { within: ms(10_000) };
    assert_eq!(
        machine.step(stop, ms(0)),
        [Action::Terminate(1), Action::Terminate(2)]
    );
    assert_eq!(machine.step(ended(1), ms(100)), []);
    assert_eq!(machine.step(Event::Tick, ms(1_000)), [Action::Kill(2)]);
    assert_eq!(machine.step(ended(2), ms(1_001)), [Action::Terminate(0)]);
    assert_eq!(machine.step(ended(0), ms(1_100)), [Action::Finish]);
    assert_eq!(machine.next_tick(), None);
}

#[test]
fn the_second_request_kills_everything_at_once() {
    let mut machine = Machine::new(vec![enabled(&[]), enabled(&[0])]);
    for event in [Event::Begin, Event::Ready(0), Event::Stop { within: ms(10_000) }] {
        let _ = machine.step(event, ms(0));
    }
    assert_eq!(
        machine.step(Event::StopNow, ms(5)),
        [Action::Kill(0), Action::Kill(1)]
    );
    assert_eq!(machine.step(ended(0), ms(6)), []);
    assert_eq!(machine.step(ended(1), ms(7)), [Action::Finish]);
}

#[test]
fn a_process_that_even_a_kill_does_not_end_is_given_up() {
    let mut machine = Machine::new(vec![enabled(&[])]);
    let _ = machine.step(Event::Begin, ms(0));
    assert_eq!(machine.step(Event::StopNow, ms(5)), [Action::Kill(0)]);
    assert_eq!(machine.next_tick(), Some(ms(5) + AFTER_KILL));
    assert_eq!(machine.step(Event::Tick, ms(5) + AFTER_KILL), [Action::Finish]);
}

#[test]
fn a_stop_before_anything_runs_is_the_end() {
    let mut machine = Machine::new(vec![enabled(&[])]);
    assert_eq!(
        machine.step(Event::Stop { within: ms(1) }, ms(0)),
        [Action::Finish]
    );
    assert_eq!(machine.step(Event::Begin, ms(1)), []);
}

/// How a service of the simulated world behaves in all its runs, in milliseconds; none is never.
#[derive(Debug, Clone)]
struct Behaviour {
    ready_after: Option<u64>,
    crash_after: Option<u64>,
    stop_takes: Option<u64>,
}

#[derive(Debug, Clone)]
struct Scenario {
    services: Vec<(Spec, Behaviour)>,
    stop_at: u64,
    within: u64,
    stop_again_after: Option<u64>,
    jitter: u8,
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    (
        prop::option::weighted(0.8, 0..3_000_u64),
        prop::option::weighted(0.5, prop_oneof![0..2_000_u64, 29_000..40_000_u64]),
        prop::option::weighted(0.8, 0..4_000_u64),
    )
        .prop_map(|(ready_after, crash_after, stop_takes)| Behaviour {
            ready_after,
            crash_after,
            stop_takes,
        })
}

fn spec() -> impl Strategy<Value = (Spec, Behaviour)> {
    let presence =
        prop_oneof![8 => Just(Presence::Enabled), 1 => Just(Presence::Off), 1 => Just(Presence::Absent)];
    (presence, any::<bool>(), 0..5_000_u64, behaviour()).prop_map(
        |(presence, essential, timeout, behaviour)| {
            (
                Spec {
                    after: Vec::new(),
                    presence,
                    essential,
                    stop_timeout: ms(timeout),
                },
                behaviour,
            )
        },
    )
}

prop_compose! {
    fn scenario()(services in prop::collection::vec(spec(), 1..9))(
        edges in prop::collection::vec(any::<bool>(), services.len() * services.len()),
        stop_at in 0..120_000_u64,
        within in 0..20_000_u64,
        stop_again_after in prop::option::weighted(0.3, 0..10_000_u64),
        jitter in any::<u8>(),
        services in Just(services),
    ) -> Scenario {
        let count = services.len();
        // Only edges to earlier services: no circles.
        let services = services.into_iter().enumerate().map(|(index, (spec, behaviour))| {
            let after = (0..index).filter(|before| edges[index * count + before]).collect();
            (Spec { after, ..spec }, behaviour)
        }).collect();
        Scenario { services, stop_at, within, stop_again_after, jitter }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Ready,
    Ended,
}

/// What the world knows of one service.
#[derive(Debug, Clone, Default)]
struct Known {
    runs: bool,
    was_ready: bool,
    ready_at: Option<Now>,
    last_end: Option<Now>,
    healthy_run: bool,
    failures: u32,
    starts: u32,
}

struct World {
    scenario: Scenario,
    known: Vec<Known>,
    due: BTreeSet<(Now, Index, Due)>,
    stopping: bool,
    finished: u32,
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let known = vec![Known::default(); scenario.services.len()];
        Self {
            scenario,
            known,
            due: BTreeSet::new(),
            stopping: false,
            finished: 0,
        }
    }

    fn enabled(&self, index: Index) -> bool {
        self.scenario.services[index].0.presence == Presence::Enabled
    }

    /// Whether `later` must not run before `earlier` was ready: directly, or through services that do not run.
    fn comes_after(&self, later: Index, earlier: Index) -> bool {
        let direct = &self.scenario.services[later].0.after;
        direct.contains(&earlier)
            || direct
                .iter()
                .any(|middle| !self.enabled(*middle) && self.comes_after(*middle, earlier))
    }

    fn check(&mut self, action: Action, now: Now) {
        let others: Vec<Index> = (0..self.known.len())
            .filter(|index| self.enabled(*index))
            .collect();
        match action {
            Action::Start(index) => {
                assert!(!self.stopping, "{index} was started during the stop");
                assert!(
                    self.enabled(index) && !self.known[index].runs,
                    "{index} was started twice or is off"
                );
                for before in others.iter().filter(|before| self.comes_after(index, **before)) {
                    assert!(
                        self.known[*before].was_ready,
                        "{index} was started before {before} was ready"
                    );
                }
                let behaviour = self.scenario.services[index].1.clone();
                let known = &mut self.known[index];
                if let Some(end) = known.last_end {
                    let waited = now.saturating_sub(end);
                    if known.healthy_run {
                        assert_eq!(waited, Duration::ZERO, "{index} had been healthy");
                    } else {
                        let whole = ms(500 << (known.failures - 1).min(6)).min(ms(30_000));
                        assert!(
                            waited >= whole.mul_f64(0.799) && waited <= whole,
                            "{index} waited {waited:?} of {whole:?}"
                        );
                    }
                }
                known.starts += 1;
                known.runs = true;
                known.ready_at = None;
                self.due.extend(
                    behaviour
                        .ready_after
                        .map(|after| (now + ms(after), index, Due::Ready)),
                );
                self.due.extend(
                    behaviour
                        .crash_after
                        .map(|after| (now + ms(after), index, Due::Ended)),
                );
            }
            Action::Terminate(index) => {
                assert!(
                    self.stopping && self.known[index].runs,
                    "{index} cannot be stopped"
                );
                for later in others.iter().filter(|later| self.comes_after(**later, index)) {
                    assert!(
                        !self.known[*later].runs,
                        "{index} was stopped before {later} had gone"
                    );
                }
                let takes = self.scenario.services[index].1.stop_takes;
                self.due
                    .extend(takes.map(|takes| (now + ms(takes), index, Due::Ended)));
            }
            Action::Kill(index) => {
                assert!(
                    self.stopping && self.known[index].runs,
                    "{index} cannot be killed"
                );
                self.due.insert((now + ms(1), index, Due::Ended));
            }
            Action::Finish => {
                assert!(
                    self.stopping && self.known.iter().all(|known| !known.runs),
                    "something still runs"
                );
                self.finished += 1;
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
            let jitter = self.scenario.jitter;
            let known = &mut self.known[index];
            match due {
                _ if !known.runs => {}
                Due::Ready => {
                    known.was_ready = true;
                    known.ready_at = Some(at);
                    return Some((at, Event::Ready(index)));
                }
                Due::Ended => {
                    known.runs = false;
                    known.last_end = Some(at);
                    known.healthy_run = known
                        .ready_at
                        .is_some_and(|ready| at.saturating_sub(ready) >= HEALTHY);
                    known.failures = if known.healthy_run { 0 } else { known.failures + 1 };
                    // What the ended run would still have done is void.
                    self.due.retain(|(_, other, _)| *other != index);
                    return Some((
                        at,
                        Event::Ended {
                            service: index,
                            jitter,
                        },
                    ));
                }
            }
        }
        None
    }
}

/// Runs the machine in the world from the beginning to its end.
fn live(scenario: Scenario) {
    let stop_at = ms(scenario.stop_at);
    let within = ms(scenario.within);
    let mut requests = vec![(stop_at, Event::Stop { within })];
    requests.extend(
        scenario
            .stop_again_after
            .map(|after| (stop_at + ms(after), Event::StopNow)),
    );
    requests.reverse();
    let mut machine = Machine::new(scenario.services.iter().map(|(spec, _)| spec.clone()).collect());
    let mut world = World::new(scenario);
    let mut now = Now::ZERO;
    let mut event = Event::Begin;
    for _ in 0..20_000 {
        world.stopping |= matches!(event, Event::Stop { .. } | Event::StopNow);
        for action in machine.step(event, now) {
            world.check(action, now);
        }
        if world.finished > 0 {
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
    assert_eq!(world.finished, 1, "it never ended");
    assert!(
        now <= stop_at + within + AFTER_KILL,
        "the stop took {:?}",
        now.saturating_sub(stop_at)
    );
    assert_eq!(
        machine.step(Event::Tick, now),
        [],
        "nothing is done after the end"
    );
    for (index, known) in world.known.iter().enumerate() {
        // Delays of 0.4 s at least, doubling: so many starts at most in 120 s, and one more for each healthy run.
        assert!(
            known.starts <= 16,
            "service {index} was started {} times",
            known.starts
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_law_holds_for_all_services_that_behave_anyhow(scenario in scenario()) {
        live(scenario);
    }
}
