//! `release plan`: what would be built, and which tags it would get, by versions.json and what the registry has. Changes
//! nothing.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::progress;
use crate::registry::Repository;
use crate::release::{Event, Wanted, matrix, published};
use crate::repo::Repo;
use crate::verbs::release::image;
use crate::versions::{Line, Version, Versions};

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Why images are to be built
    #[arg(long, value_enum)]
    event: Event,
    /// This line alone, such as 7.0
    #[arg(long, value_name = "X.Y")]
    line: Option<Line>,
    /// This release alone, such as 7.0.1; an older one than versions.json names is not `latest`
    #[arg(long, value_name = "X.Y.Z")]
    release: Option<Version>,
    /// The image's name without a tag; without it the chart's
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// Prints the matrix as JSON, and the table on standard error
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let name = image(repo, self.image.as_deref())?;
        let versions = Versions::read(&repo.versions())?;
        let wanted = Wanted {
            event: self.event,
            line: self.line,
            release: self.release,
        };
        let matrix = matrix(&versions, &wanted, &published(&Repository::open(&name)?)?)
            .with_context(|| format!("no plan for {name}"))?;
        if self.json {
            progress::aside(&matrix.table());
            progress::say(&matrix.json().to_string());
        } else {
            progress::say(&matrix.table());
        }
        Ok(ExitCode::SUCCESS)
    }
}
