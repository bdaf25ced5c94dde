//! The bump: what the vendor released since `versions.json` was written, as the title and the body of a pull request.
//!
//! `release detect` finds it and `release report` describes it; this says which reports are wanted and puts them together.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::forge::hand;
use crate::release::{Mode, Vendor, detect};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::verbs::release::chart::follow;
use crate::versions::{Version, Versions};

/// A line whose entry differs; the same release twice has other packages or architectures.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    old: Version,
    new: Version,
}

/// Brings `versions.json` up to date, with it whatever follows the default line's release, and writes the body to a file. The
/// step's outputs are `changed` (true or false), `title`, `proposed`, the lines that could be built and are not, and `broken`, the lines that cannot be judged and are as they were.
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
    for Change { old, new } in changes.iter().filter(|change| change.old != change.new) {
        let report = cmd(&this)
            .args(["release", "report", &old.to_string(), &new.to_string()])
            .dir(&repo.root)
            .read()?;
        reports.push(report);
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
    hand::set("proposed", &list(&outcome.proposed))?;
    hand::set("broken", &list(outcome.broken.iter().map(|(line, _)| line)))
}

/// As `7.6, 8.0`.
fn list<'a, T: ToString + 'a>(items: impl IntoIterator<Item = &'a T>) -> String {
    let names: Vec<String> = items.into_iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn changes(before: &Versions, after: &Versions) -> Vec<Change> {
    let pairs = after.lines().filter_map(|(line, new)| {
        let old = before.line(line).ok()?;
        (old != new).then_some(Change {
            old: old.version,
            new: new.version,
        })
    });
    pairs.collect()
}

/// The subject of the commit too.
fn title(changes: &[Change]) -> String {
    let (releases, packages): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.old != change.new);
    let [releases, packages] =
        [releases, packages].map(|changes| list(changes.iter().map(|change| &change.new)));
    match (releases.as_str(), packages.as_str()) {
        ("", "") => "nothing new from OpenNebula".to_owned(),
        (releases, "") => format!("feat(image): OpenNebula {releases}"),
        ("", packages) => format!("feat(image): the vendor's packages of OpenNebula {packages}"),
        (releases, packages) => {
            format!("feat(image): OpenNebula {releases}, and the vendor's packages of {packages}")
        }
    }
}

/// create-pull-request cuts what is longer than GitHub takes.
fn text(found: &str, reports: &[String]) -> String {
    let head = "What the vendor's signed package indexes say, by `cargo xtask release detect`:";
    let reports: Vec<&str> = reports.iter().map(|report| report.trim_end()).collect();
    format!("{head}\n\n{found}\n\n{}\n", reports.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::versions;

    #[test]
    fn a_release_is_named_and_what_is_the_same_is_not() {
        let before = versions(&[("7.0", "7.0.0"), ("7.2", "7.2.0"), ("7.4", "7.4.0")]);
        let after = versions(&[("7.0", "7.0.1"), ("7.2", "7.2.0"), ("7.4", "7.4.2")]);
        let found = changes(&before, &after);
        assert_eq!(found.len(), 2);
        assert_eq!(title(&found), "feat(image): OpenNebula 7.0.1, 7.4.2");
        assert_eq!(title(&changes(&before, &before)), "nothing new from OpenNebula");
    }

    #[test]
    fn the_body_has_the_table_and_every_report() {
        let body = text("line  before", &["# 7.0.1\n".to_owned(), "# 7.4".to_owned()]);
        assert!(body.ends_with("\n\nline  before\n\n# 7.0.1\n\n# 7.4\n"), "{body}");
    }
}
