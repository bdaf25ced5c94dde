//! services.toml: which services, tasks and timers there are and how each is run. Text in, checked types or every mistake
//! out.
//!
//! Reading one table stands in `config/unit.rs`, the order in `config/order.rs`, the look at the files of the image in
//! `config/verify.rs`. Deliberately absent: whether a unit is installed; that is known only when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use one_xmlrpc::Endpoint;
use serde::Deserialize;
use serde::de::DeserializeOwned;

mod order;
mod unit;
mod verify;

pub use unit::{Kind, Off, Readiness, Role, Unit, Work};

/// Time for all units together to stop, unless services.toml says otherwise: within the 30 s that Kubernetes gives a pod by
/// default.
const STOP_WITHIN: u64 = 25;

/// Every unit, in an order in which they can start.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) stop_within: Duration,
    pub(crate) units: Vec<Unit>,
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
    /// The image has not got what it names.
    #[error("{path}: what it names cannot be started:{}", numbered(.mistakes))]
    Missing {
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

    /// Reads and checks a file, and looks whether everything that is installed below `root` can be started.
    pub fn load_verified(path: &Path, root: &Path) -> Result<Self, ConfigError> {
        let config = Self::load(path)?;
        let mistakes = config.verify(root);
        if mistakes.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Missing {
            path: path.to_owned(),
            mistakes,
        })
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
        let mut units = Units::default();
        units.read("services", raw.services, unit::service);
        units.read("tasks", raw.tasks, unit::task);
        units.read("timers", raw.timers, unit::timer);
        let mut mistakes = units.mistakes;
        if mistakes.is_empty() {
            match order::in_order(&units.by_name) {
                Ok(units) => {
                    return Ok(Self {
                        stop_within: Duration::from_secs(raw.stop_within_seconds),
                        units,
                    });
                }
                Err(found) => mistakes = found,
            }
        }
        Err(ConfigError::Mistakes { path, mistakes })
    }

    /// The same with this time for all units to stop, where one is given.
    #[must_use]
    pub fn with_stop_timeout(self, stop_timeout: Option<Duration>) -> Self {
        Self {
            stop_within: stop_timeout.unwrap_or(self.stop_within),
            ..self
        }
    }

    /// The same with these units switched on, where services.toml leaves them off, and those switched off.
    #[must_use]
    pub fn with_switches(mut self, enabled: &BTreeSet<String>, disabled: &BTreeSet<String>) -> Self {
        for unit in &mut self.units {
            if disabled.contains(&*unit.name) {
                unit.off = Some(Off::Disabled);
            } else if enabled.contains(&*unit.name) {
                unit.off = None;
            }
        }
        self
    }

    /// The names of all services, tasks and timers, in an order in which they can start.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.units.iter().map(|unit| &*unit.name).collect()
    }

    /// Where oned answers: the address of the first probe that asks it.
    #[must_use]
    pub fn oned(&self) -> Option<Endpoint> {
        self.units.iter().find_map(|unit| match &unit.kind {
            Kind::Service {
                readiness: Readiness::XmlRpc(endpoint),
                ..
            } => Some(endpoint.clone()),
            _ => None,
        })
    }

    /// Looks whether everything that is installed below `root` can be started as the file says: each program and each
    /// interpreter is there and may be executed. A sentence for each that cannot.
    #[must_use]
    pub fn verify(&self, root: &Path) -> Vec<String> {
        self.units
            .iter()
            .flat_map(|unit| verify::verify(unit, root))
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(default = "stop_within")]
    stop_within_seconds: u64,
    #[serde(default)]
    services: BTreeMap<String, toml::Value>,
    #[serde(default)]
    tasks: BTreeMap<String, toml::Value>,
    #[serde(default)]
    timers: BTreeMap<String, toml::Value>,
}

fn stop_within() -> u64 {
    STOP_WITHIN
}

/// What was read so far.
#[derive(Default)]
struct Units {
    by_name: BTreeMap<String, Unit>,
    mistakes: Vec<String>,
}

impl Units {
    /// Reads the tables of one section.
    fn read<T: DeserializeOwned>(
        &mut self,
        section: &str,
        tables: BTreeMap<String, toml::Value>,
        resolve: fn(&mut unit::Place<'_>, T) -> Option<Unit>,
    ) {
        for (name, table) in tables {
            let mut place = unit::Place::new(section, &name, &mut self.mistakes);
            match T::deserialize(table) {
                Ok(raw) => {
                    if let Some(unit) = resolve(&mut place, raw)
                        && self.by_name.insert(name.clone(), unit).is_some()
                    {
                        let twice = format!("{section}.{name}: another section has this name too");
                        self.mistakes.push(twice);
                    }
                }
                Err(error) => self
                    .mistakes
                    .push(format!("{section}.{name}: {}", error.message())),
            }
        }
    }
}

#[cfg(test)]
mod tests;
