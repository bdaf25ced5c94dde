//! Where an override goes: `NAME`, `VECTOR/KEY`, or `VECTOR[KEY=value]/KEY` for one of several vectors of a name;
//! `VECTOR[KEY=value]` is such a vector as a whole.
//!
//! Only the form is read here; whether the place exists is known when the file is edited.

use std::borrow::Cow;
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
        /// Which of the vectors.
        which: Chosen,
        /// The key.
        key: String,
    },
}

/// One of the vectors that share a name: the one in which a key has a certain value. Names are in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The vectors' name.
    pub vector: String,
    /// The key that selects one of them.
    pub selector: String,
    /// The value that it has there.
    pub value: String,
}

/// What a name in the file of overrides means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The place of one value.
    Value(Place),
    /// A vector as a whole.
    Vector(Chosen),
}

impl Chosen {
    /// Gives that vector these keys; where there is none, it is made.
    pub(super) fn put(&self, document: &mut Document, keys: &[(String, String)]) -> Result<(), EditError> {
        let keys: Vec<(&str, &str)> = keys
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        document.put_vector(&self.vector, &self.selector, &self.value, &keys)
    }

    /// A key of it.
    pub(super) fn key(&self, key: &str) -> Option<Place> {
        let key = name(key)?;
        Some(Place::KeyWhere {
            which: self.clone(),
            key,
        })
    }
}

impl Place {
    /// Writes a value there.
    pub fn set(&self, document: &mut Document, value: &str) -> Result<(), EditError> {
        match self {
            Self::Attribute(name) => document.set(name, value),
            Self::Key { vector, key } if document.contains(vector) => document.set_in(vector, key, value),
            Self::Key { vector, key } => document.add_vector(vector, &[(key, value)]),
            Self::KeyWhere { which, key } => {
                document.set_in_where(&which.vector, &which.selector, &which.value, key, value)
            }
        }
    }

    /// What stands there.
    #[must_use]
    pub fn get<'a>(&self, document: &'a Document) -> Option<Cow<'a, str>> {
        match self {
            Self::Attribute(name) => document.get(name),
            Self::Key { vector, key } => document.get_in(vector, key),
            Self::KeyWhere { which, key } => {
                document.get_in_where(&which.vector, &which.selector, &which.value, key)
            }
        }
    }

    /// Its name without the selection: `NAME` or `VECTOR/KEY`.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Attribute(name) => name.clone(),
            Self::Key { vector, key }
            | Self::KeyWhere {
                which: Chosen { vector, .. },
                key,
            } => format!("{vector}/{key}"),
        }
    }
}

impl FromStr for Target {
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
            Self::KeyWhere { which, key } => write!(f, "{which}/{key}"),
        }
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}={}]", self.vector, self.selector, self.value)
    }
}

fn read(text: &str) -> Option<Target> {
    let Some((vector, rest)) = text.split_once('[') else {
        return Some(Target::Value(match text.split_once('/') {
            Some((vector, key)) => Place::Key {
                vector: name(vector)?,
                key: name(key)?,
            },
            None => Place::Attribute(name(text)?),
        }));
    };
    let (selection, key) = match rest.rsplit_once("]/") {
        Some((selection, key)) if name(key).is_some() => (selection, Some(key)),
        _ => (rest.strip_suffix(']')?, None),
    };
    let (selector, value) = selection.split_once('=')?;
    let which = Chosen {
        vector: name(vector)?,
        selector: name(selector)?,
        value: value.to_owned(),
    };
    Some(match key {
        Some(key) => Target::Value(which.key(key)?),
        None => Target::Vector(which),
    })
}

fn name(text: &str) -> Option<String> {
    let valid = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then(|| text.to_ascii_uppercase())
}
