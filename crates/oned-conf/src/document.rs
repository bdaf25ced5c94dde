//! A parsed file: the text as it was read, and the values that OpenNebula would take from it.
//!
//! Edits are in `edit.rs`.

use std::borrow::Cow;
use std::fmt;

use crate::error::{ParseError, ParseErrorKind};
use crate::parse;
use crate::syntax::{Attribute, Scalar, Value, Vector};
use crate::value::decode;

/// A file of OpenNebula's configuration grammar, byte for byte.
///
/// Names are compared without regard to case. The getters return what takes effect: the first attribute of a name
/// and the first key of a vector win (OpenNebula 7.0.2: `include/Template.h`, `src/parsers/template_syntax.y`).
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    pub(crate) text: String,
    pub(crate) attributes: Vec<Attribute>,
}

/// What an attribute holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Content<'a> {
    /// `NAME = value`
    Single(Cow<'a, str>),
    /// `NAME = [ KEY = value, … ]`, with the keys as they are written.
    Vector(Vec<(&'a str, Cow<'a, str>)>),
}

impl Document {
    /// Reads a file.
    ///
    /// Fails, with the line and the reason, where OpenNebula would refuse the file and where it would silently
    /// read something else than what stands there.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, ParseError> {
        let bytes = text.as_ref();
        let text = std::str::from_utf8(bytes)
            .map_err(|error| ParseError::at(bytes, error.valid_up_to(), ParseErrorKind::NotUtf8))?;
        Self::from_text(text.to_owned())
    }

    pub(crate) fn from_text(text: String) -> Result<Self, ParseError> {
        let attributes = parse::attributes(&text)?;
        Ok(Self { text, attributes })
    }

    /// The text: what was read, with the edits made since.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.text.clone().into_bytes()
    }

    /// The value of a single attribute; none when the name is absent or its first attribute is a vector.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        match &self.first(name)?.1.value {
            Value::Single(scalar) => Some(self.read(scalar)),
            Value::Vector(_) => None,
        }
    }

    /// All values of a single attribute that is meant to be repeated (`VM_RESTRICTED_ATTR`), in order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.named(name)
            .filter_map(|(_, attribute)| match &attribute.value {
                Value::Single(scalar) => Some(self.read(scalar)),
                Value::Vector(_) => None,
            })
    }

    /// A key of a vector; none when the first attribute of that name is not a vector or has no such key.
    #[must_use]
    pub fn get_in(&self, vector: &str, key: &str) -> Option<Cow<'_, str>> {
        match &self.first(vector)?.1.value {
            Value::Vector(vector) => self.read_key(vector, key),
            Value::Single(_) => None,
        }
    }

    /// A key of the first of the repeated vectors whose `selector_key` has the value `selector_value`.
    #[must_use]
    pub fn get_in_where(
        &self,
        vector: &str,
        selector_key: &str,
        selector_value: &str,
        key: &str,
    ) -> Option<Cow<'_, str>> {
        let (_, vector) = self.selected(vector, selector_key, selector_value)?;
        self.read_key(vector, key)
    }

    /// Everything in the file, in its order: names as they are written, also those that take no effect because the same
    /// name was there before.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, Content<'_>)> {
        self.attributes.iter().map(|attribute| {
            let content = match &attribute.value {
                Value::Single(scalar) => Content::Single(self.read(scalar)),
                Value::Vector(vector) => Content::Vector(
                    vector
                        .entries
                        .iter()
                        .map(|entry| (&self.text[entry.key.clone()], self.read(&entry.value)))
                        .collect(),
                ),
            };
            (self.name(attribute), content)
        })
    }

    /// Whether an attribute of that name is there, in either form.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    pub(crate) fn name(&self, attribute: &Attribute) -> &str {
        &self.text[attribute.name.clone()]
    }

    pub(crate) fn read(&self, scalar: &Scalar) -> Cow<'_, str> {
        decode(&self.text[scalar.content()])
    }

    /// The index of the entry that takes effect.
    pub(crate) fn key_index(&self, vector: &Vector, key: &str) -> Option<usize> {
        vector
            .entries
            .iter()
            .position(|entry| self.text[entry.key.clone()].eq_ignore_ascii_case(key))
    }

    pub(crate) fn read_key(&self, vector: &Vector, key: &str) -> Option<Cow<'_, str>> {
        let index = self.key_index(vector, key)?;
        Some(self.read(&vector.entries.get(index)?.value))
    }

    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = (usize, &Attribute)> {
        self.attributes
            .iter()
            .enumerate()
            .filter(move |(_, attribute)| self.name(attribute).eq_ignore_ascii_case(name))
    }

    pub(crate) fn first(&self, name: &str) -> Option<(usize, &Attribute)> {
        self.named(name).next()
    }

    pub(crate) fn vectors(&self, name: &str) -> impl Iterator<Item = (usize, &Vector)> {
        self.named(name)
            .filter_map(|(index, attribute)| match &attribute.value {
                Value::Vector(vector) => Some((index, vector)),
                Value::Single(_) => None,
            })
    }

    pub(crate) fn selected(&self, name: &str, key: &str, value: &str) -> Option<(usize, &Vector)> {
        self.vectors(name)
            .find(|(_, vector)| self.read_key(vector, key).is_some_and(|found| found == value))
    }
}

impl fmt::Display for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Without the values: one may be a database password.
impl fmt::Debug for Content<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(_) => formatter.write_str("Single"),
            Self::Vector(entries) => {
                let keys = entries.iter().map(|(key, _)| key);
                formatter.write_str("Vector ")?;
                formatter.debug_list().entries(keys).finish()
            }
        }
    }
}

/// Without the text: it may hold a database password.
impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Document")
            .field("bytes", &self.text.len())
            .field("attributes", &self.attributes.len())
            .finish()
    }
}
