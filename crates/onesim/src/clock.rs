//! The fixed waits of the real daemons, scaled.
//!
//! `$ONESIM_TIME_SCALE`, else /usr/lib/onesim/time-scale, else 1.0 (the real durations). 0 removes them.

use std::time::Duration;

/// The factor on every fixed wait.
pub(crate) fn scale() -> f64 {
    std::env::var("ONESIM_TIME_SCALE")
        .ok()
        .or_else(|| std::fs::read_to_string("/usr/lib/onesim/time-scale").ok())
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|factor| factor.is_finite() && *factor >= 0.0)
        .unwrap_or(1.0)
}

/// `seconds` of the real daemon, scaled.
pub(crate) fn scaled(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds * scale())
}

/// Waits that long: the durations are part of the observed behaviour, not a condition to poll.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulated daemons have fixed waits, as the real ones do"
)]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
