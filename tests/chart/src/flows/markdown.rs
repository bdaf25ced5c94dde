//! The table of flows as docs/network-flows.md shows it.

use std::fmt::Write as _;

use super::{Flow, Protocol, Variant, Verdict};

/// A section for each variant: its values, and a table of what passes and what is refused.
#[must_use]
pub fn render(variants: &[Variant]) -> String {
    let mut text = String::new();
    for Variant { title, values, flows } in variants {
        let _ = write!(text, "#### {title}\n\n");
        if values.as_object().is_some_and(|values| !values.is_empty()) {
            let _ = write!(text, "```json\n{values:#}\n```\n\n");
        }
        text.push_str("| From | To | Port | | Why |\n|---|---|---|---|---|\n");
        for verdict in [Verdict::Passes, Verdict::Refused] {
            for flow in flows.iter().filter(|flow| flow.verdict == verdict) {
                let _ = writeln!(text, "{}", row(flow));
            }
        }
        text.push('\n');
    }
    text
}

/// One line of the table.
#[must_use]
pub fn row(flow: &Flow) -> String {
    let protocol = match flow.protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
    };
    let verdict = match flow.verdict {
        Verdict::Passes => "passes",
        Verdict::Refused => "**refused**",
    };
    format!(
        "| {} | {} | {protocol} {} | {verdict} | {} |",
        flow.from.title(),
        flow.to.title(),
        flow.port,
        flow.why
    )
}
