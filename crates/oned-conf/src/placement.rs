//! Where something new goes in a file, and what layout it takes from its neighbours.
//!
//! A new attribute stands below the commented-out sample of its name when the file has one, else at the end; a new
//! key stands behind the last key of its vector, in the same column. Only positions are found here; `edit.rs`
//! writes.

use crate::document::Document;
use crate::syntax::{Entry, Vector};

/// Text to put at an offset; what stands there moves behind it.
#[derive(Debug)]
pub(crate) struct Insertion {
    pub(crate) at: usize,
    pub(crate) text: String,
}

/// Where a new attribute goes; `line` is its text without the newline at the end.
///
/// Behind the last one of its name, else below its sample, else at the end.
pub(crate) fn attribute(document: &Document, name: &str, line: &str) -> Insertion {
    let text = &document.text;
    let at = match document.named(name).last() {
        Some((_, last)) => match behind_line(text, last.end()) {
            Some(at) => at,
            None => {
                return Insertion {
                    at: last.end(),
                    text: format!("\n{line}\n"),
                };
            }
        },
        None => sample(document, name).unwrap_or(text.len()),
    };
    let joint = if at == 0 || text[..at].ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Insertion {
        at,
        text: format!("{joint}{line}\n"),
    }
}

/// The offset behind the line, when only a comment stands on the rest of it.
fn behind_line(text: &str, end: usize) -> Option<usize> {
    let length = text[end..]
        .find('\n')
        .map_or(text.len() - end, |newline| newline + 1);
    let rest = text[end..end + length].trim_ascii_start();
    (rest.is_empty() || rest.starts_with('#')).then_some(end + length)
}

/// How many attributes stand before an offset.
pub(crate) fn attributes_before(document: &Document, at: usize) -> usize {
    document
        .attributes
        .iter()
        .take_while(|attribute| attribute.name.start < at)
        .count()
}

/// Where a new key of a vector goes, and the comma that it needs before it.
pub(crate) fn key(document: &Document, vector: &Vector, key: &str, value: &str) -> Vec<Insertion> {
    let text = &document.text;
    let Some(last) = vector.entries.last() else {
        return vec![Insertion {
            at: vector.open + 1,
            text: format!(" {key} = {value}"),
        }];
    };
    let end = last.value.span.end;
    let Some(indent) = own_line_indent(text, last) else {
        return vec![Insertion {
            at: end,
            text: format!(", {key} = {value}"),
        }];
    };
    let line = format!("{indent}{key:width$} = {value}", width = key_width(text, last));
    let rest = &text[end..vector.close];
    let comment = rest.trim_start_matches([' ', '\t']);
    match (comment.starts_with('#'), rest.find('\n')) {
        // The comment on the last key's line stays with that key.
        (true, Some(newline)) => vec![
            Insertion {
                at: end,
                text: ",".to_owned(),
            },
            Insertion {
                at: end + newline + 1,
                text: format!("{line}\n"),
            },
        ],
        _ => vec![Insertion {
            at: end,
            text: format!(",\n{line}"),
        }],
    }
}

/// The blanks that put a new line's key under the last entry's key; none when that entry shares its line with
/// another or with the vector's name.
fn own_line_indent(text: &str, last: &Entry) -> Option<String> {
    let start = text[..last.key.start].rfind('\n')? + 1;
    let before = &text[start..last.key.start];
    before
        .bytes()
        .all(|byte| byte == b' ' || byte == b'\t')
        .then(|| before.to_owned())
}

/// The width that the last entry's key is padded to, 0 for none.
fn key_width(text: &str, last: &Entry) -> usize {
    let between = &text[last.key.end..last.value.span.start];
    let padding = between.len() - between.trim_start_matches(' ').len();
    if padding > 1 {
        last.key.len() + padding - 1
    } else {
        0
    }
}

/// The offset behind a commented-out `NAME =` (and behind the rest of it where it is a vector over several
/// comment lines).
fn sample(document: &Document, name: &str) -> Option<usize> {
    let text = &document.text;
    let mut from = 0;
    let parts = document
        .attributes
        .iter()
        .map(|attribute| (attribute.name.start, attribute.end()));
    for (start, end) in parts.chain([(text.len(), text.len())]) {
        if let Some(offset) = text.get(from..start).and_then(|gap| sample_in(gap, name)) {
            return Some(from + offset);
        }
        // What stands behind a value on its own line is a remark about it, not a sample.
        from = text[end..]
            .find('\n')
            .map_or(text.len(), |newline| end + newline + 1);
    }
    None
}

fn sample_in(gap: &str, name: &str) -> Option<usize> {
    let mut lines = gap.split_inclusive('\n').scan(0, |offset, line| {
        *offset += line.len();
        Some((*offset, line))
    });
    while let Some((mut end, line)) = lines.next() {
        let Some(value) = commented_value(line, name) else {
            continue;
        };
        let mut open = value.contains('[') && !value.contains(']');
        while open {
            match lines.next() {
                Some((next_end, next)) if next.trim_start().starts_with('#') => {
                    end = next_end;
                    open = !next.contains(']');
                }
                _ => break,
            }
        }
        return Some(end);
    }
    None
}

/// The text behind `=` of a comment line that reads `# NAME = …`.
fn commented_value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let comment = line
        .trim_start()
        .strip_prefix('#')?
        .trim_start_matches(['#', ' ', '\t']);
    let found = comment.get(..name.len())?;
    let rest = comment.get(name.len()..)?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    rest.trim_start_matches([' ', '\t']).strip_prefix('=')
}
