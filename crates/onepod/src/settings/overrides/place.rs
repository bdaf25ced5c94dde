//! Where an override goes: `NAME`, `VECTOR/KEY`, or `VECTOR[KEY=value]/KEY` for one of several vectors of a name.
//!
//! Only the form is read here; whether the place exists is known when the file is edited.

use std::fmt;
use std::str::FromStr;

use oned_conf::{Document, EditError};

/// A place in a file of OpenNebula's grammar. Names are in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A single attribute.
    Attribute(String),
    /// A key of a vector.
    Key {
        /// The vector's name.
        vector: String,
        /// The key.
        key: String,
    },
    /// A key of the vector in which another key has a certain value.
    KeyWhere {
        /// The vectors' name.
        vector: String,
        /// The key that selects one of them.
        selector: String,
        /// The value that it has there.
        chosen: String,
        /// The key.
        key: String,
    },
}

impl Place {
    /// Writes a value there.
    pub fn set(&self, document: &mut Document, value: &str) -> Result<(), EditError> {
        match self {
            Self::Attribute(name) => document.set(name, value),
            Self::Key { vector, key } => document.set_in(vector, key, value),
            Self::KeyWhere {
                vector,
                selector,
                chosen,
                key,
            } => document.set_in_where(vector, selector, chosen, key, value),
        }
    }

    /// Whether this is the attribute or key of that name (`NAME` or `VECTOR/KEY`), however it is selected.
    pub(super) fn concerns(&self, name: &str) -> bool {
        match self {
            Self::Attribute(attribute) => attribute == name,
            Self::Key { vector, key } | Self::KeyWhere { vector, key, .. } => {
                name.split_once('/') == Some((vector, key))
            }
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or_else(|| {
            format!("\"{text}\" is no place in the file: write NAME, VECTOR/KEY or VECTOR[KEY=value]/KEY")
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => f.write_str(name),
            Self::Key { vector, key } => write!(f, "{vector}/{key}"),
            Self::KeyWhere {
                vector,
                selector,
                chosen,
                key,
            } => {
                write!(f, "{vector}[{selector}={chosen}]/{key}")
            }
        }
    }
}

fn read(text: &str) -> Option<Place> {
    if let Some((vector, rest)) = text.split_once('[') {
        let (selection, key) = rest.rsplit_once("]/")?;
        let (selector, chosen) = selection.split_once('=')?;
        return Some(Place::KeyWhere {
            vector: name(vector)?,
            selector: name(selector)?,
            chosen: chosen.to_owned(),
            key: name(key)?,
        });
    }
    match text.split_once('/') {
        Some((vector, key)) => Some(Place::Key {
            vector: name(vector)?,
            key: name(key)?,
        }),
        None => Some(Place::Attribute(name(text)?)),
    }
}

fn name(text: &str) -> Option<String> {
    let valid = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then(|| text.to_ascii_uppercase())
}
