//! Colours of a terminal in lines: taken out, and what the colour of a whole line says of its severity. Pure.
//!
//! FireEdge writes its messages to standard output in green, yellow and red (`messageTerminal` in its `general.js`).

use super::Severity;

/// A line in which there were colours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Coloured {
    /// The line without them; without the blanks around it, where it begins with one.
    pub(super) line: Vec<u8>,
    /// What the colour at its beginning says.
    pub(super) severity: Option<Severity>,
}

/// Takes the colours out of a line; none where there are none, which is the rule.
pub(super) fn without_colours(line: &[u8]) -> Option<Coloured> {
    memchr::memchr(0x1b, line)?;
    let mut text = Vec::with_capacity(line.len());
    let mut first = None;
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        if let Some((parameters, after)) = colour(rest) {
            if text.is_empty() && first.is_none() {
                first = Some(parameters);
            }
            rest = after;
        } else {
            text.push(*byte);
            rest = after;
        }
    }
    if text.len() == line.len() {
        return None;
    }
    Some(Coloured {
        severity: first.and_then(severity),
        line: match first {
            Some(_) => text.trim_ascii().to_owned(),
            None => text,
        },
    })
}

/// The parameters of the sequence `ESC [ … m` at the beginning of a text, and what follows it.
fn colour(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\x1b[")?;
    let end = text
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    let (parameters, rest) = text.split_at(end);
    Some((parameters, rest.strip_prefix(b"m")?))
}

fn severity(parameters: &[u8]) -> Option<Severity> {
    parameters
        .split(|byte| *byte == b';')
        .find_map(|parameter| match parameter {
            b"31" | b"91" => Some(Severity::Error),
            b"33" | b"93" => Some(Severity::Warning),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_that_of_the_whole_line_tells_its_severity() {
        for (line, text, severity) in [
            (
                "\x1b[31m Error: connect ECONNREFUSED \x1b[0m",
                "Error: connect ECONNREFUSED",
                Some(Severity::Error),
            ),
            ("\x1b[33m slow \x1b[0m", "slow", Some(Severity::Warning)),
            ("\x1b[32m Server listening \x1b[0m", "Server listening", None),
            ("\x1b[1;91mred\x1b[m", "red", Some(Severity::Error)),
            ("  a \x1b[31mword\x1b[0m ", "  a word ", None),
            ("\x1b[31m\x1b[0m", "", Some(Severity::Error)),
            ("\x1b[31mred\x1b[2J", "red\x1b[2J", Some(Severity::Error)),
        ] {
            let coloured = without_colours(line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&coloured.line), text, "{line:?}");
            assert_eq!(coloured.severity, severity, "{line:?}");
        }
        for line in ["plain", "\x1b]52;c;x\x07", "\x1b[31", "\x1b[2J", "\x1b"] {
            assert_eq!(without_colours(line.as_bytes()), None, "{line:?}");
        }
    }
}
