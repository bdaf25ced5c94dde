//! Files of the repository that a verb writes: each is replaced at once or not at all.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Replaces a file that is there; its mode stays.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let write = || -> Result<()> {
        let mode = fs::metadata(path)?.permissions();
        let mut new = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(mode)?;
        new.as_file().sync_all()?;
        new.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written and is as it was", path.display()))
}
