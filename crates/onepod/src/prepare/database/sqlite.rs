//! The sqlite backend: what is in the file.
//!
//! Why a whole library for a few questions: a bootstrap that was killed leaves a file with tables and without users, and
//! oned then refuses every further start until its service credentials are moved away. Taking any existing file for a
//! used one would leave such a pod dead; taking it for an unused one by its size would move the credentials of a living
//! one. Only SQL tells the two apart, and reading the file format by hand would be blind to a rollback journal.
//!
//! A journal of a killed oned is rolled back here, as oned would a moment later; else nothing but the mark of the bootstrap
//! is ever written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::bootstrap::{self, Inventory, Mark};
use super::schema::{Contents, is_own_table};

/// How long to wait for somebody who writes to the file.
const BUSY: Duration = Duration::from_millis(500);

/// The same where oned is at work beside this program: as long as oned itself waits (`DB/TIMEOUT`).
const PATIENT: Duration = Duration::from_millis(2500);

/// Looks into the file. No file is an empty database; the error is a sentence for people.
pub(crate) fn look(path: &Path) -> Result<Contents, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = match fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() == 0 => return Ok(Contents::default()),
        Ok(file) => file.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Contents::default()),
        Err(error) => return Err(named(&error)),
    };
    let mut contents = ask(path).map_err(|error| named(&error))?;
    contents.bytes = bytes;
    Ok(contents)
}

fn ask(path: &Path) -> rusqlite::Result<Contents> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    let mut contents = Contents::default();
    let mut tables = connection.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    )?;
    for table in tables.query_map([], |row| row.get(0))? {
        contents.tables.push(table?);
    }
    if contents.tables.iter().any(|table| table == bootstrap::TABLE) {
        let question = format!("SELECT state FROM {} WHERE id = 1", bootstrap::TABLE);
        let word: Option<String> = connection.query_row(&question, [], |row| row.get(0)).optional()?;
        contents.mark = word.as_deref().and_then(Mark::from_word);
    }
    contents.tables.retain(|table| !is_own_table(table));
    if contents.mark != Some(Mark::Complete) {
        contents.inventory = inventory(&connection, &contents.tables)?;
    }
    let has = |table: &str| contents.tables.iter().any(|there| there == table);
    if has("user_pool") {
        let user: Option<i64> = connection
            .query_row("SELECT 1 FROM user_pool WHERE oid = 0", [], |row| row.get(0))
            .optional()?;
        contents.oneadmin = user.is_some();
    }
    let newest = |table: &str| -> rusqlite::Result<Option<String>> {
        if !contents.tables.iter().any(|there| there == table) {
            return Ok(None);
        }
        let question = format!("SELECT version FROM {table} ORDER BY oid DESC LIMIT 1");
        connection.query_row(&question, [], |row| row.get(0)).optional()
    };
    (contents.shared, contents.local) = (newest("db_versioning")?, newest("local_db_versioning")?);
    Ok(contents)
}

fn inventory(connection: &Connection, tables: &[String]) -> rusqlite::Result<Inventory> {
    let mut inventory = Inventory::default();
    for (question, sql) in Inventory::questions(tables, "") {
        let mut statement = connection.prepare(&sql)?;
        let ids = statement
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        inventory.answer(question, ids);
    }
    if let Some(sql) = Inventory::last_ids_question(tables, "") {
        let mut statement = connection.prepare(&sql)?;
        let last_ids = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        inventory.set_last_ids(last_ids);
    }
    Ok(inventory)
}

/// Moves the database aside, with what belongs to it: `one.db` becomes `one.db.SUFFIX`. One that was moved before goes.
pub(crate) fn set_aside(path: &Path, suffix: &str) -> Result<(), String> {
    for end in ["", "-journal", "-wal", "-shm"] {
        let from = with_end(path, end);
        let to = with_end(path, &format!(".{suffix}{end}"));
        match fs::rename(&from, &to) {
            Ok(()) => tracing::info!("database: moved {} to {}", from.display(), to.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot move {} aside: {error}", from.display())),
        }
    }
    Ok(())
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Writes how far the bootstrap has come. Makes the file where there is none.
pub(crate) fn set_mark(path: &Path, mark: Mark) -> Result<(), String> {
    let write = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENT)?;
        for statement in mark.statements("") {
            connection.execute(&statement, [])?;
        }
        Ok::<_, rusqlite::Error>(())
    };
    write().map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// The columns that matter of OpenNebula's user table.
    const TABLE: &str = "CREATE TABLE user_pool (oid INTEGER PRIMARY KEY, name VARCHAR(256), body TEXT)";

    fn database(dir: &TempDir, statements: &[&str]) -> PathBuf {
        let path = dir.path().join("one.db");
        let connection = Connection::open(&path).unwrap();
        for statement in statements {
            connection.execute(statement, []).unwrap();
        }
        path
    }

    #[test]
    fn no_file_and_an_empty_file_are_empty_databases() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("one.db");
        assert!(look(&path).unwrap().tables.is_empty());
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert!(look(&path).unwrap().tables.is_empty());
    }

    #[test]
    fn tables_without_user_0_are_a_bootstrap_that_did_not_happen() {
        let dir = TempDir::new().unwrap();
        let path = database(&dir, &["CREATE TABLE system_attributes (name TEXT)"]);
        let found = look(&path).unwrap();
        assert_eq!(
            (found.tables, found.oneadmin),
            (vec!["system_attributes".to_owned()], false)
        );
        let dir = TempDir::new().unwrap();
        let path = database(&dir, &[TABLE, "INSERT INTO user_pool VALUES (7, 'somebody', '')"]);
        assert!(!look(&path).unwrap().oneadmin);
    }

    #[test]
    fn user_0_and_the_newest_versions_are_found_and_the_file_is_left_alone() {
        let dir = TempDir::new().unwrap();
        let path = database(
            &dir,
            &[
                TABLE,
                "INSERT INTO user_pool VALUES (0, 'oneadmin', '')",
                "CREATE TABLE db_versioning (oid INTEGER PRIMARY KEY, version VARCHAR(256))",
                "INSERT INTO db_versioning VALUES (0, '6.10.0'), (1, '7.0.0')",
            ],
        );
        let before = fs::read(&path).unwrap();
        let found = look(&path).unwrap();
        assert!(found.oneadmin && found.bytes > 0);
        assert_eq!((found.shared.as_deref(), found.local), (Some("7.0.0"), None));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_no_database_is_not_taken_for_an_unused_one() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("one.db");
        fs::write(&path, "this is no database, however long it may be: ".repeat(100)).unwrap();
        assert!(look(&path).is_err());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(look(&path).is_err());
    }
}
