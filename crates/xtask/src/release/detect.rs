//! What the vendor has, line by line, and what becomes of `versions.json` by it.
//!
//! Each line is judged alone: one whose repository cannot be read, or says what cannot be, stays as it is and is told; the
//! others go on. A new line is shown, not taken in.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, bail};

use super::plan::{Planned, Proposed, Source, plan, propose};
use super::repository::{Repository, Vendor};
use super::table::table;
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
    let after = planned.iter().fold(before.clone(), |versions, planned| {
        versions.with(planned.line, planned.after.clone())
    });
    let news = after != before;
    if news && mode == Mode::Write {
        after.write(file)?;
    }
    Ok(Outcome {
        report: report(&planned, &proposed, &broken, news, mode),
        news,
        broken,
        proposed: proposed.iter().map(|one| one.line).collect(),
    })
}

fn report(
    planned: &[Planned],
    proposed: &[Proposed],
    broken: &[(Line, String)],
    news: bool,
    mode: Mode,
) -> String {
    let mut text = table(planned, proposed);
    if !broken.is_empty() {
        text.push_str("\n\nas before, because something is wrong:");
        for (line, reason) in broken {
            let _ = write!(text, "\n  {line}: {reason}");
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

fn chosen(versions: &Versions, only: Option<Line>) -> Result<Vec<(Line, &Entry)>> {
    let all: Vec<_> = versions.lines().collect();
    let Some(wanted) = only else {
        return Ok(all);
    };
    let chosen: Vec<_> = all.iter().copied().filter(|(line, _)| *line == wanted).collect();
    if chosen.is_empty() {
        let names: Vec<String> = all.iter().map(|(line, _)| line.to_string()).collect();
        bail!("versions.json has no line {wanted}: it has {}", names.join(", "));
    }
    Ok(chosen)
}

/// Reads the line's own repository, or where there is none that of its release.
fn look(repository: &Repository, line: Line, entry: &Entry) -> Result<Planned> {
    let of_line = format!("{line}/{}", entry.distribution());
    let of_release = format!("{}/{}", entry.version(), entry.distribution());
    if let Some(index) = repository.read(&of_line, line)? {
        return plan(line, entry, Source::Line, &index);
    }
    if let Some(index) = repository.read(&of_release, line)? {
        return plan(line, entry, Source::Release, &index);
    }
    bail!(
        "neither {} nor {} is there (404): try again later; if the vendor publishes no packages of the line, take it \
         out of versions.json",
        repository.index_of(&of_line),
        repository.index_of(&of_release)
    )
}

/// Looks whether there is a line that could come after the newest.
fn look_for(repository: &Repository, line: Line, newest: &Entry) -> Result<Option<Proposed>> {
    let folder = format!("{line}/{}", newest.distribution());
    Ok(repository
        .read(&folder, line)?
        .and_then(|index| propose(line, &index)))
}

#[cfg(test)]
mod tests;
