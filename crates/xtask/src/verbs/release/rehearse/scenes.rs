//! What goes well, from the vendor's index to the tags. Each scene goes on from where the one before has left the vendor
//! and the registry, and fails unless the tags are as they must be.

use anyhow::{Context as _, Result, bail, ensure};

use super::stage::{FIRST, Stage, machine};
use crate::registry::{Digest, Repository};
use crate::release::promote::newest_build;
use crate::release::tags::{Action, Replaceable};
use crate::repo::Repo;
use crate::versions::Architecture;

const BOTH: [Architecture; 2] = [Architecture::Amd64, Architecture::Arm64];

/// What a tag names now.
fn named(stage: &Stage, tag: &str) -> Result<Digest> {
    stage
        .table()?
        .remove(tag)
        .with_context(|| format!("{tag} does not exist"))
}

pub(super) fn first(stage: &Stage, image: &Digest) -> Result<()> {
    stage.publish("7.0", &[machine()], &stage.packages(FIRST)?)?;
    stage.publish("7.2", &[machine()], &stage.packages("7.2.0")?)?;
    ensure!(stage.detect()?, "nothing was detected");
    stage.note(&format!("buildah pushed the real image of {FIRST}: {image}."));
    let digest = stage.candidate(FIRST, &[(machine(), image.clone())])?;
    stage.promote(FIRST, &digest)?;
    stage.expect_tags(
        &stage.images,
        &[("7.0.0-r1", &digest), (FIRST, &digest), ("latest", &digest)],
    )
}

/// Nothing is detected, and promoting what is published sets nothing.
pub(super) fn again(stage: &Stage) -> Result<()> {
    let before = stage.table()?;
    ensure!(!stage.detect()?, "the same index was news");
    for (tag, digest) in before.iter().filter(|(tag, _)| tag.contains("-r")) {
        let (release, _) = tag.split_once("-r").unwrap_or_default();
        let promotion = stage.promote(release, digest)?;
        let set = promotion
            .changes
            .iter()
            .any(|change| change.action == Action::Set);
        ensure!(!set, "the promotion of {tag}, which is published, set a tag");
    }
    ensure!(stage.table()? == before, "tags were changed");
    Ok(())
}

pub(super) fn another_line(stage: &Stage) -> Result<()> {
    let latest = named(stage, "latest")?;
    let digest = stage.release("7.2.0", &[machine()], "first")?;
    stage.expect_tags(
        &stage.images,
        &[("7.2.0-r1", &digest), ("7.2.0", &digest), ("latest", &latest)],
    )
}

pub(super) fn newer(stage: &Stage) -> Result<()> {
    let before = named(stage, FIRST)?;
    let new = stage.packages("7.0.1")?;
    let odd = |version: &str| new.replace("Version: 7.0.1-1", &format!("Version: {version}"));
    let list =
        [odd("7.0.80-1"), odd("7.0.2~rc1-1"), odd("7.0.2+git1-1")].concat() + &stage.packages(FIRST)? + &new;
    stage.note("The vendor adds 7.0.1 for two architectures, a pre-release and two versions of odd forms.");
    stage.publish("7.0", &BOTH, &list)?;
    ensure!(stage.detect()?, "7.0.1 was not detected");
    let digest = stage.release("7.0.1", &BOTH, "first")?;
    stage.expect_tags(
        &stage.images,
        &[
            (FIRST, &before),
            ("7.0.1-r1", &digest),
            ("7.0.1", &digest),
            ("latest", &digest),
        ],
    )
}

pub(super) fn rebuilt(stage: &Stage) -> Result<()> {
    let before = named(stage, "7.0.1-r1")?;
    let list = stage
        .packages("7.0.1")?
        .replace("Version: 7.0.1-1", "Version: 7.0.1-2");
    stage.note("The vendor replaces the packages of 7.0.1 by others of the same release.");
    stage.publish("7.0", &BOTH, &list)?;
    ensure!(
        !stage.detect()?,
        "versions.json names no packages, and yet it changed"
    );
    stage.note("The release is the same, so that versions.json stays; the nightly build has other packages, and is promoted.");
    let digest = stage.release("7.0.1", &BOTH, "again")?;
    let newest = newest_build(&stage.images, "7.0.1".parse()?)?.map(|(_, digest)| digest);
    ensure!(newest.as_ref() == Some(&digest), "the newest build is {newest:?}");
    stage.expect_tags(
        &stage.images,
        &[
            ("7.0.1-r1", &before),
            ("7.0.1-r2", &digest),
            ("7.0.1", &digest),
            ("latest", &digest),
        ],
    )
}

pub(super) fn old(stage: &Stage) -> Result<()> {
    let latest = named(stage, "latest")?;
    let digest = stage.release(FIRST, &[machine()], "old")?;
    stage.expect_tags(
        &stage.images,
        &[("7.0.0-r2", &digest), (FIRST, &digest), ("latest", &latest)],
    )
}

pub(super) fn half_pushed(stage: &Stage) -> Result<()> {
    let latest = named(stage, "latest")?;
    let digest = stage.candidate("7.0.1", &stage.small_images("7.0.1", &BOTH, "third")?)?;
    stage.note("The registry answers 500 whenever `latest` is set.");
    stage.registry.inject("PUT /manifests/latest 500")?;
    let interrupted = stage.promote("7.0.1", &digest);
    stage.registry.inject("")?;
    match interrupted {
        Ok(_) => bail!("a promotion succeeded that could not set `latest`"),
        Err(error) => stage.shown("release promote --release 7.0.1", &format!("error: {error:#}")),
    }
    stage.expect_tags(
        &stage.images,
        &[("7.0.1-r3", &digest), ("7.0.1", &digest), ("latest", &latest)],
    )?;
    stage.note("The registry recovers.");
    stage.promote("7.0.1", &digest)?;
    stage.expect_tags(&stage.images, &[("7.0.1-r3", &digest), ("latest", &digest)])?;
    ensure!(
        !stage.table()?.contains_key("7.0.1-r4"),
        "the second run made another build"
    );
    Ok(())
}

/// A repository in which an earlier project has images under our tags.
pub(super) fn foreign(stage: &Stage, repo: &Repo) -> Result<()> {
    let name = format!("{}/foreign", stage.registry.address);
    let images = Repository::open(repo, &name.parse()?)?;
    let supervisord = stage.small_image(machine(), &[("title", "supervisord")], "foreign")?;
    stage.copy(
        &supervisord,
        &name,
        &["7.0.1", "7.1.80", "7.2.0", "7.3.80", "latest"],
    )?;
    let image = stage.candidate(
        "7.0.1",
        &stage.small_images("7.0.1", &BOTH, "of the foreign repository")?,
    )?;
    stage.copy(&image, &name, &["candidate-7.0.1"])?;
    stage.expect_tags(&images, &[("7.0.1", &supervisord), ("latest", &supervisord)])?;

    let promotion = stage.promote_in(&images, "7.0.1", &image, &Replaceable::new())?;
    ensure!(
        promotion.foreign().len() == 2,
        "two foreign tags were to be left alone"
    );
    stage.expect_tags(
        &images,
        &[
            ("7.0.1-r1", &image),
            ("7.0.1", &supervisord),
            ("latest", &supervisord),
        ],
    )?;

    stage.note("A maintainer replaces them on purpose, each by the digest that was looked at.");
    let replaceable = ["7.0.1", "latest"].map(|tag| (tag.to_owned(), supervisord.clone()));
    stage.promote_in(&images, "7.0.1", &image, &Replaceable::from(replaceable))?;
    stage.expect_tags(
        &images,
        &[
            ("7.0.1-r1", &image),
            ("7.0.1", &image),
            ("latest", &image),
            ("7.1.80", &supervisord),
            ("7.2.0", &supervisord),
        ],
    )
}
