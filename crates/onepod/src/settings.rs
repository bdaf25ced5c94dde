//! Settings from the environment: raw text in, typed values or a list of every mistake out.
//!
//! Raw settings (`raw`) become resolved ones (`resolve`) by the rules of `values`; all of them are described in
//! [`table`]. Whatever is wrong is found before anything is written, and all of it at once.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::log::Format;

pub mod mistake;
pub mod overrides;
mod raw;
pub mod reference;
mod resolve;
pub mod schema;
pub mod secret;
pub mod ssh_key;
pub mod table;
mod values;
pub mod vendor;

pub use mistake::{Mistake, Mistakes, Origin};
pub use overrides::Overrides;
pub use secret::Secret;
pub use ssh_key::SshKey;

/// Settings of one start, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    oneadmin_password: Option<Secret>,
    one_key: Option<Secret>,
    fireedge_key: Option<Secret>,
    serveradmin_secret: Option<Secret>,
    ssh_key: Option<SshKey>,
    known_hosts: Option<String>,
    database: Database,
    hostname: String,
    monitor_address: String,
    listen: SocketAddr,
    log_format: Format,
    keep_dumps: usize,
    stop_timeout: Option<Duration>,
    disabled: BTreeSet<String>,
    enabled: BTreeSet<String>,
    config: Option<PathBuf>,
    overrides: Overrides,
    rows: Vec<Row>,
    files: Vec<(&'static str, PathBuf)>,
    source: Arc<Source>,
}

/// What the settings were made of, to make them once more. `Debug` shows none of it, because it may hold secrets.
struct Source {
    environment: Vec<(OsString, OsString)>,
    around: resolve::Surroundings,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(hidden)")
    }
}

/// Where OpenNebula keeps its state.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file on the volume.
    Sqlite,
    /// A server of `MariaDB` or `MySQL`.
    MySql(MySql),
}

/// How to reach the database server.
#[derive(Debug, Clone)]
pub struct MySql {
    host: String,
    port: u16,
    user: String,
    password: Secret,
    password_file: Option<PathBuf>,
    name: String,
}

/// One setting as `onepod check` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name of the setting.
    pub name: &'static str,
    /// Its value, or what stands for it: a secret's value never.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
}

impl Settings {
    /// oneadmin's password, if one was given (`ONEADMIN_PASSWORD`).
    #[must_use]
    pub fn oneadmin_password(&self) -> Option<&Secret> {
        self.oneadmin_password.as_ref()
    }

    /// What the operator should know of settings that are valid, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = crate::secrecy::not_hidden(self)
            .into_iter()
            .map(|name| {
                format!(
                    "{name} is short or a common word, so it is not replaced where a program logs it: choose at least 8 \
                     characters"
                )
            })
            .collect();
        if let Database::MySql(server) = &self.database {
            let warning = values::database_password_warning(server.password().expose());
            warnings.extend(warning.map(str::to_owned));
        }
        warnings
    }

    /// The key of encrypted attributes, if one was given (`ONE_KEY`).
    #[must_use]
    pub fn one_key(&self) -> Option<&Secret> {
        self.one_key.as_ref()
    }

    /// `FireEdge`'s key, if one was given (`FIREEDGE_KEY`).
    #[must_use]
    pub fn fireedge_key(&self) -> Option<&Secret> {
        self.fireedge_key.as_ref()
    }

    /// serveradmin's secret, if one was given (`SERVERADMIN_SECRET`).
    #[must_use]
    pub fn serveradmin_secret(&self) -> Option<&Secret> {
        self.serveradmin_secret.as_ref()
    }

    /// oneadmin's SSH key, if one was given (`SSH_PRIVATE_KEY`).
    #[must_use]
    pub fn ssh_key(&self) -> Option<&SshKey> {
        self.ssh_key.as_ref()
    }

    /// Host keys of the hypervisors, whole lines of a `known_hosts` file, if they were given (`SSH_KNOWN_HOSTS`).
    #[must_use]
    pub fn known_hosts(&self) -> Option<&str> {
        self.known_hosts.as_deref()
    }

    /// Where OpenNebula keeps its state (`DB_*`).
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Name of the front-end (`OPENNEBULA_HOSTNAME`).
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Where hypervisors send monitoring data, or `auto` (`OPENNEBULA_MONITOR_ADDRESS`).
    #[must_use]
    pub fn monitor_address(&self) -> &str {
        &self.monitor_address
    }

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

    /// How many database dumps are kept, at least 1 (`ONEPOD_KEEP_DUMPS`).
    #[must_use]
    pub fn keep_dumps(&self) -> usize {
        self.keep_dumps
    }

    /// Time in which all services stop, if it is not what services.toml says (`ONEPOD_STOP_TIMEOUT`).
    #[must_use]
    pub fn stop_timeout(&self) -> Option<Duration> {
        self.stop_timeout
    }

    /// Names of services that stay off (`ONEPOD_DISABLE`).
    #[must_use]
    pub fn disabled(&self) -> &BTreeSet<String> {
        &self.disabled
    }

    /// Names of services that start although they are off by default (`ONEPOD_ENABLE`).
    #[must_use]
    pub fn enabled(&self) -> &BTreeSet<String> {
        &self.enabled
    }

    /// The file with further values, if there is one (`ONEPOD_CONFIG`).
    #[must_use]
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Further values for oned.conf and monitord.conf (`ONEPOD_CONFIG`).
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// A setting's name and where its value came from, for messages: `ONE_KEY (environment)`.
    #[must_use]
    pub fn origin(&self, name: &str) -> String {
        match self.rows.iter().find(|row| row.name == name) {
            Some(row) => format!("{name} ({})", row.origin),
            None => name.to_owned(),
        }
    }

    /// Every setting with its value and origin, in the order of the table.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The files that settings are read from (`…_FILE`) and that a mounted Secret changes under a running container: the
    /// setting's name and the path.
    #[must_use]
    pub fn secret_files(&self) -> Vec<(&'static str, PathBuf)> {
        self.files.clone()
    }

    /// The same settings with what their files hold now. The files of `ONEPOD_CONFIG` and of monitord's address are not
    /// read again: what they say is in OpenNebula's files since the start.
    pub fn reread(&self) -> Result<Self, Mistakes> {
        let source = Arc::clone(&self.source);
        let mut mistakes = Vec::new();
        let environment = source
            .environment
            .iter()
            .filter(|(name, _)| !name.to_str().is_some_and(is_read_once));
        let raw = raw::read(environment.cloned(), &mut mistakes);
        let mut fresh = resolve::resolve(&raw, &source, mistakes)?;
        // Both are in the order of the table.
        for (new, old) in fresh.rows.iter_mut().zip(&self.rows) {
            if is_read_once(new.name) {
                new.clone_from(old);
            }
        }
        fresh.monitor_address.clone_from(&self.monitor_address);
        fresh.config.clone_from(&self.config);
        fresh.overrides.clone_from(&self.overrides);
        Ok(fresh)
    }

    /// The same with its secrets hidden, for what is shown of OpenNebula's files.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        if let Database::MySql(server) = &mut masked.database {
            server.password = Secret::new(overrides::HIDDEN);
        }
        masked.overrides = self.overrides.masked();
        masked
    }

    /// The same settings with the database as it was found to work.
    pub(crate) fn with_database(self, database: Database) -> Self {
        Self { database, ..self }
    }
}

impl MySql {
    /// Host name or address (`DB_HOST`).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port (`DB_PORT`).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// User (`DB_USER`).
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The user's password (`DB_PASSWORD`).
    #[must_use]
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// Name of the database (`DB_NAME`).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same with the password that its file holds now: a mounted Secret changes under a running container.
    /// Without a file, or with one that is not usable at the moment, the password stays.
    pub(crate) fn with_password_read_again(self) -> Self {
        let fresh = self
            .password_file
            .as_deref()
            .and_then(|path| raw::from_file("DB_PASSWORD", path).ok())
            .and_then(|given| values::database_password(&given.text).ok());
        match fresh {
            Some(password) => Self {
                password: Secret::new(password),
                ..self
            },
            None => self,
        }
    }
}

/// Reads the settings from an environment, without looking at the names of services.
pub fn settle(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Settings, Mistakes> {
    settle_in(
        environment,
        resolve::Surroundings {
            hostname: pod_hostname(),
            services: None,
        },
    )
}

/// Reads the settings from an environment; `ONEPOD_DISABLE` and `ONEPOD_ENABLE` may name these services.
pub fn settle_with<S: AsRef<str>>(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    services: &[S],
) -> Result<Settings, Mistakes> {
    let services = Some(services.iter().map(|name| name.as_ref().to_owned()).collect());
    settle_in(
        environment,
        resolve::Surroundings {
            hostname: pod_hostname(),
            services,
        },
    )
}

fn settle_in(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    around: resolve::Surroundings,
) -> Result<Settings, Mistakes> {
    let source = Arc::new(Source {
        environment: environment
            .into_iter()
            .filter(|(name, _)| raw::concerns(name))
            .collect(),
        around,
    });
    let mut mistakes = Vec::new();
    let raw = raw::read(source.environment.iter().cloned(), &mut mistakes);
    resolve::resolve(&raw, &source, mistakes)
}

/// Whether a variable of that name is a setting, or would be if it were spelled right.
pub(crate) fn is_setting(name: &std::ffi::OsStr) -> bool {
    raw::concerns(name)
}

/// Whether a variable stands in OpenNebula's files since the start and is not read again.
fn is_read_once(variable: &str) -> bool {
    let setting = variable.strip_suffix("_FILE").unwrap_or(variable);
    matches!(setting, "ONEPOD_CONFIG" | "OPENNEBULA_MONITOR_ADDRESS")
}

/// The name that the kernel gives this pod.
fn pod_hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
