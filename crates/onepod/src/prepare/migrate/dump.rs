//! Dumps of the database on the volume: room for one, its name, whether it is whole, and which are kept.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::paths::Paths;
use crate::prepare::database::schema::Versions;
use crate::prepare::files::{self, FileError, failed};
use crate::settings::Database;

/// Room that must be left beside the dump, in bytes.
const MARGIN: u64 = 4 * 1024 * 1024;

/// How much of a dump's end is looked at, in bytes.
const END: u64 = 256;

/// Bytes that a migration of this many bytes of data needs on the volume.
///
/// A dump is text: escapes and statements come on top of the data. With sqlite the database itself grows too, because
/// migrators copy tables within the file.
pub(super) fn room(database: &Database, bytes: u64) -> u64 {
    let dump = bytes / 4 * 5;
    match database {
        Database::Sqlite => dump + bytes + MARGIN,
        Database::MySql(_) => dump + MARGIN,
    }
}

/// Bytes that this user can still write to the file system of a directory.
pub(super) fn free(directory: &Path) -> Result<u64, FileError> {
    let system = rustix::fs::statvfs(directory)
        .map_err(|error| failed("ask for the room on the file system of", directory)(error.into()))?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// A number of bytes for people.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}

/// The path of a new dump; its name tells releases and time. None that is there has it: two attempts may fall into one second.
pub(super) fn path(paths: &Paths, found: &Versions, needed: &Versions) -> PathBuf {
    let stem = format!("{}-to-{}-{}", found.local, needed.local, files::stamp());
    let first = paths.dumps().join(format!("{stem}.sql"));
    let more = (2..).map(|number| paths.dumps().join(format!("{stem}-{number}.sql")));
    std::iter::once(first.clone())
        .chain(more)
        .find(|path| !path.exists())
        .unwrap_or(first)
}

/// Makes sure that a dump is whole and on the disk: the tools do not all tell of a full disk.
pub(super) fn seal(path: &Path, database: &Database) -> Result<(), String> {
    let sealed = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut end = String::new();
        file.read_to_string(&mut end)?;
        file.sync_all()?;
        Ok::<_, std::io::Error>(end)
    };
    let end = sealed().map_err(|error| format!("{}: {error}", path.display()))?;
    let (mark, tool) = match database {
        Database::Sqlite => ("COMMIT;", "sqlite3"),
        Database::MySql(_) => ("-- Dump completed", "mysqldump"),
    };
    if end.contains(mark) {
        Ok(())
    } else {
        Err(format!(
            "{} does not end as a dump of {tool} does: it is not whole",
            path.display()
        ))
    }
}

/// Removes all but the newest dumps, and never `spared`; the names of those that have gone.
pub(super) fn prune(paths: &Paths, keep: usize, spared: Option<&Path>) -> Result<Vec<String>, FileError> {
    let directory = paths.dumps();
    let mut dumps: Vec<(std::time::SystemTime, String)> = files::names(&directory)?
        .into_iter()
        .filter(|name| is_ours(name))
        .filter_map(|name| Some((fs::metadata(directory.join(&name)).ok()?.modified().ok()?, name)))
        .collect();
    dumps.sort();
    let mut removed = Vec::new();
    for (_, name) in dumps.iter().take(dumps.len().saturating_sub(keep)) {
        let path = directory.join(name);
        if spared != Some(&path) {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
            removed.push(name.clone());
        }
    }
    Ok(removed)
}

/// Whether a file has a name as [`path`] gives it; others in the directory are the administrator's.
fn is_ours(name: &str) -> bool {
    let version = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    name.strip_suffix(".sql")
        .and_then(|name| name.split_once("-to-"))
        .and_then(|(from, rest)| Some((from, rest.split_once('-')?.0)))
        .is_some_and(|(from, to)| version(from) && version(to))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn only_dumps_of_migrations_are_ours() {
        assert!(is_ours("7.0.0-to-7.2.0-20261123T175229Z.sql"));
        assert!(is_ours("7.0.0-to-7.2.0-20261123T175229Z-2.sql"));
        for name in [
            "before-to-after-x.sql",
            "7.0.0-to-7.2.0.sql",
            "mine.sql",
            "one.db",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }

    #[test]
    fn the_newest_are_kept_and_one_is_spared() {
        let dir = TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(paths.dumps()).unwrap();
        let name = |day: u64| format!("7.0.0-to-7.2.0-2026112{day}T000000Z.sql");
        for day in 0..5_u64 {
            let file = File::create(paths.dumps().join(name(day))).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + day);
            file.set_modified(time).unwrap();
        }
        fs::write(paths.dumps().join("mine.sql"), "").unwrap();
        let spared = paths.dumps().join(name(0));
        let removed = prune(&paths, 2, Some(&spared)).unwrap();
        assert_eq!(removed, [name(1), name(2)]);
        let kept = files::names(&paths.dumps()).unwrap();
        assert_eq!(kept, [name(0), name(3), name(4), "mine.sql".to_owned()]);
    }

    #[test]
    fn a_dump_that_was_cut_off_is_not_taken_for_one() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("x.sql");
        fs::write(&path, "CREATE TABLE x (y INT);\nCOMMIT;\n").unwrap();
        seal(&path, &Database::Sqlite).unwrap();
        fs::write(&path, "CREATE TABLE x (y IN").unwrap();
        assert!(seal(&path, &Database::Sqlite).unwrap_err().contains("not whole"));
        assert!(seal(&dir.path().join("none"), &Database::Sqlite).is_err());
    }
}
