//! `test`: every check of the repository, from the formatting to the scenarios on a cluster, then one table.
//!
//! A failed check does not keep the next from being tried, unless that one needs it.

use std::process::ExitCode;

use anyhow::Result;

use crate::progress::Progress;
use crate::repo::Repo;
use crate::verbs::{check, e2e, faults, image, release};
use crate::{machine, platform, progress};

pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    let mut progress = Progress::start();
    progress.step("machine", || machine::check(repo))?;
    check::set_up(repo, &mut progress)?;
    check::statics(repo, &mut progress);
    progress.test("tests of the crates and charts", || {
        check::cargo_test(repo, &["--workspace"], &[])
    });
    faults::all(repo, &[], &mut progress);
    image::contract(repo, &mut progress);
    image::reproduce(repo, &mut progress);
    release::rehearse::all(repo, &mut progress);
    match platform::build(repo, &mut progress) {
        Ok(images) => e2e::scenarios(repo, &images, &[], &mut progress),
        Err(error) => {
            progress::complain(&error);
            progress.not_tried("scenarios", "an image could not be built");
        }
    }
    Ok(if progress.report() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
