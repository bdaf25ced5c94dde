//! Where the parts of a parsed file lie: byte ranges of names and values in the text.
//!
//! Nothing here owns or decodes text; `document.rs` reads through these ranges, `edit.rs` splices at them.

use std::ops::Range;

/// One `NAME = …` of the file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: Range<usize>,
    pub(crate) value: Value,
}

impl Attribute {
    /// The offset behind the last byte of the value (the bracket of a vector included).
    pub(crate) fn end(&self) -> usize {
        match &self.value {
            Value::Single(scalar) => scalar.span.end,
            Value::Vector(vector) => vector.close + 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Single(Scalar),
    Vector(Vector),
}

/// A value as it stands in the text, quotes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) span: Range<usize>,
    pub(crate) form: Form,
}

impl Scalar {
    /// The bytes between the quotes, or all of an unquoted value; escapes are still in it.
    pub(crate) fn content(&self) -> Range<usize> {
        match self.form {
            Form::Quoted => self.span.start + 1..self.span.end - 1,
            Form::Bare | Form::Empty => self.span.clone(),
        }
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `"…"`
    Quoted,
    /// A run without blanks, `=`, `#`, `,`, brackets and newlines.
    Bare,
    /// Nothing between `=` and the end of the line; only single attributes may be written so.
    Empty,
}

/// `[ KEY = value, … ]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vector {
    /// Offset of `[`.
    pub(crate) open: usize,
    pub(crate) entries: Vec<Entry>,
    /// Offset of `]`.
    pub(crate) close: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Range<usize>,
    pub(crate) value: Scalar,
    /// Offset of the comma behind this entry; the last one has none.
    pub(crate) comma: Option<usize>,
}
