//! The chart as people get it: packaged, put into an index on a web server and pushed to a registry, both on 127.0.0.1, and
//! installed from each on the cluster of the scenarios. What is installed must be the package that was made.
//!
//! Nothing is published. What the chart does once it is installed is the scenarios' affair.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::cluster::{self, Cluster};
use crate::forge::chart::push;
use crate::progress::Counts;
use crate::rehearsal::{Registry, build};
use crate::repo::Repo;
use crate::serve;
use crate::sh::{Cmd, cmd};
use crate::verbs::release::chart::package;

/// Packages, offers, fetches and installs; each of the two sources is a check.
pub(crate) fn check(repo: &Repo, cluster: &Cluster) -> Result<Counts> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("dist");
    let index = format!("http://{}/dist", serve::serve(folder.path())?);
    let program = cluster::programs(repo)?.join("helm");
    let archive = package(&repo.root, &program, &out, None)?;
    helm(repo, cluster)?
        .args(["repo", "index"])
        .arg(&out)
        .run(&log(repo, "index"))?;
    let registry = Registry::start(
        &build(repo)?,
        &folder.path().join("registry"),
        &log(repo, "registry"),
    )?;
    let charts = format!("oci://{}/charts", registry.address);
    let pushed = push(repo, &program, &out, &charts)?;
    let again = push(repo, &program, &out, &charts)?;
    ensure!(
        pushed == again,
        "a version that is there was pushed again: {pushed}, {again}"
    );
    let chart = format!("{charts}/opennebula");
    let mut counts = Counts::default();
    for (source, words) in [
        ("index", ["opennebula", "--repo", &index].as_slice()),
        ("registry", &[&chart, "--plain-http"]),
    ] {
        same(repo, cluster, words, &archive, &folder.path().join(source))?;
        installed(repo, cluster, words, &format!("from-{source}"))?;
        counts.passed += 1;
    }
    Ok(counts)
}

/// What is fetched is what was made, byte for byte.
fn same(repo: &Repo, cluster: &Cluster, words: &[&str], archive: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    helm(repo, cluster)?
        .arg("pull")
        .args(words)
        .arg("--destination")
        .arg(to)
        .run(&log(repo, "pull"))?;
    let fetched = to.join(archive.file_name().unwrap_or_default());
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    ensure!(
        read(archive)? == read(&fetched)?,
        "{} differs from {}, which was packaged",
        fetched.display(),
        archive.display()
    );
    Ok(())
}

fn installed(repo: &Repo, cluster: &Cluster, words: &[&str], namespace: &str) -> Result<()> {
    let run = |what: &str, more: &[&str]| {
        helm(repo, cluster)?
            .args([what, "opennebula", "--namespace", namespace])
            .args(more)
            .run(&log(repo, what))
    };
    let install = [words, &["--create-namespace", "--wait", "--timeout", "5m"]].concat();
    run("install", &install)?;
    run("test", &[])?;
    // The namespace goes with the cluster.
    run("uninstall", &["--wait"])
}

/// Helm with nothing remembered of the user's.
fn helm(repo: &Repo, cluster: &Cluster) -> Result<Cmd> {
    Ok(cmd(cluster::programs(repo)?.join("helm"))
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("HELM_CONFIG_HOME", cluster.state.join("helm/config"))
        .env("HELM_CACHE_HOME", cluster.state.join("helm/cache"))
        .env("HELM_DATA_HOME", cluster.state.join("helm/data"))
        .env("NO_PROXY", "127.0.0.1"))
}

fn log(repo: &Repo, what: &str) -> PathBuf {
    repo.logs().join(format!("published-chart-{what}.log"))
}
