//! `release chart`: the chart's version and what follows from it, whether all of that is in step, and the package with the
//! repository's index. Nothing is published here.

mod package;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use crate::files::replace;
use crate::images;
use crate::progress;
use crate::registry::Repository;
use crate::release::chart::{self, Base, CHART, ChartVersion, Image, Programs, RELEASED_IMAGE};
use crate::release::promote::{expect_release, newest_build};
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
    /// Gives the chart the newest published image of its release, as a patch release; prints what was changed
    Image {
        /// Only checks the image that the chart has; prints true, or false while there is none and the chart cannot be published
        #[arg(long)]
        check: bool,
    },
    /// Packages the chart, and makes an index of it
    Package {
        /// Where package and index.yaml are put
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The chart as it is published: with the image of charts/released-image.txt
        #[arg(long)]
        released: bool,
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
            Self::Image { check: true } => progress::say(if check_image(repo)? { "true" } else { "false" }),
            Self::Image { check: false } => {
                for line in set_image(repo)? {
                    progress::say(&line);
                }
            }
            Self::Package { out, released, url } => {
                let image = if released {
                    Some(
                        released_image(&repo.root)?
                            .with_context(|| format!("{RELEASED_IMAGE} does not exist"))?,
                    )
                } else {
                    None
                };
                let said = pack(repo, &out, url.as_deref(), image.as_ref())?;
                progress::say(&said);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Packages the chart into a folder, with the index of a repository at `url`; what was done, in words.
pub(crate) fn pack(repo: &Repo, out: &Path, url: Option<&str>, image: Option<&Image>) -> Result<String> {
    package::package(&helm(repo)?, &repo.root.join(FOLDER), out, url, image)
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

/// Whether the chart has an image to be published with. Fails when the registry lacks it or has a foreign one.
fn check_image(repo: &Repo) -> Result<bool> {
    let (release, _) = default_line(&repo.root)?;
    let Some(image) = released_image(&repo.root)? else {
        progress::aside(&format!(
            "{RELEASED_IMAGE} does not exist: the chart is published when `cargo xtask release chart image` has found a build of \
             {release}"
        ));
        return Ok(false);
    };
    let images = Repository::open(repo, &images::repository(&repo.root)?.parse()?)?;
    expect_release(&images, &image.digest, release)
        .with_context(|| format!("{image} in {RELEASED_IMAGE}"))?;
    Ok(true)
}

fn released_image(root: &Path) -> Result<Option<Image>> {
    let file = root.join(RELEASED_IMAGE);
    if !file.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).context(RELEASED_IMAGE)?;
    text.parse().map(Some).context(RELEASED_IMAGE)
}

/// Gives the chart the newest build of the default line's release. A line for each file that was changed.
fn set_image(repo: &Repo) -> Result<Vec<String>> {
    let images = Repository::open(repo, &images::repository(&repo.root)?.parse()?)?;
    let (release, _) = default_line(&repo.root)?;
    let Some((build, digest)) = newest_build(&images, release)? else {
        progress::aside(&format!("{} has no build of {release} yet", images.name));
        return Ok(Vec::new());
    };
    let image = Image { build, digest };
    if released_image(&repo.root)?.as_ref() == Some(&image) {
        return Ok(Vec::new());
    }
    let why = format!("The image is {build}, the newest build of OpenNebula {release}");
    let mut said = follow(&repo.root, &why)?;
    replace(&repo.root.join(RELEASED_IMAGE), &format!("{image}\n"))?;
    said.push(format!("{RELEASED_IMAGE} was changed"));
    Ok(said)
}

/// Brings the chart in step with versions.json. A version that was published is followed by a patch release, for a reason that
/// goes into CHANGELOG.md. A line for each file that was changed.
pub(crate) fn follow(root: &Path, why: &str) -> Result<Vec<String>> {
    let mut texts = texts(root)?;
    let (release, entry) = default_line(root)?;
    let mut version = chart::version_of(&fs::read_to_string(root.join(CHART)).context(CHART)?)?;
    let mut said = Vec::new();
    let published = cmd("git")
        .args(["tag", "--list", &format!("{TAG}{version}")])
        .dir(root)
        .read()?;
    if !published.is_empty() {
        version = chart::next_patch(&version);
        let changelog = texts.get(chart::CHANGELOG).map_or("", String::as_str);
        let changelog = chart::with_section(changelog, &version, why);
        replace(&root.join(chart::CHANGELOG), &changelog)?;
        texts.insert(chart::CHANGELOG, changelog);
        said.push(format!("{} was changed", chart::CHANGELOG));
    }
    let new = chart::with_version(&texts, &version, release, &entry, Programs::Keep)?;
    said.extend(write(root, &texts, &new)?);
    Ok(said)
}

/// Writes the version; a line for each file.
fn set(root: &Path, version: &ChartVersion) -> Result<Vec<String>> {
    let texts = texts(root)?;
    let (release, entry) = default_line(root)?;
    let new = chart::with_version(&texts, version, release, &entry, Programs::Follow)?;
    let mut said = write(root, &texts, &new)?;
    if said.is_empty() {
        said.push(format!(
            "chart {version} with OpenNebula {release}: nothing to change"
        ));
    }
    Ok(said)
}

fn write(root: &Path, texts: &chart::Texts, new: &chart::Texts) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for path in chart::WRITTEN {
        let (before, after) = (texts.get(path), new.get(path));
        if let Some(after) = after.filter(|_| before != after) {
            replace(&root.join(path), after)?;
            said.push(format!("{path} was changed"));
        }
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
