//! `release detect`: brings `versions.json` up to what the vendor's signed apt indexes say.
//!
//! Where anything of any line is wrong, all of it is told and nothing is written. A new line is shown, not taken in.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::images::VENDOR;
use crate::progress;
use crate::release::{Planned, Proposed, Repository, Source, plan, propose, table};
use crate::repo::Repo;
use crate::versions::{Entry, Line, Versions};

#[derive(Debug, Args)]
pub(crate) struct Detect {
    /// Writes nothing; exits 1 when versions.json would change
    #[arg(long)]
    check: bool,
    /// This line alone, such as 7.0; nothing is proposed then
    #[arg(long, value_name = "X.Y")]
    line: Option<Line>,
    /// The folder of the vendor's apt repositories
    #[arg(long, value_name = "URL", default_value = VENDOR)]
    repository: String,
    /// The key that the indexes are signed with, ASCII-armoured; without it repo2.key in the repository
    #[arg(long, value_name = "URL-OR-FILE")]
    key: Option<String>,
}

/// What was found, and done.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) report: String,
    /// Whether the file changed, or would have.
    pub(super) news: bool,
}

impl Detect {
    /// For a vendor elsewhere.
    pub(super) fn of(repository: &str, key: Option<&str>, line: Option<Line>) -> Self {
        Self {
            check: false,
            line,
            repository: repository.to_owned(),
            key: key.map(str::to_owned),
        }
    }

    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let outcome = self.detect(&repo.versions())?;
        progress::say(&outcome.report);
        Ok(if self.check && outcome.news {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    /// Brings a file up to what the vendor has.
    pub(super) fn detect(&self, file: &Path) -> Result<Outcome> {
        let before = Versions::read(file)?;
        let chosen = self.chosen(&before)?;
        let key = match &self.key {
            Some(key) => key.clone(),
            None => format!("{}/repo2.key", self.repository.trim_end_matches('/')),
        };
        let repository = Repository::open(&self.repository, &key)?;
        let mut mistakes = Vec::new();
        let mut planned = Vec::new();
        for (line, entry) in &chosen {
            match look(&repository, *line, entry) {
                Ok(found) => planned.push(found),
                Err(error) => mistakes.push(format!("{line}: {error:#}")),
            }
        }
        let mut proposed = Vec::new();
        if self.line.is_none()
            && let Some((newest, entry)) = before.lines().next_back()
        {
            for line in newest.successors() {
                match look_for(&repository, line, entry) {
                    Ok(found) => proposed.extend(found),
                    Err(error) => mistakes.push(format!("{line}, which would be new: {error:#}")),
                }
            }
        }
        if !mistakes.is_empty() {
            bail!(
                "{} is as it was, for something is wrong with {} of the lines\n  {}",
                file.display(),
                mistakes.len(),
                mistakes.join("\n  ")
            );
        }
        let after = planned.iter().fold(before.clone(), |versions, planned| {
            versions.with(planned.line, planned.after.clone())
        });
        let news = after != before;
        if news && !self.check {
            after.write(file)?;
        }
        let end = match (news, self.check) {
            (false, _) => "versions.json is up to date",
            (true, false) => "versions.json was brought up to this",
            (true, true) => "versions.json is behind: `cargo xtask release detect` brings it up to this",
        };
        Ok(Outcome {
            report: format!("{}\n\n{end}", table(&planned, &proposed)),
            news,
        })
    }

    fn chosen<'a>(&self, versions: &'a Versions) -> Result<Vec<(Line, &'a Entry)>> {
        let all: Vec<_> = versions.lines().collect();
        let Some(wanted) = self.line else {
            return Ok(all);
        };
        let chosen: Vec<_> = all.iter().copied().filter(|(line, _)| *line == wanted).collect();
        if chosen.is_empty() {
            let names: Vec<String> = all.iter().map(|(line, _)| line.to_string()).collect();
            bail!("versions.json has no line {wanted}: it has {}", names.join(", "));
        }
        Ok(chosen)
    }
}

/// Reads the line's own repository, or where there is none that of its release.
fn look(repository: &Repository, line: Line, entry: &Entry) -> Result<Planned> {
    let of_line = format!("{line}/{}", entry.distribution());
    let of_release = format!("{}/{}", entry.version(), entry.distribution());
    if let Some(index) = repository.read(&of_line)? {
        return plan(line, entry, Source::Line, &index);
    }
    if let Some(index) = repository.read(&of_release)? {
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
    match repository.read(&format!("{line}/{}", newest.distribution()))? {
        Some(index) => Ok(propose(line, &index)),
        None => Ok(None),
    }
}

#[cfg(test)]
pub(super) mod tests;
