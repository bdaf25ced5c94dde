//! Files of the repository that a verb writes: each is replaced at once or not at all.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Writes a file. The mode of one that is there stays; a new one is for everybody to read.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let write = || -> Result<()> {
        let mode = match fs::metadata(path) {
            Ok(metadata) => metadata.permissions(),
            Err(error) if error.kind() == ErrorKind::NotFound => Permissions::from_mode(0o644),
            Err(error) => return Err(error.into()),
        };
        let mut new = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(mode)?;
        new.as_file().sync_all()?;
        new.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written and is as it was", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_can_be_read_and_the_mode_of_an_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        replace(&path, "one").unwrap();
        assert_eq!(mode(), 0o644);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), mode()),
            ("two", 0o640)
        );
        assert!(replace(&folder.path().join("none/file"), "x").is_err());
    }
}
