//! The bump: what the vendor released since `versions.json` was written, as the title and the body of a pull request.
//!
//! `release detect` finds it and `release report` describes it; this says which reports are wanted and puts them together.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::forge::hand;
use crate::release::{Mode, Vendor, detect};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::verbs::release::chart::follow;
use crate::versions::{Line, Version, Versions};

/// What GitHub takes as a body is 65,536 characters; bytes are never fewer.
const LIMIT: usize = 60_000;

/// What a line was and is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// Another release.
    Release { line: Line, old: Version, new: Version },
    /// The same release with other packages or architectures, or read for the first time.
    Packages { release: Version },
}

/// Brings `versions.json` up to date, with it whatever follows the default line's release, and writes the body to a file. The step's outputs are `changed` (true or false), `title`,
/// `proposed`, the lines that could be built and are not, and `broken`, the lines that cannot be judged and are as they were.
pub(crate) fn bump(repo: &Repo, body: &Path) -> Result<()> {
    let this = std::env::current_exe().context("this program's own path")?;
    let before = Versions::read(&repo.versions())?;
    let vendor = Vendor::default();
    let outcome = detect(&vendor, &repo.versions(), None, Mode::Write)?;
    let found = &outcome.report;
    let after = Versions::read(&repo.versions())?;
    crate::progress::say(found);
    let changes = changes(&before, &after);
    let mut reports = Vec::new();
    for change in &changes {
        if let Change::Release { old, new, .. } = change {
            let report = cmd(&this)
                .args(["release", "report", &old.to_string(), &new.to_string()])
                .dir(&repo.root)
                .read()?;
            reports.push(report);
        }
    }
    if before.default_release()? != after.default_release()? {
        let why = format!("OpenNebula {}", after.default_release()?);
        for line in follow(&repo.root, &why)? {
            crate::progress::say(&line);
        }
    }
    std::fs::write(body, text(found, &reports)).with_context(|| body.display().to_string())?;
    hand::set("changed", if changes.is_empty() { "false" } else { "true" })?;
    hand::set("title", &title(&changes))?;
    hand::set("proposed", &lines(&outcome.proposed))?;
    let broken: Vec<Line> = outcome.broken.iter().map(|(line, _)| *line).collect();
    hand::set("broken", &lines(&broken))
}

/// As `7.6, 8.0`.
fn lines(lines: &[Line]) -> String {
    let names: Vec<String> = lines.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn changes(before: &Versions, after: &Versions) -> Vec<Change> {
    after
        .lines()
        .filter_map(|(line, new)| {
            let (_, old) = before.lines().find(|(other, _)| *other == line)?;
            if old.version() != new.version() {
                Some(Change::Release {
                    line,
                    old: old.version(),
                    new: new.version(),
                })
            } else if old == new {
                None
            } else {
                Some(Change::Packages {
                    release: new.version(),
                })
            }
        })
        .collect()
}

/// The subject of the commit too.
fn title(changes: &[Change]) -> String {
    let named = |pick: &dyn Fn(&Change) -> Option<String>| -> Vec<String> {
        changes.iter().filter_map(pick).collect()
    };
    let releases = named(&|change| match change {
        Change::Release { new, .. } => Some(new.to_string()),
        Change::Packages { .. } => None,
    });
    let packages = named(&|change| match change {
        Change::Packages { release } => Some(release.to_string()),
        Change::Release { .. } => None,
    });
    match (releases.is_empty(), packages.is_empty()) {
        (true, true) => "nothing new from OpenNebula".to_owned(),
        (false, true) => format!("feat(image): OpenNebula {}", releases.join(", ")),
        (true, false) => format!(
            "feat(image): the vendor's packages of OpenNebula {}",
            packages.join(", ")
        ),
        (false, false) => format!(
            "feat(image): OpenNebula {}, and the vendor's packages of {}",
            releases.join(", "),
            packages.join(", ")
        ),
    }
}

fn text(found: &str, reports: &[String]) -> String {
    let mut text =
        String::from("What the vendor's signed package indexes say, by `cargo xtask release detect`:\n\n");
    text.push_str(&hand::block(found));
    for report in reports {
        let _ = write!(text, "\n{}\n", report.trim_end());
    }
    if text.len() > LIMIT {
        text.truncate(text.floor_char_boundary(LIMIT));
        text.insert_str(
            0,
            "This is cut, because GitHub takes no longer one: `cargo xtask release report OLD NEW` prints all of it.\n\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::unconfirmed;

    #[test]
    fn a_release_is_named_and_what_is_the_same_is_not() {
        let before = unconfirmed(&[("7.0", "7.0.0"), ("7.2", "7.2.0"), ("7.4", "7.4.0")]);
        let after = unconfirmed(&[("7.0", "7.0.1"), ("7.2", "7.2.0"), ("7.4", "7.4.2")]);
        let found = changes(&before, &after);
        assert_eq!(found.len(), 2);
        assert_eq!(title(&found), "feat(image): OpenNebula 7.0.1, 7.4.2");
        assert_eq!(title(&changes(&before, &before)), "nothing new from OpenNebula");
    }

    #[test]
    fn the_body_has_the_table_and_every_report() {
        let body = text(
            "line  before",
            &["# 7.0.0 → 7.0.1\n".to_owned(), "# 7.4".to_owned()],
        );
        assert!(
            body.contains("```\nline  before\n```\n\n# 7.0.0 → 7.0.1\n\n# 7.4\n"),
            "{body}"
        );
    }

    #[test]
    fn a_body_that_github_would_refuse_is_cut_and_says_so() {
        let body = text("x", &["→".repeat(30_000)]);
        assert!(body.len() < 65_536, "{}", body.len());
        assert!(body.starts_with("This is cut"), "{}", &body[..80]);
    }

    #[test]
    fn lines_are_named_one_behind_the_other() {
        assert_eq!(lines(&[Line::new(7, 6), Line::new(8, 0)]), "7.6, 8.0");
        assert_eq!(lines(&[]), "");
    }
}
