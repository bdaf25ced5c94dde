//! The one place that prints: lines on standard output, each at once.

use std::io::Write;

/// Prints a line. A reader that went away is not an error of the suite.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
