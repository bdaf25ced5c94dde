//! The moments at which everything that is not urgent is done together, so that an idle pod sleeps.
//!
//! tokio keeps its timers in a wheel with slots of 64 ms and of 4,096 ms, counted from the start of the runtime, and wakes up
//! at the beginning of a slot to see when in it something is due. A timer at such a beginning costs one wake-up, any other
//! one two or three. Nothing goes wrong where a later tokio does otherwise: there are only more wake-ups.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::time::Instant;

/// Width of the wheel's finer slots.
const SLOT: Duration = Duration::from_millis(64);

/// Width of its coarser slots; what is done regularly is done at a multiple of it.
pub(crate) const BEAT: Duration = Duration::from_millis(4_096);

static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Begins to count; to be called right before the runtime is built.
pub(crate) fn begin() {
    LazyLock::force(&FIRST);
}

/// The next of the moments that are multiples of a period: the same for all who wait for it.
pub(crate) fn next(period: Duration) -> Instant {
    multiple_after(Instant::now(), period)
}

/// The first beginning of a slot after this time has passed.
pub(crate) fn after(time: Duration) -> Instant {
    multiple_after(Instant::now() + time, SLOT)
}

fn multiple_after(moment: Instant, period: Duration) -> Instant {
    let number = moment.saturating_duration_since(*FIRST).as_millis() / period.as_millis().max(1) + 1;
    *FIRST + period.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_wait_for_the_same_moment() {
        let wait = next(BEAT * 2).saturating_duration_since(Instant::now());
        assert!(wait <= BEAT * 2, "{wait:?}");
        let offset = next(BEAT).duration_since(*FIRST);
        assert_eq!(offset.as_millis() % BEAT.as_millis(), 0);
    }

    #[test]
    fn a_pause_is_no_shorter_than_asked_for() {
        let before = Instant::now();
        let until = after(Duration::from_millis(150));
        assert!(until >= before + Duration::from_millis(150));
        assert!(until <= Instant::now() + Duration::from_millis(150) + SLOT);
        assert_eq!(until.duration_since(*FIRST).as_millis() % SLOT.as_millis(), 0);
    }
}
