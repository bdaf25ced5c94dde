//! `e2e`: the scenarios on a cluster of their own, beside that of `up`, which is gone afterwards without a trace.

use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::cluster::{self, Cluster};
use crate::leftovers::Reading;
use crate::lock::Lock;
use crate::platform::{self, Images};
use crate::progress::{Counts, Progress};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::{apt, machine, offers};

pub(crate) fn run(repo: &Repo, args: &[OsString]) -> Result<ExitCode> {
    let mut progress = Progress::start();
    progress.step("machine", || machine::check(repo))?;
    progress.step("packages of the system", || {
        apt::install(repo, &[apt::CLUSTER, apt::TESTS])
    })?;
    platform::programs(repo, &mut progress)?;
    let images = platform::build(repo, &mut progress)?;
    scenarios(repo, &images, args, &mut progress);
    Ok(if progress.report() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Starts the cluster, plays the scenarios, ends the cluster, and looks whether the machine is as before.
pub(crate) fn scenarios(repo: &Repo, images: &Images, args: &[OsString], progress: &mut Progress) {
    let cluster = Cluster::of_scenarios(repo);
    let mut before = None;
    let mut one = None;
    let up = progress.test("cluster of the scenarios", || {
        one = Some(Lock::take(repo, "scenarios")?);
        cluster.purge()?; // of a run that was interrupted
        before = Some(Reading::take(&cluster));
        cluster.up()?;
        images.load(&cluster)?;
        Ok(Counts::PASSED)
    });
    if up {
        progress.test("what the cluster offers to them", || {
            offers::check(repo, &cluster)
        });
        progress.test("scenarios", || play(repo, &cluster, args));
    } else {
        progress.not_tried("scenarios", "the cluster is not up");
    }
    progress.test("nothing left of the cluster", || {
        cluster.purge()?;
        let Some(before) = before else {
            bail!("the machine was not read before")
        };
        before.expect_again(&cluster)?;
        Ok(Counts::PASSED)
    });
    drop(one);
}

fn play(repo: &Repo, cluster: &Cluster, args: &[OsString]) -> Result<Counts> {
    let programs = cluster::programs(repo)?;
    let log = repo.logs().join("scenarios.log");
    let status = cmd("cargo")
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "e2e",
            "--",
            "--kubeconfig",
        ])
        .arg(cluster.kubeconfig())
        .arg("--helm")
        .arg(programs.join("helm"))
        .arg("--helm3")
        .arg(programs.join("helm3"))
        .args(["--ingress", &format!("{}:30080", cluster.node_ip())])
        .arg("--venv")
        .arg(repo.cache.join("e2e-venv"))
        .arg("--report")
        .arg(repo.logs().join("scenarios.md"))
        .args(args)
        .dir(&repo.root)
        .tee(&log)?;
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let Some(counts) = Counts::of_suite(&said) else {
        bail!("the scenarios ended with {status} and without their sum");
    };
    if !status.success() && counts.failed == 0 {
        bail!("the scenarios ended with {status}, though none failed");
    }
    Ok(counts)
}
