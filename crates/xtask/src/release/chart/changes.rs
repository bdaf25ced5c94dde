//! A version's section of CHANGELOG.md as Artifact Hub's list of changes
//! (artifacthub.io/docs/topics/annotations/helm, `artifacthub.io/changes`).

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::ChartVersion;

/// The kinds that Artifact Hub knows, as the headings begin.
const KINDS: [&str; 6] = ["added", "changed", "deprecated", "removed", "fixed", "security"];

/// The list. Fails where there is no section, nothing in it, or a heading that is no kind.
pub(super) fn of(changelog: &str, version: &ChartVersion) -> Result<Vec<Value>> {
    let number = version.to_string();
    let is_of = |line: &str| {
        line.starts_with("## ")
            && line
                .split(['[', ']', ' ', '–', '(', ')'])
                .any(|word| word == number)
    };
    let mut lines = changelog.lines().skip_while(|line| !is_of(line));
    lines.next().with_context(|| {
        format!("there is no section \"## [{number}]\": write in users' words what changed")
    })?;
    let mut changes: Vec<(String, String)> = Vec::new();
    let mut kind = String::new();
    for line in lines.take_while(|line| !line.starts_with("## ")) {
        if let Some(heading) = line.strip_prefix("### ") {
            kind = heading.split(' ').next().unwrap_or_default().to_lowercase();
        } else if let Some(text) = line.strip_prefix("- ") {
            ensure!(
                KINDS.contains(&kind.as_str()),
                "the section of {number} has \"{line}\" below \"### {kind}\", which must begin with one of {}",
                KINDS.join(", ")
            );
            changes.push((kind.clone(), text.to_owned()));
        } else if let (Some(more), Some((_, text))) = (line.strip_prefix("  "), changes.last_mut()) {
            text.push(' ');
            text.push_str(more);
        }
    }
    ensure!(
        !changes.is_empty(),
        "the section of {number} has no change: write in users' words what changed"
    );
    let list = changes.into_iter();
    Ok(list
        .map(|(kind, text)| json!({"kind": kind, "description": text.replace("**", "")}))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_version(text: &str, version: &str) -> Result<Vec<Value>> {
        of(text, &version.parse().unwrap())
    }

    #[test]
    fn a_section_becomes_a_list() {
        let log = "# Changelog\n\n## [Unreleased] – 0.4.0\n\nWords.\n\n### Added\n\n- **One**: \"a\"\n  and b.\n\nNo change.\n\n### Changed from 0.2.6\n\n- Two\n\n\
                   ## [0.3.10] – 2026-01-01\n\n### Security\n\n- Three\n\n## [0.3.1]\n\n### Fixed\n\n- Four\n";
        assert_eq!(
            of_version(log, "0.4.0").unwrap(),
            [
                json!({"kind": "added", "description": "One: \"a\" and b."}),
                json!({"kind": "changed", "description": "Two"})
            ]
        );
        assert_eq!(
            of_version(log, "0.3.1").unwrap(),
            [json!({"kind": "fixed", "description": "Four"})],
            "and not 0.3.10's"
        );
    }

    #[test]
    fn a_section_that_says_nothing_is_refused() {
        let refused = |text: &str| of_version(text, "0.4.0").unwrap_err().to_string();
        assert!(refused("# x\n").contains("there is no section \"## [0.4.0]\""));
        assert!(refused("## [0.4.0]\n\n## [0.3.0]\n### Added\n- x\n").contains("has no change"));
        assert!(refused("## [0.4.0]\n- x\n").contains("must begin with one of"));
        assert!(refused("## [0.4.0]\n### Better\n- x\n").contains("below \"### better\""));
    }
}
