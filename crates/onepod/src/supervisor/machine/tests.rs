//! The machine step by step: one scenario for each sentence of its law. Random ones are in `tests/world.rs`.

use super::*;
use crate::supervisor::config::Role;

mod world;

const LONG: Duration = Duration::from_hours(1);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn service(after: &[Index]) -> Spec {
    Spec {
        kind: Kind::Service { start_within: LONG },
        after: after.to_vec(),
        wants: Vec::new(),
        presence: Presence::Enabled,
        role: Role::Any,
        essential: true,
        uses_database: false,
        max_failures: LAST_END,
        stop_timeout: ms(1_000),
        drain_timeout: Duration::ZERO,
    }
}

fn optional(after: &[Index]) -> Spec {
    Spec {
        essential: false,
        ..service(after)
    }
}

fn leaders(after: &[Index]) -> Spec {
    Spec {
        role: Role::Leader,
        ..service(after)
    }
}

fn task(after: &[Index]) -> Spec {
    Spec {
        kind: Kind::Task { timeout: ms(60_000) },
        ..service(after)
    }
}

fn timer(after: &[Index]) -> Spec {
    Spec {
        kind: Kind::Timer { timeout: ms(60_000) },
        ..optional(after)
    }
}

fn machine(specs: &[Spec]) -> Machine {
    Machine::new(specs.to_vec(), ms(10_000))
}

/// A machine that has begun, and what it did.
fn begun(specs: &[Spec]) -> (Machine, Vec<Action>) {
    let mut machine = machine(specs);
    let actions = machine.step(Event::Begin, ms(0));
    (machine, actions)
}

fn ended(unit: Index) -> Event {
    Event::Ended {
        unit,
        end: End::Failure,
        jitter: 0,
    }
}

fn succeeded(unit: Index) -> Event {
    Event::Ended {
        unit,
        end: End::Success,
        jitter: 0,
    }
}

#[test]
fn a_service_starts_when_what_it_comes_after_was_ready() {
    let (mut machine, actions) = begun(&[service(&[]), service(&[0])]);
    assert_eq!(actions, [Action::Start(0)]);
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
        ..service(&[0])
    };
    let (mut machine, actions) = begun(&[service(&[]), absent, service(&[1])]);
    assert_eq!(actions, [Action::Start(0)]);
    assert_eq!(machine.step(Event::Ready(0), ms(20)), [Action::Start(2)]);
}

#[test]
fn what_is_wanted_is_waited_for_until_it_is_ready_or_hopeless_and_not_at_all_when_absent() {
    let wanting = Spec {
        wants: vec![0],
        ..service(&[])
    };
    let (mut machine, actions) = begun(&[optional(&[]), wanting.clone()]);
    assert_eq!(actions, [Action::Start(0)]);
    assert_eq!(machine.step(Event::Ready(0), ms(20)), [Action::Start(1)]);

    let (mut machine, _) = begun(&[optional(&[]), wanting.clone()]);
    assert_eq!(
        machine.next_tick(),
        Some(SLOW_START),
        "the moment at which it is hopeless"
    );
    assert_eq!(machine.step(Event::Tick, SLOW_START), [Action::Start(1)]);

    let (mut machine, _) = begun(&[optional(&[]), wanting.clone()]);
    let mut now = ms(0);
    for _ in 0..2 {
        assert_eq!(machine.step(ended(0), now), []);
        now = machine.next_tick().unwrap();
        assert_eq!(machine.step(Event::Tick, now), [Action::Start(0)]);
    }
    assert_eq!(machine.step(ended(0), now), [Action::Start(1)], "its third end");

    let absent = Spec {
        presence: Presence::Absent,
        ..optional(&[])
    };
    assert_eq!(begun(&[absent, wanting]).1, [Action::Start(1)]);
}

#[test]
fn what_waits_for_a_hopeless_service_holds_up_neither_the_start_nor_what_wants_it() {
    let wanting = Spec {
        wants: vec![1],
        ..service(&[])
    };
    let (mut machine, _) = begun(&[optional(&[]), optional(&[0]), wanting]);
    assert_eq!(machine.step(Event::Tick, SLOW_START), [Action::Start(2)]);
    assert_eq!(machine.state(1), State::Waiting);
    let _ = machine.step(Event::Ready(2), SLOW_START);
    assert!(machine.started_up());
}

#[test]
fn a_service_that_was_healthy_starts_again_at_once_and_the_next_time_after_half_a_second() {
    let (mut machine, _) = begun(&[service(&[])]);
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
        let spec = Spec {
            essential,
            ..service(&[])
        };
        let (mut machine, _) = begun(std::slice::from_ref(&spec));
        let mut now = ms(0);
        for _ in 0..3 {
            assert!(!machine.started_up());
            let _ = machine.step(ended(0), now);
            now = machine.next_tick().unwrap();
            let _ = machine.step(Event::Tick, now);
        }
        assert_eq!(machine.started_up(), !essential);

        let (mut machine, _) = begun(&[spec]);
        assert_eq!(machine.next_tick(), Some(SLOW_START));
        let _ = machine.step(Event::Tick, SLOW_START);
        assert_eq!(machine.started_up(), !essential);
        assert_eq!(
            machine.next_tick(),
            Some(LONG),
            "a tick that lies behind would never end"
        );
    }
}

#[test]
fn a_run_that_is_not_ready_in_its_time_is_stopped_and_has_failed() {
    let spec = Spec {
        kind: Kind::Service {
            start_within: ms(5_000),
        },
        ..service(&[])
    };
    let (mut machine, _) = begun(&[spec]);
    assert_eq!(machine.next_tick(), Some(ms(5_000)));
    assert_eq!(
        machine.step(Event::Tick, ms(5_000)),
        [Action::TooLate(0), Action::Terminate(0)]
    );
    assert_eq!(machine.step(Event::Tick, ms(6_000)), [Action::Kill(0)]);
    assert_eq!(machine.step(ended(0), ms(6_001)), []);
    assert_eq!(machine.failures(0), 1);
    assert_eq!(machine.step(Event::Tick, ms(6_501)), [Action::Start(0)]);
    assert_eq!(machine.step(Event::Ready(0), ms(6_600)), []);
    assert_eq!(machine.step(Event::Unready(0), ms(20_000)), []);
    assert_eq!(
        machine.step(Event::Tick, ms(60_000)),
        [],
        "it was ready in this run: it may come back"
    );
}

#[test]
fn an_essential_service_that_ends_five_times_without_health_ends_the_pod_in_order() {
    let (mut machine, _) = begun(&[service(&[]), service(&[0]), optional(&[])]);
    let _ = machine.step(Event::Ready(0), ms(0));
    let mut now = ms(0);
    for _ in 0..4 {
        assert_eq!(machine.step(ended(1), now), []);
        now = machine.next_tick().unwrap();
        assert_eq!(machine.step(Event::Tick, now), [Action::Start(1)]);
    }
    assert_eq!(
        machine.step(ended(1), now),
        [Action::GiveUp(1), Action::Terminate(0), Action::Terminate(2)]
    );
    assert_eq!(machine.state(1), State::Failed);
    assert_eq!(machine.step(ended(0), now), []);
    assert_eq!(machine.step(ended(2), now), [Action::Finish]);
}

#[test]
fn health_begins_the_count_of_an_essential_service_anew() {
    let (mut machine, _) = begun(&[service(&[])]);
    let mut now = ms(0);
    for round in 0..3 {
        for _ in 0..4 {
            let _ = machine.step(ended(0), now);
            now = machine.next_tick().unwrap();
            assert_eq!(
                machine.step(Event::Tick, now),
                [Action::Start(0)],
                "round {round}"
            );
        }
        let _ = machine.step(Event::Ready(0), now);
        now += HEALTHY;
        assert_eq!(machine.step(ended(0), now), [Action::Start(0)]);
    }
}

#[test]
fn what_comes_after_a_task_waits_for_its_success() {
    let (mut machine, actions) = begun(&[task(&[]), service(&[0])]);
    assert_eq!(actions, [Action::Start(0)]);
    assert_eq!(machine.state(0), State::Running);
    assert_eq!(machine.step(ended(0), ms(100)), []);
    assert_eq!(machine.step(Event::Tick, ms(600)), [Action::Start(0)]);
    assert_eq!(machine.step(succeeded(0), ms(700)), [Action::Start(1)]);
    assert_eq!(machine.state(0), State::Done);
    assert!(machine.satisfied(0));
}

#[test]
fn a_task_that_takes_too_long_has_failed_even_if_it_then_succeeds() {
    let (mut machine, _) = begun(&[task(&[])]);
    assert_eq!(
        machine.step(Event::Tick, ms(60_000)),
        [Action::TooLate(0), Action::Terminate(0)]
    );
    assert_eq!(machine.step(succeeded(0), ms(60_010)), []);
    assert_eq!(machine.state(0), State::Backoff { until: ms(60_510) });
}

#[test]
fn a_task_runs_again_when_asked_and_its_failure_then_never_ends_the_pod() {
    let (mut machine, _) = begun(&[task(&[]), service(&[0])]);
    assert_eq!(machine.step(Event::Due(0), ms(0)), [], "it is under way");
    assert_eq!(
        machine.step(succeeded(0), ms(10)),
        [Action::Start(0), Action::Start(1)],
        "what it was asked for may have come too late for the first run"
    );
    let mut now = ms(10);
    for _ in 0..10 {
        assert_eq!(machine.step(ended(0), now), []);
        assert!(machine.satisfied(0));
        now += machine.backoff(0, now).unwrap();
        assert_eq!(machine.step(Event::Tick, now), [Action::Start(0)]);
    }
    assert_eq!(machine.step(ended(0), now), []);
    assert_eq!(
        machine.step(Event::Due(0), now),
        [Action::Start(0)],
        "at once when asked"
    );
}

#[test]
fn a_task_runs_again_for_a_service_that_was_started_anew_but_not_for_one_that_was_unready() {
    let (mut machine, _) = begun(&[service(&[]), task(&[0])]);
    assert_eq!(machine.step(Event::Ready(0), ms(10)), [Action::Start(1)]);
    assert_eq!(machine.step(succeeded(1), ms(20)), []);
    assert_eq!(machine.step(Event::Unready(0), ms(30)), []);
    assert_eq!(machine.step(Event::Ready(0), ms(40)), []);
    assert_eq!(machine.step(ended(0), ms(50)), []);
    assert_eq!(machine.step(Event::Tick, ms(550)), [Action::Start(0)]);
    assert_eq!(machine.step(Event::Ready(0), ms(560)), [Action::Start(1)]);
}

#[test]
fn an_essential_task_that_never_succeeds_ends_the_pod() {
    let (mut machine, _) = begun(&[task(&[])]);
    let mut now = ms(0);
    for _ in 0..4 {
        assert_eq!(machine.step(ended(0), now), []);
        now = machine.next_tick().unwrap();
        let _ = machine.step(Event::Tick, now);
    }
    assert_eq!(machine.step(ended(0), now), [Action::GiveUp(0), Action::Finish]);
}

#[test]
fn a_timer_runs_when_due_but_not_before_what_it_comes_after_and_never_twice_at_a_time() {
    let (mut machine, _) = begun(&[service(&[]), timer(&[0])]);
    assert_eq!(machine.step(Event::Due(1), ms(0)), []);
    assert_eq!(machine.step(Event::Due(1), ms(1)), []);
    assert_eq!(machine.step(Event::Ready(0), ms(2)), [Action::Start(1)]);
    assert_eq!(machine.step(Event::Due(1), ms(3)), [], "it is under way");
    assert_eq!(
        machine.step(ended(1), ms(4)),
        [],
        "a failure is not repeated before the next time"
    );
    assert_eq!(machine.state(1), State::Scheduled);
    assert_eq!(machine.step(Event::Due(1), ms(5)), [Action::Start(1)]);
    assert_eq!(
        machine.step(Event::Tick, ms(60_005)),
        [Action::TooLate(1), Action::Terminate(1)]
    );
}

#[test]
fn a_restart_stops_one_service_starts_it_at_once_and_counts_no_failure() {
    let (mut machine, _) = begun(&[service(&[]), service(&[0])]);
    let _ = machine.step(Event::Ready(0), ms(0));
    assert_eq!(machine.step(Event::Restart(0), ms(10)), [Action::Terminate(0)]);
    assert_eq!(machine.step(Event::Restart(0), ms(11)), [], "it is under way");
    assert_eq!(machine.step(Event::Tick, ms(1_010)), [Action::Kill(0)]);
    assert_eq!(machine.step(ended(0), ms(1_011)), [Action::Start(0)]);
    assert_eq!(machine.failures(0), 0);
    assert_eq!(machine.state(1), State::Starting, "what comes after it stays");
    let _ = machine.step(ended(1), ms(1_100));
    assert_eq!(
        machine.step(Event::Restart(1), ms(1_101)),
        [Action::Start(1)],
        "one that waits for its next start need not wait"
    );
}

#[test]
fn the_leaders_units_stand_by_until_this_front_end_leads() {
    let mut machine = machine(&[service(&[]), leaders(&[0]), service(&[1])]);
    assert_eq!(machine.step(Event::Leader(false), ms(0)), []);
    assert_eq!(machine.step(Event::Begin, ms(0)), [Action::Start(0)]);
    assert_eq!(
        machine.step(Event::Ready(0), ms(1)),
        [Action::Start(2)],
        "what comes after a unit on standby comes after its predecessors"
    );
    let _ = machine.step(Event::Ready(2), ms(2));
    assert_eq!(machine.state(1), State::Standby);
    assert!(machine.started_up() && machine.satisfied(1));
    assert_eq!(machine.step(Event::Leader(true), ms(3)), [Action::Start(1)]);
}

#[test]
fn without_the_lead_the_leaders_units_stop_in_reverse_order_and_the_others_stay() {
    let (mut machine, _) = begun(&[
        leaders(&[]),
        leaders(&[0]),
        service(&[1]),
        Spec {
            role: Role::Leader,
            ..task(&[0])
        },
        Spec {
            role: Role::Leader,
            ..timer(&[])
        },
    ]);
    for event in [
        Event::Ready(0),
        Event::Ready(1),
        Event::Ready(2),
        succeeded(3),
        Event::Due(4),
    ] {
        let _ = machine.step(event, ms(0));
    }
    assert_eq!(
        machine.step(Event::Leader(false), ms(10)),
        [Action::Terminate(1), Action::Terminate(4)]
    );
    assert_eq!(machine.step(ended(4), ms(15)), []);
    assert_eq!(machine.step(ended(1), ms(20)), [Action::Terminate(0)]);
    assert_eq!(machine.step(ended(0), ms(30)), []);
    for index in [0, 1, 3, 4] {
        assert_eq!(machine.state(index), State::Standby, "{index}");
    }
    assert_eq!(machine.state(2), State::Ready);
    assert_eq!(machine.step(Event::Due(4), ms(35)), []);
    assert_eq!(
        machine.step(Event::Leader(true), ms(40)),
        [Action::Start(0)],
        "and begin anew, in order"
    );
    assert_eq!(
        machine.step(Event::Ready(0), ms(50)),
        [Action::Start(1), Action::Start(3)]
    );
}

#[test]
fn a_lead_that_comes_back_while_a_service_stops_starts_it_again() {
    let (mut machine, _) = begun(&[leaders(&[])]);
    let _ = machine.step(Event::Ready(0), ms(0));
    assert_eq!(machine.step(Event::Leader(false), ms(10)), [Action::Terminate(0)]);
    assert_eq!(machine.step(Event::Leader(true), ms(20)), []);
    assert_eq!(machine.step(ended(0), ms(30)), [Action::Start(0)]);
}

#[test]
fn the_first_to_start_is_the_last_to_stop() {
    let (mut machine, _) = begun(&[service(&[]), service(&[0]), service(&[0])]);
    for event in [Event::Ready(0), Event::Ready(1)] {
        let _ = machine.step(event, ms(0));
    }
    assert_eq!(
        machine.step(Event::Stop, ms(0)),
        [Action::Terminate(1), Action::Terminate(2)]
    );
    assert_eq!(machine.step(ended(1), ms(100)), []);
    assert_eq!(machine.step(Event::Tick, ms(1_000)), [Action::Kill(2)]);
    assert_eq!(machine.step(ended(2), ms(1_001)), [Action::Terminate(0)]);
    assert_eq!(machine.step(ended(0), ms(1_100)), [Action::Finish]);
    assert_eq!(machine.next_tick(), None);
}

#[test]
fn the_order_of_the_stop_holds_across_units_that_do_not_run_and_for_what_is_only_wanted() {
    let wanting = Spec {
        wants: vec![0],
        ..service(&[])
    };
    let (mut machine, _) = begun(&[service(&[]), service(&[0]), service(&[1]), wanting]);
    for event in [Event::Ready(0), Event::Ready(1), Event::Ready(2)] {
        let _ = machine.step(event, ms(0));
    }
    let _ = machine.step(ended(1), ms(0));
    assert_eq!(
        machine.step(Event::Stop, ms(0)),
        [Action::Terminate(2), Action::Terminate(3)],
        "the one between them waits for its next start"
    );
    assert_eq!(machine.step(ended(2), ms(1)), []);
    assert_eq!(machine.step(ended(3), ms(2)), [Action::Terminate(0)]);
}

#[test]
fn the_second_request_kills_everything_at_once() {
    let (mut machine, _) = begun(&[service(&[]), service(&[0])]);
    for event in [Event::Ready(0), Event::Stop] {
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
    let (mut machine, _) = begun(&[service(&[])]);
    assert_eq!(machine.step(Event::StopNow, ms(5)), [Action::Kill(0)]);
    assert_eq!(machine.next_tick(), Some(ms(5) + AFTER_KILL));
    assert_eq!(machine.step(Event::Tick, ms(5) + AFTER_KILL), [Action::Finish]);
}

#[test]
fn a_stop_before_anything_runs_is_the_end() {
    let mut machine = machine(&[service(&[])]);
    assert_eq!(machine.step(Event::Stop, ms(0)), [Action::Finish]);
    assert_eq!(machine.step(Event::Begin, ms(1)), []);
}

fn writer(after: &[Index]) -> Spec {
    Spec {
        uses_database: true,
        ..service(after)
    }
}

#[test]
fn what_writes_to_the_database_is_killed_at_once_without_the_lease_and_starts_again_with_it() {
    let (mut machine, _) = begun(&[writer(&[]), service(&[0])]);
    assert_eq!(machine.step(Event::Ready(0), ms(1)), [Action::Start(1)]);
    assert_eq!(machine.step(Event::Fence(true), ms(10)), [Action::Fence(0)]);
    let ended = Event::Ended {
        unit: 0,
        end: End::Failure,
        jitter: 0,
    };
    assert_eq!(machine.step(ended, ms(11)), [], "and does not start without it");
    assert_eq!(machine.state(0), State::Fenced);
    assert!(!machine.satisfied(0), "the pod is not ready");
    assert_eq!(machine.state(1), State::Starting, "the others stay");
    assert_eq!(machine.step(Event::Fence(false), ms(5_000)), [Action::Start(0)]);
    assert_eq!(machine.failures(0), 0, "it was not its fault");
}

#[test]
fn what_is_being_stopped_is_killed_without_the_lease() {
    let (mut machine, _) = begun(&[writer(&[])]);
    assert_eq!(machine.step(Event::Stop, ms(1)), [Action::Terminate(0)]);
    assert_eq!(machine.step(Event::Fence(true), ms(2)), [Action::Fence(0)]);
    assert_eq!(machine.step(Event::Tick, ms(3)), []);
}

#[test]
fn a_unit_may_have_no_second_try() {
    let spec = Spec {
        max_failures: 1,
        ..service(&[])
    };
    let (mut machine, _) = begun(&[spec]);
    let ended = Event::Ended {
        unit: 0,
        end: End::Failure,
        jitter: 0,
    };
    assert_eq!(machine.step(ended, ms(1)), [Action::GiveUp(0), Action::Finish]);
    let (mut machine, _) = begun(&[Spec {
        max_failures: 1,
        ..service(&[])
    }]);
    assert_eq!(machine.step(Event::BootstrapComplete, ms(1)), []);
    assert_eq!(
        machine.step(ended, ms(2)),
        [],
        "it has one as others once the bootstrap is complete"
    );
}

#[test]
fn work_in_progress_delays_the_stop_signal_but_not_the_stop_of_dependencies() {
    let slow = Spec {
        drain_timeout: LONG,
        ..optional(&[0])
    };
    let (mut machine, _) = begun(&[service(&[]), slow]);
    assert_eq!(machine.step(Event::Ready(0), ms(10)), [Action::Start(1)]);
    assert_eq!(machine.step(Event::Ready(1), ms(20)), []);
    // Of the 10 s for all, 1 s is kept for unit 0; the unit itself has 1 s after its stop signal.
    assert_eq!(machine.step(Event::Stop, ms(100)), [Action::Terminate(1)]);
    assert_eq!(
        machine.state(1),
        State::Stopping {
            kill_at: Some(ms(9_100))
        }
    );
    assert_eq!(machine.step(Event::Tick, ms(9_100)), [Action::Kill(1)]);
    assert_eq!(machine.step(ended(1), ms(9_110)), [Action::Terminate(0)]);
}

#[test]
fn a_stop_of_the_pod_shortens_the_drain_of_a_restart() {
    let slow = Spec {
        drain_timeout: LONG,
        ..optional(&[])
    };
    let (mut machine, _) = begun(&[slow]);
    assert_eq!(machine.step(Event::Ready(0), ms(10)), []);
    assert_eq!(machine.step(Event::Restart(0), ms(20)), [Action::Terminate(0)]);
    assert_eq!(
        machine.state(0),
        State::Stopping {
            kill_at: Some(ms(1_020) + LONG)
        }
    );
    assert_eq!(machine.step(Event::Stop, ms(100)), [Action::ShortenDrain(0)]);
    assert_eq!(machine.step(Event::StopNow, ms(200)), [Action::Kill(0)]);
}
