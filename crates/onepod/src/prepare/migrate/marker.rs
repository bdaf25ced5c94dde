//! What a migration leaves on the volume while it is under way, so that the next start knows of one that was cut off.
//!
//! The file is written before the first change to the database and goes when the new schema was seen. Its writes survive a
//! crash of the machine.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::paths::Paths;
use crate::prepare::files::{self, FileError, failed};

/// A migration that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// Which database: a dump is never restored into another one.
    pub(crate) database: String,
    /// The schema before.
    pub(crate) from: String,
    /// The schema that is wanted.
    pub(crate) to: String,
    /// The dump of the schema before.
    pub(crate) dump: PathBuf,
    /// In which state the database is.
    pub(crate) state: State,
    /// How often the same migration has failed or was cut off.
    pub(crate) failures: u32,
    /// Why it failed last.
    pub(crate) last: Option<String>,
}

/// In which state the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Perhaps half-migrated: the dump is to be restored.
    Changing,
    /// As before the migration.
    Restored,
}

impl Marker {
    /// Where it lies.
    pub(crate) fn path(paths: &Paths) -> PathBuf {
        paths.own_data().join("migration.json")
    }

    /// The marker of an earlier start. One that cannot be read is an error: nobody knows then what the database is.
    pub(crate) fn load(paths: &Paths) -> Result<Option<Self>, FileError> {
        let path = Self::path(paths);
        let Some(text) = files::read(&path)? else {
            return Ok(None);
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| failed("understand", &path)(error.into()))
    }

    pub(crate) fn save(&self, paths: &Paths) -> Result<(), FileError> {
        let path = Self::path(paths);
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|error| failed("write", &path)(error.into()))?;
        text.push(b'\n');
        files::directory(&paths.own_data(), 0o750)?;
        files::write(&path, &text, 0o600)
    }

    pub(crate) fn remove(paths: &Paths) -> Result<(), FileError> {
        let path = Self::path(paths);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_marker_is_found_again_and_a_broken_one_is_named() {
        let dir = TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(paths.data()).unwrap();
        assert_eq!(Marker::load(&paths).unwrap(), None);
        let marker = Marker {
            database: "database \"one\" on db:3306".to_owned(),
            from: "7.0.0".to_owned(),
            to: "7.2.0".to_owned(),
            dump: PathBuf::from("/var/lib/one/backups/db/x.sql"),
            state: State::Changing,
            failures: 1,
            last: None,
        };
        marker.save(&paths).unwrap();
        assert_eq!(Marker::load(&paths).unwrap(), Some(marker));
        fs::write(Marker::path(&paths), "{").unwrap();
        assert!(
            Marker::load(&paths)
                .unwrap_err()
                .to_string()
                .contains("migration.json")
        );
        Marker::remove(&paths).unwrap();
        Marker::remove(&paths).unwrap();
    }
}
