//! The wall clock with the pod's time zone, as timers see it. Another clock is for tests.

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// Tells the local time.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> ZonedDateTime + Send + Sync>,
}

impl Clock {
    /// The system's clock in the time zone of `TZ`, or of the image without one. A zone that the image does not know is
    /// UTC; the log says so.
    #[must_use]
    pub fn system() -> Self {
        let zone = TimeZone::try_system().unwrap_or_else(|error| {
            tracing::warn!("timers use UTC: TZ cannot be used: {error}");
            TimeZone::UTC
        });
        Self::new(move || Timestamp::now().to_zoned_datetime(zone.clone()))
    }

    /// A clock that shows what the function gives.
    #[must_use]
    pub fn new(now: impl Fn() -> ZonedDateTime + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now) }
    }

    /// The local time.
    #[must_use]
    pub fn now(&self) -> ZonedDateTime {
        (self.now)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
