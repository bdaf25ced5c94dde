//! What one line looks like: whether it begins a record, how grave it says it is, and its text without its own time. Pure.
//!
//! Known are the formats of oned, monitord and the scheduler (`Log.cc`), of the Ruby servers (`CloudServer.rb`, `log.rb`,
//! `onehem-server.rb`), of FireEdge (`logger.js`), of Ruby's own logger and of guacd; releases 7.0.2 to 7.4.0.

use super::Severity;

/// What is known of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape<'a> {
    /// It carries the mark of a logger: it begins a record, and lines without such a mark belong to it.
    pub(crate) logged: bool,
    /// How grave it says it is.
    pub(crate) severity: Option<Severity>,
    /// The line without its own time.
    pub(crate) message: &'a [u8],
}

/// Looks at one line, its end left out.
#[must_use]
pub(crate) fn shape(line: &[u8]) -> Shape<'_> {
    match line.first() {
        Some(b'[') => fireedge(line).unwrap_or_else(|| marked(line, false)),
        Some(b'A'..=b'Z') => match after(line, CTIME) {
            Some(message) => marked(message, true),
            None => ruby(line).unwrap_or_else(|| plain(line)),
        },
        _ => plain(line),
    }
}

/// `Www Mmm dd hh:mm:ss yyyy `, see `ctime(3)`.
const CTIME: &[u8] = b"aaa aaa _d dd:dd:dd dddd ";

/// `[2026-11-23T10:14:29.123Z] - [`, then the level.
const FIREEDGE: &[u8] = b"[dddd-dd-ddTdd:dd:dd.dddZ] - [";

/// `E, [2026-11-23T10:14:29.123456 #1234] `, then the level once more, `-- `, the program's name and the text.
const RUBY: &[u8] = b"A, [dddd-dd-ddTdd:dd:dd.dddddd #";

/// What follows a beginning of this form: `d` stands for a digit, `_` for a digit or a blank, `a` for a letter, `A` for a
/// capital one, anything else for itself.
fn after<'a>(line: &'a [u8], form: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(form.len())?;
    let fits = form.iter().zip(start).all(|(form, byte)| match form {
        b'd' => byte.is_ascii_digit(),
        b'_' => byte.is_ascii_digit() || *byte == b' ',
        b'a' => byte.is_ascii_alphabetic(),
        b'A' => byte.is_ascii_uppercase(),
        itself => byte == itself,
    });
    fits.then_some(rest)
}

/// `[Z0][ONE][E]: text` as oned writes it, `[E]: text` and `[E] [SRV]: text` as the Ruby servers do.
fn marked(message: &[u8], timed: bool) -> Shape<'_> {
    let mut severity = None;
    let mut rest = message;
    while let Some(group) = rest.strip_prefix(b"[") {
        let Some(end) = group.iter().take(8).position(|byte| *byte == b']') else {
            break;
        };
        let (mark, after) = group.split_at(end);
        severity = match mark {
            b"E" | b"F" => Some(Severity::Error),
            b"W" => Some(Severity::Warning),
            b"I" | b"U" => Some(Severity::Info),
            b"D" | b"DD" | b"DDD" => Some(Severity::Debug),
            _ => None,
        };
        if severity.is_some() {
            break;
        }
        rest = after.get(1..).unwrap_or_default();
    }
    Shape {
        logged: timed || severity.is_some(),
        severity,
        message,
    }
}

fn fireedge(line: &[u8]) -> Option<Shape<'_>> {
    let rest = after(line, FIREEDGE)?;
    let end = rest.iter().take(10).position(|byte| *byte == b']')?;
    let (level, text) = rest.split_at(end);
    let severity = match level {
        b"error" => Severity::Error,
        // FireEdge's own list of levels has it misspelt.
        b"warn" | b"warm" => Severity::Warning,
        b"info" => Severity::Info,
        b"http" | b"verbose" | b"debug" | b"silly" => Severity::Debug,
        _ => return None,
    };
    let text = text.strip_prefix(b"]").unwrap_or(text);
    Some(Shape {
        logged: true,
        severity: Some(severity),
        message: text.strip_prefix(b" ").unwrap_or(text),
    })
}

fn ruby(line: &[u8]) -> Option<Shape<'_>> {
    let rest = after(line, RUBY)?;
    let text = find(rest, b" -- ")?;
    let severity = match line.first()? {
        b'E' | b'F' => Severity::Error,
        b'W' => Severity::Warning,
        b'D' => Severity::Debug,
        _ => Severity::Info,
    };
    Some(Shape {
        logged: true,
        severity: Some(severity),
        message: text.strip_prefix(b": ").unwrap_or(text),
    })
}

/// What follows the first `needle`.
fn find<'a>(haystack: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    let place = haystack
        .windows(needle.len())
        .position(|window| window == needle)?;
    haystack.get(place + needle.len()..)
}

/// How sentences about a failure begin: oned prints why it ends on stderr, without a mark (`Nebula.cc`, 7.0.2).
const FAILURES: [&[u8]; 8] = [
    b"Error ",
    b"Could not ",
    b"Cannot ",
    b"Unable to ",
    b"Failed to ",
    b"Database version mismatch",
    b"Database has to be bootstraped",
    b"Unknown LOG_SYSTEM",
];

/// A line of no logger. What programs begin a line with to say that something is wrong, they mean.
fn plain(line: &[u8]) -> Shape<'_> {
    let words: [(&[u8], Severity); 6] = [
        (b"error", Severity::Error),
        (b"fatal", Severity::Error),
        (b"critical", Severity::Error),
        (b"warning", Severity::Warning),
        (b"warn", Severity::Warning),
        (b"debug", Severity::Debug),
    ];
    let said = guacd(line).unwrap_or(line);
    let severity = words.into_iter().find_map(|(word, severity)| {
        let (start, rest) = said.split_at_checked(word.len())?;
        (rest.first() == Some(&b':') && start.eq_ignore_ascii_case(word)).then_some(severity)
    });
    let severity = severity.or_else(|| {
        FAILURES
            .iter()
            .any(|start| line.starts_with(start))
            .then_some(Severity::Error)
    });
    Shape {
        logged: false,
        severity,
        message: line,
    }
}

/// `guacd[12]: ERROR:\ttext` from its level on.
fn guacd(line: &[u8]) -> Option<&[u8]> {
    find(line.strip_prefix(b"guacd[")?, b"]: ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(line: &[u8]) -> (bool, Option<Severity>, String) {
        let shape = shape(line);
        (
            shape.logged,
            shape.severity,
            String::from_utf8_lossy(shape.message).into_owned(),
        )
    }

    #[test]
    fn severity_and_text_of_every_format() {
        use Severity::{Debug, Error, Info, Warning};
        for (line, severity, message) in [
            (
                "Mon Nov 23 10:14:29 2026 [Z0][ONE][E]: Could not connect",
                Error,
                "[Z0][ONE][E]: Could not connect",
            ),
            (
                "Mon Nov  2 10:14:29 2026 [Z0][MON][W]: x",
                Warning,
                "[Z0][MON][W]: x",
            ),
            ("[Z0][ReM][D]: Req:1", Debug, "[Z0][ReM][D]: Req:1"),
            (
                "Mon Nov  2 10:14:29 2026 [Z0][SCHED][DDD]: x",
                Debug,
                "[Z0][SCHED][DDD]: x",
            ),
            // OneFlow, OneGate, the hook manager; OneForm; OneKS.
            ("Mon Nov 02 10:14:29 2026 [E]: [LCM] x", Error, "[E]: [LCM] x"),
            ("Mon Nov 02 10:14:29 2026 [W] [LOG]: x", Warning, "[W] [LOG]: x"),
            // Ruby's severity for what has none, `ANY`, and for the end, `FATAL`.
            ("Mon Nov 02 10:14:29 2026 [F]: x", Error, "[F]: x"),
            // FireEdge; its morgan lines and its misspelt level.
            (
                "[2026-11-23T10:14:29.123Z] - [error] it failed",
                Error,
                "it failed",
            ),
            ("[2026-11-23T10:14:29.123Z] - [warm] x", Warning, "x"),
            ("[2026-11-23T10:14:29.123Z] - [http] x", Debug, "x"),
            ("[2026-11-23T10:14:29.123Z] - [info] ", Info, ""),
            // Ruby's logger as it comes.
            (
                "E, [2026-11-23T10:14:29.123456 #77] ERROR -- : it failed",
                Error,
                "it failed",
            ),
            (
                "W, [2026-11-23T10:14:29.123456 #77]  WARN -- puma: slow",
                Warning,
                "puma: slow",
            ),
        ] {
            assert_eq!(
                seen(line.as_bytes()),
                (true, Some(severity), message.to_owned()),
                "{line:?}"
            );
        }
    }

    #[test]
    fn a_time_alone_begins_a_record_of_no_known_severity() {
        assert_eq!(
            seen(b"Mon Nov  2 10:14:29 2026 Starting"),
            (true, None, "Starting".to_owned())
        );
    }

    #[test]
    fn programs_that_say_error_mean_it() {
        for (line, severity) in [
            (
                &b"Error: Cannot start oned, opening lock file"[..],
                Some(Severity::Error),
            ),
            (b"ERROR: x", Some(Severity::Error)),
            (b"fatal: Cannot bind any address.", Some(Severity::Error)),
            (b"guacd[12]: WARNING:\tx", Some(Severity::Warning)),
            (b"guacd[12]: INFO:\tListening on host 127.0.0.1", None),
            (b"Error bootstrapping database.", Some(Severity::Error)),
            (b"Could not load an OpenNebula driver", Some(Severity::Error)),
            (
                b"Database has to be bootstraped to start oned in HA",
                Some(Severity::Error),
            ),
            (b"error handling is fine", None),
            (b"error", None),
        ] {
            let (logged, found, message) = seen(line);
            assert_eq!((logged, found), (false, severity), "{line:?}");
            assert_eq!(message.as_bytes(), line);
        }
    }

    #[test]
    fn a_line_without_marks_stays_whole() {
        for line in [
            &b"----------"[..],
            b"",
            b"[",
            b"[E",
            b"[not a mark that ends",
            b"x [E]: later",
            b"[2026-11-23T10:14:29.123Z] - [unknown] x",
            b"E, [2026-11-23T10:14:29.123456 #77] ERROR",
            b"\xff\xfe",
        ] {
            let shape = shape(line);
            assert!(!shape.logged, "{line:?}");
            assert_eq!((shape.severity, shape.message), (None, line));
        }
    }

    proptest! {
        #[test]
        fn the_message_is_the_end_of_the_line(line in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(line.ends_with(shape(&line).message));
        }
    }
}
