//! The sqlite backend: whether user 0 is in the file.
//!
//! Why a whole library for one question: a bootstrap that was killed leaves a file with tables and without users, and
//! oned then refuses every further start until its service credentials are moved away. Taking any existing file for a
//! used one would leave such a pod dead; taking it for an unused one by its size would move the credentials of a living
//! one. Only SQL tells the two apart, and reading the file format by hand would be blind to a rollback journal.
//!
//! A journal of a killed oned is rolled back here, as oned would a moment later; nothing else is ever written.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::Oneadmin;

/// How long to wait for somebody who writes to the file.
const BUSY: Duration = Duration::from_millis(500);

/// Looks into the file.
pub(super) fn oneadmin(path: &Path) -> Oneadmin {
    match fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() == 0 => return Oneadmin::Missing,
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Oneadmin::Missing,
        Err(error) => return Oneadmin::Unknown(format!("{}: {error}", path.display())),
    }
    match ask(path) {
        Ok(true) => Oneadmin::Present,
        Ok(false) => Oneadmin::Missing,
        Err(error) => Oneadmin::Unknown(format!("{}: {error}", path.display())),
    }
}

fn ask(path: &Path) -> rusqlite::Result<bool> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    let table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'user_pool'";
    let user = "SELECT 1 FROM user_pool WHERE oid = 0";
    for question in [table, user] {
        let row: Option<i64> = connection.query_row(question, [], |row| row.get(0)).optional()?;
        if row.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// The columns that matter of OpenNebula's user table.
    const TABLE: &str = "CREATE TABLE user_pool (oid INTEGER PRIMARY KEY, name VARCHAR(256), body TEXT)";

    fn database(dir: &TempDir, statements: &[&str]) -> std::path::PathBuf {
        let path = dir.path().join("one.db");
        let connection = Connection::open(&path).unwrap();
        for statement in statements {
            connection.execute(statement, []).unwrap();
        }
        path
    }

    #[test]
    fn no_file_and_an_empty_file_have_no_users() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("one.db");
        assert_eq!(oneadmin(&path), Oneadmin::Missing);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert_eq!(oneadmin(&path), Oneadmin::Missing);
    }

    #[test]
    fn tables_without_user_0_are_a_bootstrap_that_did_not_happen() {
        let dir = TempDir::new().unwrap();
        let path = database(&dir, &["CREATE TABLE system_attributes (name TEXT)"]);
        assert_eq!(oneadmin(&path), Oneadmin::Missing);
        let dir = TempDir::new().unwrap();
        let path = database(&dir, &[TABLE, "INSERT INTO user_pool VALUES (7, 'somebody', '')"]);
        assert_eq!(oneadmin(&path), Oneadmin::Missing);
    }

    #[test]
    fn user_0_is_found_and_the_file_is_left_alone() {
        let dir = TempDir::new().unwrap();
        let path = database(&dir, &[TABLE, "INSERT INTO user_pool VALUES (0, 'oneadmin', '')"]);
        let before = fs::read(&path).unwrap();
        assert_eq!(oneadmin(&path), Oneadmin::Present);
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_no_database_is_not_taken_for_an_unused_one() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("one.db");
        fs::write(&path, "this is no database, however long it may be: ".repeat(100)).unwrap();
        assert!(matches!(oneadmin(&path), Oneadmin::Unknown(_)));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(oneadmin(&path), Oneadmin::Unknown(_)));
    }
}
