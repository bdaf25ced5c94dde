//! `release chart`: the chart's version and what follows from it, whether all of that is in step, and the package. Nothing is
//! published here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;

use crate::digest::sha256;
use crate::files::replace;
use crate::images;
use crate::progress;
use crate::registry::Repository;
use crate::release::chart::{self, ChartVersion, Image, RELEASED_IMAGE, Texts};
use crate::release::promote::{expect_release, newest_build};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::tools::HELM;
use crate::versions::{Version, Versions};

const FOLDER: &str = "charts/opennebula";
const WORKSPACE: &str = "Cargo.toml";
/// The time of every file in a package, in seconds since 1970: 2025-07-01, as in the image.
const EPOCH: u64 = 1_751_328_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Chart {
    /// Gives the chart and all that goes with it a version: appVersion, the Dockerfile, the programs
    Version {
        /// The new version, which CHANGELOG.md has a section of
        version: ChartVersion,
    },
    /// Whether version, appVersion, Dockerfile and changelog are in step; writes nothing
    Check,
    /// Gives the chart the newest published image of its release, as a patch release; prints what was changed
    Image {
        /// Only checks the image that the chart has; prints true, or false while there is none and the chart cannot be published
        #[arg(long)]
        check: bool,
    },
    /// Packages the chart
    Package {
        /// Where the package is put
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The chart as it is published: with the image of charts/released-image.txt
        #[arg(long)]
        released: bool,
    },
}

impl Chart {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let root = &repo.root;
        let said = match self {
            Self::Version { version } => set(repo, &version)?,
            Self::Check => vec![check(root)?],
            Self::Image { check: true } => vec![check_image(repo)?.to_string()],
            Self::Image { check: false } => set_image(repo)?,
            Self::Package { out, released } => {
                HELM.install(repo)?;
                let image = released_image(root)?.filter(|_| released);
                ensure!(image.is_some() || !released, "{RELEASED_IMAGE} does not exist");
                let archive = package(root, &HELM.path(repo), &out, image.as_ref())?;
                let digest = sha256(&fs::read(&archive)?);
                vec![format!("{} sha256:{digest}", archive.display())]
            }
        };
        for line in said {
            progress::say(&line);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Packages the chart with Helm 4 into a folder; the archive. Helm 4 keeps the times of files: where these are the same, one
/// chart gives one archive, byte for byte, whenever it is packaged.
pub(crate) fn package(root: &Path, helm: &Path, out: &Path, image: Option<&Image>) -> Result<PathBuf> {
    let dir = tempfile::tempdir()?;
    let texts = texts(root)?;
    let chart = dir.path().join("opennebula");
    cmd("cp")
        .arg("--recursive")
        .arg(root.join(FOLDER))
        .arg(&chart)
        .read()?;
    for (name, text) in texts.packaged(image)? {
        fs::write(chart.join(name), text).context(name)?;
    }
    let touch = ["-exec", "touch", &format!("--date=@{EPOCH}"), "{}", "+"];
    cmd("find").arg(&chart).args(touch).read()?;
    cmd(helm)
        .arg("package")
        .arg(&chart)
        .arg("--destination")
        .arg(out)
        .read()?;
    Ok(out.join(format!("opennebula-{}.tgz", texts.version()?)))
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
/// goes into CHANGELOG.md. The programs keep their version: a chart that only has a newer image must not change what images are
/// built from, or each image would ask for a chart and each chart for an image. A line for each file that was changed.
pub(crate) fn follow(root: &Path, why: &str) -> Result<Vec<String>> {
    let before = texts(root)?;
    let mut after = before.clone();
    let mut version = before.version()?;
    if published(root, &version)?.is_some() {
        version = chart::next_patch(&version);
        after = after.with_section(&version, why);
    }
    let (release, base) = default_line(root)?;
    write(root, &before, &after.with_version(&version, release, &base)?)
}

/// The tag of a version that was published, as chart-releaser makes it.
fn published(root: &Path, version: &ChartVersion) -> Result<Option<String>> {
    let tag = format!("opennebula-{version}");
    let tags = cmd("git").args(["tag", "--list", &tag]).dir(root).read()?;
    Ok((!tags.is_empty()).then_some(tag))
}

/// Writes the version, into the programs too; a line for each file that was changed.
fn set(repo: &Repo, version: &ChartVersion) -> Result<Vec<String>> {
    let root = &repo.root;
    let before = texts(root)?;
    let (release, base) = default_line(root)?;
    let said = write(root, &before, &before.with_version(version, release, &base)?)?;
    let workspace = fs::read_to_string(root.join(WORKSPACE)).context(WORKSPACE)?;
    let workspace = chart::set(&workspace, "version = ", &format!("\"{version}\"")).context(WORKSPACE)?;
    replace(&root.join(WORKSPACE), &workspace)?;
    let update = cmd("cargo").args(["update", "--workspace", "--offline"]);
    update.dir(root).run(&repo.logs().join("chart-version.log"))?;
    Ok(said)
}

fn write(root: &Path, before: &Texts, after: &Texts) -> Result<Vec<String>> {
    let changed = after.changed(before).into_iter().map(|path| {
        replace(&root.join(path), after.get(path))?;
        Ok(format!("{path} was changed"))
    });
    changed.collect()
}

fn check(root: &Path) -> Result<String> {
    let (texts, (release, base)) = (texts(root)?, default_line(root)?);
    let version = texts.version()?;
    let behind = texts.with_version(&version, release, &base)?.changed(&texts);
    ensure!(
        behind.is_empty(),
        "{} not in step with chart {version} and OpenNebula {release}: run `cargo xtask release chart version {version}` and commit \
         what it changes",
        behind.join(", ")
    );
    if let Some(tag) = published(root, &version)? {
        let diff = cmd("git").args(["diff", "--quiet", &tag, "--", FOLDER]).dir(root);
        ensure!(
            diff.succeeds(),
            "{FOLDER} changed since {tag} was published: give it a newer version with `cargo xtask release chart version`"
        );
    }
    Ok(format!("chart {version} is in step with OpenNebula {release}"))
}

fn texts(root: &Path) -> Result<Texts> {
    Texts::read(|path| fs::read_to_string(root.join(path)).with_context(|| path.to_owned()))
}

/// The release that the chart installs, and what its image stands on.
fn default_line(root: &Path) -> Result<(Version, String)> {
    let versions = Versions::read(&root.join("versions.json"))?;
    let release = versions.default_release()?;
    Ok((release, versions.line(release.line())?.base.clone()))
}

#[cfg(test)]
mod tests;
