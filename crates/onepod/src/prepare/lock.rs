//! One front-end at a time: on the database by a named lock of the server, on the volume by a lock on a file.
//!
//! Two oned on one database corrupt it, and OpenNebula itself has no lock against that. Both locks end with the process
//! that has them, so nothing stale can be left. Deliberately absent: any vote about who should have the database; whoever
//! has it keeps it.

use std::fmt;

use jiff::Timestamp;

pub(crate) mod keep;
mod server;
pub(crate) mod volume;
pub(crate) mod wait;

/// Keeps other front-ends away from the database and the volume for as long as it lives.
#[derive(Debug)]
pub struct Guard {
    server: Option<keep::Keeper>,
    _volume: Option<volume::VolumeLock>,
}

impl Guard {
    pub(crate) fn new(server: Option<keep::Keeper>, volume: Option<volume::VolumeLock>) -> Self {
        Self {
            server,
            _volume: volume,
        }
    }

    /// Resolves with a sentence that names the other front-end when one has taken the database while this one had lost
    /// it: this one must end then.
    pub async fn taken(&self) -> String {
        match &self.server {
            Some(keeper) => keeper.taken().await,
            None => std::future::pending().await,
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
    /// Number of its connection.
    pub(crate) connection: Option<u64>,
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
            self.connection.map(|number| format!("connection {number}")),
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
}

impl Identity {
    /// The name that the kernel gives this pod, and now.
    pub(crate) fn here() -> Self {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // It stands in a comment of SQL and in a line of a file.
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        Self {
            pod: name.chars().filter(plain).take(64).collect(),
            since: format!("{:.0}", Timestamp::now()),
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
            connection: Some(17),
        };
        assert_eq!(
            holder.to_string(),
            "pod opennebula-0 (from 10.42.0.7, since 2026-11-23T17:52:29Z, connection 17)"
        );
    }
}
