//! From raw settings to typed ones: each text checked by its rule, then the settings against each other.
//!
//! Reads one file more, the one that `ONEPOD_CONFIG` names; writes nothing.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mistake::{Mistake, Mistakes, Origin};
use super::overrides::Overrides;
use super::raw::{self, Raw};
use super::secret::Secret;
use super::ssh_key::{SshKey, SshKeyError};
use super::table::{self, Kind, TABLE};
use super::values::{self, Backend, Complaint};
use super::{Database, MySql, Row, Settings, Source};
use crate::log::Format;

/// What the settings are checked against besides each other.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The pod's host name.
    pub(super) hostname: String,
    /// Names of the services of services.toml, where they are known.
    pub(super) services: Option<Vec<String>>,
}

/// Typed settings, or all mistakes: those that reading found and those found here.
pub(super) fn resolve(raw: &Raw, source: &Arc<Source>, mistakes: Vec<Mistake>) -> Result<Settings, Mistakes> {
    let mut desk = Desk { raw, mistakes };
    let oneadmin_password = desk.secret("ONEADMIN_PASSWORD", values::oneadmin_password);
    let one_key = desk.secret("ONE_KEY", values::one_key);
    let fireedge_key = desk.secret("FIREEDGE_KEY", values::fireedge_key);
    let serveradmin_secret = desk.secret("SERVERADMIN_SECRET", values::serveradmin_secret);
    let ssh_key = desk.value("SSH_PRIVATE_KEY", ssh_key);
    let known_hosts = desk.value("SSH_KNOWN_HOSTS", values::known_hosts);
    let database = database(&mut desk);
    let hostname = match desk.value("OPENNEBULA_HOSTNAME", values::hostname) {
        Some(hostname) => hostname,
        None => desk.pod_hostname(source.around.hostname.clone()),
    };
    let monitor_address = desk
        .value("OPENNEBULA_MONITOR_ADDRESS", values::monitor_address)
        .unwrap_or_else(|| "auto".into());
    let listen = desk
        .value("ONEPOD_LISTEN", values::listen)
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)));
    let log_format = desk
        .value("ONEPOD_LOG_FORMAT", values::log_format)
        .unwrap_or(Format::Text);
    let keep_dumps = desk.value("ONEPOD_KEEP_DUMPS", values::keep_dumps).unwrap_or(3);
    let stop_timeout = desk.value("ONEPOD_STOP_TIMEOUT", values::stop_timeout);
    let known = source.around.services.as_deref();
    let disabled = desk.services("ONEPOD_DISABLE", known);
    let enabled = desk.services("ONEPOD_ENABLE", known);
    desk.refuse_in_both(&enabled, &disabled);
    let (config, overrides) = desk.overrides();
    // There is no database only where one of its settings is a mistake.
    let (Some(database), true) = (database, desk.mistakes.is_empty()) else {
        return Err(Mistakes::new(desk.mistakes));
    };
    let mut settings = Settings {
        oneadmin_password,
        one_key,
        fireedge_key,
        serveradmin_secret,
        ssh_key,
        known_hosts,
        database,
        hostname,
        monitor_address,
        listen,
        log_format,
        keep_dumps,
        stop_timeout,
        disabled,
        enabled,
        config,
        overrides,
        rows: Vec::new(),
        files: raw.files(),
        source: Arc::clone(source),
    };
    settings.rows = TABLE
        .iter()
        .map(|setting| row(setting, raw, &settings.hostname))
        .collect();
    Ok(settings)
}

/// How `onepod check` shows one setting.
fn row(setting: &'static table::Setting, raw: &Raw, hostname: &str) -> Row {
    let given = raw.get(setting.name);
    let value = match (setting.kind, given) {
        (Kind::Plain | Kind::Line, Some(given)) => given.text.clone(),
        (Kind::Text, Some(given)) => match given.text.lines().count() {
            1 => "1 line".to_owned(),
            many => format!("{many} lines"),
        },
        (Kind::Secret, Some(_)) => "(hidden)".to_owned(),
        (_, None) if setting.name == "OPENNEBULA_HOSTNAME" => hostname.to_owned(),
        (_, None) => setting.default.to_owned(),
    };
    let origin = match given {
        Some(given) => given.origin.clone(),
        None if setting.name == "OPENNEBULA_HOSTNAME" => Origin::Pod,
        None => Origin::Unset,
    };
    Row {
        name: setting.name,
        value,
        origin,
    }
}

fn ssh_key(text: &str) -> Result<SshKey, Complaint> {
    SshKey::parse(text).map_err(|error| Complaint {
        problem: format!("the key is {error}"),
        next: match error {
            SshKeyError::Format(_) => {
                "Give the whole file, from -----BEGIN OPENSSH PRIVATE KEY----- on; `ssh-keygen -p -f FILE` \
                 converts older formats."
            }
            SshKeyError::Passphrase => "Remove it: ssh-keygen -p -N '' -f FILE",
            SshKeyError::Kind(_) | SshKeyError::Random(_) => "Take an ed25519, ecdsa or rsa key.",
        }
        .to_owned(),
    })
}

fn database(desk: &mut Desk<'_>) -> Option<Database> {
    let backend = desk.value("DB_BACKEND", values::backend);
    let host = desk.value("DB_HOST", values::database_host);
    let port = desk.value("DB_PORT", values::port).unwrap_or(3306);
    let user = desk
        .value("DB_USER", values::database_user)
        .unwrap_or_else(|| "oneadmin".into());
    let password = desk.secret("DB_PASSWORD", values::database_password);
    let name = desk
        .value("DB_NAME", values::database_name)
        .unwrap_or_else(|| "opennebula".into());
    match backend.unwrap_or(Backend::Sqlite) {
        Backend::Sqlite if desk.raw.mentions("DB_BACKEND") && backend.is_none() => None,
        Backend::Sqlite => {
            desk.refuse_with_sqlite();
            Some(Database::Sqlite)
        }
        Backend::MySql => {
            desk.need_with_mysql("DB_HOST", "Set it to the host name of the database.");
            desk.need_with_mysql(
                "DB_PASSWORD",
                "Set it, or DB_PASSWORD_FILE to the path of a file that holds it.",
            );
            let password_file = desk.raw.get("DB_PASSWORD").and_then(|given| match &given.origin {
                Origin::File { path, .. } => Some(path.clone()),
                _ => None,
            });
            Some(Database::MySql(MySql {
                host: host?,
                port,
                user,
                password: password?,
                password_file,
                name,
            }))
        }
    }
}

/// The raw settings on one side, the growing list of mistakes on the other.
struct Desk<'a> {
    raw: &'a Raw,
    mistakes: Vec<Mistake>,
}

impl Desk<'_> {
    /// The value of a setting, if it was given and follows its rule.
    fn value<T>(&mut self, name: &str, rule: impl Fn(&str) -> Result<T, Complaint>) -> Option<T> {
        let given = self.raw.get(name)?;
        match rule(&given.text) {
            Ok(value) => Some(value),
            Err(Complaint { problem, next }) => {
                self.mistakes
                    .push(Mistake::new(name, given.origin.clone(), problem, next));
                None
            }
        }
    }

    fn secret(&mut self, name: &str, rule: impl Fn(&str) -> Result<String, Complaint>) -> Option<Secret> {
        self.value(name, rule).map(Secret::new)
    }

    /// A pod's own name is used unasked, so when it does not fit, the setting to give is the answer.
    fn pod_hostname(&mut self, hostname: String) -> String {
        if !self.raw.mentions("OPENNEBULA_HOSTNAME")
            && let Err(Complaint { problem, .. }) = values::hostname(&hostname)
        {
            let next = "Set OPENNEBULA_HOSTNAME to a name under which hypervisors reach the front-end.";
            self.mistakes
                .push(Mistake::new("OPENNEBULA_HOSTNAME", Origin::Pod, problem, next));
        }
        hostname
    }

    fn refuse_with_sqlite(&mut self) {
        for name in ["DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"] {
            if let Some(given) = self.raw.get(name) {
                self.mistakes.push(Mistake::new(
                    name,
                    given.origin.clone(),
                    "it has no meaning with DB_BACKEND=sqlite",
                    "Set DB_BACKEND=mysql, or remove it.",
                ));
            }
        }
    }

    fn need_with_mysql(&mut self, name: &str, next: &str) {
        if !self.raw.mentions(name) {
            self.mistakes.push(Mistake::new(
                name,
                Origin::Unset,
                "DB_BACKEND=mysql needs it",
                next,
            ));
        }
    }

    /// The services that a setting names; unknown names are mistakes where the known ones are known.
    fn services(&mut self, setting: &str, services: Option<&[String]>) -> BTreeSet<String> {
        let Some(given) = self.raw.get(setting) else {
            return BTreeSet::new();
        };
        let names = values::names(&given.text);
        for name in services
            .iter()
            .flat_map(|known| names.iter().filter(|name| !known.contains(name)))
        {
            self.mistakes.push(Mistake::new(
                setting,
                given.origin.clone(),
                format!("there is no service \"{name}\""),
                format!("The services are {}.", services.unwrap_or_default().join(", ")),
            ));
        }
        names
    }

    /// A service cannot be switched on and off.
    fn refuse_in_both(&mut self, enabled: &BTreeSet<String>, disabled: &BTreeSet<String>) {
        let Some(given) = self.raw.get("ONEPOD_ENABLE") else {
            return;
        };
        for name in enabled.intersection(disabled) {
            self.mistakes.push(Mistake::new(
                "ONEPOD_ENABLE",
                given.origin.clone(),
                format!("ONEPOD_DISABLE names \"{name}\" too"),
                "Remove it from one of the two.",
            ));
        }
    }

    /// The file of `ONEPOD_CONFIG` and what it says.
    fn overrides(&mut self) -> (Option<PathBuf>, Overrides) {
        let Some(given) = self.raw.get("ONEPOD_CONFIG") else {
            return (None, Overrides::default());
        };
        let path = Path::new(&given.text);
        let origin = Origin::file("ONEPOD_CONFIG", path);
        let read = raw::limited(path)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text")));
        let text = match read {
            Ok(text) => text,
            Err(error) => {
                self.mistakes.push(Mistake::new(
                    "ONEPOD_CONFIG",
                    origin,
                    format!("the file cannot be read: {error}"),
                    raw::next_step(&error),
                ));
                return (None, Overrides::default());
            }
        };
        match Overrides::parse(&text) {
            Ok(overrides) => (Some(path.to_owned()), overrides),
            Err(problems) => {
                self.mistakes.extend(problems.into_iter().map(|problem| {
                    let problem = problem.trim_end_matches('.').to_owned();
                    Mistake::new("ONEPOD_CONFIG", origin.clone(), problem, "Correct the file.")
                }));
                (None, Overrides::default())
            }
        }
    }
}
