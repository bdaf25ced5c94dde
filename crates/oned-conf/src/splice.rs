//! Putting new text in and reading it again.
//!
//! Every edit is checked before it counts: unless the new text says exactly what the old one said with that one
//! change, the document stays unchanged and the edit is an error. So an edit is right or it is not made, however
//! odd the text around it.

use std::borrow::Cow;
use std::ops::Range;

use crate::document::{Content, Document};
use crate::error::EditError;
use crate::placement::Insertion;

/// Text in the place of a range.
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Splice {
    pub(crate) fn delete(range: Range<usize>) -> Self {
        Self {
            range,
            text: String::new(),
        }
    }
}

impl From<Insertion> for Splice {
    fn from(insertion: Insertion) -> Self {
        Self {
            range: insertion.at..insertion.at,
            text: insertion.text,
        }
    }
}

/// What one attribute says.
#[derive(PartialEq, Eq)]
pub(crate) struct Reading<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Content<'a>,
}

impl<'a> Reading<'a> {
    /// The keys of a vector and their values.
    pub(crate) fn keys(&mut self) -> Option<&mut Vec<(&'a str, Cow<'a, str>)>> {
        match &mut self.value {
            Content::Vector(keys) => Some(keys),
            Content::Single(_) => None,
        }
    }
}

impl Document {
    /// The document with the splices made, provided that it reads as expected.
    pub(crate) fn checked(
        &self,
        mut splices: Vec<Splice>,
        expected: &[Reading<'_>],
        place: &str,
    ) -> Result<Self, EditError> {
        splices.sort_by_key(|splice| splice.range.start);
        let mut text = String::with_capacity(self.text.len() + 64);
        let mut from = 0;
        for splice in &splices {
            text.push_str(&self.text[from..splice.range.start.max(from)]);
            text.push_str(&splice.text);
            from = splice.range.end.max(from);
        }
        text.push_str(&self.text[from..]);
        let interferes = || EditError::Interferes {
            place: place.to_owned(),
        };
        let document = Self::from_text(text).map_err(|_| interferes())?;
        if document.readings() == expected {
            Ok(document)
        } else {
            Err(interferes())
        }
    }

    /// Everything that the text says, in its order.
    pub(crate) fn readings(&self) -> Vec<Reading<'_>> {
        self.attributes()
            .map(|(name, value)| Reading { name, value })
            .collect()
    }
}
