//! One front-end at a time: on the database by a lease, on the volume by a lock on a file.
//!
//! Two oned on one database corrupt it, and OpenNebula itself has no lock against that. Both locks fail closed: a
//! front-end that cannot get or keep them does not write. Out of scope: any vote about who should have the database;
//! whoever has it keeps it.

use std::fmt;

use jiff::Timestamp;
use tokio::sync::watch;

pub(crate) mod keep;
mod lease;
mod named;
mod sessions;
pub(crate) mod volume;
pub(crate) mod wait;

pub use keep::Standing;

/// The table of the lease. It is onepod's own and no part of OpenNebula's schema.
pub(crate) const LEASE_TABLE: &str = "onepod_lease";

/// Keeps other front-ends away from the database and the volume for as long as it lives.
#[derive(Debug)]
pub struct Guard {
    database: Option<keep::Keeper>,
    _volume: Option<volume::VolumeLock>,
}

impl Guard {
    pub(crate) fn new(database: Option<keep::Keeper>, volume: Option<volume::VolumeLock>) -> Self {
        Self {
            database,
            _volume: volume,
        }
    }

    /// How the lease of the database stands, and every change of that; none where the backend has none.
    #[must_use]
    pub fn standing(&self) -> Option<watch::Receiver<Standing>> {
        self.database.as_ref().map(keep::Keeper::standing)
    }

    /// Resolves with a sentence when this front-end may no longer write to the database.
    pub async fn lost(&self) -> String {
        let Some(mut standing) = self.standing() else {
            return std::future::pending().await;
        };
        let lost = standing
            .wait_for(|standing| *standing != Standing::Held)
            .await
            .map(|standing| standing.clone());
        match lost {
            Ok(Standing::Fenced(sentence) | Standing::Taken(sentence)) => sentence,
            Ok(Standing::Held) | Err(_) => std::future::pending().await,
        }
    }

    /// Gives the database back, so that the next front-end begins at once. Only once nothing of this one writes any more.
    pub async fn release(self) {
        if let Some(database) = self.database {
            database.release().await;
        }
    }
}

/// Who has a lock, as far as it can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Name of the pod, as its kernel has it.
    pub(crate) pod: Option<String>,
    /// The client's address as the server sees it.
    pub(crate) address: Option<String>,
    /// Since when.
    pub(crate) since: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pod {
            Some(pod) => write!(f, "pod {pod}")?,
            None => f.write_str("another front-end")?,
        }
        let details = [
            self.address.as_ref().map(|address| format!("from {address}")),
            self.since.as_ref().map(|since| format!("since {since}")),
        ];
        let details: Vec<_> = details.into_iter().flatten().collect();
        if details.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", details.join(", "))
        }
    }
}

/// How this front-end names itself to others.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) pod: String,
    pub(crate) since: String,
    /// The lock of the volume that this front-end has, and the running machine that it has it on: whoever was known by the
    /// same has ended. None without that lock.
    pub(crate) place: Option<String>,
}

impl Identity {
    /// The name that the kernel gives this pod, and now.
    pub(crate) fn here(volume: Option<&volume::VolumeLock>) -> Self {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // It stands in a comment of SQL and in a line of a file.
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        Self {
            pod: name.chars().filter(plain).take(64).collect(),
            since: format!("{:.0}", Timestamp::now()),
            place: volume.and_then(volume::VolumeLock::place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_described_by_what_is_known() {
        assert_eq!(Holder::default().to_string(), "another front-end");
        let holder = Holder {
            pod: Some("opennebula-0".to_owned()),
            address: Some("10.42.0.7".to_owned()),
            since: Some("2026-11-23T17:52:29Z".to_owned()),
        };
        assert_eq!(
            holder.to_string(),
            "pod opennebula-0 (from 10.42.0.7, since 2026-11-23T17:52:29Z)"
        );
    }
}
