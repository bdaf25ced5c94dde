//! Schedules and timetables against a wall clock that is set, leaps in spring and autumn, and stands still.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> ZonedDateTime {
    text.parse().unwrap()
}

fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next moment of a schedule, in the zone of `now`.
fn next(schedule: &Schedule, now: &str) -> String {
    let now = at(now);
    let next = schedule.next(&now).unwrap();
    next.to_zoned_datetime(now.time_zone().clone())
        .datetime()
        .to_string()
}

fn daily(time: &str) -> Schedule {
    Schedule::daily(time).unwrap()
}

fn each_minute(seconds: impl IntoIterator<Item = i64>) -> Schedule {
    Schedule::at_seconds(&seconds.into_iter().collect()).unwrap()
}

#[test]
fn a_day_ends_at_midnight_where_the_pod_is() {
    let midnight = daily("00:00");
    assert_eq!(
        next(&midnight, "2026-11-23T18:00:00+01:00[Europe/Madrid]"),
        "2026-11-24T00:00:00"
    );
    assert_eq!(
        next(&midnight, "2026-11-24T00:00:00+01:00[Europe/Madrid]"),
        "2026-11-25T00:00:00",
        "the moment itself is over"
    );
    assert_eq!(
        next(&daily("18:30"), "2026-11-23T18:00:00+00:00[UTC]"),
        "2026-11-23T18:30:00"
    );
}

#[test]
fn a_time_that_spring_leaps_over_comes_after_the_leap_and_one_that_autumn_has_twice_comes_once() {
    let schedule = daily("02:30");
    // At 02:00 it is 03:00.
    assert_eq!(
        next(&schedule, "2026-03-28T12:00:00+01:00[Europe/Madrid]"),
        "2026-03-29T03:30:00"
    );
    assert_eq!(
        next(&schedule, "2026-03-29T03:30:00+02:00[Europe/Madrid]"),
        "2026-03-30T02:30:00"
    );
    // At 03:00 it is 02:00 again.
    let first = schedule
        .next(&at("2026-10-24T12:00:00+02:00[Europe/Madrid]"))
        .unwrap();
    assert_eq!(first, timestamp("2026-10-25T00:30:00Z"));
    assert_eq!(
        next(&schedule, "2026-10-25T02:30:00+02:00[Europe/Madrid]"),
        "2026-10-26T02:30:00"
    );
    // Samoa went over the whole of 30 December 2011.
    assert_eq!(
        next(&schedule, "2011-12-29T12:00:00-10:00[Pacific/Apia]"),
        "2011-12-31T02:30:00"
    );
}

#[test]
fn seconds_of_each_minute() {
    let schedule = each_minute([40, 10]);
    for (now, then) in [
        ("12:00:00", "12:00:10"),
        ("12:00:09.999", "12:00:10"),
        ("12:00:10", "12:00:40"),
        ("12:00:10.5", "12:00:40"),
        ("12:00:40", "12:01:10"),
        ("23:59:59", "00:00:10"),
    ] {
        let found = next(&schedule, &format!("2026-11-23T{now}+00:00[UTC]"));
        assert!(found.ends_with(then), "{now}: {found}");
    }
}

#[test]
fn schedules_that_cannot_be() {
    for text in ["24:00", "12:60", "1:00", "12", "+1:00", "12:00:00", ""] {
        assert!(Schedule::daily(text).is_err(), "{text}");
    }
    for seconds in [vec![], vec![60], vec![-1], vec![10, 60]] {
        assert!(Schedule::at_seconds(&seconds.into_iter().collect()).is_err());
    }
    assert!(Schedule::every_seconds(0).is_err());
    assert!(Schedule::every_seconds(u64::MAX).is_err());
}

#[test]
fn a_timer_is_due_once_for_each_moment_and_waits_a_minute_at_most_for_a_look() {
    let mut table = Timetable::new(daily("00:00"), None, &at("2026-11-23T23:58:30+00:00[UTC]"));
    assert_eq!(table.wait(timestamp("2026-11-23T23:58:30Z")), LOOK);
    assert!(!table.look(&at("2026-11-23T23:59:30+00:00[UTC]")));
    assert_eq!(
        table.wait(timestamp("2026-11-23T23:59:30Z")),
        Duration::from_secs(30)
    );
    assert!(table.look(&at("2026-11-24T00:00:00+00:00[UTC]")));
    assert!(!table.look(&at("2026-11-24T00:00:00+00:00[UTC]")));
    assert_eq!(table.next(), Some(timestamp("2026-11-25T00:00:00Z")));
}

#[test]
fn a_clock_that_is_set_forward_makes_up_for_one_run_and_one_that_is_set_back_begins_anew() {
    let mut table = Timetable::new(
        Schedule::every_seconds(600).unwrap(),
        None,
        &at("2026-11-23T12:00:00+00:00[UTC]"),
    );
    assert!(table.look(&at("2026-11-25T12:00:00+00:00[UTC]")), "two days on");
    assert!(!table.look(&at("2026-11-25T12:00:01+00:00[UTC]")));
    assert_eq!(table.next(), Some(timestamp("2026-11-25T12:10:00Z")));
    assert!(!table.look(&at("2025-11-25T12:00:00+00:00[UTC]")), "a year back");
    assert_eq!(table.next(), Some(timestamp("2025-11-25T12:10:00Z")));
}

#[test]
fn a_daily_run_that_was_missed_while_the_pod_was_down_is_due_at_once_and_others_are_not() {
    let now = at("2026-11-23T08:00:00+00:00[UTC]");
    for (last, due) in [
        (Some("2026-11-20T00:00:00Z"), true),
        (Some("2026-11-22T23:59:59Z"), true),
        (Some("2026-11-23T00:00:00Z"), false),
        (Some("2027-01-01T00:00:00Z"), false),
        (None, false),
    ] {
        let last = last.map(timestamp);
        assert_eq!(
            Timetable::new(daily("00:00"), last, &now).look(&now),
            due,
            "{last:?}"
        );
        assert!(
            !Timetable::new(each_minute([10]), last, &now).look(&now),
            "{last:?}"
        );
    }
}

fn schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        (0..24, 0..60).prop_map(|(hour, minute)| daily(&format!("{hour:02}:{minute:02}"))),
        prop::collection::btree_set(0..60_i64, 1..5).prop_map(each_minute),
        (1..100_000_u64).prop_map(|seconds| Schedule::every_seconds(seconds).unwrap()),
    ]
}

proptest! {
    #[test]
    fn the_next_moment_always_lies_ahead_and_no_further_than_it_may(
        schedule in schedule(),
        second in 0..4_000_000_000_i64,
        nanosecond in 0..1_000_000_000_i32,
        zone in prop::sample::select(vec!["UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]),
    ) {
        let now = Timestamp::new(second, nanosecond).unwrap().in_tz(zone).unwrap();
        let next = schedule.next(&now).unwrap();
        prop_assert!(next > now.timestamp());
        let ahead = next.duration_since(now.timestamp()).as_secs();
        match &schedule {
            // A day, the hour of autumn, and a day that is left out.
            Schedule::Daily(_) => prop_assert!(ahead <= 49 * 3_600, "{ahead}"),
            Schedule::AtSeconds(seconds) => {
                prop_assert!(ahead <= 60);
                let moment = next.to_zoned_datetime(now.time_zone().clone());
                prop_assert!(seconds.contains(&moment.second()) && moment.subsec_nanosecond() == 0);
            }
            Schedule::EverySeconds(seconds) => prop_assert_eq!(ahead, i64::from(*seconds)),
        }
    }

    #[test]
    fn however_the_clock_is_set_a_timer_runs_no_more_than_once_a_look_and_its_next_run_lies_ahead(
        schedule in schedule(),
        looks in prop::collection::vec(1_700_000_000..1_800_000_000_i64, 1..40),
    ) {
        let moment = |second: i64| Timestamp::from_second(second).unwrap().in_tz("Europe/Madrid").unwrap();
        let mut table = Timetable::new(schedule, None, &moment(1_750_000_000));
        for second in looks {
            let now = moment(second);
            table.look(&now);
            prop_assert!(!table.look(&now));
            prop_assert!(table.next().unwrap() > now.timestamp());
            prop_assert!(table.wait(now.timestamp()) <= LOOK);
        }
    }
}
