//! From text to byte ranges.
//!
//! Follows OpenNebula's scanner and grammar (7.0.2, `src/parsers/template_parser.l` and `template_syntax.y`) where
//! they read what stands there, and refuses where they skip, cut or misread without a word: stray characters,
//! `]]>`, a comment in the place of a value, a last comment without its newline. It accepts nothing that
//! OpenNebula refuses.

use std::ops::Range;

use crate::error::{ParseError, ParseErrorKind};
use crate::syntax::{Attribute, Entry, Form, Scalar, Value, Vector};
use crate::value::ends_bare;

/// Reads a whole file.
pub(crate) fn attributes(text: &str) -> Result<Vec<Attribute>, ParseError> {
    if let Some(offset) = text.bytes().position(|byte| byte == 0) {
        return Err(ParseError::at(text.as_bytes(), offset, ParseErrorKind::Nul));
    }
    let cuts = text.match_indices("]]>").map(|(offset, _)| offset).collect();
    let mut parser = Parser { text, at: 0, cuts };
    let mut attributes = Vec::new();
    parser.skip_trivia()?;
    while parser.peek().is_some() {
        attributes.push(parser.attribute()?);
        parser.skip_trivia()?;
    }
    Ok(attributes)
}

/// What begins behind an `=`.
enum Begun {
    Scalar(Scalar),
    /// The offset of `[`; it has been passed.
    Vector(usize),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Offsets of every `]]>`, ascending.
    cuts: Vec<usize>,
}

impl Parser<'_> {
    fn attribute(&mut self) -> Result<Attribute, ParseError> {
        let name = self.name()?;
        self.equals(&name)?;
        let value = match self.value(&name)? {
            Begun::Scalar(scalar) => Value::Single(scalar),
            Begun::Vector(open) => Value::Vector(self.vector(open, &name)?),
        };
        Ok(Attribute { name, value })
    }

    fn vector(&mut self, open: usize, name: &Range<usize>) -> Result<Vector, ParseError> {
        let mut entries = Vec::new();
        loop {
            self.skip_trivia()?;
            match self.peek() {
                None => return Err(self.unclosed(open, name)),
                Some(b']') if entries.is_empty() => break,
                Some(b']') => {
                    let vector = self.slice(name);
                    return Err(self.error(self.at, ParseErrorKind::TrailingComma { vector }));
                }
                Some(_) => {}
            }
            let mut entry = self.entry()?;
            self.skip_trivia()?;
            let comma = self.peek() == Some(b',');
            if comma {
                entry.comma = Some(self.at);
                self.at += 1;
            }
            let key = entry.key.clone();
            entries.push(entry);
            match self.peek() {
                _ if comma => {}
                Some(b']') => break,
                None => return Err(self.unclosed(open, name)),
                Some(_) => {
                    let kind = ParseErrorKind::ExpectedComma {
                        vector: self.slice(name),
                        key: self.slice(&key),
                    };
                    return Err(self.error(self.at, kind));
                }
            }
        }
        let close = self.at;
        self.at += 1;
        Ok(Vector { open, entries, close })
    }

    fn entry(&mut self) -> Result<Entry, ParseError> {
        let key = self.name()?;
        self.equals(&key)?;
        let start = self.at;
        match self.value(&key)? {
            Begun::Vector(_) => {
                let key = self.slice(&key);
                Err(self.error(start, ParseErrorKind::NestedVector { key }))
            }
            Begun::Scalar(scalar) if scalar.form == Form::Empty => {
                let key = self.slice(&key);
                Err(self.error(start, ParseErrorKind::EmptyInVector { key }))
            }
            Begun::Scalar(value) => Ok(Entry {
                key,
                value,
                comma: None,
            }),
        }
    }

    fn name(&mut self) -> Result<Range<usize>, ParseError> {
        let start = self.at;
        let length = self.run(start, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if length == 0 {
            let kind = match self.character(start) {
                '\r' => ParseErrorKind::CarriageReturn,
                other => ParseErrorKind::Unexpected(other),
            };
            return Err(self.error(start, kind));
        }
        self.at += length;
        Ok(start..self.at)
    }

    /// Passes `=` and the blanks behind it.
    fn equals(&mut self, name: &Range<usize>) -> Result<(), ParseError> {
        self.skip_trivia()?;
        if self.peek() != Some(b'=') {
            let kind = match self.peek() {
                Some(b'\r') => ParseErrorKind::CarriageReturn,
                _ => ParseErrorKind::ExpectedEquals,
            };
            return Err(self.error(name.start, kind));
        }
        self.at += 1;
        self.at += self.run(self.at, is_blank);
        Ok(())
    }

    /// Reads what OpenNebula's scanner takes for the value: of the forms that match here, the longest.
    fn value(&mut self, name: &Range<usize>) -> Result<Begun, ParseError> {
        let start = self.at;
        match self.peek() {
            None => {
                let name = self.slice(name);
                return Err(self.error(start, ParseErrorKind::MissingValue { name }));
            }
            Some(b'\n') => {
                return Ok(Begun::Scalar(Scalar {
                    span: start..start,
                    form: Form::Empty,
                }));
            }
            Some(_) => {}
        }
        let quoted = self.quoted_length(start);
        let bare = self.run(start, |byte| !ends_bare(byte));
        if self.is_cut(start, quoted) {
            let name = self.slice(name);
            return Err(self.error(start, ParseErrorKind::CutsTheRest { name }));
        }
        if self.peek() == Some(b'[') {
            self.at += 1;
            return Ok(Begun::Vector(start));
        }
        let (length, form) = if quoted >= bare {
            (quoted, Form::Quoted)
        } else {
            (bare, Form::Bare)
        };
        if length == 0 {
            let name = self.slice(name);
            let found = self.character(start);
            return Err(self.error(start, ParseErrorKind::MisplacedCharacter { name, found }));
        }
        let span = start..start + length;
        if form == Form::Bare && self.text.as_bytes()[span.clone()].contains(&b'\r') {
            return Err(self.error(start, ParseErrorKind::CarriageReturn));
        }
        self.at = span.end;
        Ok(Begun::Scalar(Scalar { span, form }))
    }

    /// Whether `]]>` stands between here and the end of the line, and no quoted value reaches beyond that line.
    fn is_cut(&self, start: usize, quoted: usize) -> bool {
        let next = self.cuts.partition_point(|cut| *cut < start);
        let Some(cut) = self.cuts.get(next) else {
            return false;
        };
        let line = self.run(start, |byte| byte != b'\n');
        *cut < start + line && line >= quoted
    }

    /// The length of the longest `"…"` from here, 0 when there is none.
    ///
    /// A quote with a backslash before it may be an escaped one or the end: it is the end only when no later
    /// quote can be.
    fn quoted_length(&self, start: usize) -> usize {
        let bytes = &self.text.as_bytes()[start..];
        if bytes.first() != Some(&b'"') {
            return 0;
        }
        let mut longest = 0;
        for (index, byte) in bytes.iter().enumerate().skip(1) {
            if *byte == b'"' {
                longest = index + 1;
                if bytes[index - 1] != b'\\' {
                    break;
                }
            }
        }
        longest
    }

    /// Passes blanks, newlines and comments.
    fn skip_trivia(&mut self) -> Result<(), ParseError> {
        loop {
            self.at += self.run(self.at, |byte| is_blank(byte) || byte == b'\n');
            if self.peek() != Some(b'#') {
                return Ok(());
            }
            let start = self.at;
            self.at += self.run(start, |byte| byte != b'\n');
            if self.peek().is_none() {
                return Err(self.error(start, ParseErrorKind::UnfinishedComment));
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn run(&self, start: usize, belongs: impl Fn(u8) -> bool) -> usize {
        self.text.as_bytes()[start..]
            .iter()
            .take_while(|byte| belongs(**byte))
            .count()
    }

    fn character(&self, offset: usize) -> char {
        self.text[offset..].chars().next().unwrap_or('\0')
    }

    fn slice(&self, range: &Range<usize>) -> String {
        self.text[range.clone()].to_owned()
    }

    fn unclosed(&self, open: usize, name: &Range<usize>) -> ParseError {
        self.error(
            open,
            ParseErrorKind::UnclosedVector {
                vector: self.slice(name),
            },
        )
    }

    fn error(&self, offset: usize, kind: ParseErrorKind) -> ParseError {
        ParseError::at(self.text.as_bytes(), offset, kind)
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
