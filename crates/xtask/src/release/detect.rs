//! What the vendor has, line by line, and what becomes of `versions.json` by it.
//!
//! Each line is judged alone: one whose repository cannot be read, or says what cannot be, stays as it is and is told; the
//! others go on. A new line is shown, not taken in.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};

use super::markdown;
use super::plan::{Planned, names, plan, propose};
use super::repository::{Repository, Vendor};
use crate::versions::{Entry, Line, Versions};

/// What was found, and done.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For people.
    pub(crate) report: String,
    /// Whether the file changed, or would have.
    pub(crate) news: bool,
    /// The lines that stay as they are because something is wrong, each with the reason.
    pub(crate) broken: Vec<(Line, String)>,
    /// The lines that could be built and are not.
    pub(crate) proposed: Vec<Line>,
}

/// Whether the file is brought up to date, or only compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Compare,
}

/// Brings a file up to what the vendor has; of one line alone, no new lines are looked for.
///
/// Fails where the file or the vendor's key cannot be read, and where there is no such line.
pub(crate) fn detect(vendor: &Vendor, file: &Path, only: Option<Line>, mode: Mode) -> Result<Outcome> {
    let before = Versions::read(file)?;
    let chosen = chosen(&before, only)?;
    let repository = Repository::open(vendor)?;
    let mut broken = Vec::new();
    let mut planned = Vec::new();
    for (line, entry) in chosen {
        match look(&repository, line, entry) {
            Ok(found) => planned.push(found),
            Err(error) => broken.push((line, format!("{error:#}"))),
        }
    }
    let mut proposed = Vec::new();
    if only.is_none()
        && let Some((newest, entry)) = before.lines().next_back()
    {
        for line in newest.successors() {
            match look_for(&repository, line, entry) {
                Ok(found) => proposed.extend(found),
                Err(error) => broken.push((line, format!("{error:#}"))),
            }
        }
    }
    let changed = planned
        .iter()
        .filter_map(|one| Some((one.line, one.after.clone()?)));
    let after = changed.fold(before.clone(), |versions, (line, entry)| {
        versions.with(line, entry)
    });
    let news = after != before;
    if news && mode == Mode::Write {
        after.write(file)?;
    }
    let lines = proposed.iter().map(|one: &Planned| one.line).collect();
    planned.extend(proposed);
    Ok(Outcome {
        report: report(&planned, &broken, news, mode),
        news,
        broken,
        proposed: lines,
    })
}

fn report(planned: &[Planned], broken: &[(Line, String)], news: bool, mode: Mode) -> String {
    let mut text = table(planned);
    if !broken.is_empty() {
        text.push_str("\n\nas before, because something is wrong:\n");
        for (line, reason) in broken {
            let _ = write!(text, "\n- {line}: {reason}");
        }
    }
    text.push_str(match (news, mode) {
        (false, _) => "\n\nversions.json is as it was",
        (true, Mode::Write) => "\n\nversions.json was brought up to this",
        (true, Mode::Compare) => {
            "\n\nversions.json is behind: `cargo xtask release detect` brings it up to this"
        }
    });
    text
}

/// A row for each line, and below them what needs a sentence.
pub(super) fn table(planned: &[Planned]) -> String {
    let release = |entry: &Option<Entry>| {
        entry
            .as_ref()
            .map_or_else(|| "-".to_owned(), |entry| entry.version.to_string())
    };
    let rows: Vec<[String; 5]> = planned
        .iter()
        .map(|one| {
            [
                one.line.to_string(),
                release(&one.before),
                release(&one.after),
                one.after
                    .as_ref()
                    .map_or_else(String::new, |entry| names(&entry.architectures)),
                one.verdict().to_owned(),
            ]
        })
        .collect();
    let mut text = markdown::table(["line", "before", "now", "architectures", "verdict"], &rows);
    for (place, remark) in planned.iter().flat_map(|one| &one.remarks).enumerate() {
        let _ = write!(text, "{}\n- {remark}", if place == 0 { "\n" } else { "" });
    }
    text
}

fn chosen(versions: &Versions, only: Option<Line>) -> Result<Vec<(Line, &Entry)>> {
    Ok(match only {
        Some(line) => vec![(line, versions.line(line)?)],
        None => versions.lines().collect(),
    })
}

/// Reads the line's own repository, or where there is none that of its release.
fn look(repository: &Repository, line: Line, entry: &Entry) -> Result<Planned> {
    let of_line = format!("{line}/{}", entry.distribution);
    let of_release = format!("{}/{}", entry.version, entry.distribution);
    if let Some(index) = repository.read(&of_line, line)? {
        return plan(line, entry, &index);
    }
    if let Some(index) = repository.read(&of_release, line)? {
        let mut planned = plan(line, entry, &index)?;
        planned.remarks.push(format!(
            "{line}: read from the repository of {}, because the line has no repository; a newer release would not be found",
            entry.version
        ));
        return Ok(planned);
    }
    bail!(
        "neither {} nor {} is there (404): try again later; if the vendor publishes no packages of the line, take it \
         out of versions.json",
        repository.index_of(&of_line),
        repository.index_of(&of_release)
    )
}

/// Looks whether there is a line that could come after the newest.
fn look_for(repository: &Repository, line: Line, newest: &Entry) -> Result<Option<Planned>> {
    let folder = format!("{line}/{}", newest.distribution);
    Ok(repository
        .read(&folder, line)?
        .and_then(|index| propose(line, newest, &index)))
}

#[cfg(test)]
mod tests;
