//! One verb at a time does one thing in a checkout: a second waits for the first.

use std::fs::{self, File, TryLockError};

use anyhow::{Context as _, Result};

use crate::progress;
use crate::repo::Repo;

/// Held until it is dropped, or the program ends however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock on `what`, after whoever has it.
    pub(crate) fn take(repo: &Repo, what: &str) -> Result<Self> {
        let dir = repo.root.join("target"); // not the state, which `down` removes
        fs::create_dir_all(&dir).context("target")?;
        let path = dir.join(format!("xtask-{what}.lock"));
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress::say(&format!(
                    "        another `cargo xtask` works on the {what} of this checkout: waiting for it"
                ));
                file.lock().with_context(|| path.display().to_string())?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| path.display().to_string()),
        }
        Ok(Self { _file: file })
    }
}
