//! One verb at a time does one thing in a checkout, or in the cache that all checkouts share: a second waits for the first.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::progress;
use crate::repo::Repo;

/// Held until it is dropped, or the program ends however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock on `what` of this checkout, after whoever has it.
    pub(crate) fn take(repo: &Repo, what: &str) -> Result<Self> {
        // Not in the state, which `down` removes.
        Self::take_in(
            &repo.root.join("target"),
            &format!("{what} of this checkout"),
            what,
        )
    }

    /// Takes the lock on `what` in the cache, after whoever has it in any checkout.
    pub(crate) fn take_in_cache(repo: &Repo, what: &str) -> Result<Self> {
        Self::take_in(&repo.cache, &format!("{what} in {}", repo.cache.display()), what)
    }

    fn take_in(dir: &Path, named: &str, what: &str) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let path = dir.join(format!("xtask-{what}.lock"));
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress::say(&format!(
                    "        another `cargo xtask` works on the {named}: waiting for it"
                ));
                file.lock().with_context(|| path.display().to_string())?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| path.display().to_string()),
        }
        Ok(Self { _file: file })
    }
}
