//! A second reading of the grammar, to compare the crate with.
//!
//! Written rule by rule after the scanner and grammar of OpenNebula 7.0.2 (`src/parsers/template_parser.l`,
//! `template_syntax.y`): in each state the longest match wins, the earlier rule where two are equally long, and a
//! byte that no rule matches is skipped. It shares no code and no method with the crate: tokens first, then a
//! state machine over them. It is slow and knows nothing of layout.

use std::ops::Range;

/// What OpenNebula makes of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Read to the end; `skipped` counts the bytes that no rule matched.
    Read {
        attributes: Vec<(String, Content)>,
        skipped: usize,
    },
    /// A syntax error.
    Refused,
    /// `]]>`: reading stopped without an error.
    Cut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Single(Text),
    /// Keys in upper case, first value of each.
    Vector(Vec<(String, Text)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) value: String,
    /// Where it stands, quotes included.
    pub(crate) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Variable,
    Equal,
    EqualEmpty,
    Comma,
    Open,
    Close,
    Cdata,
    Quoted,
    Bare,
}

type Rule = (Kind, fn(&[u8]) -> usize);

/// Outside a value, in the order of the scanner's file.
const INITIAL: [Rule; 7] = [
    (Kind::Nothing, comment),
    (Kind::Nothing, |text| leading(text, is_space)),
    (Kind::Variable, |text| {
        leading(text, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }),
    (Kind::Equal, equal),
    (Kind::EqualEmpty, equal_empty),
    (Kind::Comma, |text| between_spaces(text, b',')),
    (Kind::Close, |text| between_spaces(text, b']')),
];

/// Behind `=`.
const VALUE: [Rule; 4] = [
    (Kind::Open, open),
    (Kind::Cdata, cdata),
    (Kind::Quoted, quoted),
    (Kind::Bare, bare),
];

/// Reads a text. Only for texts that are UTF-8 and have no NUL.
pub(crate) fn read(text: &str) -> Outcome {
    let (tokens, skipped) = scan(text.as_bytes());
    match grammar(text, &tokens) {
        Ok(attributes) => Outcome::Read { attributes, skipped },
        Err(outcome) => outcome,
    }
}

fn scan(text: &[u8]) -> (Vec<(Kind, Range<usize>)>, usize) {
    let mut tokens = Vec::new();
    let (mut at, mut skipped, mut rules) = (0, 0, &INITIAL[..]);
    while at < text.len() {
        let mut best = (Kind::Nothing, 0);
        for (kind, rule) in rules {
            let length = rule(&text[at..]);
            if length > best.1 {
                best = (*kind, length);
            }
        }
        let (kind, length) = best;
        if length == 0 {
            skipped += 1;
            at += 1;
            continue;
        }
        match kind {
            Kind::Equal => rules = &VALUE,
            Kind::Open | Kind::Cdata | Kind::Quoted | Kind::Bare => rules = &INITIAL,
            _ => {}
        }
        if kind != Kind::Nothing {
            tokens.push((kind, at..at + length));
        }
        at += length;
    }
    (tokens, skipped)
}

fn grammar(text: &str, tokens: &[(Kind, Range<usize>)]) -> Result<Vec<(String, Content)>, Outcome> {
    let mut attributes = Vec::new();
    let mut tokens = tokens.iter().cloned();
    while let Some((kind, name)) = tokens.next() {
        if kind != Kind::Variable {
            return Err(Outcome::Refused);
        }
        let name = text[name].to_ascii_uppercase();
        let content = match tokens.next() {
            Some((Kind::EqualEmpty, span)) => Content::Single(Text {
                value: String::new(),
                span: span.end - 1..span.end - 1,
            }),
            Some((Kind::Equal, _)) => match tokens.next() {
                Some((kind @ (Kind::Quoted | Kind::Bare), span)) => Content::Single(value(text, kind, span)),
                Some((Kind::Open, _)) => Content::Vector(vector(text, &mut tokens)?),
                Some((Kind::Cdata, _)) => return Err(Outcome::Cut),
                _ => return Err(Outcome::Refused),
            },
            _ => return Err(Outcome::Refused),
        };
        attributes.push((name, content));
    }
    Ok(attributes)
}

fn vector(
    text: &str,
    tokens: &mut impl Iterator<Item = (Kind, Range<usize>)>,
) -> Result<Vec<(String, Text)>, Outcome> {
    let mut entries: Vec<(String, Text)> = Vec::new();
    let mut next = tokens.next();
    if matches!(next, Some((Kind::Close, _))) {
        return Ok(entries);
    }
    loop {
        let (Some((Kind::Variable, key)), Some((Kind::Equal, _))) = (next, tokens.next()) else {
            return Err(Outcome::Refused);
        };
        let Some((kind @ (Kind::Quoted | Kind::Bare), span)) = tokens.next() else {
            return Err(Outcome::Refused);
        };
        let key = text[key].to_ascii_uppercase();
        if entries.iter().all(|(known, _)| *known != key) {
            entries.push((key, value(text, kind, span)));
        }
        match tokens.next() {
            Some((Kind::Close, _)) => return Ok(entries),
            Some((Kind::Comma, _)) => next = tokens.next(),
            _ => return Err(Outcome::Refused),
        }
    }
}

fn value(text: &str, kind: Kind, span: Range<usize>) -> Text {
    let content = if kind == Kind::Quoted {
        span.start + 1..span.end - 1
    } else {
        span.clone()
    };
    let mut value = text[content].to_owned();
    let mut from = 0;
    while let Some(found) = value[from..].find("\\\"") {
        value.remove(from + found);
        from += found;
    }
    Text { value, span }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_space(byte: u8) -> bool {
    is_blank(byte) || byte == b'\n'
}

fn leading(text: &[u8], belongs: fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !belongs(*byte)).unwrap_or(text.len())
}

fn comment(text: &[u8]) -> usize {
    let blanks = leading(text, is_blank);
    if text.get(blanks) != Some(&b'#') {
        return 0;
    }
    text.iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1)
}

fn equal(text: &[u8]) -> usize {
    let blanks = leading(text, is_blank);
    if text.get(blanks) != Some(&b'=') {
        return 0;
    }
    blanks + 1 + leading(&text[blanks + 1..], is_blank)
}

fn equal_empty(text: &[u8]) -> usize {
    match equal(text) {
        0 => 0,
        length if text.get(length) == Some(&b'\n') => length + 1,
        _ => 0,
    }
}

fn between_spaces(text: &[u8], mark: u8) -> usize {
    let spaces = leading(text, is_space);
    if text.get(spaces) != Some(&mark) {
        return 0;
    }
    spaces + 1 + leading(&text[spaces + 1..], is_space)
}

fn open(text: &[u8]) -> usize {
    let blanks = leading(text, is_blank);
    if text.get(blanks) != Some(&b'[') {
        return 0;
    }
    blanks + 1 + leading(&text[blanks + 1..], is_space)
}

fn cdata(text: &[u8]) -> usize {
    let line = leading(text, |byte| byte != b'\n');
    if text[..line].windows(3).any(|three| three == b"]]>") {
        line
    } else {
        0
    }
}

/// The longest `"…"` in which every inner quote has a backslash before it.
fn quoted(text: &[u8]) -> usize {
    if text.first() != Some(&b'"') {
        return 0;
    }
    let ends = (1..text.len()).rev().filter(|end| text[*end] == b'"');
    let allowed = |end: &usize| {
        (1..*end)
            .filter(|inner| text[*inner] == b'"')
            .all(|inner| inner > 1 && text[inner - 1] == b'\\')
    };
    ends.into_iter().find(allowed).map_or(0, |end| end + 1)
}

fn bare(text: &[u8]) -> usize {
    leading(text, |byte| !b"=# \t\n,[]".contains(&byte))
}
