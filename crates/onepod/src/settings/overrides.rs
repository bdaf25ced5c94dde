//! Further values for OpenNebula's files: the file that `ONEPOD_CONFIG` names, a section for each of them.
//!
//! ```yaml
//! oned:
//!   MONITORING_INTERVAL_DATASTORE: 60
//!   DB/CONNECTIONS: 10
//!   VM_MAD[NAME=kvm]/ARGUMENTS: "-t 15 -r 0 kvm"
//!   VM_MAD[NAME=dummy]: { EXECUTABLE: one_vmm_dummy, TYPE: xml }
//!   USER_ENCRYPTED_ATTR: [SSH_PRIVATE_KEY, SSH_PASSPHRASE]
//! oneflow:
//!   wait_timeout: 60
//!   log/level: 3
//! fireedge:
//!   guacd: { host: guacd.example }
//! ```
//!
//! Pure: text in, values or every mistake out. What a setting of its own decides cannot be overridden here; values of
//! the keys in [`vendor`](super::vendor) must have their type. Whether a release has a key is asked later, where its
//! files are: `prepare/render.rs`.

use std::fmt;

use oned_conf::{Document, EditError};
use serde_json::{Map, Value};

mod attributes;
pub(crate) mod mask;
mod place;
mod tree;

pub use place::{Chosen, Place};
pub use tree::Leaf;
pub(crate) use tree::is_reserved;

use super::table::nearest_of;
use super::vendor::{self, File, Grammar};

/// What stands for a secret where values are shown.
pub const HIDDEN: &str = "***";

/// What the file says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    sections: Vec<Section>,
}

/// What it says about one of OpenNebula's files.
#[derive(Clone)]
pub struct Section {
    /// The file.
    pub file: &'static File,
    /// Values for a file of OpenNebula's own grammar, by name.
    pub attributes: Vec<Override>,
    /// Values for a YAML file, by path.
    pub leaves: Vec<Leaf>,
}

impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        (self.file.section, &self.attributes, &self.leaves)
            == (other.file.section, &other.attributes, &other.leaves)
    }
}

impl Eq for Section {}

/// One entry for a file of OpenNebula's own grammar. Values are without quotes.
#[derive(Clone, PartialEq, Eq)]
pub enum Override {
    /// One value.
    Value {
        /// Where it goes.
        place: Place,
        /// What goes there.
        value: String,
    },
    /// Every value of an attribute that is meant to be repeated.
    Values {
        /// The attribute.
        name: String,
        /// The values; others of that name go.
        values: Vec<String>,
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
            Self::Values { name, values } => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                document.set_all(name, &values)
            }
            Self::Vector { which, keys } => which.put(document, keys),
        }
    }

    /// Whether the document says so.
    #[must_use]
    pub fn holds_in(&self, document: &Document) -> bool {
        match self {
            Self::Values { name, values } => {
                let mut found: Vec<_> = document.get_all(name).collect();
                let mut wanted: Vec<&str> = values.iter().map(String::as_str).collect();
                found.sort();
                wanted.sort_unstable();
                wanted.dedup();
                found == wanted
            }
            _ => self
                .values()
                .iter()
                .all(|(place, value)| place.get(document).as_deref() == Some(*value)),
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
            _ => None,
        }
    }

    /// Each value with its place.
    #[must_use]
    pub fn values(&self) -> Vec<(Place, &str)> {
        match self {
            Self::Value { place, value } => vec![(place.clone(), value)],
            Self::Values { name, values } => values
                .iter()
                .map(|value| (Place::Attribute(name.clone()), value.as_str()))
                .collect(),
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

    /// The same with secrets hidden.
    fn masked(&self, file: &File) -> Self {
        let shown = |place: Option<Place>, value: &str| match place {
            Some(place) if is_secret(file, &place.plain()) => HIDDEN.to_owned(),
            _ => mask::without_secrets(value),
        };
        match self {
            Self::Value { place, value } => Self::Value {
                place: place.clone(),
                value: shown(Some(place.clone()), value),
            },
            Self::Values { name, values } => Self::Values {
                name: name.clone(),
                values: values.iter().map(|value| mask::without_secrets(value)).collect(),
            },
            Self::Vector { which, keys } => Self::Vector {
                which: which.clone(),
                keys: keys
                    .iter()
                    .map(|(key, value)| (key.clone(), shown(which.key(key), value)))
                    .collect(),
            },
        }
    }
}

/// The name under which it is given, with the letters in upper case.
impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { place, .. } => place.fmt(f),
            Self::Values { name, .. } => f.write_str(name),
            Self::Vector { which, .. } => which.fmt(f),
        }
    }
}

/// Without the value: it may be a secret.
impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Override({self})")
    }
}

/// Without the values: they may be secrets.
impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows().into_iter().map(|(place, _)| place);
        f.debug_list().entries(rows).finish()
    }
}

impl Overrides {
    /// Reads the file's text. The error is the list of its mistakes, a sentence each.
    pub fn parse(yaml: &str) -> Result<Self, Vec<String>> {
        if yaml
            .lines()
            .all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
        {
            return Ok(Self::default());
        }
        let given: Map<String, Value> =
            serde_saphyr::from_str(yaml).map_err(|error| vec![sentence(&error.to_string())])?;
        let mut mistakes = Vec::new();
        let mut sections: Vec<Section> = Vec::new();
        for file in vendor::FILES {
            match given.get(file.section) {
                None | Some(Value::Null) => {}
                Some(Value::Object(entries)) => {
                    let section = read_section(file, entries, &mut mistakes);
                    if !section.attributes.is_empty() || !section.leaves.is_empty() {
                        sections.push(section);
                    }
                }
                Some(_) => mistakes.push(format!("{}: \"NAME: value\" is expected below it", file.section)),
            }
        }
        for name in given.keys().filter(|name| vendor::file(name).is_none()) {
            mistakes.push(unknown_section(name));
        }
        if mistakes.is_empty() {
            Ok(Self { sections })
        } else {
            Err(mistakes)
        }
    }

    /// What it says, file by file; files about which it says nothing are left out.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// What it says about the file of that section.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.file.section == name)
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// File and place, value: for `onepod check`. Secrets are hidden.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        for section in self.masked().sections {
            let name = section.file.name();
            for one in &section.attributes {
                match one {
                    Override::Values {
                        name: attribute,
                        values,
                    } => {
                        rows.push((format!("{name} {attribute}"), values.join(", ")));
                    }
                    _ => rows.extend(
                        one.values()
                            .into_iter()
                            .map(|(place, value)| (format!("{name} {place}"), value.to_owned())),
                    ),
                }
            }
            rows.extend(
                section
                    .leaves
                    .iter()
                    .map(|leaf| (format!("{name} {}", leaf.name()), leaf.shown())),
            );
        }
        rows
    }

    /// Values that are secrets, and the passwords in URLs: for the log, which hides them.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let secret = |file: &File, name: &str, value: &str| {
            if is_secret(file, name) {
                Some(value.to_owned())
            } else {
                mask::password(value)
            }
        };
        let mut found = Vec::new();
        for section in &self.sections {
            let values = section.attributes.iter().flat_map(Override::values);
            found.extend(values.filter_map(|(place, value)| secret(section.file, &place.plain(), value)));
            let leaves = section.leaves.iter();
            found.extend(leaves.filter_map(|leaf| secret(section.file, &leaf.name(), leaf.value.as_str()?)));
        }
        found
    }

    /// The same with secrets hidden.
    #[must_use]
    pub fn masked(&self) -> Self {
        let sections = self.sections.iter().map(|section| Section {
            file: section.file,
            attributes: section
                .attributes
                .iter()
                .map(|one| one.masked(section.file))
                .collect(),
            leaves: section
                .leaves
                .iter()
                .map(|leaf| {
                    if is_secret(section.file, &leaf.name()) {
                        Leaf {
                            path: leaf.path.clone(),
                            value: HIDDEN.into(),
                        }
                    } else {
                        Leaf {
                            path: leaf.path.clone(),
                            value: mask::of_yaml(&leaf.value),
                        }
                    }
                })
                .collect(),
        });
        Self {
            sections: sections.collect(),
        }
    }
}

/// Whether the value of the key of that name is never shown.
fn is_secret(file: &File, name: &str) -> bool {
    match file.key(name) {
        Some(key) => key.secret,
        None => vendor::sounds_secret(name),
    }
}

fn read_section(file: &'static File, given: &Map<String, Value>, mistakes: &mut Vec<String>) -> Section {
    let mut section = Section {
        file,
        attributes: Vec::new(),
        leaves: Vec::new(),
    };
    match file.grammar {
        Grammar::Attributes => section.attributes = attributes::read(file, given, mistakes),
        Grammar::Symbols | Grammar::Yaml => section.leaves = tree::read(file, given, mistakes),
    }
    section
}

fn unknown_section(name: &str) -> String {
    let sections = || vendor::FILES.iter().map(|file| file.section);
    let lower = name.to_ascii_lowercase();
    let next = match nearest_of(&lower, sections()) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("there are {}", sections().collect::<Vec<_>>().join(", ")),
    };
    format!("there is no section {name:?}; {next}")
}

/// A value of the wrong type, in words.
fn wrong_type(file: &File, name: &str, given: &Value, expected: &str) -> String {
    let section = file.section;
    if is_secret(file, name) {
        return format!(
            "{section}: the value of {name} of {} is not {expected}",
            file.name()
        );
    }
    let hint = file.key(&plain_name(name)).and_then(|key| key.kind.hint(given));
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    let given = match given {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        Value::Null => "empty".to_owned(),
        Value::String(text) => format!("{:?}", mask::without_secrets(text)),
        Value::Number(number) => vendor::decimal(number),
        Value::Bool(switch) => switch.to_string(),
    };
    format!(
        "{section}: {name} of {} is {given}, and what it takes is {expected}{hint}",
        file.name()
    )
}

/// The name without the selection of a vector.
fn plain_name(name: &str) -> String {
    match name.parse() {
        Ok(place::Target::Value(place)) => place.plain(),
        _ => name.to_owned(),
    }
}

/// The YAML parser's message as one line without what is meant for programmers: its first line says what and where, the
/// others show the text.
fn sentence(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = line.split(", set DuplicateKeyPolicy").next().unwrap_or(line);
    line.replace("expected mapping start", "\"NAME: value\" is expected here")
        .replace(
            "cannot deserialize null into string; use Option<String>",
            "a name is expected here, in quotes if it is null",
        )
}

#[cfg(test)]
mod tests;
