//! `down`: ends what `up` and the tests started and removes the checkout's state. The cache stays.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::cluster::Cluster;
use crate::kind::{Content, Kind};
use crate::lock::Lock;
use crate::progress::{self, Progress};
use crate::repo::Repo;

pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    let _one = Lock::take(repo, "cluster")?;
    let mut progress = Progress::start();
    for cluster in [Cluster::of_up(repo), Cluster::of_scenarios(repo)] {
        if cluster.state.exists() {
            progress.step("cluster", || cluster.purge())?;
        }
    }
    for kind in [Kind::new(repo), Kind::of_scenarios(repo, None, Content::Built)] {
        if kind.made() {
            progress.step("cluster (kind)", || kind.delete())?;
        }
    }
    if repo.state.exists() {
        fs::remove_dir_all(&repo.state).with_context(|| repo.state.display().to_string())?;
    }
    progress::say(&format!(
        "Nothing of it is left but {}, which makes the next start quick, and the packages that apt installed.",
        repo.cache.display()
    ));
    Ok(ExitCode::SUCCESS)
}
