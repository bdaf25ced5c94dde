//! Further values for oned.conf and monitord.conf: the file that `ONEPOD_CONFIG` names.
//!
//! ```yaml
//! oned:
//!   MONITORING_INTERVAL_DATASTORE: 60
//!   DB/CONNECTIONS: 10
//!   VM_MAD[NAME=kvm]/ARGUMENTS: "-t 15 -r 0 kvm"
//! monitord:
//!   PROBES_PERIOD/BEACON_HOST: 60
//! ```
//!
//! Pure: text in, values or every mistake out. What a setting of its own decides cannot be overridden here, and
//! whether OpenNebula knows a name or a value is not asked. `prepare/render.rs` writes the values.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Number, Value};

mod place;

pub use place::Place;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    oned: Vec<Override>,
    monitord: Vec<Override>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Where it goes.
    pub place: Place,
    /// The value, without quotes.
    pub value: String,
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
            let row = |item: &Override| (format!("{file} {}", item.place), item.value.clone());
            part.iter().map(row).collect::<Vec<_>>()
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
            Ok(one) if read.iter().any(|other| other.place == one.place) => {
                mistakes.push(format!(
                    "{file}: {} is given twice (case does not count)",
                    one.place
                ));
            }
            Ok(one) => read.push(one),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    read
}

fn read_one(file: &str, key: &str, value: &Value) -> Result<Override, String> {
    let place: Place = key.parse().map_err(|reason| format!("{file}: {reason}"))?;
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
                "{file}: {place} is neither text nor a number (the keys of a vector are written VECTOR/KEY)"
            ));
        }
    };
    oned_conf::check_value(&value)
        .map_err(|reason| format!("{file}: {place} cannot be written: {reason}"))?;
    Ok(Override { place, value })
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
