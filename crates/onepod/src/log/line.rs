//! One line of the stream: which severity it has, and how it is written. Pure.

use std::io::Write as _;

use serde::Serialize;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people: time, severity, service, message.
    #[default]
    Text,
    /// One JSON object per line: `time`, `severity`, `service`, `message`.
    Json,
}

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    #[serde(rename = "WARN")]
    Warning,
    /// Something happened.
    Info,
    /// Detail for developers.
    Debug,
}

impl Severity {
    fn padded(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warning => "WARN ",
            Self::Info => "INFO ",
            Self::Debug => "DEBUG",
        }
    }
}

/// Splits what OpenNebula writes into a severity and the message without its own time.
///
/// oned and monitord write `Mon Nov 23 10:14:29 2026 [Z0][ONE][I]: …`, the Ruby services the same without zone and module.
/// Lines without a mark are information.
#[must_use]
pub fn classify(line: &[u8]) -> (Severity, &[u8]) {
    let message = without_time(line);
    let mut rest = message;
    while let Some(group) = rest.strip_prefix(b"[") {
        let Some(end) = group.iter().take(8).position(|byte| *byte == b']') else {
            break;
        };
        let (mark, after) = group.split_at(end);
        match mark {
            b"E" => return (Severity::Error, message),
            b"W" => return (Severity::Warning, message),
            b"I" => return (Severity::Info, message),
            b"D" | b"DD" | b"DDD" => return (Severity::Debug, message),
            _ => rest = after.get(1..).unwrap_or_default(),
        }
    }
    (Severity::Info, message)
}

/// The line after a leading `Www Mmm dd hh:mm:ss yyyy `, the format of ctime(3); the whole line when there is none.
fn without_time(line: &[u8]) -> &[u8] {
    const SHAPE: &[u8; 25] = b"aaa aaa dd dd:dd:dd dddd ";
    let Some((time, rest)) = line.split_at_checked(SHAPE.len()) else {
        return line;
    };
    let fits = SHAPE.iter().zip(time).all(|(shape, byte)| match shape {
        b'a' => byte.is_ascii_alphabetic(),
        b'd' => byte.is_ascii_digit() || *byte == b' ',
        other => byte == other,
    });
    if fits { rest } else { line }
}

/// Appends one finished line, its newline included. Bytes that are not UTF-8 become U+FFFD.
pub fn append(
    out: &mut Vec<u8>,
    format: Format,
    time: &str,
    severity: Severity,
    service: &str,
    message: &[u8],
) {
    let message = String::from_utf8_lossy(message);
    match format {
        Format::Text => {
            for part in [time, " ", severity.padded(), " ", service, "  ", &message, "\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        Format::Json => {
            let line = JsonLine {
                time,
                severity,
                service,
                message: &message,
            };
            // Neither a Vec nor these types can fail to be written.
            let _ = serde_json::to_writer(&mut *out, &line);
            let _ = out.write_all(b"\n");
        }
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    time: &'a str,
    severity: Severity,
    service: &'a str,
    message: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(severity: Severity, message: &[u8]) -> String {
        let mut out = Vec::new();
        append(
            &mut out,
            Format::Text,
            "2026-11-23T14:00:00.123Z",
            severity,
            "oned",
            message,
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn severity_and_message_of_what_oned_writes() {
        let line = b"Mon Nov 23 10:14:29 2026 [Z0][ONE][E]: Could not connect";
        assert_eq!(
            classify(line),
            (Severity::Error, &b"[Z0][ONE][E]: Could not connect"[..])
        );
        assert_eq!(classify(b"Mon Nov  2 10:14:29 2026 [W]: x").0, Severity::Warning);
        assert_eq!(classify(b"[Z0][ReM][D]: Req:1").0, Severity::Debug);
    }

    #[test]
    fn a_line_without_marks_is_information_and_stays_whole() {
        for line in [
            &b"----------"[..],
            b"",
            b"[",
            b"[E",
            b"[not a mark that ends",
            b"x [E]: later",
            b"\xff\xfe",
        ] {
            assert_eq!(classify(line), (Severity::Info, line));
        }
    }

    #[test]
    fn text_has_time_severity_service_and_message() {
        assert_eq!(
            text(Severity::Info, b"message"),
            "2026-11-23T14:00:00.123Z INFO  oned  message\n"
        );
        assert_eq!(
            text(Severity::Error, b"\x1b[31mred\xff"),
            "2026-11-23T14:00:00.123Z ERROR oned  \x1b[31mred\u{fffd}\n"
        );
    }

    #[test]
    fn json_is_one_object_per_line_whatever_the_bytes() {
        let mut out = Vec::new();
        append(
            &mut out,
            Format::Json,
            "t",
            Severity::Warning,
            "oned",
            b"\"a\"\t\xff\x01",
        );
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["severity"], "WARN");
        assert_eq!(value["message"], "\"a\"\t\u{fffd}\u{1}");
    }
}
