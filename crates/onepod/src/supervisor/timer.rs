//! When a timer is due: the next moment of its schedule on the wall clock. Pure: times in, times out.
//!
//! The wall clock can be set. Whoever waits for a moment waits a minute at most and looks again.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ZonedDateTime};

/// Nobody waits longer than this without a look at the wall clock.
pub const LOOK: Duration = Duration::from_mins(1);

/// At which moments a timer runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Each day at this local time. Where the clock leaps over it in spring, just after the leap; where autumn has it
    /// twice, the first time.
    Daily(Time),
    /// At these seconds of each minute.
    AtSeconds(BTreeSet<i8>),
    /// After so many seconds, again and again.
    EverySeconds(u32),
}

impl Schedule {
    /// Each day at `HH:MM`.
    pub fn daily(text: &str) -> Result<Self, String> {
        let wrong = || format!("daily: {text:?} is not HH:MM, from 00:00 to 23:59");
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let digits = |text: &str| match text.as_bytes() {
            [tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit() => text.parse().ok(),
            _ => None,
        };
        let (hour, minute) = digits(hour).zip(digits(minute)).ok_or_else(wrong)?;
        Time::new(hour, minute, 0, 0)
            .map(Self::Daily)
            .map_err(|_| wrong())
    }

    /// At these seconds of each minute.
    pub fn at_seconds(seconds: &BTreeSet<i64>) -> Result<Self, String> {
        let valid: BTreeSet<i8> = seconds
            .iter()
            .filter(|second| (0..60).contains(*second))
            .filter_map(|second| i8::try_from(*second).ok())
            .collect();
        if valid.is_empty() || valid.len() < seconds.len() {
            return Err("at_seconds: needs one or more numbers from 0 to 59".to_owned());
        }
        Ok(Self::AtSeconds(valid))
    }

    /// After so many seconds, again and again.
    pub fn every_seconds(seconds: u64) -> Result<Self, String> {
        match u32::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Ok(Self::EverySeconds(seconds)),
            _ => Err("every_seconds: must be at least 1 and no more than 4294967295".to_owned()),
        }
    }

    /// The schedule for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Daily(time) => format!("daily at {:02}:{:02}", time.hour(), time.minute()),
            Self::AtSeconds(seconds) => {
                let seconds: Vec<String> = seconds.iter().map(|second| format!(":{second:02}")).collect();
                format!("each minute at {}", seconds.join(", "))
            }
            Self::EverySeconds(seconds) => format!("every {seconds} s"),
        }
    }

    /// The first moment of the schedule after `now`; none when the calendar ends.
    #[must_use]
    pub fn next(&self, now: &ZonedDateTime) -> Option<Timestamp> {
        match self {
            Self::Daily(time) => {
                let today = now.date();
                // The clock can leap over a whole day: some islands have changed the side of the date line.
                let days = [
                    Some(today),
                    today.tomorrow().ok(),
                    today.tomorrow().and_then(Date::tomorrow).ok(),
                ];
                days.into_iter()
                    .flatten()
                    .filter_map(|day| {
                        day.to_datetime(*time)
                            .to_zoned_datetime(now.time_zone().clone())
                            .ok()
                    })
                    .map(|moment| moment.timestamp())
                    .find(|moment| *moment > now.timestamp())
            }
            Self::AtSeconds(seconds) => {
                let whole = i64::from(now.second());
                let later = seconds.iter().map(|second| i64::from(*second));
                let ahead = later
                    .clone()
                    .chain(later.map(|second| second + 60))
                    .find(|second| *second > whole)?;
                from(now, ahead - whole)
            }
            Self::EverySeconds(seconds) => now
                .timestamp()
                .checked_add(Duration::from_secs(u64::from(*seconds)))
                .ok(),
        }
    }
}

/// So many whole seconds after the second in which `now` lies.
fn from(now: &ZonedDateTime, seconds: i64) -> Option<Timestamp> {
    let whole = Timestamp::from_second(now.timestamp().as_second()).ok()?;
    let seconds = u64::try_from(seconds).ok()?;
    whole.checked_add(Duration::from_secs(seconds)).ok()
}

/// When one timer runs next.
#[derive(Debug, Clone)]
pub struct Timetable {
    schedule: Schedule,
    next: Option<Timestamp>,
    /// The last look at the clock.
    looked: Timestamp,
}

impl Timetable {
    /// Begins now. A daily run that was missed since `last`, the beginning of the last one, is due at once; other
    /// schedules begin anew, as the next run comes soon.
    #[must_use]
    pub fn new(schedule: Schedule, last: Option<Timestamp>, now: &ZonedDateTime) -> Self {
        let since = last
            .filter(|last| matches!(schedule, Schedule::Daily(_)) && *last <= now.timestamp())
            .map_or_else(
                || now.clone(),
                |last| last.to_zoned_datetime(now.time_zone().clone()),
            );
        Self {
            next: schedule.next(&since),
            schedule,
            looked: now.timestamp(),
        }
    }

    /// Whether it is due now; if so, the next run is one after now, however many were missed. A clock that was set back
    /// begins the schedule anew: what lay a moment ahead could lie a year ahead now.
    pub fn look(&mut self, now: &ZonedDateTime) -> bool {
        let set_back = now.timestamp() < self.looked;
        let due = !set_back && self.next.is_some_and(|next| next <= now.timestamp());
        self.looked = now.timestamp();
        if set_back || due {
            self.next = self.schedule.next(now);
        }
        due
    }

    /// How long to wait until the next look, [`LOOK`] at most.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Duration {
        let until = |next: Timestamp| Duration::try_from(next.duration_since(now)).unwrap_or_default();
        self.next.map_or(LOOK, until).min(LOOK)
    }

    /// The next run.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }
}

#[cfg(test)]
mod tests;
