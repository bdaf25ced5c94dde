//! A registry on this machine: the distribution project's, compiled from `tests/registry` once.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::digest::Inputs;
use crate::lock::Lock;
use crate::repo::Repo;
use crate::sh::{Service, cmd, which};

/// A registry that runs until the value is dropped.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    data: PathBuf,
    _service: Service,
}

impl Registry {
    /// Starts one with its data in a folder.
    pub(crate) fn start(program: &Path, data: &Path, log: &Path) -> Result<Self> {
        fs::create_dir_all(data).with_context(|| data.display().to_string())?;
        let service = cmd(program).arg(data).serve(log)?;
        let address = service.said.parse().with_context(|| {
            format!(
                "the registry said \"{}\" and not where it listens; see {}",
                service.said,
                log.display()
            )
        })?;
        Ok(Self {
            address,
            data: data.to_owned(),
            _service: service,
        })
    }

    /// What it answers from now on instead of doing it: `METHOD PATH STATUS`, a line each; empty, nothing.
    pub(crate) fn inject(&self, faults: &str) -> Result<()> {
        let file = self.data.join("faults");
        fs::write(&file, faults).with_context(|| file.display().to_string())
    }
}

/// Compiles it, unless this very one is in the cache; the path of the program.
pub(crate) fn build(repo: &Repo) -> Result<PathBuf> {
    let source = repo.root.join("tests/registry");
    let number = Inputs::default().path(&source)?.number();
    let program = repo.cache.join(format!("tools/registry-{number}/registry"));
    let _one = Lock::take_in_cache(repo, "registry")?;
    if !program.exists() {
        let go = which("go").context("go is missing: apt-get install golang, 1.25 or newer")?;
        cmd(go)
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"])
            .arg(&program)
            .arg(".")
            .env("CGO_ENABLED", "0")
            .dir(&source)
            .run(&repo.logs().join("registry-build.log"))?;
    }
    Ok(program)
}
