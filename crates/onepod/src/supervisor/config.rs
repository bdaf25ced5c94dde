//! services.toml: which services there are and how each is run. Text in, checked types or every mistake out.
//!
//! Deliberately absent: whether a command is installed or a service switched off; that is known only when they start.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use one_xmlrpc::Endpoint;
use rustix::process::Signal;
use serde::Deserialize;

/// Time for all services together to stop, unless services.toml says otherwise: within the 30 s that Kubernetes gives a pod
/// by default.
const STOP_WITHIN: u64 = 25;

/// Time for one service to stop, unless services.toml says otherwise.
const STOP_TIMEOUT: u64 = 10;

/// Every service, in an order in which they can start.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) stop_within: Duration,
    pub(crate) services: Vec<Service>,
}

/// One service.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) name: Arc<str>,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) installed: Option<PathBuf>,
    pub(crate) after: Vec<String>,
    pub(crate) essential: bool,
    pub(crate) readiness: Readiness,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) stop_signal: Signal,
    pub(crate) stop_timeout: Duration,
    pub(crate) success_exit: BTreeSet<i32>,
    pub(crate) logs: Vec<PathBuf>,
    pub(crate) remove_before_start: Vec<PathBuf>,
}

/// How it is known that a service does its work.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// It says so itself, with `READY=1` to the socket in `NOTIFY_SOCKET`, see `sd_notify(3)`.
    Notify,
    /// This URL answers over HTTP, with any status.
    Http(String),
    /// This address takes a connection.
    Tcp(String),
    /// oned answers an authenticated call at this endpoint.
    XmlRpc(Endpoint),
    /// This file exists.
    File(PathBuf),
    /// Its own process holds a TCP connection to this address: for a service that listens nowhere.
    Connected(SocketAddr),
}

/// Why services.toml cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}; the image must have this file")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not TOML.
    #[error("{path}: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// It says something that cannot be.
    #[error("{path}: {}", numbered(.mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// Every mistake.
        mistakes: Vec<String>,
    },
}

fn numbered(mistakes: &[String]) -> String {
    mistakes.iter().fold(String::new(), |mut text, mistake| {
        // Writing to a String does not fail.
        let _ = write!(text, "\n  - {mistake}");
        text
    })
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Checks a file's text; `path` is for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        let raw: RawConfig = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(source) => {
                return Err(ConfigError::Syntax {
                    path,
                    source: Box::new(source),
                });
            }
        };
        let mut mistakes = Vec::new();
        let mut services = BTreeMap::new();
        for (name, table) in raw.services {
            match RawService::deserialize(table) {
                Ok(raw) => {
                    services.extend(resolve(&name, raw, &mut mistakes).map(|service| (name, service)));
                }
                Err(error) => mistakes.push(format!("services.{name}: {}", error.message())),
            }
        }
        if mistakes.is_empty() {
            match in_order(&services) {
                Ok(services) => {
                    return Ok(Self {
                        stop_within: Duration::from_secs(raw.stop_within_seconds),
                        services,
                    });
                }
                Err(found) => mistakes = found,
            }
        }
        Err(ConfigError::Mistakes { path, mistakes })
    }

    /// The names of all services, in an order in which they can start.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.services.iter().map(|service| &*service.name).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(default = "stop_within")]
    stop_within_seconds: u64,
    services: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    command: Vec<String>,
    installed: Option<PathBuf>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    essential: bool,
    readiness: RawReadiness,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    stop: RawStop,
    #[serde(default = "success_exit")]
    success_exit: BTreeSet<i32>,
    #[serde(default)]
    logs: Vec<PathBuf>,
    #[serde(default)]
    remove_before_start: Vec<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReadiness {
    notify: Option<bool>,
    http: Option<String>,
    tcp: Option<String>,
    xmlrpc: Option<String>,
    file: Option<PathBuf>,
    connected: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawStop {
    signal: String,
    timeout_seconds: u64,
}

impl Default for RawStop {
    fn default() -> Self {
        Self {
            signal: "TERM".to_owned(),
            timeout_seconds: STOP_TIMEOUT,
        }
    }
}

fn stop_within() -> u64 {
    STOP_WITHIN
}

fn success_exit() -> BTreeSet<i32> {
    BTreeSet::from([0])
}

/// One service on its own; none when its mistakes leave nothing to go on with.
fn resolve(name: &str, raw: RawService, mistakes: &mut Vec<String>) -> Option<Service> {
    let before = mistakes.len();
    let mut mistake = |text: String| mistakes.push(format!("services.{name}.{text}"));
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        mistake("*: a service's name has only a-z, 0-9 and -".to_owned());
    }
    let mut command = raw.command.into_iter();
    let program = PathBuf::from(command.next().unwrap_or_default());
    if !program.is_absolute() {
        mistake(format!(
            "command: the program must be an absolute path, not {:?}",
            program.display().to_string()
        ));
    }
    for (field, paths) in [
        ("logs", &raw.logs),
        ("remove_before_start", &raw.remove_before_start),
    ] {
        for path in paths.iter().filter(|path| !path.is_absolute()) {
            mistake(format!(
                "{field}: {:?} must be an absolute path",
                path.display().to_string()
            ));
        }
    }
    let readiness = raw
        .readiness
        .resolve()
        .map_err(|text| mistake(format!("readiness: {text}")))
        .ok();
    let stop_signal = stop_signal(&raw.stop.signal);
    if stop_signal.is_none() {
        mistake(format!(
            "stop.signal: {:?} is none of TERM, INT, QUIT, HUP, USR1, USR2, KILL",
            raw.stop.signal
        ));
    }
    if mistakes.len() > before {
        return None;
    }
    Some(Service {
        name: name.into(),
        program,
        arguments: command.collect(),
        installed: raw.installed,
        after: raw.after,
        essential: raw.essential,
        readiness: readiness?,
        environment: raw.environment,
        stop_signal: stop_signal?,
        stop_timeout: Duration::from_secs(raw.stop.timeout_seconds),
        success_exit: raw.success_exit,
        logs: raw.logs,
        remove_before_start: raw.remove_before_start,
    })
}

impl RawReadiness {
    fn resolve(self) -> Result<Readiness, String> {
        let Self {
            notify,
            http,
            tcp,
            xmlrpc,
            file,
            connected,
        } = self;
        let given = [
            notify.map(|yes| {
                if yes {
                    Ok(Readiness::Notify)
                } else {
                    Err("notify can only be true".to_owned())
                }
            }),
            http.map(|url| match url.strip_prefix("http://") {
                Some(rest) if !rest.is_empty() => Ok(Readiness::Http(url)),
                _ => Err(format!("http: {url:?} does not begin with http:// and a host")),
            }),
            tcp.map(|address| match address.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Readiness::Tcp(address))
                }
                _ => Err(format!("tcp: {address:?} is not host:port")),
            }),
            xmlrpc.map(|url| {
                url.parse()
                    .map(Readiness::XmlRpc)
                    .map_err(|error| format!("xmlrpc: {url:?}: {error}"))
            }),
            file.map(|path| {
                if path.is_absolute() {
                    Ok(Readiness::File(path))
                } else {
                    Err(format!(
                        "file: {:?} must be an absolute path",
                        path.display().to_string()
                    ))
                }
            }),
            connected.map(|address| {
                address
                    .parse()
                    .map(Readiness::Connected)
                    .map_err(|_| format!("connected: {address:?} is not an IP address with a port"))
            }),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(only), None) => only,
            _ => Err("exactly one of notify, http, tcp, xmlrpc, file, connected is needed".to_owned()),
        }
    }
}

fn stop_signal(name: &str) -> Option<Signal> {
    Some(match name {
        "TERM" => Signal::TERM,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "HUP" => Signal::HUP,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "KILL" => Signal::KILL,
        _ => return None,
    })
}

/// The services in an order in which they can start, alphabetical where there is a choice.
fn in_order(services: &BTreeMap<String, Service>) -> Result<Vec<Service>, Vec<String>> {
    let unknown: Vec<String> = services
        .values()
        .flat_map(|service| service.after.iter().map(move |before| (service, before)))
        .filter(|(_, before)| !services.contains_key(*before))
        .map(|(service, before)| format!("services.{}.after: there is no service {before:?}", service.name))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let mut ordered: Vec<Service> = Vec::new();
    let mut left: BTreeMap<&str, &Service> = services
        .iter()
        .map(|(name, service)| (name.as_str(), service))
        .collect();
    while !left.is_empty() {
        let free = left.values().find(|service| {
            !service
                .after
                .iter()
                .any(|before| left.contains_key(before.as_str()))
        });
        let Some(free) = free else {
            let names: Vec<&str> = left.keys().copied().collect();
            return Err(vec![format!(
                "services: {} come after one another in a circle",
                names.join(", ")
            )]);
        };
        let name: &str = &free.name;
        ordered.push((*free).clone());
        let name = name.to_owned();
        left.remove(name.as_str());
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests;
