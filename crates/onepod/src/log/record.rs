//! From bytes to records: lines that belong together, a trace or a text of several lines, become one. Pure.
//!
//! A record is complete when a line comes that begins another one. Whether one comes in time is not known here: whoever
//! feeds in bytes also says when to wait no longer, see [`Records::flush`].

use super::Severity;
use super::colour::without_colours;
use super::shape::{Shape, shape};

/// Lines longer than this are split, in bytes.
pub(crate) const LONGEST_LINE: usize = 16 * 1024;

/// Records longer than this are split, in bytes.
const LONGEST_RECORD: usize = 32 * 1024;

/// Records of more lines than this are split.
const MOST_LINES: usize = 500;

/// How many lines stand at most between the beginning of an uncaught error and its first frame, in what Node and Ruby print.
const LONGEST_HEAD: usize = 16;

/// Takes what comes out.
pub(crate) trait Sink {
    /// One record, its lines parted by `\n`. `headline` is the number of the line that says what it is about.
    fn record(&mut self, severity: Severity, message: &[u8], headline: usize);
}

/// Makes records of one source of bytes.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The beginning of a line whose end has not come yet; not longer than [`LONGEST_LINE`].
    unfinished: Vec<u8>,
    record: Record,
}

/// The record to which further lines may belong.
#[derive(Debug, Default)]
struct Record {
    text: Vec<u8>,
    lines: usize,
    kind: Kind,
    /// What its first line was.
    begun: Kind,
    severity: Option<Severity>,
}

/// Which lines continue a record.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// There is no record.
    #[default]
    None,
    /// A logger began it: whatever has no mark of a logger.
    Logged,
    /// Indented lines.
    Plain,
    /// Whatever comes until the first frame: what Node prints of an uncaught error.
    NodeHead,
    /// The same of Ruby, which shows the line of the program and points into it since 3.1.
    RubyHead,
    /// Frames, the error's fields, and Node's version.
    Frames,
    /// Indented lines, and one that is not: the error itself.
    Python,
    /// Nothing but blank lines.
    Closed,
}

impl Records {
    /// Takes the next bytes.
    pub(crate) fn feed(&mut self, chunk: &[u8], sink: &mut impl Sink) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) if self.unfinished.is_empty() && line.len() <= LONGEST_LINE => {
                    self.record.take(line, sink);
                }
                ended => {
                    self.unfinished.extend_from_slice(ended.unwrap_or(piece));
                    self.split_long(sink);
                    if ended.is_some() {
                        self.record.take(&self.unfinished, sink);
                        self.unfinished.clear();
                    }
                }
            }
        }
        if self.unfinished.is_empty() {
            self.unfinished = Vec::new();
        }
    }

    /// Whether a record waits for lines that may belong to it.
    pub(crate) fn waits(&self) -> bool {
        self.record.kind != Kind::None
    }

    /// Nothing more is waited for: the record at hand is complete.
    pub(crate) fn flush(&mut self, sink: &mut impl Sink) {
        self.record.give(sink);
        if self.record.text.capacity() > LONGEST_LINE {
            self.record.text = Vec::new();
        }
    }

    /// The source has ended: a line without its end is a line now.
    pub(crate) fn end(&mut self, sink: &mut impl Sink) {
        if !self.unfinished.is_empty() {
            self.record.take(&self.unfinished, sink);
            self.unfinished = Vec::new();
        }
        self.flush(sink);
    }

    /// Takes the front of an unfinished line in pieces until the rest is no longer than [`LONGEST_LINE`].
    fn split_long(&mut self, sink: &mut impl Sink) {
        while self.unfinished.len() > LONGEST_LINE {
            let cut = cut_before(&self.unfinished, LONGEST_LINE);
            self.record
                .take(self.unfinished.get(..cut).unwrap_or_default(), sink);
            self.unfinished.drain(..cut);
        }
    }
}

impl Record {
    fn take(&mut self, line: &[u8], sink: &mut impl Sink) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match without_colours(line) {
            Some(coloured) => {
                let mut shape = shape(&coloured.line);
                shape.severity = shape.severity.or(coloured.severity);
                self.add(&coloured.line, &shape, sink);
            }
            None => self.add(line, &shape(line), sink),
        }
    }

    fn add(&mut self, line: &[u8], shape: &Shape<'_>, sink: &mut impl Sink) {
        let next = if shape.logged {
            None
        } else {
            self.kind.with(line, self.lines)
        };
        if let Some(kind) = next {
            if self.text.len() + line.len() >= LONGEST_RECORD || self.lines >= MOST_LINES {
                let severity = self.severity;
                self.give(sink);
                self.severity = severity;
            } else {
                self.text.push(b'\n');
            }
            self.text.extend_from_slice(line);
            if matches!(kind, Kind::Frames | Kind::Python) && self.severity.is_none() {
                self.severity = Some(Severity::Error);
            }
            self.kind = kind;
            self.lines += 1;
        } else {
            self.give(sink);
            self.begin(shape);
        }
    }

    fn begin(&mut self, shape: &Shape<'_>) {
        self.text.extend_from_slice(shape.message);
        self.lines = 1;
        self.severity = shape.severity;
        self.kind = if shape.logged {
            Kind::Logged
        } else if shape.message.starts_with(b"Traceback (most recent call last):") {
            Kind::Python
        } else if is_place(shape.message) {
            Kind::NodeHead
        } else if is_raised(shape.message) {
            self.severity = self.severity.or(Some(Severity::Error));
            Kind::RubyHead
        } else {
            Kind::Plain
        };
        self.begun = self.kind;
    }

    fn give(&mut self, sink: &mut impl Sink) {
        if self.kind != Kind::None {
            let text = if self.lines > 1 {
                self.text.trim_ascii_end()
            } else {
                &self.text
            };
            sink.record(
                self.severity.unwrap_or(Severity::Info),
                text,
                self.begun.headline(text),
            );
        }
        self.text.clear();
        self.lines = 0;
        self.severity = None;
        self.kind = Kind::None;
    }
}

impl Kind {
    /// What a record of this kind is after it has taken the line, or none when the line does not belong to it.
    fn with(self, line: &[u8], lines: usize) -> Option<Self> {
        let indented = matches!(line.first(), Some(b' ' | b'\t'));
        let blank = line.iter().all(u8::is_ascii_whitespace);
        match self {
            Self::None => None,
            Self::Logged => Some(Self::Logged),
            Self::NodeHead | Self::RubyHead | Self::Plain | Self::Frames if is_frame(line) => {
                Some(Self::Frames)
            }
            Self::NodeHead | Self::RubyHead => (lines < LONGEST_HEAD).then_some(self),
            Self::Plain if blank && lines > 1 => Some(Self::Closed),
            Self::Plain => (indented && !blank).then_some(self),
            Self::Frames if matches!(line.first(), Some(b'}' | b']')) => Some(self),
            Self::Frames => {
                (indented || blank || line.starts_with(b"Node.js v") || line.starts_with(b"Caused by"))
                    .then_some(self)
            }
            Self::Python if indented => Some(self),
            Self::Python => (!blank).then_some(Self::Closed),
            Self::Closed => blank.then_some(self),
        }
    }

    /// The line of a record, begun like this, that says what happened: Node shows the program's line before it, Python the
    /// frames.
    fn headline(self, text: &[u8]) -> usize {
        let mut lines = text.split(|byte| *byte == b'\n').enumerate();
        let blank = |line: &[u8]| line.trim_ascii().is_empty();
        match self {
            Self::NodeHead => {
                let behind_the_program = lines.find(|(_, line)| blank(line));
                behind_the_program.and_then(|_| lines.find(|(_, line)| !blank(line)))
            }
            Self::Python => lines.filter(|(_, line)| !blank(line)).last(),
            _ => None,
        }
        .map_or(0, |(number, _)| number)
    }
}

/// `    at f (file:1:2)` of Node, `\tfrom file:1:in 'f'` of Ruby.
fn is_frame(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.len() < line.len() && (text.starts_with(b"at ") || text.starts_with(b"from "))
}

/// `/usr/lib/one/fireedge/dist/index.js:1` or `node:internal/errors:540` and nothing else.
fn is_place(line: &[u8]) -> bool {
    let Some(colon) = line.iter().rposition(|byte| *byte == b':') else {
        return false;
    };
    let (file, number) = line.split_at(colon);
    let digits = number.get(1..).unwrap_or_default();
    (file.starts_with(b"/") || file.starts_with(b"node:") || file.starts_with(b"file:"))
        && !file.contains(&b' ')
        && !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
}

/// ``/usr/lib/one/x.rb:22:in `f': undefined method `g' (NoMethodError)``, the beginning of what Ruby prints of an uncaught error.
fn is_raised(line: &[u8]) -> bool {
    if !line.starts_with(b"/") || !line.ends_with(b")") {
        return false;
    }
    let Some(place) = line
        .windows(5)
        .position(|window| window == b":in `" || window == b":in '")
    else {
        return false;
    };
    let (place, function) = line.split_at(place);
    is_place(place) && function.windows(3).any(|window| window == b"': ")
}

/// The place at or before `limit` where no UTF-8 character is cut in two.
fn cut_before(bytes: &[u8], limit: usize) -> usize {
    let starts_a_character = |place: &usize| bytes.get(*place).is_none_or(|byte| byte & 0xc0 != 0x80);
    // A character has at most four bytes; what has no start in reach is not UTF-8.
    (limit.saturating_sub(3)..=limit)
        .rev()
        .find(starts_a_character)
        .unwrap_or(limit)
}

#[cfg(test)]
mod tests;
