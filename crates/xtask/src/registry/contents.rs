//! All that a digest stands for: index, manifests, configurations and layers, and whether the registry has them. Changes
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::{Digest, Manifest, Repository};

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Labels of images, and annotations of indexes (the OCI image specification).
pub(crate) const ANNOTATION_VERSION: &str = "org.opencontainers.image.version";
pub(crate) const ANNOTATION_REVISION: &str = "org.opencontainers.image.revision";
/// How BuildKit marks what it knows of an image and keeps beside it in the index.
const ATTESTATION: &str = "vnd.docker.reference.type";

/// Whether a digest is that of one image or of one for each architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Index,
    Image,
}

/// What a digest stands for, complete in the registry.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) manifest: Manifest,
    pub(crate) kind: Kind,
    pub(crate) variants: Vec<Variant>,
    /// The descriptors of what else is in the index: attestations.
    pub(crate) attestations: Vec<Value>,
}

/// The image of one architecture.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) digest: Digest,
    /// `linux/amd64`, by its configuration.
    pub(crate) platform: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// How an index refers to it.
    pub(crate) descriptor: Value,
    /// Bytes of its layers, as the registry keeps them.
    pub(crate) size: u64,
}

impl Contents {
    /// Ends with an error where an image says that it is of another release.
    pub(crate) fn expect_release(&self, release: &str) -> Result<()> {
        for variant in &self.variants {
            let digest = &variant.digest;
            match variant.labels.get(ANNOTATION_VERSION) {
                Some(version) if version == release => {}
                Some(version) => bail!(
                    "the image {digest} ({}) is one of {version} by its label {ANNOTATION_VERSION}, not of {release}: \
                     look whether digest and release belong together",
                    variant.platform
                ),
                None => bail!(
                    "the image {digest} ({}) has no label {ANNOTATION_VERSION}: it was not built from image/Dockerfile",
                    variant.platform
                ),
            }
        }
        Ok(())
    }

    pub(crate) fn platforms(&self) -> BTreeSet<&str> {
        self.variants
            .iter()
            .map(|variant| variant.platform.as_str())
            .collect()
    }
}

/// Reads what a digest stands for; anything that is missing is an error.
pub(crate) fn read(repository: &Repository, digest: &Digest) -> Result<Contents> {
    let name = repository.name();
    let Some(manifest) = repository.manifest(digest.as_str())? else {
        bail!(
            "{name}@{digest} is not there (404): push it first, or look whether the digest is the right one"
        );
    };
    let media_type = media_type(&manifest)?;
    match media_type.as_str() {
        OCI_INDEX | DOCKER_INDEX => index(repository, manifest),
        OCI_MANIFEST | DOCKER_MANIFEST => {
            let variant = variant(repository, &manifest, &media_type)?;
            Ok(Contents {
                manifest,
                kind: Kind::Image,
                variants: vec![variant],
                attestations: Vec::new(),
            })
        }
        other => bail!("{name}@{digest} is of the form \"{other}\", and no image"),
    }
}

fn index(repository: &Repository, manifest: Manifest) -> Result<Contents> {
    let shown = format!("{}@{}", repository.name(), manifest.digest);
    let json: Value = serde_json::from_slice(&manifest.bytes).with_context(|| shown.clone())?;
    let descriptors = json["manifests"]
        .as_array()
        .filter(|descriptors| !descriptors.is_empty());
    let descriptors = descriptors.with_context(|| format!("{shown} is an index of no images"))?;
    let mut variants = Vec::new();
    let mut attestations = Vec::new();
    for descriptor in descriptors {
        let digest = digest_of(descriptor).with_context(|| shown.clone())?;
        let Some(child) = repository.manifest(digest.as_str())? else {
            bail!("{shown} is not complete: {digest} is missing; push it again");
        };
        if descriptor["size"].as_u64() != u64::try_from(child.bytes.len()).ok() {
            bail!("{shown} names {digest} with another size than it has");
        }
        if descriptor["annotations"][ATTESTATION].is_string() {
            parts(repository, &child)?;
            attestations.push(descriptor.clone());
            continue;
        }
        let mut variant = variant(repository, &child, &media_type(&child)?)?;
        let platform = platform(&descriptor["platform"]);
        if platform != variant.platform {
            bail!(
                "{shown} names {digest} as one for {platform}, and its configuration says {}",
                variant.platform
            );
        }
        variant.descriptor = descriptor.clone();
        variants.push(variant);
    }
    Ok(Contents {
        manifest,
        kind: Kind::Index,
        variants,
        attestations,
    })
}

fn variant(repository: &Repository, manifest: &Manifest, media_type: &str) -> Result<Variant> {
    let shown = format!("{}@{}", repository.name(), manifest.digest);
    let (config, size) = parts(repository, manifest)?;
    let config: Value =
        serde_json::from_slice(&config).with_context(|| format!("{shown}: its configuration"))?;
    let labels = config["config"]["Labels"].as_object();
    let labels = labels
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let mut of = json!({"architecture": config["architecture"], "os": config["os"]});
    if let Some(variant) = config["variant"].as_str().filter(|variant| !variant.is_empty()) {
        of["variant"] = json!(variant);
    }
    let descriptor = json!({
        "mediaType": media_type,
        "digest": manifest.digest.as_str(),
        "size": manifest.bytes.len(),
        "platform": of,
    });
    Ok(Variant {
        digest: manifest.digest.clone(),
        platform: platform(&config),
        labels,
        descriptor,
        size,
    })
}

/// An image's configuration and the bytes of its layers, which are all there.
fn parts(repository: &Repository, manifest: &Manifest) -> Result<(Vec<u8>, u64)> {
    let shown = format!("{}@{}", repository.name(), manifest.digest);
    let json: Value = serde_json::from_slice(&manifest.bytes).with_context(|| shown.clone())?;
    let config = digest_of(&json["config"]).with_context(|| format!("{shown}: its configuration"))?;
    let config = repository.blob(&config)?.with_context(|| {
        format!("{shown} is not complete: its configuration {config} is missing; push it again")
    })?;
    let mut size = 0;
    for layer in json["layers"].as_array().into_iter().flatten() {
        let digest = digest_of(layer).with_context(|| format!("{shown}: its layers"))?;
        if !repository.has_blob(&digest)? {
            bail!("{shown} is not complete: its layer {digest} is missing; push it again");
        }
        size += layer["size"].as_u64().unwrap_or(0);
    }
    Ok((config, size))
}

/// The form that a manifest says it has: by its own field, else by the registry's header.
fn media_type(manifest: &Manifest) -> Result<String> {
    let json: Value =
        serde_json::from_slice(&manifest.bytes).with_context(|| format!("{} is no JSON", manifest.digest))?;
    Ok(json["mediaType"]
        .as_str()
        .unwrap_or(&manifest.media_type)
        .to_owned())
}

fn digest_of(descriptor: &Value) -> Result<Digest> {
    descriptor["digest"].as_str().unwrap_or_default().parse()
}

fn platform(of: &Value) -> String {
    let part = |name: &str| of[name].as_str().unwrap_or("?").to_owned();
    format!("{}/{}", part("os"), part("architecture"))
}
