//! What goes well, from the vendor's index to the tags: each scene ends with an error unless the tags are as they must be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::stage::{FIRST, Scan, Stage, machine};
use crate::progress::Counts;
use crate::registry::Digest;
use crate::rehearsal::{Fault, Trouble};
use crate::release::{Event, How, Job, promote};
use crate::versions::{Architecture, Versions};

const BOTH: [Architecture; 2] = [Architecture::Amd64, Architecture::Arm64];

/// The only job, of a release.
fn only(jobs: Vec<Job>, release: &str) -> Result<Job> {
    let count = jobs.len();
    let mut fitting = jobs.into_iter().filter(|job| job.release.to_string() == release);
    match (fitting.next(), count) {
        (Some(job), 1) => Ok(job),
        _ => bail!("one image of {release} was to be planned, and {count} are"),
    }
}

/// What a tag names now.
fn named(stage: &Stage, tag: &str) -> Result<Digest> {
    let table = stage.table()?;
    table
        .get(tag)
        .cloned()
        .with_context(|| format!("there is no tag {tag}"))
}

pub(super) fn first(stage: &Stage) -> Result<Counts> {
    stage.publish("7.0", &[machine()], &stage.packages(FIRST)?)?;
    stage.publish("7.2", &[machine()], &stage.packages("7.2.0")?)?;
    if !stage.detect()? {
        bail!("nothing was detected");
    }
    let jobs = stage.plan(Event::Push, None, None)?;
    if jobs.len() != 2 {
        bail!("two lines were to be planned, and {} are", jobs.len());
    }
    let job = only(stage.plan(Event::Dispatch, None, Some(FIRST))?, FIRST)?;
    let image = stage
        .real_image
        .borrow()
        .clone()
        .context("there is no real image")?;
    stage.note(&format!(
        "The real image of {FIRST} was pushed by buildah: {image}."
    ));
    let (digest, _) = stage.release(&job, BTreeMap::from([(machine(), image)]), Scan::Clean)?;
    stage.expect_tags(&[(FIRST, &digest), ("latest", &digest)])?;
    Ok(Counts::PASSED)
}

pub(super) fn again(stage: &Stage) -> Result<Counts> {
    let before = stage.table()?;
    if stage.detect()? {
        bail!("the same index was news");
    }
    let jobs = stage.plan(Event::Schedule, None, None)?;
    only(jobs, "7.2.0").context("7.0.0 is published")?;
    let job = only(stage.plan(Event::Dispatch, Some("7.0"), None)?, FIRST)?;
    let digest = named(stage, FIRST)?;
    if !stage.promote(&job, &digest)?.is_nothing() {
        bail!("the second promotion did something");
    }
    stage.proxy.inject(&[]);
    stage.promote(&job, &digest)?;
    let written = stage
        .proxy
        .seen()
        .into_iter()
        .find(|request| !request.starts_with(['G', 'H']));
    if let Some(request) = written {
        bail!("a promotion of what is published asked to {request}");
    }
    if stage.table()? != before {
        bail!("tags were changed");
    }
    Ok(Counts::PASSED)
}

pub(super) fn another_line(stage: &Stage) -> Result<Counts> {
    let latest = named(stage, "latest")?;
    let job = only(stage.plan(Event::Schedule, None, None)?, "7.2.0")?;
    let images = stage.small_images(&job, "first")?;
    let (digest, _) = stage.release(&job, images, Scan::Clean)?;
    stage.expect_tags(&[("7.2.0", &digest), (FIRST, &latest), ("latest", &latest)])?;
    Ok(Counts::PASSED)
}

pub(super) fn newer(stage: &Stage) -> Result<Counts> {
    let before = named(stage, FIRST)?;
    let old = stage.packages(FIRST)?;
    let new = stage.packages("7.0.1")?;
    let odd = |version: &str| new.replace("Version: 7.0.1-1", &format!("Version: {version}"));
    let list = [odd("7.0.80-1"), odd("7.0.2~rc1-1"), odd("7.0.2+git1-1")].concat() + &old + &new;
    stage.note("The vendor adds 7.0.1 for two architectures, a pre-release and two versions of odd forms.");
    stage.publish("7.0", &BOTH, &list)?;
    if !stage.detect()? {
        bail!("7.0.1 was not detected");
    }
    let job = only(stage.plan(Event::Schedule, None, None)?, "7.0.1")?;
    if job.architectures.len() != 2 {
        bail!("7.0.1 was to be planned for two architectures");
    }
    let images = stage.small_images(&job, "first")?;
    let (digest, _) = stage.release(&job, images, Scan::Clean)?;
    stage.expect_tags(&[(FIRST, &before), ("7.0.1", &digest), ("latest", &digest)])?;
    Ok(Counts::PASSED)
}

pub(super) fn rebuilt(stage: &Stage) -> Result<Counts> {
    let before = named(stage, "7.0.1")?;
    let list = stage
        .packages("7.0.1")?
        .replace("Version: 7.0.1-1", "Version: 7.0.1-2");
    stage.note("The vendor replaces the packages of 7.0.1 by others of the same release.");
    stage.publish("7.0", &BOTH, &list)?;
    if !stage.detect()? {
        bail!("the rebuilt packages were not detected");
    }
    let job = only(stage.plan(Event::Schedule, Some("7.0"), None)?, "7.0.1")?;
    let digest = stage.candidate(&job, stage.small_images(&job, "again")?)?;
    stage.gate(&digest, Scan::Clean)?;
    let busy = Fault {
        method: "PUT",
        path: "/manifests/",
        trouble: Trouble::Answer("429 Too Many Requests", "Retry-After: 1"),
        times: 2,
    };
    stage.note("The registry answers 429 twice and wants to be left alone for a second; then the answer to a PUT is lost.");
    stage.proxy.inject(&[
        busy,
        Fault {
            trouble: Trouble::LostAnswer,
            times: 1,
            ..busy
        },
    ]);
    let since = Instant::now();
    let versions = Versions::read(&stage.versions())?;
    let promotion = promote(&stage.patient_client(), &digest, job.release, &versions, How::Set)?;
    stage.shown("release promote --release 7.0.1", &promotion.table());
    if since.elapsed() < Duration::from_secs(2) {
        bail!("the registry was not left alone for as long as it wanted");
    }
    stage.proxy.inject(&[]);
    stage.expect_tags(&[("7.0.1", &before), ("7.0.1-r1", &digest), ("latest", &digest)])?;
    Ok(Counts::PASSED)
}

pub(super) fn old(stage: &Stage) -> Result<Counts> {
    let (first, latest) = (named(stage, FIRST)?, named(stage, "latest")?);
    let job = only(stage.plan(Event::Dispatch, None, Some(FIRST))?, FIRST)?;
    let images = stage.small_images(&job, "old")?;
    let (digest, _) = stage.release(&job, images, Scan::Clean)?;
    stage.expect_tags(&[(FIRST, &first), ("7.0.0-r1", &digest), ("latest", &latest)])?;
    Ok(Counts::PASSED)
}

pub(super) fn half_pushed(stage: &Stage) -> Result<Counts> {
    let latest = named(stage, "latest")?;
    let job = only(stage.plan(Event::Dispatch, Some("7.0"), None)?, "7.0.1")?;
    let digest = stage.candidate(&job, stage.small_images(&job, "third")?)?;
    stage.gate(&digest, Scan::Clean)?;
    stage.note("The registry answers 500 whenever `latest` is set.");
    stage.proxy.inject(&[Fault {
        method: "PUT",
        path: "/manifests/latest",
        trouble: Trouble::Answer("500 Internal Server Error", "X-Trouble: yes"),
        times: u32::MAX,
    }]);
    match stage.promote(&job, &digest) {
        Ok(_) => bail!("a promotion went well that could not set `latest`"),
        Err(error) => stage.shown("release promote --release 7.0.1", &format!("error: {error:#}")),
    }
    stage.expect_tags(&[("7.0.1-r2", &digest), ("latest", &latest)])?;
    stage.note("The registry is well again.");
    stage.proxy.inject(&[]);
    stage.promote(&job, &digest)?;
    stage.expect_tags(&[("7.0.1-r2", &digest), ("latest", &digest)])?;
    if stage.table()?.contains_key("7.0.1-r3") {
        bail!("the second run made a tag of its own");
    }
    Ok(Counts::PASSED)
}

pub(super) fn all_again(stage: &Stage) -> Result<Counts> {
    let before = stage.table()?;
    if stage.detect()? {
        bail!("the same index was news");
    }
    if !stage.plan(Event::Schedule, None, None)?.is_empty() {
        bail!("something was planned though all is published");
    }
    for (tag, digest) in before.iter().filter(|(tag, _)| *tag != "latest") {
        let release = tag.split_once('-').map_or(tag.as_str(), |(release, _)| release);
        let job = only(stage.plan(Event::Dispatch, None, Some(release))?, release)?;
        if !stage.promote(&job, digest)?.is_nothing() {
            bail!("the promotion of {tag}, which is published, did something");
        }
    }
    if stage.table()? != before {
        bail!("tags were changed");
    }
    Ok(Counts::PASSED)
}
