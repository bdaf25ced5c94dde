//! Backup and restore by the client programs `mysqldump`, `mysql` and `sqlite3`, through a shell, as the real tool does it:
//! with the password on the command line, unless a preloaded file has it read from a file.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clock;
use crate::db::{Db, MysqlAddress};
use crate::place::Place;

/// The way to a database.
pub(super) enum Backend {
    /// A file.
    Sqlite(PathBuf),
    /// A server, and the file with the client programs' options where a preloaded file brings one.
    Mysql(MysqlAddress, Option<PathBuf>),
}

impl Backend {
    /// A server with a password that breaks or works as in the real tool.
    pub(super) fn mysql(mut address: MysqlAddress) -> Self {
        let Some(directory) = preloaded() else {
            return Self::Mysql(address, None);
        };
        address.password = fs::read_to_string(directory.join("password")).unwrap_or_default();
        Self::Mysql(address, Some(directory.join("login.cnf")))
    }

    pub(super) fn connect(&self) -> Result<Db, String> {
        match self {
            Self::Sqlite(file) if !file.exists() => Err(format!("File {} doesn't exist", file.display())),
            Self::Sqlite(file) => Db::sqlite(file, 2500).map_err(|e| e.0),
            Self::Mysql(address, options) => {
                let mut address = address.clone();
                if options.is_none() {
                    // The real tool puts the password into a URL and turns blanks into '+': observed as a refused login.
                    address.password = address.password.replace(' ', "+");
                }
                Db::existing_mysql(address).map_err(|e| e.0)
            }
        }
    }

    /// The file of a backup that was given no name.
    pub(super) fn default_file(&self) -> PathBuf {
        let (now, var) = (clock::now(), Place::from_environment().var());
        match self {
            Self::Sqlite(_) => var.join(format!("one.db_{now}.bck")),
            Self::Mysql(address, _) => {
                var.join(format!("mysql_{}_{}_{now}.sql", address.server, address.name))
            }
        }
    }

    /// Dumps the database; what is said about it.
    pub(super) fn backup(&self, file: &Path, force: bool) -> Result<String, String> {
        if file.exists() && !force {
            return Err(format!(
                "File {} exists, backup aborted. Use -f to overwrite.",
                file.display()
            ));
        }
        let to = file.display();
        match self {
            Self::Sqlite(database) => {
                let tables = Self::connect(self)?
                    .query("SELECT name FROM sqlite_master WHERE type = 'table'", &[])
                    .map_err(|e| e.0)?;
                let mut drops = String::new();
                for table in tables.iter().flatten() {
                    // Writing to a text cannot fail.
                    let _ = writeln!(drops, "DROP TABLE IF EXISTS \"{table}\";");
                }
                fs::write(file, drops).map_err(|error| format!("{to}: {error}"))?;
                // The real tool does not look whether it worked either.
                let _ = shell(&format!("sqlite3 {} .dump >> {to}", database.display()));
                Ok(format!(
                    "Sqlite database backup stored in {to}\nUse 'onedb restore' to restore the DB.\n"
                ))
            }
            Self::Mysql(address, options) => {
                let command = format!(
                    "mysqldump {} --add-drop-database --databases --add-drop-table {}  > {to}",
                    login(address, options.as_deref()),
                    address.name
                );
                if !shell(&command)? {
                    return Err(format!("Unknown error running '{command}'"));
                }
                Ok(format!(
                    "MySQL dump stored in {to}\nUse 'onedb restore' or restore the DB using the mysql command:\nmysql -u user -h server -P port db_name < backup_file\n\n"
                ))
            }
        }
    }

    /// Puts a dump in the place of the database; what is said about it.
    pub(super) fn restore(&self, file: &Path, force: bool) -> Result<String, String> {
        match self {
            Self::Sqlite(database) => {
                let place = database.display();
                if database.exists() && !force {
                    return Err(format!("File {place} exists, use -f to overwrite."));
                }
                let _ = shell(&format!("sqlite3 {place} < {}", file.display()));
                Ok(format!("Sqlite database backup restored in {place}\n"))
            }
            Self::Mysql(address, options) => {
                let (server, name) = (&address.server, &address.name);
                let db = self.connect()?;
                let users = db.query("SELECT oid FROM user_pool WHERE oid = 0", &[]);
                if !force && users.is_ok_and(|users| !users.is_empty()) {
                    return Err(format!(
                        "MySQL database {name} at {server} exists, use -f to overwrite."
                    ));
                }
                let login = login(address, options.as_deref());
                if !shell(&format!("mysql {login} {name} < {}", file.display()))? {
                    return Err(format!("Error while restoring MySQL DB {name} at {server}."));
                }
                Ok(format!("MySQL DB {name} at {server} restored.\n"))
            }
        }
    }
}

/// How the client programs log in.
fn login(address: &MysqlAddress, options: Option<&Path>) -> String {
    match options {
        Some(file) => format!("--defaults-file={}", file.display()),
        None => format!(
            "-u {} -p'{}' -h {} -P {}",
            address.user, address.password, address.server, address.port
        ),
    }
}

/// The directory of a file that Ruby would load first, with what that file reads.
fn preloaded() -> Option<PathBuf> {
    let options = env::var("RUBYOPT").ok()?;
    let directory = options
        .split_ascii_whitespace()
        .find_map(|option| option.strip_prefix("-r")?.strip_suffix("/preload.rb"))?;
    let directory = PathBuf::from(directory);
    directory.join("login.cnf").is_file().then_some(directory)
}

/// Runs a line and tells whether it ended with success.
#[expect(
    clippy::disallowed_methods,
    reason = "a tool of its own, which is nobody's parent else"
)]
fn shell(line: &str) -> Result<bool, String> {
    let status = Command::new("sh")
        .args(["-c", line])
        .env_remove("RUBYOPT")
        .status()
        .map_err(|error| format!("sh: {error}"))?;
    Ok(status.success())
}
