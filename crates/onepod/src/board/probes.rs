//! How long the services' probes took, as a small histogram for each service.

use std::time::Duration;

use super::Board;

/// Upper bounds of the histogram's buckets, in seconds. Beyond the last one are the probes that got no answer in time.
pub const BOUNDS: [f64; 6] = [0.001, 0.002, 0.005, 0.025, 0.25, 3.0];

/// The probes of one service since the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProbeStats {
    /// The service.
    pub name: String,
    /// How many probes took no longer than each of [`BOUNDS`] and longer than the one before.
    pub buckets: [u64; BOUNDS.len()],
    /// All probes.
    pub count: u64,
    /// Time of all probes, in seconds.
    pub sum: f64,
    /// Probes whose answer was no.
    pub failures: u64,
}

impl ProbeStats {
    pub(super) fn add(&mut self, took: Duration, ready: bool) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound);
        if let Some(bucket) = bucket.and_then(|index| self.buckets.get_mut(index)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += seconds;
        self.failures += u64::from(!ready);
    }
}

impl Board {
    /// Counts one probe of a service, with the time it took and whether the answer was yes.
    pub fn probed(&self, service: &str, took: Duration, ready: bool) {
        let mut shared = self.lock();
        if let Some(known) = shared.probes.iter_mut().find(|known| known.name == service) {
            known.add(took, ready);
        } else {
            let mut stats = ProbeStats {
                name: service.to_owned(),
                ..ProbeStats::default()
            };
            stats.add(took, ready);
            shared.probes.push(stats);
        }
    }

    /// How long the probes took, for each service that was probed.
    #[must_use]
    pub fn probes(&self) -> Vec<ProbeStats> {
        self.lock().probes.clone()
    }
}
