//! Trivy's report of an image (`trivy image --format json`, schema version 2): what was found, and in which image. Pure.
//!
//! A report that is no whole one is an error and never an image without findings: an empty file, half of one, one of
//! another schema, one without the packages of a distribution, or one of a distribution that nobody mends any more.
//! The form is that of the golden files in Trivy's repository, integration/testdata.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use serde::Deserialize;

/// The only form that is known here.
const SCHEMA: u32 = 2;
/// How a report is made.
const HOW: &str = "trivy image --format json NAME@sha256:…";

/// An image by its digest: `docker.io/pablodelarco/opennebula@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    name: String,
    /// With `sha256:`.
    pub(crate) digest: String,
}

impl FromStr for Image {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('@') {
            Some((name, digest)) if !name.is_empty() && is_digest(digest) => Ok(Self {
                name: name.to_owned(),
                digest: digest.to_owned(),
            }),
            _ => bail!("\"{text}\" is no image by its digest: NAME@sha256: and 64 hexadecimal digits is one"),
        }
    }
}

impl Display for Image {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}@{}", self.name, self.digest)
    }
}

pub(super) fn is_digest(text: &str) -> bool {
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:")
        .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hexadecimal))
}

/// A whole report.
#[derive(Debug)]
pub(crate) struct Scan {
    /// What Trivy was asked to look at.
    pub(crate) artifact: String,
    /// The digests that the report says it is of: of manifests and of the image's configuration.
    pub(crate) digests: BTreeSet<String>,
    /// The worst first.
    pub(crate) findings: BTreeSet<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Severity {
    Unknown,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// Whether it stops a release.
    pub(crate) fn stops(self) -> bool {
        self >= Self::High
    }
}

impl Display for Severity {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Unknown => "UNKNOWN",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        })
    }
}

/// Who brought what has the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A package of the distribution: a newer one mends it.
    Distribution,
    /// A library that lies in the files of some package: that package has to come with a newer one.
    Bundled,
}

/// One vulnerability at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) severity: Reverse<Severity>,
    pub(crate) id: String,
    pub(crate) package: String,
    pub(crate) installed: String,
    /// The version that is mended; none while there is none.
    pub(crate) fixed: Option<String>,
    /// The file inside the image without its first slash, or the name of a package of the distribution.
    pub(crate) path: String,
    pub(crate) origin: Origin,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSchema {
    schema_version: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawReport {
    #[serde(default)]
    artifact_name: String,
    #[serde(default)]
    artifact_type: String,
    metadata: Option<RawMetadata>,
    results: Option<Vec<RawResult>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMetadata {
    #[serde(rename = "OS")]
    os: Option<RawDistribution>,
    #[serde(rename = "ImageID", default)]
    image_id: String,
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawDistribution {
    #[serde(default)]
    family: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "EOSL", default)]
    no_longer_mended: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawResult {
    target: String,
    #[serde(default)]
    class: String,
    vulnerabilities: Option<Vec<RawVulnerability>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawVulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    pkg_name: String,
    #[serde(default)]
    pkg_path: String,
    installed_version: String,
    #[serde(default)]
    fixed_version: String,
    severity: Severity,
}

impl Scan {
    /// Reads a report.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            bail!("it is empty: make it again, {HOW}");
        }
        // The version comes first: another schema may have other types everywhere.
        let schema: RawSchema = serde_json::from_str(text)
            .with_context(|| format!("it is no whole report of Trivy's: make it again, {HOW}"))?;
        match schema.schema_version {
            Some(version) if version == SCHEMA => {}
            Some(version) => bail!(
                "it has the schema version {version}, and only {SCHEMA} is known: use a Trivy that writes that one, or \
                 teach crates/xtask/src/release/scan.rs the new one"
            ),
            None => bail!("it has no SchemaVersion, so that it is no report of Trivy's: make it by {HOW}"),
        }
        let raw: RawReport = serde_json::from_str(text)
            .with_context(|| format!("it is no whole report of Trivy's: make it again, {HOW}"))?;
        raw.checked()
    }

    /// Fails unless the report is of this image.
    pub(crate) fn must_be_of(&self, image: &Image) -> Result<()> {
        if self.digests.contains(&image.digest) {
            return Ok(());
        }
        let of: Vec<&str> = self.digests.iter().map(String::as_str).collect();
        bail!(
            "it is of {} ({}), and not of {image}: scan that digest, {HOW}",
            self.artifact,
            if of.is_empty() {
                "no digest".to_owned()
            } else {
                of.join(", ")
            }
        )
    }

    /// What stops a release, as long as nobody accepts it.
    pub(crate) fn stopping(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity.0.stops())
    }
}

impl RawReport {
    fn checked(self) -> Result<Scan> {
        if self.artifact_type != "container_image" {
            bail!(
                "it is of a \"{}\" and not of an image: make it by {HOW}",
                self.artifact_type
            );
        }
        let metadata = self
            .metadata
            .context("it has no Metadata: make it again, with a whole image")?;
        let results = self.results.unwrap_or_default();
        let Some(os) = metadata
            .os
            .filter(|_| results.iter().any(|result| result.class == "os-pkgs"))
        else {
            bail!(
                "it has no packages of a distribution, and our image has hundreds: Trivy did not see the whole image, so \
                 make the report again, {HOW}"
            );
        };
        if os.no_longer_mended {
            bail!(
                "{} {} gets no more fixes, so that what the scan does not find says nothing: move the image to another base \
                 in versions.json",
                os.family,
                os.name
            );
        }
        let named = metadata.repo_digests.unwrap_or_default();
        let of_names = named.iter().chain([&self.artifact_name]);
        let mut digests: BTreeSet<String> = of_names
            .filter_map(|name| name.rsplit_once('@'))
            .map(|(_, digest)| digest.to_owned())
            .filter(|digest| is_digest(digest))
            .collect();
        digests.extend(Some(metadata.image_id).filter(|digest| is_digest(digest)));
        let findings = results
            .into_iter()
            .flat_map(|result| {
                let RawResult {
                    target,
                    class,
                    vulnerabilities,
                } = result;
                let found = vulnerabilities.unwrap_or_default().into_iter();
                found.map(move |raw| raw.finding(&target, &class))
            })
            .collect();
        Ok(Scan {
            artifact: self.artifact_name,
            digests,
            findings,
        })
    }
}

impl RawVulnerability {
    fn finding(self, target: &str, class: &str) -> Finding {
        let origin = if class == "os-pkgs" {
            Origin::Distribution
        } else {
            Origin::Bundled
        };
        // Of a program (Go's, for one) the target is the file; of many small packages each has a path of its own.
        let path = match (origin, self.pkg_path.as_str()) {
            (Origin::Distribution, _) => &self.pkg_name,
            (Origin::Bundled, "") => target,
            (Origin::Bundled, path) => path,
        };
        Finding {
            severity: Reverse(self.severity),
            path: path.trim_start_matches('/').to_owned(),
            id: self.id,
            installed: self.installed_version,
            fixed: Some(self.fixed_version).filter(|version| !version.trim().is_empty()),
            package: self.pkg_name,
            origin,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
