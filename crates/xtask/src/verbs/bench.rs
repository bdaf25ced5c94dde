//! `bench`: onepod beside its peers, in one run on this machine; rewrites docs/benchmarks.md.
//!
//! Anything else that runs on the machine disturbs the figures, so they are no test: nothing here fails because of one.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::progress::Progress;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::{apt, platform};

/// As the image has them: what is compiled without optimisation measures itself.
const PROFILE: &str = "image";

pub(crate) fn run(repo: &Repo, args: &[OsString]) -> Result<ExitCode> {
    let mut progress = Progress::start();
    progress.step("packages of the system", || {
        apt::install(repo, &[apt::CLUSTER, apt::TESTS, apt::BENCH])
    })?;
    let image = platform::simulated(repo, &mut progress)?;
    progress.step("the benchmarks' program", || {
        cmd("cargo")
            .args(["build", "--locked", "--profile", PROFILE, "--package", "bench"])
            .dir(&repo.root)
            .run(&repo.logs().join("bench-build.log"))
    })?;
    let programs = repo.target().join(PROFILE);
    let status = cmd(programs.join("bench"))
        .arg("run")
        .arg("--onepod")
        .arg(programs.join("onepod"))
        .arg("--rootfs")
        .arg(image.rootfs)
        .arg("--report")
        .arg(repo.root.join("docs/benchmarks.md"))
        .args(args)
        .dir(&repo.root)
        .tee(&repo.logs().join("bench.log"))?;
    if !status.success() {
        bail!("the benchmarks ended with {status}");
    }
    Ok(ExitCode::SUCCESS)
}
