//! `release report`: what changed between the packages of two releases, as the body of the pull request that adopts the
//! newer one. The packages come from the vendor's signed repository, or from folders.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::progress;
use crate::release::report::report;
use crate::release::unpack::{self, Contents, PACKAGES};
use crate::release::{Repository, Vendor};
use crate::repo::Repo;
use crate::versions::{CORE, Version, Versions};

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The release that is built now, such as 7.0.2
    old: Version,
    /// The release that comes after it
    new: Version,
    /// A folder with the old release's packages, .deb files or unpacked; without it they are downloaded
    #[arg(long, value_name = "DIR")]
    packages_old: Option<PathBuf>,
    /// A folder with the new release's packages
    #[arg(long, value_name = "DIR")]
    packages_new: Option<PathBuf>,
    #[command(flatten)]
    vendor: Vendor,
    /// The distribution in the repository's paths; without it that of the release's line in versions.json
    #[arg(long, value_name = "NAME/RELEASE")]
    distribution: Option<String>,
}

impl Report {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        progress::say(&self.report(repo)?);
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, repo: &Repo) -> Result<String> {
        if self.old >= self.new {
            bail!(
                "{} is not older than {}: name the old release first",
                self.old,
                self.new
            );
        }
        let old = self.contents(repo, self.old, self.packages_old.as_ref())?;
        let new = self.contents(repo, self.new, self.packages_new.as_ref())?;
        let ours = |path: &str| fs::read_to_string(repo.root.join(path)).unwrap_or_default();
        Ok(report((self.old, &old), (self.new, &new), &ours))
    }

    /// The packages of a release, from the folder that was named or from the repository.
    fn contents(&self, repo: &Repo, release: Version, folder: Option<&PathBuf>) -> Result<Contents> {
        let Some(folder) = folder else {
            return self.downloaded(repo, release);
        };
        let contents = unpack::read(folder)?;
        let core = contents
            .get(&format!("{PACKAGES}{CORE}"))
            .and_then(|file| file.text.as_deref());
        if let Some(version) =
            core.and_then(|text| text.lines().find_map(|line| line.strip_prefix("Version: ")))
            && Version::of_package(version) != Some(release)
        {
            bail!(
                "{} has {CORE} {version}, and not {release}: name the folder of that release",
                folder.display()
            );
        }
        Ok(contents)
    }

    fn downloaded(&self, repo: &Repo, release: Version) -> Result<Contents> {
        let repository = Repository::open(&self.vendor)?;
        let distribution = match &self.distribution {
            Some(distribution) => distribution.clone(),
            None => distribution(&Versions::read(&repo.versions())?, release)?,
        };
        // The line's repository has its newest releases, and each release has one of its own.
        let folders = [
            format!("{release}/{distribution}"),
            format!("{}/{distribution}", release.line()),
        ];
        for folder in &folders {
            let dir = tempfile::tempdir().context("a temporary folder")?;
            if repository.download(folder, release, dir.path())? {
                return unpack::read(dir.path());
            }
        }
        bail!(
            "neither {} nor {} is there (404): name another repository with --repository, or folders with packages",
            repository.index_of(&folders[0]),
            repository.index_of(&folders[1])
        )
    }
}

/// That of the line, or where the line is not built that of the newest.
fn distribution(versions: &Versions, release: Version) -> Result<String> {
    let mut lines: Vec<_> = versions.lines().collect();
    lines.sort_by_key(|(line, _)| (*line == release.line(), *line));
    let (_, entry) = lines.last().context("versions.json has no line")?;
    Ok(entry.distribution.clone())
}

#[cfg(test)]
mod tests;
