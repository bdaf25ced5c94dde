//! What can be wrong with a file, with a value, and with an edit; each says where and why.
//!
//! No error carries a value: files of this grammar hold database passwords.

/// A file that OpenNebula would refuse, or would read otherwise than it looks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParseError {
    line: usize,
    kind: ParseErrorKind,
}

impl ParseError {
    pub(crate) fn at(text: &[u8], offset: usize, kind: ParseErrorKind) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let newlines = before.split(|byte| *byte == b'\n').count();
        Self { line: newlines, kind }
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// What is wrong there.
    #[must_use]
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }
}

/// The reasons why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A NUL byte, at which OpenNebula ends the value.
    #[error("there is a NUL byte")]
    Nul,
    /// A carriage return outside quotes; OpenNebula takes it for a part of the value.
    #[error("there is a carriage return outside quotes: lines must end in a newline alone")]
    CarriageReturn,
    /// A comment that the file ends in the middle of.
    #[error("the last line is a comment without its newline: OpenNebula would read its words as settings")]
    UnfinishedComment,
    /// `]]>` in the line of a value.
    #[error(
        "`]]>` stands in the line of {name}'s value: OpenNebula stops reading there and uses defaults for \
         everything below, without an error"
    )]
    CutsTheRest {
        /// The attribute or key whose value it is.
        name: String,
    },
    /// A character where a name must stand.
    #[error("{0:?} stands where a name is expected")]
    Unexpected(char),
    /// A word without `=`. It is not shown: it may be the second word of a password without quotes.
    #[error("a word is not followed by `=` (a value with a blank needs double quotes)")]
    ExpectedEquals,
    /// The file ends where a value is expected.
    #[error("{name} has no value and its line does not end")]
    MissingValue {
        /// The attribute or key.
        name: String,
    },
    /// One of `= # , ]` where a value must begin.
    #[error(
        "{found:?} stands where the value of {name} begins: OpenNebula skips it and takes what follows for the \
         value"
    )]
    MisplacedCharacter {
        /// The attribute or key.
        name: String,
        /// The character.
        found: char,
    },
    /// `KEY =` at the end of a line inside a vector.
    #[error("{key} has no value: inside a vector an empty value is written \"\"")]
    EmptyInVector {
        /// The key.
        key: String,
    },
    /// A vector inside a vector.
    #[error("{key} begins a vector inside a vector")]
    NestedVector {
        /// The key.
        key: String,
    },
    /// A comma before the closing bracket.
    #[error("the vector {vector} has a comma behind its last value")]
    TrailingComma {
        /// The vector.
        vector: String,
    },
    /// Two keys without a comma, or something else behind a value.
    #[error(
        "`,` or `]` is expected behind the value of {key} in {vector} (a value with a blank needs double quotes)"
    )]
    ExpectedComma {
        /// The vector.
        vector: String,
        /// The key whose value stands before.
        key: String,
    },
    /// The file ends inside a vector.
    #[error("the vector {vector} is not closed")]
    UnclosedVector {
        /// The vector.
        vector: String,
    },
}

/// A value that cannot be written in this grammar so that OpenNebula reads it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inexpressible {
    /// `\` at the end of a value that needs quotes: `\"` is an escaped quote, so the value would not end.
    #[error(
        "it ends in a backslash and has characters that need quotes: the backslash would escape the closing quote"
    )]
    TrailingBackslash,
    /// `]]>` cuts the rest of the file.
    #[error("it contains `]]>`, at which OpenNebula stops reading the file")]
    CdataEnd,
    /// NUL ends a value.
    #[error("it contains a NUL byte")]
    Nul,
}

/// An edit that was not made; the document is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The grammar has no way to write the value.
    #[error("the value of {place} cannot be written: {reason}")]
    Inexpressible {
        /// `NAME` or `VECTOR/KEY`.
        place: String,
        /// Why.
        #[source]
        reason: Inexpressible,
    },
    /// Not letters, digits and underscores.
    #[error("`{0}` is no name: letters, digits and underscores only")]
    Name(String),
    /// The first attribute of that name is a vector, and OpenNebula looks no further.
    #[error("{0} is a vector: name one of its keys")]
    IsVector(String),
    /// The first attribute of that name is a single value, and OpenNebula looks no further.
    #[error("{0} is a single value and has no keys")]
    IsSingle(String),
    /// No such vector. A new one would replace OpenNebula's default vector as a whole, so that is never done in
    /// passing: see [`crate::Document::add_vector`].
    #[error("there is no vector {0}")]
    NoVector(String),
    /// None of the repeated vectors has the key with the value asked for.
    #[error("there is no vector {vector} whose {key} is the one asked for{present}")]
    NoSuchVector {
        /// The vectors' name.
        vector: String,
        /// The key that selects one.
        key: String,
        /// Which ones there are, in words; only when the key is `NAME`.
        present: String,
    },
    /// [`crate::Document::add_vector`] for a name that is taken.
    #[error("{0} is there already: a second one would have no effect, the first wins")]
    Exists(String),
    /// One key twice in what [`crate::Document::put_vector`] shall write.
    #[error("{0} is given twice")]
    KeyTwice(String),
    /// What [`crate::Document::put_vector`] shall write would choose another vector.
    #[error("{0} chooses the vector and cannot get another value")]
    OtherSelector(String),
    /// The text around the value would be read otherwise after the edit.
    #[error("changing {place} would change how OpenNebula reads the text around it")]
    Interferes {
        /// `NAME` or `VECTOR/KEY`.
        place: String,
    },
}
