//! A version's section of CHANGELOG.md as Artifact Hub's list of changes
//! (artifacthub.io/docs/topics/annotations/helm, `artifacthub.io/changes`).

use anyhow::{Result, bail};

use super::ChartVersion;

/// The kinds that Artifact Hub knows, as the headings begin.
const KINDS: [&str; 6] = ["added", "changed", "deprecated", "removed", "fixed", "security"];

/// The lines of the list, in YAML. Fails where there is no section or nothing in it, with all mistakes of its headings.
pub(super) fn of(changelog: &str, version: &ChartVersion) -> Result<Vec<String>> {
    let number = version.to_string();
    let is_of = |line: &str| {
        let words = line.strip_prefix("## ").unwrap_or_default();
        words
            .split(['[', ']', ' ', '–', '(', ')'])
            .any(|word| word == number)
    };
    let Some(start) = changelog.lines().position(is_of) else {
        bail!("there is no section \"## [{number}]\": write in users' words what changed");
    };
    let section = changelog
        .lines()
        .skip(start + 1)
        .take_while(|line| !line.starts_with("## "));
    let mut changes: Vec<(&str, String)> = Vec::new();
    let mut kind = None;
    let mut open = false;
    let mut mistakes = Vec::new();
    for line in section {
        if let Some(heading) = line.strip_prefix("### ") {
            let word = heading
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_lowercase();
            kind = KINDS.into_iter().find(|known| *known == word);
            if kind.is_none() {
                mistakes.push(format!("\"{line}\" is none of the kinds {}", KINDS.join(", ")));
            }
            open = false;
        } else if let Some(text) = line.strip_prefix("- ") {
            match kind {
                Some(kind) => changes.push((kind, text.trim().to_owned())),
                None if mistakes.is_empty() => {
                    mistakes.push(format!("\"{line}\" stands below no kind of change"));
                }
                None => {}
            }
            open = kind.is_some();
        } else if line.trim().is_empty() {
            open = false;
        } else if let Some((_, text)) = changes.last_mut().filter(|_| open) {
            text.push(' ');
            text.push_str(line.trim());
        }
    }
    if !mistakes.is_empty() {
        bail!("the section of {number} cannot be read: {}", mistakes.join("; "));
    }
    if changes.is_empty() {
        bail!("the section of {number} has no change: write in users' words what changed");
    }
    let lines = changes.into_iter().flat_map(|(kind, text)| {
        // A JSON string is one of YAML's too.
        let text = serde_json::Value::from(plain(&text));
        [format!("- kind: {kind}"), format!("  description: {text}")]
    });
    Ok(lines.collect())
}

/// Without what only Markdown shows: bold, and the targets of links.
fn plain(text: &str) -> String {
    let text = text.replace("**", "");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, label, after)) = link(rest) {
        plain.push_str(before);
        plain.push_str(label);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// What stands before the next link, its label, and what stands behind it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let middle = text.find("](")?;
    let start = text[..middle].rfind('[')?;
    let end = middle + text[middle..].find(')')?;
    Some((&text[..start], &text[start + 1..middle], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "# Changelog\n\n## [Unreleased] – 0.4.0\n\nWords.\n\n### Added\n\n- **One**: \"a\" and [b](https://b),\n  and c.\n- Two\n\nNo change.\n\n### Changed from 0.2.6\n\n- Three\n\n\
                       ## [0.3.10] – 2026-01-01\n\n### Security\n\n- Four\n\n## [0.3.1]\n\n### Fixed\n\n- Five\n";

    fn of_version(text: &str, version: &str) -> Result<Vec<String>> {
        of(text, &version.parse().unwrap())
    }

    #[test]
    fn a_section_becomes_a_list() {
        let lines = of_version(LOG, "0.4.0").unwrap();
        assert_eq!(
            lines,
            [
                "- kind: added",
                "  description: \"One: \\\"a\\\" and b, and c.\"",
                "- kind: added",
                "  description: \"Two\"",
                "- kind: changed",
                "  description: \"Three\"",
            ]
        );
        let read: serde_json::Value = serde_saphyr::from_str(&lines.join("\n")).unwrap();
        assert_eq!(read[0]["description"], "One: \"a\" and b, and c.");
        assert_eq!(
            of_version(LOG, "0.3.1").unwrap()[0],
            "- kind: fixed",
            "and not 0.3.10's"
        );
    }

    #[test]
    fn a_section_that_says_nothing_is_refused() {
        let told = |text: &str| of_version(text, "0.4.0").unwrap_err().to_string();
        assert!(told("# x\n").contains("there is no section \"## [0.4.0]\""));
        assert!(told("## [0.4.0]\n\n## [0.3.0]\n### Added\n- x\n").contains("has no change"));
        assert!(told("## [0.4.0]\n- x\n").contains("stands below no kind"));
        assert!(told("## [0.4.0]\n### Better\n- x\n").contains("\"### Better\" is none of the kinds"));
    }
}
