//! Where keys, their values, comments and list items stand in a YAML file in block style.
//!
//! A line belongs to the nearest line above it that is indented less. Only positions are found here.

use std::ops::Range;

use super::YamlError;
use super::scalar::Quote;

/// A text by its lines.
pub(super) struct Lines<'a> {
    text: &'a str,
    lines: Vec<Line<'a>>,
}

struct Line<'a> {
    start: usize,
    /// With its newline.
    text: &'a str,
    indent: usize,
    kind: LineKind<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineKind<'a> {
    Blank,
    Comment,
    Item,
    /// A key: its name with colons in front, and the offset behind the colon that ends it.
    Key(&'a str, usize),
    Other,
}

/// A key with what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Number of its line, from 0.
    pub(super) line: usize,
    /// The key with colons in front.
    pub(super) key: String,
    /// Offset in the text behind the colon that ends the key.
    pub(super) behind_colon: usize,
    /// Form of its value.
    pub(super) shape: Shape,
    /// Blanks before what is nested below it.
    pub(super) child_indent: usize,
    /// The line behind its last line with content.
    end: usize,
    /// The line of the next key that is not below it: comments may stand before it.
    next: usize,
    indent: usize,
}

/// Form of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Empty,
    /// One value on the key's line, in this range of the text.
    Inline {
        /// First offset.
        from: usize,
        /// The offset behind it.
        to: usize,
        /// The quotes that it has.
        quote: Quote,
    },
    /// Keys or items on the lines below.
    Block,
    /// Anything else.
    Other,
}

impl Entry {
    pub(super) fn not_simple(&self) -> YamlError {
        YamlError::NotSimple {
            line: self.line + 1,
            key: self.key.clone(),
        }
    }
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut start = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let content = line.trim_start_matches(' ');
            let indent = line.len() - content.len();
            let read = Line {
                start,
                text: line,
                indent,
                kind: kind(content.trim_end(), start + indent),
            };
            start += line.len();
            read
        });
        Self {
            lines: lines.collect(),
            text,
        }
    }

    /// Every line with its newline.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a str> {
        self.lines.iter().map(|line| line.text)
    }

    /// The deepest key of the path that is there, and how many of the path's keys are.
    pub(super) fn find(&self, path: &[String]) -> (Option<Entry>, usize) {
        let mut found: Option<Entry> = None;
        for (depth, key) in path.iter().enumerate() {
            let below = match &found {
                None => self.key_in(0..self.lines.len(), self.top_indent(), key),
                Some(entry) if entry.shape == Shape::Block => {
                    self.key_in(entry.line + 1..entry.end, entry.child_indent, key)
                }
                Some(_) => None,
            };
            match below {
                Some(entry) => found = Some(entry),
                None => return (found, depth),
            }
        }
        (found, path.len())
    }

    fn key_in(&self, range: Range<usize>, indent: usize, key: &str) -> Option<Entry> {
        let number = self.lines[range.clone()].iter().position(|line| {
            line.indent == indent && matches!(line.kind, LineKind::Key(name, _) if name == key)
        })?;
        Some(self.entry(range.start + number))
    }

    /// What belongs to the key of that line.
    fn entry(&self, number: usize) -> Entry {
        let (key, behind_colon) = match self.lines[number].kind {
            LineKind::Key(key, behind) => (key, behind),
            _ => ("", self.lines[number].start),
        };
        let indent = self.lines[number].indent;
        let (mut end, mut next, mut first) = (number + 1, self.lines.len(), None);
        for (offset, line) in self.lines[number + 1..].iter().enumerate() {
            let here = number + 1 + offset;
            match line.kind {
                LineKind::Blank | LineKind::Comment => {}
                // Items may stand in the same column as the key that they belong to.
                _ if line.indent > indent || (line.indent == indent && line.kind == LineKind::Item) => {
                    first = first.or(Some(here));
                    end = here + 1;
                }
                _ => {
                    next = here;
                    break;
                }
            }
        }
        let rest = self.text[behind_colon..].lines().next().unwrap_or_default();
        let shape = match (inline(rest), first) {
            (Inline::Nothing, None) => Shape::Empty,
            (Inline::Nothing, Some(first)) => match self.lines[first].kind {
                LineKind::Item | LineKind::Key(..) => Shape::Block,
                _ => Shape::Other,
            },
            (Inline::Value { from, to, quote }, None) => Shape::Inline {
                from: behind_colon + from,
                to: behind_colon + to,
                quote,
            },
            _ => Shape::Other,
        };
        Entry {
            line: number,
            key: key.to_owned(),
            behind_colon,
            shape,
            child_indent: match first {
                Some(first) if shape == Shape::Block => self.lines[first].indent,
                _ => indent + 2,
            },
            end,
            next,
            indent,
        }
    }

    /// The lines of a key's items, where each item has a line of its own.
    pub(super) fn items(&self, entry: &Entry) -> Vec<usize> {
        (entry.line + 1..entry.end)
            .filter(|number| {
                self.lines[*number].kind == LineKind::Item && self.lines[*number].indent == entry.child_indent
            })
            .collect()
    }

    pub(super) fn indent(&self, line: usize) -> usize {
        self.lines[line].indent
    }

    pub(super) fn start(&self, line: usize) -> usize {
        self.lines[line].start
    }

    /// Blanks before the keys at the top.
    pub(super) fn top_indent(&self) -> usize {
        let key = self
            .lines
            .iter()
            .find(|line| matches!(line.kind, LineKind::Key(..)));
        key.map_or(0, |line| line.indent)
    }

    /// The line behind the commented-out sample of a key that is to be added below `parent`, where a key of that
    /// indentation can stand.
    pub(super) fn sample(&self, parent: Option<&Entry>, key: &str, indent: usize) -> Option<usize> {
        let (from, to) = match parent {
            Some(entry) => (entry.line + 1, entry.next),
            None => (0, self.lines.len()),
        };
        let found = (from..to).find(|number| {
            let line = &self.lines[*number];
            line.kind == LineKind::Comment && is_sample(commented(line.text).1, key)
        })?;
        // A comment that begins left of what it is to belong to is about something else.
        if parent.is_some_and(|entry| self.lines[found].indent <= entry.indent) {
            return None;
        }
        let (depth, _) = commented(self.lines[found].text);
        let mut at = found + 1;
        while at < to && self.lines[at].kind == LineKind::Comment {
            let (deeper, text) = commented(self.lines[at].text);
            if deeper <= depth || text.is_empty() {
                break;
            }
            at += 1;
        }
        let next = self.lines[at..]
            .iter()
            .find(|line| !matches!(line.kind, LineKind::Blank | LineKind::Comment));
        // In the middle of what belongs to another key there is no place.
        next.is_none_or(|line| line.indent <= indent && line.kind != LineKind::Item)
            .then_some(at)
    }

    /// The line behind the last one that belongs to `parent`, or behind the last of all.
    pub(super) fn end(&self, parent: Option<&Entry>) -> usize {
        parent.map_or(self.lines.len(), |entry| entry.end)
    }

    /// The text with whole lines put before a line.
    pub(super) fn inserted(&self, line: usize, text: &str) -> String {
        let at = self.lines.get(line).map_or(self.text.len(), |line| line.start);
        let joint = if at == 0 || self.text[..at].ends_with('\n') {
            ""
        } else {
            "\n"
        };
        format!("{}{joint}{text}{}", &self.text[..at], &self.text[at..])
    }

    /// The text with a range of it replaced.
    pub(super) fn spliced(&self, range: Range<usize>, text: &str) -> String {
        format!("{}{text}{}", &self.text[..range.start], &self.text[range.end..])
    }
}

fn kind(content: &str, start: usize) -> LineKind<'_> {
    let Some(first) = content.chars().next() else {
        return LineKind::Blank;
    };
    match first {
        '#' => LineKind::Comment,
        '-' if content == "-" || content.starts_with("- ") => LineKind::Item,
        first if first.is_ascii_alphanumeric() || first == '_' || first == ':' => match end_of_key(content) {
            Some(end) => LineKind::Key(&content[..end], start + end + 1),
            None => LineKind::Other,
        },
        _ => LineKind::Other,
    }
}

/// The offset of the colon that ends a key.
fn end_of_key(content: &str) -> Option<usize> {
    let (end, _) = content.match_indices(':').find(|(offset, _)| {
        let behind = content[offset + 1..].chars().next();
        *offset > 0 && behind.is_none_or(|c| c == ' ' || c == '\t')
    })?;
    let plain = !content[..end].contains(['"', '\'', '#', '{', '[', ' ']);
    plain.then_some(end)
}

enum Inline {
    Nothing,
    Value { from: usize, to: usize, quote: Quote },
    Other,
}

/// What stands behind a key's colon on its line.
fn inline(rest: &str) -> Inline {
    let value = rest.trim_start_matches([' ', '\t']);
    let from = rest.len() - value.len();
    let end = |length: usize, quote| {
        let behind = value[length..].trim_start_matches([' ', '\t']);
        let apart = behind.len() < value.len() - length;
        if behind.trim_end().is_empty() || (apart && behind.starts_with('#')) {
            Inline::Value {
                from,
                to: from + length,
                quote,
            }
        } else {
            Inline::Other
        }
    };
    match value.chars().next() {
        None | Some('\r') => Inline::Nothing,
        Some('#') if from > 0 => Inline::Nothing,
        Some('\'') => quoted(value).map_or(Inline::Other, |length| end(length, Quote::Single)),
        Some('"') => double_quoted(value).map_or(Inline::Other, |length| end(length, Quote::Double)),
        Some('[') if !value.contains(['\'', '"', '#', '{']) && value.matches('[').count() == 1 => value
            .find(']')
            .map_or(Inline::Other, |close| end(close + 1, Quote::Plain)),
        Some(first)
            if first.is_ascii_alphanumeric() || matches!(first, ':' | '/' | '.' | '~' | '_' | '$') =>
        {
            plain(value, from)
        }
        Some('-') if value[1..].starts_with(|c: char| c.is_ascii_alphanumeric()) => plain(value, from),
        Some(_) => Inline::Other,
    }
}

/// A plain value: to a comment or the end of the line.
fn plain(value: &str, from: usize) -> Inline {
    let length = value
        .find(" #")
        .or_else(|| value.find("\t#"))
        .unwrap_or(value.len());
    Inline::Value {
        from,
        to: from + value[..length].trim_end().len(),
        quote: Quote::Plain,
    }
}

/// The length of a text in single quotes; a quote in it is doubled.
fn quoted(value: &str) -> Option<usize> {
    let mut rest = 1;
    loop {
        let close = rest + value.get(rest..)?.find('\'')?;
        if value[close + 1..].starts_with('\'') {
            rest = close + 2;
        } else {
            return Some(close + 1);
        }
    }
}

/// The length of a text in double quotes without escapes.
fn double_quoted(value: &str) -> Option<usize> {
    let close = 1 + value[1..].find('"')?;
    (!value[..close].contains('\\')).then_some(close + 1)
}

/// The text of a comment line and how far it stands from the left of the line.
fn commented(line: &str) -> (usize, &str) {
    let content = line.trim_end().trim_start_matches(' ').trim_start_matches('#');
    let text = content.trim_start_matches(' ');
    (line.trim_end().len() - text.len(), text)
}

/// Whether the text of a comment is `key: …`.
fn is_sample(text: &str, key: &str) -> bool {
    text.strip_prefix(key)
        .and_then(|rest| rest.strip_prefix(':'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
