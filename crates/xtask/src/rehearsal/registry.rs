//! A registry on this machine: the distribution project's, compiled from `tests/registry` once.

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

    /// Where it keeps the content of a digest.
    pub(crate) fn file(&self, digest: &str) -> PathBuf {
        let digits = digest.trim_start_matches("sha256:");
        let folder = digits.get(..2).unwrap_or_default();
        self.data
            .join("docker/registry/v2/blobs/sha256")
            .join(folder)
            .join(digits)
            .join("data")
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
