//! The chart's version: what it is tied to, and the lines that are edited when it changes. Pure: texts go in, texts come
//! out.
//!
//! Files are edited by lines, so that comments and order stay. What is checked is what would be written: a repository is
//! in step when setting its present version changes nothing.

mod changes;
mod lines;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use serde::Deserialize;

use super::tags::Build;
use crate::registry::Digest;
use crate::versions::{Entry, Version};

pub(crate) use semver::Version as ChartVersion;

/// The annotation of the image that a published chart installs, `X.Y.Z-rN@sha256:…`. The chart's helpers read it.
const IMAGE: &str = "opennebula-kubernetes/image";
/// The image that the next published chart installs. Written by `release chart image`.
pub(crate) const RELEASED_IMAGE: &str = "charts/released-image.txt";

pub(crate) const CHART: &str = "charts/opennebula/Chart.yaml";
const DATABASE: &str = "charts/opennebula/charts/mariadb/Chart.yaml";
const VALUES: &str = "charts/opennebula/values.yaml";
const DATABASE_VALUES: &str = "charts/opennebula/charts/mariadb/values.yaml";
const DOCKERFILE: &str = "image/Dockerfile";
const WORKSPACE: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";
pub(crate) const CHANGELOG: &str = "CHANGELOG.md";
/// Every image that the charts can need, for sites that copy them.
const IMAGES: &str = "charts/opennebula/images.txt";

/// Files that are read.
const READ: [&str; 3] = [VALUES, DATABASE_VALUES, CHANGELOG];
/// Files that a version is written into.
pub(crate) const WRITTEN: [&str; 6] = [CHART, DATABASE, IMAGES, DOCKERFILE, WORKSPACE, LOCK];

/// Texts by their paths in the checkout.
pub(crate) type Texts = BTreeMap<&'static str, String>;

/// Reads every file that a version is tied to.
pub(crate) fn texts<E>(read: impl Fn(&str) -> Result<String, E>) -> Result<Texts, E> {
    READ.iter()
        .chain(&WRITTEN)
        .map(|path| Ok((*path, read(path)?)))
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChart {
    version: String,
    #[serde(default)]
    app_version: String,
}

/// The version in a Chart.yaml.
pub(crate) fn version_of(chart: &str) -> Result<ChartVersion> {
    let raw: RawChart = serde_saphyr::from_str(chart).context("it is no Chart.yaml with a version")?;
    raw.version
        .parse()
        .with_context(|| format!("version is \"{}\"", raw.version))
}

/// Whether the programs get the chart's version too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Programs {
    Follow,
    /// They keep theirs within one X.Y. A chart that only has a newer image must not change what images are built from, or
    /// each image would ask for a chart and each chart for an image.
    Keep,
}

/// The image that a chart installs: the newest build when the chart was released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) build: Build,
    pub(crate) digest: Digest,
}

impl Display for Image {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}@{}", self.build, self.digest)
    }
}

impl FromStr for Image {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = text
            .trim()
            .split_once('@')
            .and_then(|(build, digest)| Some((build.parse().ok()?, digest.parse().ok()?)));
        let (build, digest) =
            parsed.with_context(|| format!("\"{}\" must be such as 7.2.0-r1@sha256:…", text.trim()))?;
        Ok(Self { build, digest })
    }
}

/// The texts of a chart with its image in them, by the names of the files: what a package has and the repository has not, so
/// that a checkout installs the image that was built from it.
pub(crate) fn with_image(chart: &str, images: &str, image: &Image) -> Result<[(&'static str, String); 2]> {
    let release = image.build.release;
    let raw: RawChart = serde_saphyr::from_str(chart)?;
    if raw.app_version != release.to_string() {
        bail!(
            "{RELEASED_IMAGE} is {image}, and {CHART} is of OpenNebula {}: `cargo xtask release chart image` writes it",
            raw.app_version
        );
    }
    let (tag, named) = (
        format!("/opennebula:{release}\n"),
        format!("/opennebula:{image}\n"),
    );
    let chart = lines::annotate(chart, IMAGE, &lines::Annotation::Word(image.to_string()));
    Ok([
        ("Chart.yaml", chart.replace(&tag, &named)),
        ("images.txt", images.replace(&tag, &named)),
    ])
}

/// The files with a version in them, and with all that follows from it. Fails when the version is older than the present
/// one, when CHANGELOG.md has nothing about it, or when a file has not the lines that are expected.
pub(crate) fn with_version(
    texts: &Texts,
    version: &ChartVersion,
    release: Version,
    entry: &Entry,
    mode: Programs,
) -> Result<Texts> {
    let text = |path: &'static str| texts.get(path).map_or("", String::as_str);
    let present = version_of(text(CHART)).context(CHART)?;
    if *version < present {
        bail!("{CHART} has {present}, which is newer than {version}: a chart's version goes forward alone");
    }
    let changes = changes::of(text(CHANGELOG), version).context(CHANGELOG)?;
    let images = images(text(VALUES), text(DATABASE_VALUES), release)?;
    let number = version.to_string();
    let programs = lines::value_below(text(WORKSPACE), "[workspace.package]", "version = ")?;
    let programs: ChartVersion = programs.trim_matches('"').parse().context(WORKSPACE)?;
    let one_line = (programs.major, programs.minor) == (version.major, version.minor);
    let programs = if mode == Programs::Keep && one_line && programs <= *version {
        programs
    } else {
        version.clone()
    };

    let mut chart = lines::set(text(CHART), "version: ", &number)?;
    chart = lines::set(&chart, "appVersion: ", &format!("\"{release}\""))?;
    chart = lines::set_below(&chart, "- name: mariadb", "version: ", &number)?;
    let links = [
        ("Documentation", "/blob/main/docs/operations.md"),
        ("Configuration", "/blob/main/docs/configuration.md"),
        ("Changelog", "/blob/main/CHANGELOG.md"),
        ("Report a problem", "/issues"),
    ];
    let home = lines::value(&chart, "home: ")?;
    let links: Vec<String> = links
        .iter()
        .flat_map(|(name, path)| [format!("- name: {name}"), format!("  url: {home}{path}")])
        .collect();
    let annotated: Vec<String> = images
        .iter()
        .flat_map(|(name, image)| [format!("- name: {name}"), format!("  image: {image}")])
        .collect();
    for (key, value) in [
        ("license", lines::Annotation::Word("Apache-2.0".to_owned())),
        (
            "prerelease",
            lines::Annotation::Word(format!("\"{}\"", !version.pre.is_empty())),
        ),
        ("images", lines::Annotation::Text(annotated)),
        ("links", lines::Annotation::Text(links)),
        ("changes", lines::Annotation::Text(changes)),
    ] {
        chart = lines::annotate(&chart, &format!("artifacthub.io/{key}"), &value);
    }

    let dockerfile = lines::set(text(DOCKERFILE), "ARG ONE_VERSION=", &release.to_string())?;
    let dockerfile = lines::set(&dockerfile, "ARG BASE_IMAGE=", &entry.base)?;
    Ok(Texts::from([
        (CHART, chart),
        (DATABASE, lines::set(text(DATABASE), "version: ", &number)?),
        (IMAGES, list(&images)),
        (DOCKERFILE, dockerfile),
        (
            WORKSPACE,
            lines::set_below(
                text(WORKSPACE),
                "[workspace.package]",
                "version = ",
                &format!("\"{programs}\""),
            )?,
        ),
        (LOCK, lines::set_members(text(LOCK), &programs.to_string())),
    ]))
}

#[derive(Deserialize)]
struct RawValues {
    image: RawImage,
    metrics: Option<RawMetrics>,
}

#[derive(Deserialize)]
struct RawMetrics {
    image: Option<RawImage>,
}

#[derive(Deserialize)]
struct RawImage {
    registry: String,
    repository: String,
    #[serde(default)]
    tag: String,
}

/// The images that the values of both charts name, by the names of what runs in them.
fn images(values: &str, database: &str, release: Version) -> Result<Vec<(&'static str, String)>> {
    let read = |text: &str| -> Result<RawValues> {
        serde_saphyr::from_str(text).context("it has no image with registry and repository")
    };
    let ours = read(values).context(VALUES)?;
    let database = read(database).context(DATABASE_VALUES)?;
    let mut images = vec![
        (
            "opennebula",
            name(&ours.image, Some(&release.to_string())).context(VALUES)?,
        ),
        ("mariadb", name(&database.image, None).context(DATABASE_VALUES)?),
    ];
    if let Some(exporter) = database.metrics.and_then(|metrics| metrics.image) {
        images.push(("mysqld-exporter", name(&exporter, None).context(DATABASE_VALUES)?));
    }
    Ok(images)
}

/// An image's name; its tag, where the values leave it empty, is the release's.
fn name(image: &RawImage, release: Option<&str>) -> Result<String> {
    let tag = Some(image.tag.as_str()).filter(|tag| !tag.is_empty()).or(release);
    Ok(format!(
        "{}/{}:{}",
        image.registry,
        image.repository,
        tag.context("an image's tag is empty, and nothing stands for it")?
    ))
}

/// One image a line, in the order of their names.
fn list(images: &[(&str, String)]) -> String {
    let mut lines: Vec<String> = images.iter().map(|(_, image)| format!("{image}\n")).collect();
    lines.sort();
    lines.concat()
}

/// The version after a published one.
pub(crate) fn next_patch(version: &ChartVersion) -> ChartVersion {
    ChartVersion::new(
        version.major,
        version.minor,
        version.patch + u64::from(version.pre.is_empty()),
    )
}

/// A changelog with a section of its own for a version, before that of the last one.
pub(crate) fn with_section(changelog: &str, version: &ChartVersion, why: &str) -> String {
    let section = format!("## [{version}]\n\n### Changed\n\n- {why}.\n\n");
    // What is not released yet stays on top.
    let released = |line: &str| line.starts_with("## [") && !line.starts_with("## [Unreleased]");
    let place = changelog
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line))
        })
        .find(|(_, line)| released(line))
        .map_or(changelog.len(), |(start, _)| start);
    format!("{}{section}{}", &changelog[..place], &changelog[place..])
}

/// What is not in step with the present version: a sentence for each file. Those of `base` are the texts of the last
/// published version, where there is one: a chart that changed since needs another version.
pub(crate) fn mistakes(
    texts: &Texts,
    release: Version,
    entry: &Entry,
    base: Option<&Base>,
) -> Result<Vec<String>> {
    let present = version_of(texts.get(CHART).map_or("", String::as_str)).context(CHART)?;
    let expected = with_version(texts, &present, release, entry, Programs::Keep)?;
    let mut mistakes: Vec<String> = WRITTEN
        .iter()
        .filter(|path| texts.get(**path) != expected.get(**path))
        .map(|path| {
            format!(
                "{path} is not in step with chart {present}, OpenNebula {release} and CHANGELOG.md: run `cargo xtask release chart \
                 version {present}` and commit what it changes"
            )
        })
        .collect();
    if let Some(base) = base {
        let published = version_of(&base.chart).with_context(|| format!("{CHART} of {}", base.name))?;
        if present < published {
            mistakes.push(format!(
                "{CHART} has {present}, and {} has {published} already: name a newer one",
                base.name
            ));
        } else if present == published && !base.changed.is_empty() {
            mistakes.push(format!(
                "the chart changed since {} and still has its version {present} ({}): give it a newer one with `cargo xtask release \
                 chart version`",
                base.name,
                some(&base.changed)
            ));
        }
    }
    Ok(mistakes)
}

/// The last published version.
#[derive(Debug)]
pub(crate) struct Base {
    /// Its tag or commit.
    pub(crate) name: String,
    /// Its Chart.yaml.
    pub(crate) chart: String,
    /// The chart's files that are not as they were then.
    pub(crate) changed: Vec<String>,
}

fn some(files: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = files[..files.len().min(SHOWN)].join(", ");
    match files.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
