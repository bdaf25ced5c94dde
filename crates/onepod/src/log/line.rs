//! One record of the stream: its severity, and how it is written. Pure.

use std::io::Write as _;

use serde::Serialize;

use super::visible::{visible, write_json};

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

/// Appends one finished record, the newline at its end included. Bytes that are not UTF-8 become U+FFFD, and control
/// characters are shown as escapes.
///
/// As text, each further line of the record stands on a line of its own with the same beginning and a bar before it; as
/// JSON, a record is one object whatever it holds.
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
            let mut between = "  ";
            let mut rest: Option<&str> = Some(&message);
            while let Some(text) = rest {
                let (line, further) = match text.split_once('\n') {
                    Some((line, further)) => (line, Some(further)),
                    None => (text, None),
                };
                let line = visible(line.strip_suffix('\r').unwrap_or(line));
                for part in [time, " ", severity.padded(), " ", service, between, &line, "\n"] {
                    out.extend_from_slice(part.as_bytes());
                }
                between = "  | ";
                rest = further;
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
            let _ = write_json(&mut *out, &line);
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
    fn text_has_time_severity_service_and_message() {
        assert_eq!(
            text(Severity::Info, b"message"),
            "2026-11-23T14:00:00.123Z INFO  oned  message\n"
        );
        assert_eq!(
            text(Severity::Error, b"\x1b[31mred\xff"),
            "2026-11-23T14:00:00.123Z ERROR oned  \\u{1b}[31mred\u{fffd}\n"
        );
    }

    #[test]
    fn further_lines_of_a_record_are_marked_in_text() {
        assert_eq!(
            text(Severity::Error, b"it failed\r\n  at x\n\nend"),
            "2026-11-23T14:00:00.123Z ERROR oned  it failed\n2026-11-23T14:00:00.123Z ERROR oned  |   at x\n\
             2026-11-23T14:00:00.123Z ERROR oned  | \n2026-11-23T14:00:00.123Z ERROR oned  | end\n"
        );
    }

    #[test]
    fn no_line_can_be_forged() {
        let forged = "2026-11-23T14:00:00.123Z ERROR onepod  stopped";
        for separator in [
            "\r",
            "\u{85}",
            "\u{2028}",
            "\u{1b}[1A",
            "\u{9b}1A",
            "\u{8}",
            "\u{202e}",
        ] {
            let line = text(Severity::Info, format!("x{separator}{forged}").as_bytes());
            let escaped: String = separator.chars().take(1).flat_map(char::escape_default).collect();
            assert!(line.contains(&format!("oned  x{escaped}")), "{line:?}");
            assert!(
                !line.contains(|char: char| char.is_control() && char != '\n'),
                "{line:?}"
            );
        }
    }

    #[test]
    fn json_is_one_object_per_record_whatever_the_bytes() {
        let mut out = Vec::new();
        append(
            &mut out,
            Format::Json,
            "t",
            Severity::Warning,
            "oned",
            b"\"a\"\n\t\xff\x01",
        );
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["severity"], "WARN");
        assert_eq!(value["message"], "\"a\"\n\t\u{fffd}\u{1}");
    }
}
