//! An image registry, read and written by `crane`: tags, digests, labels. Credentials are those of `docker login`.
//!
//! Nothing is deleted, and which tag may be set is decided in `release`.

mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

#[cfg(test)]
pub(crate) use reference::tests::digest;
pub(crate) use reference::{Digest, Name};

use crate::repo::Repo;
use crate::sh::{Cmd, cmd};
use crate::tools::CRANE;

/// Codes of the OCI distribution specification for what is not there; a HEAD request has the status alone.
const NOT_FOUND: [&str; 3] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "404 Not Found"];

/// A repository in a registry.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) name: Name,
    crane: PathBuf,
}

/// The image of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// Such as `linux/amd64`, by its configuration.
    pub(crate) platform: String,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The parts of an image's configuration that are read.
#[derive(Deserialize)]
struct Configuration {
    os: String,
    architecture: String,
    #[serde(default)]
    config: Execution,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Execution {
    labels: Option<BTreeMap<String, String>>,
}

impl Repository {
    pub(crate) fn open(repo: &Repo, name: &Name) -> Result<Self> {
        CRANE.install(repo)?;
        Ok(Self {
            name: name.clone(),
            crane: CRANE.path(repo),
        })
    }

    /// All tags; none for a repository that does not exist yet.
    pub(crate) fn tags(&self) -> Result<BTreeSet<String>> {
        let listed = found(self.crane("ls").arg(self.name.to_string()).read())?;
        Ok(listed.unwrap_or_default().lines().map(str::to_owned).collect())
    }

    /// The digest that a tag names, if it exists.
    pub(crate) fn digest(&self, tag: &str) -> Result<Option<Digest>> {
        found(self.crane("digest").arg(self.tagged(tag)).read())?
            .map(|digest| digest.parse())
            .transpose()
    }

    /// The images of an index, or the one image that the digest is of.
    pub(crate) fn images(&self, digest: &Digest) -> Result<Vec<Image>> {
        let manifest: Value = self.json("manifest", digest)?;
        let Some(children) = manifest["manifests"].as_array() else {
            return Ok(vec![self.image(digest)?]);
        };
        children
            .iter()
            // Attestations of BuildKit are children too, for the platform unknown/unknown.
            .filter(|child| child["platform"]["os"] != "unknown")
            .map(|child| {
                let digest = child["digest"].as_str().unwrap_or_default();
                self.image(&digest.parse()?)
            })
            .collect()
    }

    fn image(&self, digest: &Digest) -> Result<Image> {
        let configuration: Configuration = self.json("config", digest)?;
        Ok(Image {
            platform: format!("{}/{}", configuration.os, configuration.architecture),
            labels: configuration.config.labels.unwrap_or_default(),
        })
    }

    /// Makes an index of images and gives it a tag.
    pub(crate) fn push_index(&self, images: &[Digest], tag: &str) -> Result<Digest> {
        let mut append = self.crane("index").arg("append");
        for image in images {
            append = append.arg("--manifest").arg(self.by_digest(image));
        }
        append.arg("--tag").arg(self.tagged(tag)).read()?;
        let pushed = self.digest(tag)?;
        pushed.with_context(|| format!("{} was pushed and is not there: run it again", self.tagged(tag)))
    }

    /// Makes a tag name a digest.
    pub(crate) fn tag(&self, digest: &Digest, tag: &str) -> Result<()> {
        self.crane("tag")
            .arg(self.by_digest(digest))
            .arg(tag)
            .read()
            .map(drop)
    }

    /// `NAME@DIGEST`.
    pub(crate) fn by_digest(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.name)
    }

    fn tagged(&self, tag: &str) -> String {
        format!("{}:{tag}", self.name)
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, what: &str, digest: &Digest) -> Result<T> {
        let image = self.by_digest(digest);
        let said = self.crane(what).arg(&image).read()?;
        serde_json::from_str(&said).with_context(|| format!("the {what} of {image} is not valid"))
    }

    fn crane(&self, verb: &str) -> Cmd {
        cmd(&self.crane).arg(verb)
    }
}

/// What was asked for, or nothing where it does not exist.
fn found(answer: Result<String>) -> Result<Option<String>> {
    match answer {
        Ok(said) => Ok(Some(said)),
        Err(error) if NOT_FOUND.iter().any(|code| error.to_string().contains(code)) => Ok(None),
        Err(error) => Err(error),
    }
}
