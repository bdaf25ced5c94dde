//! One table of services.toml: a service, a one-shot task or a timer. Fields in, a checked unit or every mistake out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use one_xmlrpc::Endpoint;
use rustix::process::Signal;
use serde::Deserialize;

use crate::supervisor::builtin;
use crate::supervisor::drain::Drain;
use crate::supervisor::timer::Schedule;

/// Time for one unit to stop, in seconds, unless services.toml says otherwise.
const STOP_TIMEOUT: u64 = 10;

/// Time for a service to become ready for the first time in a run, in seconds, unless services.toml says otherwise.
const START_WITHIN: u64 = 300;

/// Time for a task, in seconds, unless services.toml says otherwise.
const TASK_TIMEOUT: u64 = 60;

/// Time for one run of a timer, in seconds, unless services.toml says otherwise.
const TIMER_TIMEOUT: u64 = 600;

/// A service, a task or a timer.
#[derive(Debug, Clone)]
pub struct Unit {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) work: Work,
    pub(crate) installed: Option<PathBuf>,
    /// Why it does not run, although it may be installed.
    pub(crate) off: Option<Off>,
    pub(crate) after: Vec<String>,
    pub(crate) wants: Vec<String>,
    pub(crate) role: Role,
    /// Whether it writes to OpenNebula's database.
    pub(crate) uses_database: bool,
    pub(crate) essential: bool,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) stop_signal: Signal,
    pub(crate) stop_timeout: Duration,
    /// Work that is waited for before the stop signal.
    pub(crate) drain: Option<Drain>,
    pub(crate) success_exit: BTreeSet<i32>,
    pub(crate) logs: Vec<PathBuf>,
    pub(crate) remove_before_start: Vec<PathBuf>,
}

/// What sort of unit it is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// It runs for as long as the pod.
    Service {
        /// How it is known that it does its work.
        readiness: Readiness,
        /// A run that is not ready within this time has failed.
        start_within: Duration,
    },
    /// It runs once and has to succeed.
    Task {
        /// A run that takes longer has failed.
        timeout: Duration,
    },
    /// It runs again and again at certain times.
    Timer {
        /// When.
        schedule: Schedule,
        /// A run that takes longer has failed.
        timeout: Duration,
        /// While this directory is empty or absent, a run is left out.
        only_if_not_empty: Option<PathBuf>,
    },
}

/// What a unit does.
#[derive(Debug, Clone)]
pub enum Work {
    /// It starts a program.
    Program {
        /// Its absolute path.
        path: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// It calls a function of onepod's own, one of [`builtin::NAMES`].
    Builtin(String),
}

/// Why a unit is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// services.toml says so, and `ONEPOD_ENABLE` does not name it.
    ByDefault,
    /// `ONEPOD_DISABLE` names it.
    Disabled,
}

impl Off {
    /// The reason, for people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::ByDefault => "off by default; ONEPOD_ENABLE switches it on",
            Self::Disabled => "off by ONEPOD_DISABLE",
        }
    }
}

/// On which front-ends of a zone a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// On all.
    #[default]
    Any,
    /// On the one that leads.
    Leader,
}

/// How it is known that a service does its work.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// It says so itself, with `READY=1` to the socket in `NOTIFY_SOCKET`, see `sd_notify(3)`.
    Notify,
    /// This URL answers over HTTP to this method, with any status.
    Http(Method, String),
    /// This address takes a connection.
    Tcp(String),
    /// oned answers an authenticated call at this endpoint.
    XmlRpc(Endpoint),
    /// This file exists.
    File(PathBuf),
    /// Its own process holds a TCP connection to this address: for a service that listens nowhere.
    Connected(SocketAddr),
    /// Its own process listens on this TCP port: for a service that complains about connections that say nothing.
    Listening(u16),
}

/// Which table is read, and the mistakes found so far.
pub(super) struct Place<'a> {
    section: &'a str,
    name: &'a str,
    mistakes: &'a mut Vec<String>,
    found: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(section: &'a str, name: &'a str, mistakes: &'a mut Vec<String>) -> Self {
        Self {
            section,
            name,
            mistakes,
            found: false,
        }
    }

    fn mistake(&mut self, text: &str) {
        self.found = true;
        self.mistakes
            .push(format!("{}.{}.{text}", self.section, self.name));
    }

    fn check_name(&mut self) {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.name.is_empty() || !self.name.bytes().all(allowed) {
            self.mistake("*: a name has only a-z, 0-9 and -");
        }
    }

    fn check_absolute<'p>(&mut self, field: &str, paths: impl IntoIterator<Item = &'p PathBuf>) {
        for path in paths.into_iter().filter(|path| !path.is_absolute()) {
            self.mistake(&format!(
                "{field}: {:?} must be an absolute path",
                path.display().to_string()
            ));
        }
    }

    /// A time that is not zero.
    fn seconds(&mut self, field: &str, seconds: u64) -> Duration {
        if seconds == 0 {
            self.mistake(&format!("{field}: must be at least 1"));
        }
        Duration::from_secs(seconds)
    }

    fn program(&mut self, command: Vec<String>) -> Work {
        let mut command = command.into_iter();
        let path = PathBuf::from(command.next().unwrap_or_default());
        if !path.is_absolute() {
            self.mistake(&format!(
                "command: the program must be an absolute path, not {:?}",
                path.display().to_string()
            ));
        }
        Work::Program {
            path,
            arguments: command.collect(),
        }
    }

    fn program_or_builtin(&mut self, command: Option<Vec<String>>, name: Option<String>) -> Option<Work> {
        match (command, name) {
            (Some(command), None) => Some(self.program(command)),
            (None, Some(name)) => {
                if !builtin::NAMES.contains(&name.as_str()) {
                    let known = builtin::NAMES.join(", ");
                    self.mistake(&format!("builtin: there is no {name:?}, only {known}"));
                }
                Some(Work::Builtin(name))
            }
            _ => {
                self.mistake("command: exactly one of command and builtin is needed");
                None
            }
        }
    }

    /// The unit, unless a mistake was found.
    fn sound(&self, unit: Unit) -> Option<Unit> {
        (!self.found).then_some(unit)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    command: Vec<String>,
    installed: Option<PathBuf>,
    #[serde(default = "enabled")]
    enabled: bool,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    wants: Vec<String>,
    #[serde(default)]
    role: Role,
    #[serde(default)]
    uses_database: bool,
    #[serde(default)]
    essential: bool,
    readiness: RawReadiness,
    #[serde(default = "start_within")]
    start_within_seconds: u64,
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
pub(super) struct RawTask {
    command: Option<Vec<String>>,
    builtin: Option<String>,
    installed: Option<PathBuf>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    wants: Vec<String>,
    #[serde(default)]
    role: Role,
    #[serde(default)]
    essential: bool,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default = "task_timeout")]
    timeout_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTimer {
    command: Option<Vec<String>>,
    builtin: Option<String>,
    schedule: RawSchedule,
    only_if_not_empty: Option<PathBuf>,
    installed: Option<PathBuf>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    role: Role,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default = "timer_timeout")]
    timeout_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSchedule {
    daily: Option<String>,
    at_seconds: Option<BTreeSet<i64>>,
    every_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReadiness {
    notify: Option<bool>,
    http: Option<String>,
    /// Of http; GET where none is named.
    method: Option<String>,
    tcp: Option<String>,
    xmlrpc: Option<String>,
    file: Option<PathBuf>,
    connected: Option<String>,
    listening: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawStop {
    signal: String,
    timeout_seconds: u64,
    wait_for_process: Option<String>,
    wait_seconds: Option<u64>,
}

impl Default for RawStop {
    fn default() -> Self {
        Self {
            signal: "TERM".to_owned(),
            timeout_seconds: STOP_TIMEOUT,
            wait_for_process: None,
            wait_seconds: None,
        }
    }
}

impl RawStop {
    fn drain(&self, place: &mut Place<'_>) -> Option<Drain> {
        match (&self.wait_for_process, self.wait_seconds) {
            (None, None) => None,
            (Some(process), Some(seconds)) => {
                // Linux cuts longer names off, see comm in proc_pid_comm(5).
                if process.is_empty() || process.len() > 15 {
                    place.mistake("stop.wait_for_process: must have 1 to 15 bytes");
                }
                Some(Drain {
                    process: process.clone(),
                    timeout: place.seconds("stop.wait_seconds", seconds),
                })
            }
            _ => {
                place.mistake("stop: wait_for_process and wait_seconds must be set together");
                None
            }
        }
    }
}

fn enabled() -> bool {
    true
}

fn start_within() -> u64 {
    START_WITHIN
}

fn task_timeout() -> u64 {
    TASK_TIMEOUT
}

fn timer_timeout() -> u64 {
    TIMER_TIMEOUT
}

fn success_exit() -> BTreeSet<i32> {
    BTreeSet::from([0])
}

/// A service; none when it has mistakes, which are then recorded at its place.
pub(super) fn service(place: &mut Place<'_>, raw: RawService) -> Option<Unit> {
    place.check_name();
    let work = place.program(raw.command);
    place.check_absolute("installed", &raw.installed);
    place.check_absolute("logs", &raw.logs);
    place.check_absolute("remove_before_start", &raw.remove_before_start);
    let start_within = place.seconds("start_within_seconds", raw.start_within_seconds);
    let readiness = raw
        .readiness
        .resolve()
        .map_err(|text| place.mistake(&format!("readiness: {text}")))
        .ok();
    let stop_signal = stop_signal(&raw.stop.signal);
    if stop_signal.is_none() {
        place.mistake(&format!(
            "stop.signal: {:?} is none of TERM, INT, QUIT, HUP, USR1, USR2, KILL",
            raw.stop.signal
        ));
    }
    let drain = raw.stop.drain(place);
    let unit = Unit {
        name: place.name.into(),
        kind: Kind::Service {
            readiness: readiness?,
            start_within,
        },
        work,
        installed: raw.installed,
        off: (!raw.enabled).then_some(Off::ByDefault),
        after: raw.after,
        wants: raw.wants,
        role: raw.role,
        uses_database: raw.uses_database,
        essential: raw.essential,
        environment: raw.environment,
        stop_signal: stop_signal?,
        stop_timeout: Duration::from_secs(raw.stop.timeout_seconds),
        drain,
        success_exit: raw.success_exit,
        logs: raw.logs,
        remove_before_start: raw.remove_before_start,
    };
    place.sound(unit)
}

/// A task; none when it has mistakes, which are then recorded at its place.
pub(super) fn task(place: &mut Place<'_>, raw: RawTask) -> Option<Unit> {
    place.check_name();
    place.check_absolute("installed", &raw.installed);
    let timeout = place.seconds("timeout_seconds", raw.timeout_seconds);
    let work = place.program_or_builtin(raw.command, raw.builtin);
    let unit = Unit {
        kind: Kind::Task { timeout },
        installed: raw.installed,
        after: raw.after,
        wants: raw.wants,
        role: raw.role,
        essential: raw.essential,
        environment: raw.environment,
        ..short(place.name, work?)
    };
    place.sound(unit)
}

/// A timer; none when it has mistakes, which are then recorded at its place.
pub(super) fn timer(place: &mut Place<'_>, raw: RawTimer) -> Option<Unit> {
    place.check_name();
    place.check_absolute("installed", &raw.installed);
    place.check_absolute("only_if_not_empty", &raw.only_if_not_empty);
    let timeout = place.seconds("timeout_seconds", raw.timeout_seconds);
    let work = place.program_or_builtin(raw.command, raw.builtin);
    let schedule = raw
        .schedule
        .resolve()
        .map_err(|text| place.mistake(&format!("schedule: {text}")))
        .ok();
    let unit = Unit {
        kind: Kind::Timer {
            schedule: schedule?,
            timeout,
            only_if_not_empty: raw.only_if_not_empty,
        },
        installed: raw.installed,
        after: raw.after,
        role: raw.role,
        environment: raw.environment,
        ..short(place.name, work?)
    };
    place.sound(unit)
}

/// What tasks and timers have in common, which services.toml does not say.
fn short(name: &str, work: Work) -> Unit {
    Unit {
        name: name.into(),
        kind: Kind::Task {
            timeout: Duration::from_secs(TASK_TIMEOUT),
        },
        work,
        installed: None,
        off: None,
        after: Vec::new(),
        wants: Vec::new(),
        role: Role::Any,
        uses_database: false,
        essential: false,
        environment: BTreeMap::new(),
        stop_signal: Signal::TERM,
        stop_timeout: Duration::from_secs(STOP_TIMEOUT),
        drain: None,
        success_exit: success_exit(),
        logs: Vec::new(),
        remove_before_start: Vec::new(),
    }
}

impl RawSchedule {
    fn resolve(self) -> Result<Schedule, String> {
        match self {
            Self {
                daily: Some(time),
                at_seconds: None,
                every_seconds: None,
            } => Schedule::daily(&time),
            Self {
                daily: None,
                at_seconds: Some(seconds),
                every_seconds: None,
            } => Schedule::at_seconds(&seconds),
            Self {
                daily: None,
                at_seconds: None,
                every_seconds: Some(seconds),
            } => Schedule::every_seconds(seconds),
            _ => Err("exactly one of daily, at_seconds, every_seconds is needed".to_owned()),
        }
    }
}

impl RawReadiness {
    fn resolve(self) -> Result<Readiness, String> {
        let Self {
            notify,
            http,
            method,
            tcp,
            xmlrpc,
            file,
            connected,
            listening,
        } = self;
        if method.is_some() && http.is_none() {
            return Err("method belongs to http".to_owned());
        }
        let method = match method.as_deref() {
            None => Method::GET,
            Some("TRACE") => Method::TRACE,
            Some(other) => return Err(format!("method: {other:?} is not TRACE; without it, it is GET")),
        };
        let given = [
            notify.map(|yes| {
                if yes {
                    Ok(Readiness::Notify)
                } else {
                    Err("notify can only be true".to_owned())
                }
            }),
            http.map(|url| match url.strip_prefix("http://") {
                Some(rest) if !rest.is_empty() => Ok(Readiness::Http(method, url)),
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
            listening.map(|port| match port {
                0 => Err("listening: 0 is no port".to_owned()),
                port => Ok(Readiness::Listening(port)),
            }),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(only), None) => only,
            _ => Err(
                "exactly one of notify, http, tcp, xmlrpc, file, connected, listening is needed".to_owned(),
            ),
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
