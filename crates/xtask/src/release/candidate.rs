//! Makes one index of the images of all architectures, and gives it a tag under which it can be tried. A candidate's tag is
//! no release's: it may be set again.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::table::columns;
use crate::registry::{
    ANNOTATION_REVISION, ANNOTATION_VERSION, Contents, Digest, Manifest, OCI_INDEX, Repository, read,
};
use crate::versions::{Architecture, Version, Versions};

/// How the tags of candidates begin, so that none can be mistaken for a release's.
pub(crate) const PREFIX: &str = "candidate-";
/// The longest tag that registries accept.
const LONGEST: usize = 128;

/// What is made.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) release: Version,
    pub(crate) images: BTreeMap<Architecture, Digest>,
    pub(crate) tag: String,
    /// The commit that was built, where the images do not say it themselves.
    pub(crate) revision: String,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) digest: Digest,
    /// For people.
    pub(crate) table: String,
}

/// Looks at the images, makes the index, and sets the tag.
pub(crate) fn candidate(repository: &Repository, wanted: &Candidate, versions: &Versions) -> Result<Made> {
    check_tag(&wanted.tag)?;
    complete(wanted, versions)?;
    let mut images = BTreeMap::new();
    for (architecture, digest) in &wanted.images {
        let contents = read(repository, digest).with_context(|| format!("the image for {architecture}"))?;
        judge(*architecture, &contents, wanted.release)?;
        images.insert(*architecture, contents);
    }
    let manifest = index(wanted, &images)?;
    repository.put_manifest(&wanted.tag, &manifest)?;
    Ok(Made {
        table: table(&wanted.tag, &manifest.digest, &images),
        digest: manifest.digest,
    })
}

fn check_tag(tag: &str) -> Result<()> {
    let rest = tag.strip_prefix(PREFIX).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if rest.is_empty() || tag.len() > LONGEST || !rest.chars().all(plain) {
        bail!("\"{tag}\" is no tag of a candidate: {PREFIX} and letters, digits, dots and dashes are");
    }
    Ok(())
}

/// Whether there is an image for each architecture that versions.json has.
fn complete(wanted: &Candidate, versions: &Versions) -> Result<()> {
    let line = wanted.release.line();
    let entry = versions.lines().find(|(known, _)| *known == line);
    let (_, entry) = entry.with_context(|| format!("versions.json has no line {line}: add it first"))?;
    let missing: Vec<String> = entry
        .architectures()
        .iter()
        .filter(|architecture| !wanted.images.contains_key(architecture))
        .map(|architecture| format!("--digest {architecture}=sha256:…"))
        .collect();
    if !missing.is_empty() {
        bail!(
            "versions.json has the line {line} for more architectures than there are digests: {} is missing",
            missing.join(" and ")
        );
    }
    Ok(())
}

/// Whether a digest is that of the release's image for the architecture. It may be an index, as `BuildKit` makes one to
/// keep its attestations.
fn judge(architecture: Architecture, contents: &Contents, release: Version) -> Result<()> {
    let digest = &contents.manifest.digest;
    let wanted = format!("linux/{architecture}");
    match contents.variants.as_slice() {
        [variant] if variant.platform == wanted => contents.expect_release(&release.to_string()),
        [variant] => bail!(
            "{digest} was given as the image for {architecture}, and its configuration says {}",
            variant.platform
        ),
        several => bail!(
            "{digest} was given as the image for {architecture}, and is an index of {} images",
            several.len()
        ),
    }
}

fn index(wanted: &Candidate, images: &BTreeMap<Architecture, Contents>) -> Result<Manifest> {
    let mut revision = None;
    for contents in images.values() {
        for variant in &contents.variants {
            let of = variant
                .labels
                .get(ANNOTATION_REVISION)
                .unwrap_or(&wanted.revision)
                .clone();
            if revision.get_or_insert_with(|| of.clone()) != &of {
                bail!("the images were built from different commits, by their labels {ANNOTATION_REVISION}");
            }
        }
    }
    // Images first: some clients take the first that fits.
    let variants = images.values().flat_map(|contents| &contents.variants);
    let manifests: Vec<&Value> = variants
        .map(|variant| &variant.descriptor)
        .chain(images.values().flat_map(|contents| &contents.attestations))
        .collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": manifests,
        "annotations": {
            "org.opencontainers.image.title": "OpenNebula front-end",
            ANNOTATION_VERSION: wanted.release.to_string(),
            ANNOTATION_REVISION: revision.unwrap_or_default(),
        },
    });
    let bytes = serde_json::to_vec(&index)?;
    Ok(Manifest {
        media_type: OCI_INDEX.to_owned(),
        digest: Digest::of(&bytes),
        bytes,
    })
}

fn table(tag: &str, digest: &Digest, images: &BTreeMap<Architecture, Contents>) -> String {
    let mut rows = vec![["what", "digest", "MiB"].map(str::to_owned)];
    for contents in images.values() {
        for variant in &contents.variants {
            rows.push([
                variant.platform.clone(),
                variant.digest.to_string(),
                format!(
                    "{}.{}",
                    variant.size >> 20,
                    (variant.size >> 10 & 1023) * 10 / 1024
                ),
            ]);
        }
    }
    rows.push([tag.to_owned(), digest.to_string(), String::new()]);
    columns(&rows).trim_end().to_owned()
}
