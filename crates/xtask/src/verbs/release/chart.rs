//! `release chart`: the chart's version and what follows from it, whether all of that is in step, and the package with the
//! repository's index. Nothing is published here.

mod package;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use crate::files::replace;
use crate::progress;
use crate::release::chart::{self, Base, CHART, ChartVersion};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::tools::HELM;
use crate::versions::{Entry, Version, Versions};

/// What the chart consists of.
const FOLDER: &str = "charts/opennebula";
/// How the tag of a published version begins, as chart-releaser makes it.
const TAG: &str = "opennebula-";

#[derive(Debug, Subcommand)]
pub(crate) enum Chart {
    /// Gives the chart and all that goes with it a version: appVersion, the Dockerfile, the list of changes
    Version {
        /// The new version, which CHANGELOG.md has a section of
        version: ChartVersion,
    },
    /// Whether version, appVersion, Dockerfile and list of changes are in step; writes nothing
    Check {
        /// The last published version, a tag or a commit; without it the newest tag opennebula-X.Y.Z, if there is one
        #[arg(long, value_name = "REF")]
        base: Option<String>,
    },
    /// Packages the chart, and puts the package into the index of a repository
    Package {
        /// Where package and index.yaml are put
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The repository's index as it is published now; without it the index has this version alone
        #[arg(long, value_name = "INDEX.yaml")]
        merge: Option<PathBuf>,
        /// Where the package will be downloaded from, without its name
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

impl Chart {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        match self {
            Self::Version { version } => {
                for line in set(&repo.root, &version)? {
                    progress::say(&line);
                }
            }
            Self::Check { base } => check(&repo.root, base)?,
            Self::Package { out, merge, url } => {
                progress::say(&pack(repo, &out, merge.as_deref(), url.as_deref())?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Packages the chart into a folder, with the index of a repository at `url`; what was done, in words.
pub(crate) fn pack(repo: &Repo, out: &Path, merge: Option<&Path>, url: Option<&str>) -> Result<String> {
    package::package(&helm(repo)?, &repo.root.join(FOLDER), out, merge, url)
}

/// That of the test cluster, which has the same version; where no cluster was made, it alone.
fn helm(repo: &Repo) -> Result<PathBuf> {
    let ready = crate::cluster::programs(repo)?.join("helm");
    if ready.exists() {
        return Ok(ready);
    }
    HELM.install(repo)?;
    Ok(HELM.path(repo))
}

/// Writes the version; a line for each file.
fn set(root: &Path, version: &ChartVersion) -> Result<Vec<String>> {
    let texts = texts(root)?;
    let (release, entry) = default_line(root)?;
    let new = chart::with_version(&texts, version, release, &entry)?;
    let mut said = Vec::new();
    for path in chart::WRITTEN {
        let (before, after) = (texts.get(path), new.get(path));
        if let Some(after) = after.filter(|_| before != after) {
            replace(&root.join(path), after)?;
            said.push(format!("{path} was changed"));
        }
    }
    if said.is_empty() {
        said.push(format!(
            "chart {version} with OpenNebula {release}: all of it was so already"
        ));
    }
    Ok(said)
}

fn check(root: &Path, base: Option<String>) -> Result<()> {
    let base = match base.map_or_else(|| newest_tag(root), |name| Ok(Some(name)))? {
        Some(name) => Some(of_commit(root, &name)?),
        None => None,
    };
    let (release, entry) = default_line(root)?;
    let mistakes = chart::mistakes(&texts(root)?, release, &entry, base.as_ref())?;
    if !mistakes.is_empty() {
        bail!("the chart cannot be published so\n  {}", mistakes.join("\n  "));
    }
    progress::say(&match base {
        Some(base) => format!(
            "the chart is in step, and its version is good beside {}",
            base.name
        ),
        None => "the chart is in step; there is no tag of a published version to compare with".to_owned(),
    });
    Ok(())
}

fn texts(root: &Path) -> Result<chart::Texts> {
    chart::texts(|path| fs::read_to_string(root.join(path)).with_context(|| path.to_owned()))
}

/// The release that the chart installs, with its entry.
fn default_line(root: &Path) -> Result<(Version, Entry)> {
    let versions = Versions::read(&root.join("versions.json"))?;
    let release = versions.default_release()?;
    let entry = versions.lines().find(|(line, _)| *line == release.line());
    let (_, entry) = entry.context("versions.json has no default line")?;
    Ok((release, entry.clone()))
}

fn newest_tag(root: &Path) -> Result<Option<String>> {
    let tags = cmd("git")
        .args(["tag", "--list", &format!("{TAG}*")])
        .dir(root)
        .read()?;
    let versions = tags
        .lines()
        .filter_map(|tag| tag.strip_prefix(TAG)?.parse::<ChartVersion>().ok());
    Ok(versions.max().map(|version| format!("{TAG}{version}")))
}

fn of_commit(root: &Path, name: &str) -> Result<Base> {
    let git = |args: &[&str]| {
        let read = cmd("git").args(args).dir(root).read();
        read.with_context(|| {
            format!("the chart of {name}: fetch the whole history and its tags, or name another --base")
        })
    };
    if name.starts_with('-') {
        bail!("--base {name} is no tag or commit");
    }
    let changed = git(&["diff", "--name-only", name, "--", FOLDER])?;
    Ok(Base {
        chart: git(&["show", &format!("{name}:{CHART}")])?,
        changed: changed.lines().map(str::to_owned).collect(),
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests;
