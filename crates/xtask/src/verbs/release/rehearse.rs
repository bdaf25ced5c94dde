//! `release rehearse`: the way of a release from the vendor's index to its tags, on this machine alone: a real registry, a
//! signed apt repository of simulated packages, one real image. What goes wrong on the way must leave the tags as they are.
//!
//! Steps are the functions that the verbs call. Scans are recorded texts: no vulnerability is looked for here.

mod scenes;
mod stage;
mod troubles;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::lock::Lock;
use crate::progress::{self, Counts, Progress};
use crate::repo::Repo;
use crate::{apt, machine, platform};
use stage::Stage;

#[derive(Debug, Args)]
pub(crate) struct Rehearse;

/// What a scene is called, and how it is played.
type Scene = (&'static str, fn(&Stage) -> Result<Counts>);

/// Each goes on from where the one before has left the vendor and the registry.
const SCENES: [Scene; 13] = [
    ("a first release, in a real image", scenes::first),
    ("the same again changes nothing", scenes::again),
    ("another line has its tag, and not latest", scenes::another_line),
    ("a newer release for two architectures", scenes::newer),
    ("rebuilt packages, in a busy registry", scenes::rebuilt),
    ("an old release, dispatched", scenes::old),
    ("half-pushed tags are finished", scenes::half_pushed),
    ("indexes that are not to be trusted", troubles::signatures),
    ("lists that are not to be trusted", troubles::lists),
    ("a broken line and a good one", troubles::broken_line),
    ("images that are not good enough", troubles::images),
    ("a registry in trouble", troubles::registries),
    ("all of it once more", scenes::all_again),
];

impl Rehearse {
    #[expect(
        clippy::unused_self,
        reason = "every verb runs like this; this one has no options yet"
    )]
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let mut progress = Progress::start();
        progress.step("machine", || machine::check(repo))?;
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

/// Plays all scenes, and writes down what was seen.
pub(crate) fn all(repo: &Repo, progress: &mut Progress) {
    let set = |progress: &mut Progress| -> Result<(Stage, Lock)> {
        let one = Lock::take(repo, "rehearsal")?;
        let stage = progress.step("registry and repository of the rehearsal", || Stage::set(repo))?;
        let tag = stage.direct("build-7.0.0");
        let image = platform::pushed(&repo.of_release(stage::FIRST), &tag, progress)?;
        stage.real_image.replace(Some(image.parse()?));
        Ok((stage, one))
    };
    match set(progress) {
        Ok((stage, _one)) => {
            for (name, scene) in SCENES {
                progress.test(name, || {
                    stage.heading(name);
                    scene(&stage)
                });
            }
            progress.test("transcript of the rehearsal", || {
                let file = stage.write_down(repo)?;
                progress::say(&format!("        {}", file.display()));
                Ok(Counts::default())
            });
        }
        Err(error) => {
            progress::complain(&error);
            progress.not_tried("release rehearsal", "its stage could not be set");
        }
    }
}
