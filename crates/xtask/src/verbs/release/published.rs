//! `release published`: the newest image of a line's release, by its digest, for whoever looks at it further. Prints nothing
//! but that, and nothing at all where the release is not published.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::progress;
use crate::registry::Repository;
use crate::release::{newest, published};
use crate::repo::Repo;
use crate::verbs::release::image;
use crate::versions::{Line, Versions};

#[derive(Debug, Args)]
pub(crate) struct Published {
    /// The line, such as 7.0; its release is the one that versions.json names
    #[arg(long, value_name = "X.Y")]
    line: Line,
    /// The image's name without a tag; without it the chart's
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
}

impl Published {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let versions = Versions::read(&repo.versions())?;
        let Some((_, entry)) = versions.lines().find(|(line, _)| *line == self.line) else {
            let lines: Vec<String> = versions.lines().map(|(line, _)| line.to_string()).collect();
            bail!(
                "versions.json has no line {}: it has {}",
                self.line,
                lines.join(", ")
            );
        };
        let name = image(repo, self.image.as_deref())?;
        match newest(&name, entry.version(), &published(&Repository::open(&name)?)?) {
            Some(image) => progress::say(&image),
            None => progress::aside(&format!("{} of {name} is not published yet", entry.version())),
        }
        Ok(ExitCode::SUCCESS)
    }
}
