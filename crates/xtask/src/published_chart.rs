//! The chart as people get it: packaged, put into an index on a web server and pushed to a registry, both on 127.0.0.1, and
//! installed from each on the cluster of the scenarios. What is installed must be the package that was made.
//!
//! Nothing is published. What the chart does once it is installed is the scenarios' affair.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::cluster::{self, Cluster};
use crate::digest;
use crate::forge::chart::push;
use crate::progress::Counts;
use crate::rehearsal::{Registry, build};
use crate::repo::Repo;
use crate::serve;
use crate::sh::{Cmd, cmd};
use crate::verbs::release::chart;

/// Where a chart's archive is got from.
struct Source {
    name: &'static str,
    /// What `helm pull` and `helm install` are told.
    words: Vec<String>,
}

/// Packages, offers, fetches and installs; each of the two sources is a check.
pub(crate) fn check(repo: &Repo, cluster: &Cluster) -> Result<Counts> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("dist");
    let address = serve::serve(folder.path())?;
    let index = format!("http://{address}/dist");
    chart::pack(repo, &out, Some(&index), None)?;
    let archive = archive(&out)?;
    let registry = Registry::start(
        &build(repo)?,
        &folder.path().join("registry"),
        &log(repo, "registry"),
    )?;
    let charts = format!("oci://{}/charts", registry.address);
    let program = cluster::programs(repo)?.join("helm");
    let pushed = push(repo, &program, &out, &charts)?;
    let again = push(repo, &program, &out, &charts)?;
    ensure!(
        pushed == again,
        "a version that is there was pushed again: {pushed}, {again}"
    );
    let sources = [
        Source {
            name: "index",
            words: ["opennebula", "--repo", &index].map(str::to_owned).into(),
        },
        Source {
            name: "registry",
            words: vec![format!("{charts}/opennebula"), "--plain-http".to_owned()],
        },
    ];
    let mut counts = Counts::default();
    for source in &sources {
        same(repo, cluster, source, &archive, folder.path())?;
        installed(repo, cluster, source)?;
        counts.passed += 1;
    }
    Ok(counts)
}

/// The one archive in a folder.
fn archive(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tgz") {
            return Ok(path);
        }
    }
    bail!("no package in {}", folder.display())
}

/// What is fetched is what was made, byte for byte.
fn same(repo: &Repo, cluster: &Cluster, source: &Source, archive: &Path, folder: &Path) -> Result<()> {
    let to = folder.join(format!("from-{}", source.name));
    fs::create_dir(&to)?;
    helm(repo, cluster)?
        .arg("pull")
        .args(&source.words)
        .arg("--destination")
        .arg(&to)
        .run(&log(repo, "pull"))?;
    let digest = |path: &Path| -> Result<String> {
        Ok(digest::sha256(
            &fs::read(path).with_context(|| path.display().to_string())?,
        ))
    };
    let (made, fetched) = (digest(archive)?, digest(&self::archive(&to)?)?);
    ensure!(
        made == fetched,
        "the {} gives {fetched}, and {made} was packaged",
        source.name
    );
    Ok(())
}

fn installed(repo: &Repo, cluster: &Cluster, source: &Source) -> Result<()> {
    let namespace = format!("from-{}", source.name);
    cluster
        .script(["kubectl", "create", "namespace", &namespace])
        .run(&log(repo, "namespace"))?;
    helm(repo, cluster)?
        .args(["install", "opennebula"])
        .args(&source.words)
        .args(["--namespace", &namespace, "--wait", "--timeout", "5m"])
        .run(&log(repo, "install"))?;
    helm(repo, cluster)?
        .args(["test", "opennebula", "--namespace", &namespace])
        .run(&log(repo, "test"))?;
    // The namespace goes with the cluster.
    helm(repo, cluster)?
        .args(["uninstall", "opennebula", "--wait", "--namespace", &namespace])
        .run(&log(repo, "uninstall"))
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
