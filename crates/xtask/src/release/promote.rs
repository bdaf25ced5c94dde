//! What a registry has of a release, and how an image that was found good gets its tags. No image is built or copied here.

use anyhow::{Context as _, Result, bail};

use super::markdown;
use super::tags::{Action, Build, Change, LATEST, Published, Replaceable, Target, changes};
use crate::registry::{Digest, Repository};
use crate::versions::{Architecture, Version, Versions};

/// Labels of image/Dockerfile (OCI image specification).
const LABEL_SOURCE: &str = "org.opencontainers.image.source";
const LABEL_VERSION: &str = "org.opencontainers.image.version";
/// The source of our images. An image that has another one, or none, is foreign.
pub(super) const SOURCE: &str = "https://github.com/pablodelarco/opennebula-kubernetes";

/// Whether tags are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    DryRun,
}

/// The newest build of a release, `X.Y.Z-rN`, and its digest.
///
/// # Errors
///
/// When a foreign image has the tag of the newest build.
pub(crate) fn newest_build(repository: &Repository, release: Version) -> Result<Option<(Build, Digest)>> {
    let tags = repository.tags()?;
    let builds = tags.iter().filter_map(|tag| tag.parse::<Build>().ok());
    let Some(build) = builds.filter(|build| build.release == release).max() else {
        return Ok(None);
    };
    let Some(digest) = repository.digest(&build.to_string())? else {
        return Ok(None);
    };
    expect_release(repository, &digest, release)?;
    Ok(Some((build, digest)))
}

/// Fails unless every image of a digest is ours and of the release; the platforms.
pub(crate) fn expect_release(
    repository: &Repository,
    digest: &Digest,
    release: Version,
) -> Result<Vec<String>> {
    let images = repository.images(digest)?;
    for image in &images {
        let label = |name: &str| image.labels.get(name).map_or("", String::as_str);
        let name = format!("{} ({})", repository.by_digest(digest), image.platform);
        if label(LABEL_SOURCE) != SOURCE {
            bail!(
                "{name} is a foreign image: its label {LABEL_SOURCE} is \"{}\", and must be {SOURCE}",
                label(LABEL_SOURCE)
            );
        }
        if label(LABEL_VERSION) != release.to_string() {
            bail!(
                "{name} is an image of {} by its label {LABEL_VERSION}, and must be of {release}: check that digest and \
                 release belong together",
                label(LABEL_VERSION)
            );
        }
    }
    Ok(images.into_iter().map(|image| image.platform).collect())
}

/// Makes one index of the images of all architectures, and gives it the candidate's tag.
pub(crate) fn push_candidate(
    repository: &Repository,
    images: &[(Architecture, Digest)],
    release: Version,
    versions: &Versions,
) -> Result<Digest> {
    for (architecture, digest) in images {
        let platforms = expect_release(repository, digest, release)?;
        if platforms != [platform(*architecture)] {
            bail!(
                "{} was given as the image for {architecture}, and is for {}",
                repository.by_digest(digest),
                platforms.join(", ")
            );
        }
    }
    let given: Vec<String> = images
        .iter()
        .map(|(architecture, _)| platform(*architecture))
        .collect();
    expect_platforms(&given, release, versions)?;
    let digests: Vec<Digest> = images.iter().map(|(_, digest)| digest.clone()).collect();
    repository.push_index(&digests, &candidate_tag(release))
}

/// The tag under which an image of a release is tried. It is overwritten by the next try.
pub(crate) fn candidate_tag(release: Version) -> String {
    format!("candidate-{release}")
}

fn platform(architecture: Architecture) -> String {
    format!("linux/{architecture}")
}

fn expect_platforms(given: &[String], release: Version, versions: &Versions) -> Result<()> {
    let architectures = versions.architectures_of(release)?;
    let missing: Vec<String> = architectures
        .into_iter()
        .map(platform)
        .filter(|wanted| !given.contains(wanted))
        .collect();
    if !missing.is_empty() {
        bail!(
            "there is no image for {}, and versions.json has {release} for it",
            missing.join(", ")
        );
    }
    Ok(())
}

/// The tags of a registry that matter for a release.
fn published(repository: &Repository, release: Version) -> Result<Published> {
    let mut published = Published::default();
    for tag in repository.tags()? {
        let build = tag.parse::<Build>().ok().filter(|build| build.release == release);
        let moves = tag == LATEST || tag == release.to_string();
        if build.is_none() && !moves {
            continue;
        }
        // A tag that was deleted since the list was made counts as none.
        let Some(digest) = repository.digest(&tag)? else {
            continue;
        };
        if let Some(build) = build {
            published.builds.insert(build.number, digest);
            continue;
        }
        let target = Target {
            release: release_of(repository, &digest)?,
            digest,
        };
        let slot = if tag == LATEST {
            &mut published.latest
        } else {
            &mut published.release
        };
        *slot = Some(target);
    }
    Ok(published)
}

/// The release of an image by our labels; none for a foreign one.
fn release_of(repository: &Repository, digest: &Digest) -> Result<Option<Version>> {
    let images = repository.images(digest)?;
    let ours = |image: &crate::registry::Image| {
        let source = image.labels.get(LABEL_SOURCE)?;
        let release = image.labels.get(LABEL_VERSION)?.parse().ok()?;
        (source == SOURCE).then_some(release)
    };
    Ok(images.first().and_then(ours))
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Promotion {
    pub(crate) changes: Vec<Change>,
    image: Digest,
    mode: Mode,
}

/// Gives an image its tags, by what the registry has now. A second run finishes what an interrupted one left.
pub(crate) fn promote(
    repository: &Repository,
    image: &Digest,
    release: Version,
    versions: &Versions,
    replaceable: &Replaceable,
    mode: Mode,
) -> Result<Promotion> {
    let platforms = expect_release(repository, image, release)?;
    let published = published(repository, release)?;
    if !published.builds.values().any(|digest| digest == image) {
        expect_platforms(&platforms, release, versions)?;
    }
    let changes = changes(
        release,
        image,
        versions.default_release()?,
        &published,
        replaceable,
    )?;
    for change in &changes {
        if change.action == Action::Set && mode == Mode::Write {
            set(repository, change, image)?;
        }
    }
    Ok(Promotion {
        changes,
        image: image.clone(),
        mode,
    })
}

/// Sets a tag, if it still names what it named when the changes were planned.
fn set(repository: &Repository, change: &Change, image: &Digest) -> Result<()> {
    let tag = &change.tag;
    if repository.digest(tag)? != change.before {
        bail!("{tag} was set by somebody else meanwhile: run it again, it is planned anew");
    }
    repository
        .tag(image, tag)
        .with_context(|| format!("{tag} was not set: run it again, tags that were set are kept"))
}

impl Promotion {
    /// Tags that name foreign images, with the option that replaces each.
    pub(crate) fn foreign(&self) -> Vec<String> {
        let foreign = self
            .changes
            .iter()
            .filter(|change| change.action == Action::Foreign);
        foreign
            .filter_map(|change| {
                Some(format!(
                    "--replace-foreign {}={}",
                    change.tag,
                    change.before.as_ref()?
                ))
            })
            .collect()
    }

    /// In Markdown.
    pub(crate) fn table(&self) -> String {
        let rows: Vec<[String; 4]> = self
            .changes
            .iter()
            .map(|change| {
                let before = change
                    .before
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string);
                let (after, what) = match (&change.action, self.mode) {
                    (Action::Set, Mode::Write) => (self.image.to_string(), "set".to_owned()),
                    (Action::Set, Mode::DryRun) => (self.image.to_string(), "would be set".to_owned()),
                    (Action::Keep, _) => (self.image.to_string(), "unchanged".to_owned()),
                    (Action::Stay(reason), _) => (before.clone(), format!("stays: {reason}")),
                    (Action::Foreign, _) => (before.clone(), "foreign image, not replaced".to_owned()),
                };
                [change.tag.clone(), before, after, what]
            })
            .collect();
        markdown::table(["tag", "before", "after", ""], &rows)
    }
}
