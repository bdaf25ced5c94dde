//! The chart's version: what follows from it in the repository, and what a package has besides. Pure: texts go in, texts come
//! out.
//!
//! Files are edited by lines, so that comments and order stay. A repository is in step when setting its present version changes
//! nothing.

mod changes;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::Build;
use crate::registry::Digest;
use crate::versions::Version;

pub(crate) use semver::Version as ChartVersion;

/// The annotation of the image that a published chart installs, `X.Y.Z-rN@sha256:…`. The chart's helpers read it.
const IMAGE: &str = "opennebula-kubernetes/image";
/// The image that the next published chart installs. Written by `release chart image`.
pub(crate) const RELEASED_IMAGE: &str = "charts/released-image.txt";

const CHART: &str = "charts/opennebula/Chart.yaml";
const DATABASE: &str = "charts/opennebula/charts/mariadb/Chart.yaml";
/// Every image that the charts can need, for sites that copy them.
const IMAGES: &str = "charts/opennebula/images.txt";
const DOCKERFILE: &str = "image/Dockerfile";
pub(crate) const CHANGELOG: &str = "CHANGELOG.md";

/// Files that a version is written into.
pub(crate) const WRITTEN: [&str; 4] = [CHART, DATABASE, IMAGES, DOCKERFILE];

/// The texts of `WRITTEN` and of the changelog, by their paths in the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Texts(BTreeMap<&'static str, String>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChart {
    version: String,
    app_version: String,
}

impl Texts {
    pub(crate) fn read(read: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let paths = WRITTEN.into_iter().chain([CHANGELOG]);
        paths
            .map(|path| Ok((path, read(path)?)))
            .collect::<Result<_>>()
            .map(Self)
    }

    pub(crate) fn get(&self, path: &str) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }

    pub(crate) fn version(&self) -> Result<ChartVersion> {
        version_of(self.get(CHART)).context(CHART)
    }

    /// The files that differ.
    pub(crate) fn changed(&self, before: &Self) -> Vec<&'static str> {
        let paths = self.0.keys().copied();
        paths.filter(|path| self.get(path) != before.get(path)).collect()
    }

    /// The files with a version in them, and with all that follows from it and from the release on its base. Fails when the
    /// version is older than the present one, or when CHANGELOG.md has nothing about it.
    pub(crate) fn with_version(&self, version: &ChartVersion, release: Version, base: &str) -> Result<Self> {
        let present = self.version()?;
        ensure!(
            *version >= present,
            "{CHART} has {present}, which is newer than {version}: a chart's version goes forward alone"
        );
        changes::of(self.get(CHANGELOG), version).context(CHANGELOG)?;
        let raw: RawChart = serde_saphyr::from_str(self.get(CHART))?;
        let mut texts = self.clone();
        for (path, start, new) in [
            (CHART, "version: ", version.to_string()),
            (CHART, "appVersion: ", format!("\"{release}\"")),
            (DATABASE, "version: ", version.to_string()),
            (DOCKERFILE, "ARG ONE_VERSION=", release.to_string()),
            (DOCKERFILE, "ARG BASE_IMAGE=", base.to_owned()),
        ] {
            let text = set(texts.get(path), start, &new).context(path)?;
            texts.0.insert(path, text);
        }
        let images = retag(self.get(IMAGES), &raw.app_version, &release.to_string());
        texts.0.insert(IMAGES, images);
        Ok(texts)
    }

    /// The same with a section for a version of its own in the changelog, before that of the last one.
    pub(crate) fn with_section(&self, version: &ChartVersion, why: &str) -> Self {
        let log = self.get(CHANGELOG);
        let sections = log.match_indices("\n## [").map(|(at, _)| at + 1);
        // What is not released yet stays on top.
        let mut released = sections.filter(|at| !log[*at..].starts_with("## [Unreleased]"));
        let (before, after) = log.split_at(released.next().unwrap_or(log.len()));
        let log = format!("{before}## [{version}]\n\n### Changed\n\n- {why}.\n\n{after}");
        let mut texts = self.clone();
        texts.0.insert(CHANGELOG, log);
        texts
    }

    /// The files of a package that the repository has otherwise, by their names: with what Artifact Hub shows, and with the
    /// image that is installed. Without one the package installs the same as a checkout.
    pub(crate) fn packaged(&self, image: Option<&Image>) -> Result<[(&'static str, String); 2]> {
        let version = self.version()?;
        let mut chart: Value = serde_saphyr::from_str(self.get(CHART))?;
        let mut images = self.get(IMAGES).to_owned();
        if let Some(image) = image {
            let release = image.build.release.to_string();
            ensure!(
                chart["appVersion"] == *release,
                "{RELEASED_IMAGE} is {image}, and {CHART} is of OpenNebula {}: `cargo xtask release chart image` writes it",
                chart["appVersion"]
            );
            images = retag(&images, &release, &image.to_string());
            chart["annotations"][IMAGE] = json!(image.to_string());
        }
        let name = |image: &str| Some(image.rsplit('/').next()?.split(':').next()?.to_owned());
        let listed = images
            .lines()
            .map(|image| json!({"name": name(image), "image": image}));
        let lists = [
            ("images", listed.collect()),
            ("changes", changes::of(self.get(CHANGELOG), &version)?),
        ];
        for (key, list) in lists {
            let list = serde_saphyr::to_string(&Value::Array(list))?;
            chart["annotations"][format!("artifacthub.io/{key}")] = json!(list);
        }
        chart["annotations"]["artifacthub.io/prerelease"] = json!((!version.pre.is_empty()).to_string());
        Ok([
            ("Chart.yaml", serde_saphyr::to_string(&chart)?),
            ("images.txt", images),
        ])
    }
}

/// The version in a Chart.yaml.
pub(crate) fn version_of(chart: &str) -> Result<ChartVersion> {
    let raw: RawChart = serde_saphyr::from_str(chart).context("is not a Chart.yaml with a version")?;
    raw.version
        .parse()
        .with_context(|| format!("version is \"{}\"", raw.version))
}

/// The version after a published one.
pub(crate) fn next_patch(version: &ChartVersion) -> ChartVersion {
    ChartVersion::new(
        version.major,
        version.minor,
        version.patch + u64::from(version.pre.is_empty()),
    )
}

/// Puts another value behind `start` in every line that begins so, blanks aside.
pub(crate) fn set(text: &str, start: &str, new: &str) -> Result<String> {
    let mut found = false;
    let lines = text.split_inclusive('\n').map(|line| {
        let (indent, value) = line.split_at(line.len() - line.trim_start().len());
        if !value.starts_with(start) {
            return line.to_owned();
        }
        found = true;
        format!("{indent}{start}{new}\n")
    });
    let text = lines.collect();
    ensure!(found, "there is no line \"{start}…\"");
    Ok(text)
}

/// A list of images with another tag of ours.
fn retag(images: &str, old: &str, new: &str) -> String {
    images.replace(&format!("/opennebula:{old}\n"), &format!("/opennebula:{new}\n"))
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
        let (build, digest) = text
            .trim()
            .split_once('@')
            .with_context(|| format!("\"{}\" must be such as 7.2.0-r1@sha256:…", text.trim()))?;
        Ok(Self {
            build: build.parse()?,
            digest: digest.parse()?,
        })
    }
}

#[cfg(test)]
mod tests;
