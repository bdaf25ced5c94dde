//! Further values for oned.conf and monitord.conf: the file that `ONEPOD_CONFIG` names.
//!
//! ```yaml
//! oned:
//!   MONITORING_INTERVAL_DATASTORE: 60
//!   DB/CONNECTIONS: 10
//!   VM_MAD[NAME=kvm]/ARGUMENTS: "-t 15 -r 0 kvm"
//!   VM_MAD[NAME=dummy]: { EXECUTABLE: one_vmm_dummy, TYPE: xml }
//! monitord:
//!   PROBES_PERIOD/BEACON_HOST: 60
//! ```
//!
//! Pure: text in, values or every mistake out. What a setting of its own decides cannot be overridden here, and
//! whether OpenNebula knows a name or a value is not asked. `prepare/render.rs` writes the values.

use std::collections::BTreeMap;
use std::fmt;

use oned_conf::{Document, EditError};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

mod place;

use place::Target;
pub use place::{Chosen, Place};

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    oned: Vec<Override>,
    monitord: Vec<Override>,
}

/// One entry of the file. Values are without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Override {
    /// One value.
    Value {
        /// Where it goes.
        place: Place,
        /// What goes there.
        value: String,
    },
    /// A vector that is defined, or completed where it is there already.
    Vector {
        /// Which one.
        which: Chosen,
        /// Its keys, in upper case, and their values.
        keys: Vec<(String, String)>,
    },
}

impl Override {
    /// Writes it.
    pub fn set(&self, document: &mut Document) -> Result<(), EditError> {
        match self {
            Self::Value { place, value } => place.set(document, value),
            Self::Vector { which, keys } => which.put(document, keys),
        }
    }

    /// The vector whose definition would help when it is missing.
    #[must_use]
    pub fn vector(&self) -> Option<&Chosen> {
        match self {
            Self::Value {
                place: Place::KeyWhere { which, .. },
                ..
            } => Some(which),
            Self::Value { .. } | Self::Vector { .. } => None,
        }
    }

    /// Each value with its place.
    fn values(&self) -> Vec<(Place, &str)> {
        match self {
            Self::Value { place, value } => vec![(place.clone(), value)],
            Self::Vector { which, keys } => keys
                .iter()
                .filter_map(|(key, value)| Some((which.key(key)?, value.as_str())))
                .collect(),
        }
    }

    /// The first of its places that another entry has too.
    fn shared_with(&self, others: &[Self]) -> Option<Place> {
        let mut places = self.values().into_iter().map(|(place, _)| place);
        places.find(|place| {
            others
                .iter()
                .any(|other| other.values().iter().any(|(taken, _)| taken == place))
        })
    }
}

/// The name under which it is given, with the letters in upper case.
impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { place, .. } => place.fmt(f),
            Self::Vector { which, .. } => which.fmt(f),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    oned: Option<BTreeMap<String, Value>>,
    monitord: Option<BTreeMap<String, Value>>,
}

/// Places that a setting or the image decides, and what to use instead.
const DECIDED: [(&str, &str, &str); 11] = [
    ("oned", "HOSTNAME", "use OPENNEBULA_HOSTNAME"),
    (
        "oned",
        "PORT",
        "the services of the pod and its probes reach the API at 2633",
    ),
    ("oned", "LOG/SYSTEM", "oned's log goes to the pod's log"),
    ("oned", "DB/BACKEND", "use DB_BACKEND"),
    ("oned", "DB/SERVER", "use DB_HOST"),
    ("oned", "DB/PORT", "use DB_PORT"),
    ("oned", "DB/USER", "use DB_USER"),
    ("oned", "DB/PASSWD", "use DB_PASSWORD or DB_PASSWORD_FILE"),
    ("oned", "DB/DB_NAME", "use DB_NAME"),
    (
        "monitord",
        "NETWORK/MONITOR_ADDRESS",
        "use OPENNEBULA_MONITOR_ADDRESS",
    ),
    (
        "monitord",
        "LOG/SYSTEM",
        "the pod's log follows the file that monitord writes",
    ),
];

impl Overrides {
    /// Reads the file's text. The error is the list of its mistakes, a sentence each.
    pub fn parse(yaml: &str) -> Result<Self, Vec<String>> {
        if yaml
            .lines()
            .all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
        {
            return Ok(Self::default());
        }
        let raw: Raw = serde_saphyr::from_str(yaml).map_err(|error| vec![sentence(&error.to_string())])?;
        let mut mistakes = Vec::new();
        let overrides = Self {
            oned: read_part("oned", raw.oned, &mut mistakes),
            monitord: read_part("monitord", raw.monitord, &mut mistakes),
        };
        if mistakes.is_empty() {
            Ok(overrides)
        } else {
            Err(mistakes)
        }
    }

    /// Values for oned.conf, by name.
    #[must_use]
    pub fn oned(&self) -> &[Override] {
        &self.oned
    }

    /// Values for monitord.conf, by name.
    #[must_use]
    pub fn monitord(&self) -> &[Override] {
        &self.monitord
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.oned.is_empty() && self.monitord.is_empty()
    }

    /// File and place, value: for `onepod check`.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, String)> {
        let rows = |file: &'static str, part: &[Override]| {
            let row = |(place, value): (Place, &str)| (format!("{file} {place}"), value.to_owned());
            part.iter()
                .flat_map(Override::values)
                .map(row)
                .collect::<Vec<_>>()
        };
        [
            rows("oned.conf", &self.oned),
            rows("monitord.conf", &self.monitord),
        ]
        .concat()
    }
}

/// The YAML parser's message as one line without what is meant for programmers: its first line says what and where, the
/// others show the text.
fn sentence(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = line.split(", set DuplicateKeyPolicy").next().unwrap_or(line);
    line.replace("expected mapping start", "\"NAME: value\" is expected here")
}

fn read_part(file: &str, part: Option<BTreeMap<String, Value>>, mistakes: &mut Vec<String>) -> Vec<Override> {
    let mut read: Vec<Override> = Vec::new();
    for (key, value) in part.unwrap_or_default() {
        match read_one(file, &key, &value) {
            Ok(one) => match one.shared_with(&read) {
                Some(place) => {
                    mistakes.push(format!("{file}: {place} is given twice (case does not count)"));
                }
                None => read.push(one),
            },
            Err(found) => mistakes.extend(found),
        }
    }
    read
}

fn read_one(file: &str, key: &str, value: &Value) -> Result<Override, Vec<String>> {
    let target = key
        .parse()
        .map_err(|reason: String| vec![format!("{file}: {reason}")])?;
    match (target, value) {
        (Target::Value(place), value) => match read_value(file, &place, value) {
            Ok(value) => Ok(Override::Value { place, value }),
            Err(mistake) => Err(vec![mistake]),
        },
        (Target::Vector(which), Value::Object(keys)) if !keys.is_empty() => read_vector(file, which, keys),
        (Target::Vector(which), _) => Err(vec![format!(
            "{file}: {which} is a vector: give it a map of its keys, {{KEY: value}}, or write {which}/KEY for one of them"
        )]),
    }
}

fn read_vector(file: &str, which: Chosen, given: &Map<String, Value>) -> Result<Override, Vec<String>> {
    let (mut keys, mut mistakes) = (Vec::<(String, String)>::new(), Vec::new());
    if let Err(reason) = oned_conf::check_value(&which.value) {
        mistakes.push(format!("{file}: {which} cannot be written: {reason}"));
    }
    for (key, value) in given {
        let Some(place) = which.key(key) else {
            mistakes.push(format!(
                "{file}: {which} has \"{key}\", and keys have only letters, digits and underscores"
            ));
            continue;
        };
        let key = key.to_ascii_uppercase();
        match read_value(file, &place, value) {
            Err(mistake) => mistakes.push(mistake),
            Ok(value) if key == which.selector => {
                if value != which.value {
                    mistakes.push(format!(
                        "{file}: {place} is \"{value}\", but the vector's name says \"{}\"",
                        which.value
                    ));
                }
            }
            Ok(_) if keys.iter().any(|(other, _)| *other == key) => {
                mistakes.push(format!("{file}: {place} is given twice (case does not count)"));
            }
            Ok(value) => keys.push((key, value)),
        }
    }
    if mistakes.is_empty() {
        Ok(Override::Vector { which, keys })
    } else {
        Err(mistakes)
    }
}

fn read_value(file: &str, place: &Place, value: &Value) -> Result<String, String> {
    let decided = DECIDED
        .iter()
        .find(|(of, name, _)| *of == file && place.concerns(name));
    if let Some((_, _, instead)) = decided {
        return Err(format!("{file}: {place} cannot be set here: {instead}"));
    }
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => decimal(number),
        Value::Bool(_) => {
            return Err(format!(
                "{file}: {place} is true or false to YAML, and OpenNebula has words for that: write \"YES\" or \
                 \"NO\", in quotes"
            ));
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(format!(
                "{file}: {place} is neither text nor a number (the keys of a vector are written VECTOR/KEY, a vector \
                 that is one of several VECTOR[KEY=value])"
            ));
        }
    };
    oned_conf::check_value(&value)
        .map_err(|reason| format!("{file}: {place} cannot be written: {reason}"))?;
    Ok(value)
}

/// The number without an exponent: Helm prints a large one as 2.5e+06.
fn decimal(number: &Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (None, Some(float)) => format!("{float}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests;
