//! `release plan|candidate|promote|published|changed`: the way of an image to its tags.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::progress;
use crate::registry::{Digest, Repository};
use crate::release::changed::{Report, differences};
use crate::release::{jobs, promote};
use crate::repo::Repo;
use crate::verbs::release::image;
use crate::versions::{Architecture, Line, Version, Versions};

/// The options of every verb that asks a registry.
#[derive(Debug, Args)]
pub(crate) struct Registry {
    /// The image's name without a tag; without it the chart's
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
}

impl Registry {
    fn open(&self, repo: &Repo) -> Result<Repository> {
        Repository::open(repo, &image(repo, self.image.as_deref())?)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// This line alone, such as 7.0
    #[arg(long, value_name = "X.Y")]
    line: Option<Line>,
    /// This release alone, such as 7.0.1
    #[arg(long, value_name = "X.Y.Z")]
    release: Option<Version>,
    /// Prints the matrix as JSON, and the table on standard error
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let jobs = jobs::jobs(&Versions::read(&repo.versions())?, self.line, self.release)?;
        if self.json {
            progress::aside(&jobs::table(&jobs));
            progress::say(&jobs::json(&jobs).to_string());
        } else {
            progress::say(&jobs::table(&jobs));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Candidate {
    #[command(flatten)]
    registry: Registry,
    /// The release of the images
    #[arg(long, value_name = "X.Y.Z")]
    release: Version,
    /// The image of an architecture, such as amd64=sha256:…; once for each
    #[arg(long = "digest", value_name = "ARCHITECTURE=DIGEST", required = true, value_parser = architecture_and_digest)]
    digests: Vec<(Architecture, Digest)>,
}

impl Candidate {
    pub(crate) fn run(mut self, repo: &Repo) -> Result<ExitCode> {
        self.digests.sort();
        let repository = self.registry.open(repo)?;
        let versions = Versions::read(&repo.versions())?;
        let digest = promote::push_candidate(&repository, &self.digests, self.release, &versions)?;
        progress::say(&digest.to_string());
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    #[command(flatten)]
    registry: Registry,
    /// The digest of the index that was tried and found good
    #[arg(long, value_name = "sha256:…")]
    digest: Digest,
    /// The release of the image
    #[arg(long, value_name = "X.Y.Z")]
    release: Version,
    /// Replaces the foreign image that a tag names, such as latest=sha256:…; see docs/maintainers/launch.md
    #[arg(long, value_name = "TAG=DIGEST", value_parser = tag_and_digest)]
    replace_foreign: Vec<(String, Digest)>,
    /// Checks everything and sets nothing
    #[arg(long)]
    dry_run: bool,
}

impl Promote {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let repository = self.registry.open(repo)?;
        let versions = Versions::read(&repo.versions())?;
        let mode = if self.dry_run {
            promote::Mode::DryRun
        } else {
            promote::Mode::Write
        };
        let replaceable = self.replace_foreign.into_iter().collect();
        let promotion = promote::promote(
            &repository,
            &self.digest,
            self.release,
            &versions,
            &replaceable,
            mode,
        )
        .with_context(|| format!("{} is not promoted", repository.by_digest(&self.digest)))?;
        progress::say(&promotion.table());
        let foreign = promotion.foreign();
        if !foreign.is_empty() {
            bail!(
                "tags of {} name images that are not ours, and were left alone. To replace them run once (see \
                 docs/maintainers/launch.md):\n  cargo xtask release promote --image {} --digest {} --release {} {}",
                repository.name,
                repository.name,
                self.digest,
                self.release,
                foreign.join(" ")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Published {
    #[command(flatten)]
    registry: Registry,
    /// The release
    #[arg(long, value_name = "X.Y.Z")]
    release: Version,
}

impl Published {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let repository = self.registry.open(repo)?;
        match promote::newest_build(&repository, self.release)? {
            Some((_, digest)) => progress::say(&repository.by_digest(&digest)),
            None => progress::aside(&format!("{} has no build of {}", repository.name, self.release)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Changed {
    /// The gate's report of the published build
    #[arg(long, value_name = "FILE")]
    published: PathBuf,
    /// The gate's report of the candidate
    #[arg(long, value_name = "FILE")]
    candidate: PathBuf,
}

impl Changed {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let differences = differences(&report(&self.published)?, &report(&self.candidate)?);
        progress::aside(
            differences
                .as_deref()
                .unwrap_or("The packages and the gate's verdict are the same."),
        );
        progress::say(if differences.is_some() { "true" } else { "false" });
        Ok(ExitCode::SUCCESS)
    }
}

fn report(file: &Path) -> Result<Report> {
    let read = fs::read_to_string(file)
        .context("cannot be read")
        .and_then(|text| Report::parse(&text));
    read.with_context(|| file.display().to_string())
}

fn architecture_and_digest(text: &str) -> Result<(Architecture, Digest)> {
    let (architecture, digest) = tag_and_digest(text)?;
    Ok((architecture.parse()?, digest))
}

fn tag_and_digest(text: &str) -> Result<(String, Digest)> {
    let (tag, digest) = text
        .split_once('=')
        .with_context(|| format!("\"{text}\" must be such as latest=sha256:… or amd64=sha256:…"))?;
    Ok((tag.to_owned(), digest.parse()?))
}
