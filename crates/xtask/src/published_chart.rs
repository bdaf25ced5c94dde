//! The chart as people get it: packaged, pushed to a registry on 127.0.0.1, and installed from it on the cluster of the
//! scenarios. What the chart does once it is installed is the scenarios' affair.

use anyhow::{Result, ensure};

use crate::cluster::{self, Cluster};
use crate::forge::chart::push;
use crate::rehearsal::{Registry, build};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::verbs::release::chart::package;

const NAMESPACE: &str = "published-chart";

pub(crate) fn check(repo: &Repo, cluster: &Cluster) -> Result<()> {
    let log = |what: &str| repo.logs().join(format!("published-chart-{what}.log"));
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("dist");
    let helm = cluster::programs(repo)?.join("helm");
    package(&repo.root, &helm, &out, None)?;
    let registry = Registry::start(&build(repo)?, &folder.path().join("registry"), &log("registry"))?;
    let charts = format!("oci://{}/charts", registry.address);
    let pushed = push(repo, &helm, &out, &charts)?;
    let again = push(repo, &helm, &out, &charts)?;
    ensure!(
        pushed == again,
        "a version that is there was pushed again: {pushed}, {again}"
    );
    let run = |what: &str, more: &[&str]| {
        cmd(&helm)
            .args([what, "opennebula", "--namespace", NAMESPACE])
            .args(more)
            .env("KUBECONFIG", cluster.kubeconfig())
            // Nothing that is remembered of the user's.
            .env("HELM_CONFIG_HOME", folder.path())
            .env("HELM_CACHE_HOME", folder.path())
            .env("HELM_DATA_HOME", folder.path())
            .env("NO_PROXY", "127.0.0.1")
            .run(&log(what))
    };
    let chart = format!("oci://{pushed}");
    run(
        "install",
        &[
            &chart,
            "--plain-http",
            "--create-namespace",
            "--wait",
            "--timeout",
            "5m",
        ],
    )?;
    run("test", &[])?;
    // The namespace goes with the cluster.
    run("uninstall", &["--wait"])
}
