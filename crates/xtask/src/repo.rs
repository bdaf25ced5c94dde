//! Where things are: the checkout, its state, and the cache that outlives it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::images::Repository;
use crate::versions::Versions;

/// The releases that are built, in the checkout.
const VERSIONS: &str = "versions.json";

/// The folders that xtask works with.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// What belongs to this checkout only, and goes with `down`.
    pub(crate) state: PathBuf,
    /// What took long to make and is good for any checkout: stays after `down`.
    pub(crate) cache: PathBuf,
    /// The `OpenNebula` release that is worked with: that of the default line in versions.json where nothing else is named.
    pub(crate) release: String,
    /// The repository that `--repository` names.
    pub(crate) repository: Option<Repository>,
}

impl Repo {
    /// The checkout that this program was compiled in.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .context("the checkout that xtask was compiled in is gone: run it by `cargo xtask`")?;
        let cache = match std::env::var_os("XDG_CACHE_HOME") {
            Some(dir) if !dir.is_empty() => PathBuf::from(dir),
            _ => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
        };
        let release = Versions::read(&root.join(VERSIONS))?.default_release()?;
        Ok(Self {
            state: root.join(".state"),
            cache: cache.join("opennebula-kubernetes"),
            release: release.to_string(),
            repository: None,
            root,
        })
    }

    /// Where cargo puts what it compiles.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }

    /// The file that names the releases which are built.
    pub(crate) fn versions(&self) -> PathBuf {
        self.root.join(VERSIONS)
    }

    /// The same checkout, for what is done with another release.
    pub(crate) fn of_release(&self, release: &str) -> Self {
        Self {
            release: release.to_owned(),
            ..self.clone()
        }
    }

    /// The same checkout, for what is done with the packages of a repository and with the release that they are of.
    pub(crate) fn with_repository(&self, repository: Option<Repository>) -> Result<Self> {
        let Some(repository) = repository else {
            return Ok(self.clone());
        };
        Ok(Self {
            release: repository.release()?.to_string(),
            repository: Some(repository),
            ..self.clone()
        })
    }

    /// The folder of log files of commands, made when it is missing.
    pub(crate) fn logs(&self) -> PathBuf {
        self.state.join("log")
    }
}
