//! `faults`: the fault suite, on the front-end's image and without a cluster. The image has the simulated packages, or those
//! of the repository that was named.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::lock::Lock;
use crate::progress::{Counts, Progress};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::{apt, machine, platform, progress};

pub(crate) fn run(repo: &Repo, args: &[OsString]) -> Result<ExitCode> {
    let mut progress = Progress::start();
    progress.step("machine", || machine::check_for_images(repo))?;
    progress.step("packages of the system", || {
        apt::install(repo, &[apt::CLUSTER, apt::TESTS])
    })?;
    all(repo, args, &mut progress);
    Ok(if progress.report() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds and unpacks the image, and tries the faults on it.
pub(crate) fn all(repo: &Repo, args: &[OsString], progress: &mut Progress) {
    match platform::unpacked(repo, progress) {
        Ok(image) => {
            progress.test("faults", || suite(repo, &image.rootfs, args));
        }
        Err(error) => {
            progress::complain(&error);
            progress.not_tried("faults", "the image could not be built");
        }
    }
}

fn suite(repo: &Repo, rootfs: &Path, args: &[OsString]) -> Result<Counts> {
    let _one = Lock::take(repo, "faults")?;
    let log = repo.logs().join("faults.log");
    let status = cmd("cargo")
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "faults",
            "--",
            "--rootfs",
        ])
        .arg(rootfs)
        .arg("--work")
        .arg(repo.state.join("faults/work"))
        .arg("--report")
        .arg(repo.logs().join("faults.md"))
        .args(args)
        .dir(&repo.root)
        .tee(&log)?;
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    match Counts::of_suite(&said) {
        Some(counts) if status.success() || counts.failed > 0 => Ok(counts),
        // `--list` and the like have no sum.
        None if status.success() => Ok(Counts::default()),
        _ => bail!("the faults ended with {status}"),
    }
}
