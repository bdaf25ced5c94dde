//! `release rehearse`: the way of a release from the vendor's index to its tags, on this machine alone: a real registry, a
//! signed apt repository of simulated packages, one real image. What goes wrong on the way must leave the tags as they are.
//!
//! Scenarios and signatures are not part of it: each has its own verb or workflow step.

mod refusals;
mod scenes;
mod stage;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::ignores::today;
use crate::lock::Lock;
use crate::progress::{self, Counts, Progress};
use crate::registry::Digest;
use crate::release::gate::prove;
use crate::repo::Repo;
use crate::tools::TRIVY;
use crate::{apt, machine, platform};
use stage::Stage;

#[derive(Debug, Args)]
pub(crate) struct Rehearse;

impl Rehearse {
    #[expect(
        clippy::unused_self,
        reason = "every verb runs like this; this one has no options"
    )]
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let mut progress = Progress::start();
        progress.step("machine", || machine::check_for_images(repo))?;
        progress.step("packages of the system", || {
            apt::install(repo, &[apt::CLUSTER, apt::TESTS])
        })?;
        all(repo, &mut progress);
        Ok(if progress.report() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Plays all scenes, and writes the transcript.
pub(crate) fn all(repo: &Repo, progress: &mut Progress) {
    match set(repo, progress) {
        Ok((stage, image, _one)) => play(repo, &stage, &image, progress),
        Err(error) => {
            progress::complain(&error);
            progress.not_tried("release rehearsal", "its stage could not be set");
        }
    }
}

fn set(repo: &Repo, progress: &mut Progress) -> Result<(Stage, Digest, Lock)> {
    let one = Lock::take(repo, "rehearsal")?;
    let stage = progress.step("registry and repository of the rehearsal", || Stage::set(repo))?;
    let tag = format!("{}:build-{}", stage.images.name, stage::FIRST);
    let image = platform::pushed(&repo.of_release(stage::FIRST), &tag, progress)?.parse()?;
    Ok((stage, image, one))
}

fn play(repo: &Repo, stage: &Stage, image: &Digest, progress: &mut Progress) {
    let mut scene = |name: &str, play: &dyn Fn() -> Result<Counts>| {
        progress.test(name, || {
            stage.heading(name);
            play()
        });
    };
    let passed = |result: Result<()>| result.map(|()| Counts::PASSED);
    scene("a first release, in a real image", &|| {
        passed(scenes::first(stage, image))
    });
    scene("the same again changes nothing", &|| passed(scenes::again(stage)));
    scene("another line has its tags, and not latest", &|| {
        passed(scenes::another_line(stage))
    });
    scene("a newer release for two architectures", &|| {
        passed(scenes::newer(stage))
    });
    scene("rebuilt packages move the tag of their release", &|| {
        passed(scenes::rebuilt(stage))
    });
    scene("an old release, dispatched", &|| passed(scenes::old(stage)));
    scene("half-pushed tags are finished", &|| {
        passed(scenes::half_pushed(stage))
    });
    scene("foreign images under our tags", &|| {
        passed(scenes::foreign(stage, repo))
    });
    scene("images that are not good enough", &|| refusals::images(stage));
    scene("a registry in trouble", &|| refusals::registries(stage, repo));
    scene("all of it once more", &|| passed(scenes::again(stage)));
    progress.test("the gate sees planted libraries", || {
        if !TRIVY.path(repo).exists() {
            progress::say(
                "        Trivy takes ten minutes to compile: `cargo xtask release gate` does, and proves it",
            );
            return Ok(Counts {
                not_possible: 1,
                ..Counts::default()
            });
        }
        stage.heading("the gate sees planted libraries");
        stage.shown("release gate", &prove(repo, today())?.join("\n"));
        Ok(Counts::PASSED)
    });
    progress.test("transcript of the rehearsal", || {
        let file = stage.write_transcript(repo)?;
        progress::say(&format!("        {}", file.display()));
        Ok(Counts::default())
    });
}
