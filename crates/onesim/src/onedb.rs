//! `onedb version`, `backup`, `restore`, `upgrade` and `fsck`: the schema's version and its way to this release's.
//!
//! Exit codes of `version`: 0 current, 1 not bootstrapped, 2 the database is older, 3 it is newer; 255 is any error. The
//! migrators are the files of the installation; what a simulated one changes is the version rows, there is nothing
//! else to change between these schemas here. fsck finds nothing.
//!
//! No Ruby runs here. A file that `RUBYOPT` would load into the real tool is honoured by what it does: the password and
//! the options of the client programs are taken from `password` and `login.cnf` beside a file named preload.rb.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::augeas::Tree;
use crate::clock;
use crate::db::{Db, MysqlAddress};
use crate::place::Place;
use crate::release::Release;
use crate::schema;

mod dump;

const ERROR: u8 = 255;
const OLDER: u8 = 2;
const NEWER: u8 = 3;
/// What the source gives for a database without user 0.
const NOT_BOOTSTRAPPED: u8 = 1;
const EMPTY: &str = "Database is not correctly bootstraped.";
/// What the source takes a database for that has user 0 and no version tables.
const OLDEST: &str = "2.0";

/// A file that makes migrations fail after the shared tables were migrated: `hang` in it makes them stay there until
/// they are killed.
const FAIL_MIGRATION: &str = "/usr/lib/onesim/fail-migration";

/// Steps that the releases' trees carry: from, to.
pub(crate) const MIGRATORS: &[(&str, &str)] = &[
    ("6.0.0", "6.2.0"),
    ("6.2.0", "6.4.0"),
    ("6.4.0", "6.6.0"),
    ("6.6.0", "6.8.0"),
    ("6.8.0", "6.10.0"),
    ("6.10.0", "7.0.0"),
    ("7.0.0", "7.2.0"),
    ("7.2.0", "7.4.0"),
];

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a command line")]
struct Options {
    sqlite: Option<PathBuf>,
    server: Option<String>,
    port: u16,
    user: String,
    password: Option<String>,
    name: String,
    kind: Option<String>,
    verbose: bool,
    force: bool,
    no_backup: bool,
    dry: bool,
    backup: Option<PathBuf>,
    file: Option<PathBuf>,
}

/// A database with the way to it that the client programs take.
struct Opened {
    db: Db,
    backend: dump::Backend,
}

/// The program `onedb`.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
pub(crate) fn main(arguments: &[String]) -> u8 {
    let Some((command, rest)) = arguments.split_first() else {
        println!("## SYNOPSIS\n\nonedb <command> [<args>] [<options>]");
        return 0;
    };
    let Some(options) = options(rest) else {
        eprintln!("onedb: an option is unknown or has no value");
        return ERROR;
    };
    let release = Release::installed();
    let done = match (command.as_str(), &options.file) {
        ("restore", None) => Err("Command restore requires one parameter".to_owned()),
        // Before a connection: the file may be what is missing.
        ("restore", Some(file)) if !file.exists() => Err(format!(
            "File {} doesn't exist, backup restoration aborted.",
            file.display()
        )),
        ("restore", Some(file)) => one_not_running()
            .and_then(|()| backend(&options))
            .and_then(|backend| Ok((backend.restore(file, options.force)?, 0))),
        (command, file) => connect(&options).and_then(|opened| match command {
            "version" => Ok(version(&opened.db, &release, &options)),
            "upgrade" => upgrade(&opened, &release, &options),
            "backup" => {
                let file = file.clone().unwrap_or_else(|| opened.backend.default_file());
                Ok((opened.backend.backup(&file, options.force)?, 0))
            }
            "fsck" => fsck(&opened, &release, &options),
            other => Err(format!("Command {other} is not simulated")),
        }),
    };
    match done {
        Ok((text, code)) => {
            print!("{text}");
            code
        }
        Err(why) => {
            eprintln!("{why}");
            ERROR
        }
    }
}

fn options(given: &[String]) -> Option<Options> {
    let mut options = Options {
        user: "oneadmin".into(),
        name: "opennebula".into(),
        ..Options::default()
    };
    let mut rest = given.iter();
    while let Some(name) = rest.next() {
        match name.as_str() {
            "-v" | "--verbose" => options.verbose = true,
            "-f" | "--force" => options.force = true,
            "--no-backup" => options.no_backup = true,
            "--dry" => options.dry = true,
            "-s" | "--sqlite" => options.sqlite = Some(PathBuf::from(rest.next()?)),
            "-S" | "--server" => options.server = Some(rest.next()?.clone()),
            "-P" | "--port" => options.port = rest.next()?.parse().ok()?,
            "-u" | "--username" => options.user.clone_from(rest.next()?),
            "-p" | "--password" => options.password = Some(rest.next()?.clone()),
            "-d" | "--dbname" => options.name.clone_from(rest.next()?),
            "-t" | "--type" => options.kind = Some(rest.next()?.clone()),
            "-b" | "--backup" => options.backup = Some(PathBuf::from(rest.next()?)),
            name if name.starts_with('-') => return None,
            file if options.file.is_none() => options.file = Some(PathBuf::from(file)),
            _ => return None,
        }
    }
    Some(options)
}

/// The database of the options, else of oned.conf.
fn backend(options: &Options) -> Result<dump::Backend, String> {
    if let Some(file) = &options.sqlite {
        return Ok(dump::Backend::Sqlite(file.clone()));
    }
    let explicit = options.server.is_some() || options.kind.as_deref() == Some("mysql");
    if explicit {
        let password = options
            .password
            .clone()
            .or_else(|| std::env::var("ONE_DB_PASSWORD").ok())
            .ok_or("a password is needed: -p or ONE_DB_PASSWORD")?;
        return Ok(dump::Backend::mysql(MysqlAddress {
            server: options.server.clone().unwrap_or_else(|| "localhost".to_owned()),
            port: options.port,
            user: options.user.clone(),
            password,
            name: options.name.clone(),
        }));
    }
    let place = Place::from_environment();
    let text = fs::read_to_string(place.etc().join("oned.conf"))
        .map_err(|e| format!("Unable to parse oned.conf: {e}"))?;
    let config = Tree::read(&text).unwrap_or_default();
    let value = |key: &str, default: &str| {
        config
            .get(&format!("DB/{key}"))
            .unwrap_or_else(|| default.to_owned())
    };
    match value("BACKEND", "").as_str() {
        "sqlite" => Ok(dump::Backend::Sqlite(place.var().join("one.db"))),
        "mysql" => Ok(dump::Backend::mysql(MysqlAddress {
            server: value("SERVER", "localhost"),
            port: value("PORT", "0").parse().unwrap_or(0),
            user: value("USER", "oneadmin"),
            password: value("PASSWD", ""),
            name: value("DB_NAME", "opennebula"),
        })),
        _ => Err("DB BACKEND must be sqlite or mysql.".to_owned()),
    }
}

fn connect(options: &Options) -> Result<Opened, String> {
    let backend = backend(options)?;
    Ok(Opened {
        db: backend.connect()?,
        backend,
    })
}

fn number(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

struct Versions {
    shared: String,
    local: String,
}

/// The versions in the database; `None` when it has no user 0 and no such tables.
fn read(db: &Db) -> Option<Versions> {
    let versions = (
        schema::version_in(db, "db_versioning"),
        schema::version_in(db, "local_db_versioning"),
    );
    if let (Some(shared), Some(local)) = versions {
        return Some(Versions { shared, local });
    }
    let users = db.query("SELECT oid FROM user_pool WHERE oid = 0", &[]).ok()?;
    (!users.is_empty()).then(|| Versions {
        shared: OLDEST.to_owned(),
        local: OLDEST.to_owned(),
    })
}

fn version(db: &Db, release: &Release, options: &Options) -> (String, u8) {
    let Some(found) = read(db) else {
        return (format!("{EMPTY}\n"), NOT_BOOTSTRAPPED);
    };
    let wanted = release.schema();
    let mut text = if options.verbose {
        format!(
            "Shared tables version:   {}\nRequired version:        {wanted}\n\nLocal tables version:    {}\nRequired version:        {wanted}\n\n",
            found.shared, found.local
        )
    } else {
        format!(
            "Shared: {}\nLocal:  {}\nRequired shared version: {wanted}\nRequired local version:  {wanted}\n",
            found.shared, found.local
        )
    };
    let code = if number(&found.local) > number(wanted) || number(&found.shared) > number(wanted) {
        text.push_str("\nWARNING: Source version is lower than DB version\n");
        NEWER
    } else if found.local != wanted || found.shared != wanted {
        let _ = writeln!(
            text,
            "\nUpdate required. Expected DB version is:\nLocal:  {wanted}\nShared: {wanted}"
        );
        OLDER
    } else {
        0
    };
    (text, code)
}

fn upgrade(opened: &Opened, release: &Release, options: &Options) -> Result<(String, u8), String> {
    one_not_running()?;
    let found = read(&opened.db).ok_or(EMPTY)?;
    let wanted = release.schema();
    if number(&found.local) >= number(wanted) && number(&found.shared) >= number(wanted) {
        return Ok(("Database schema is up to date.\n".to_owned(), 0));
    }
    let mut text = String::new();
    let backup = if options.no_backup {
        None
    } else {
        let file = options
            .backup
            .clone()
            .unwrap_or_else(|| opened.backend.default_file());
        text.push_str(&opened.backend.backup(&file, options.force)?);
        Some(file)
    };
    match migrate(opened, &found, wanted, options.verbose, &mut text) {
        Ok(()) => return Ok((text, 0)),
        Err(Stopped::Missing { shared, local }) => {
            complain_of_missing_migrators(&shared, &local);
            text.push('\n');
            if let Some(file) = backup {
                text.push_str("The database will be restored\n");
                text.push_str(&opened.backend.restore(&file, true)?);
            }
        }
        Err(Stopped::Failed { why, migrator }) => {
            let _ = writeln!(
                text,
                "\n{why}\n{}\n\nThe database will be restored",
                backtrace(&migrator)
            );
            match backup {
                Some(file) => text.push_str(&opened.backend.restore(&file, true)?),
                None => text.push_str(
                    "WARNING: No backup has been restored as --no-backup flag was set. Note that DB state migh be inconsistent.\n",
                ),
            }
        }
    }
    Ok((text, ERROR))
}

/// Why a migration did not come to its end.
enum Stopped {
    /// There is no step from these versions.
    Missing { shared: String, local: String },
    /// A step raised an error.
    Failed { why: String, migrator: PathBuf },
}

#[expect(clippy::print_stderr, reason = "a command line tool")]
fn complain_of_missing_migrators(shared: &str, local: &str) {
    eprintln!(
        "ERROR: Database upgrade to the latest versions (local {local}, shared {shared})\nwasn't successful due to missing \
         migration descriptors. Migrators are\nprovided as part of Enterprise Edition for customers with active \
         subscription.\nFor community with non-commercial deployments they are provided via a\ndedicated migration \
         package, which must be obtained separately."
    );
}

/// Ruby's list of calls from the innermost, as the real tool prints it below the message.
fn backtrace(migrator: &Path) -> String {
    const GEMS: &str = "/usr/share/one/gems/gems";
    let mut calls = vec![
        format!("{GEMS}/mysql2-0.5.6/lib/mysql2/client.rb:148:in `_query'"),
        format!("{GEMS}/mysql2-0.5.6/lib/mysql2/client.rb:148:in `block in query'"),
        format!("{GEMS}/mysql2-0.5.6/lib/mysql2/client.rb:147:in `handle_interrupt'"),
        format!("{GEMS}/mysql2-0.5.6/lib/mysql2/client.rb:147:in `query'"),
    ];
    for (line, name) in [
        (160, "block in _execute"),
        (111, "log_connection_yield"),
        (160, "_execute"),
        (61, "block in execute"),
        (91, "hold"),
        (256, "synchronize"),
        (61, "execute"),
        (199, "execute_dui"),
        (1129, "execute_ddl"),
        (210, "block in transaction"),
        (318, "_transaction"),
        (292, "block in transaction"),
        (91, "hold"),
        (256, "synchronize"),
        (239, "transaction"),
    ] {
        calls.push(format!(
            "{GEMS}/sequel-5.72.0/lib/sequel/database/query.rb:{line}:in `{name}'"
        ));
    }
    calls.push(format!("{}:47:in `up'", migrator.display()));
    for (file, line, name) in [
        ("/usr/lib/one/ruby/onedb/onedb.rb", 429, "apply_migrators"),
        ("/usr/lib/one/ruby/onedb/onedb.rb", 297, "upgrade"),
        ("/usr/bin/onedb", 433, "block (2 levels) in <main>"),
        ("/usr/lib/one/ruby/cli/command_parser.rb", 513, "run"),
        ("/usr/lib/one/ruby/cli/command_parser.rb", 83, "initialize"),
        ("/usr/bin/onedb", 300, "new"),
        ("/usr/bin/onedb", 300, "<main>"),
    ] {
        calls.push(format!("{file}:{line}:in `{name}'"));
    }
    calls.join("\n")
}

/// First the shared tables, then the local ones, as far as there are migrators.
fn migrate(
    opened: &Opened,
    found: &Versions,
    wanted: &str,
    verbose: bool,
    text: &mut String,
) -> Result<(), Stopped> {
    let mut reached = Vec::new();
    for (table, said, from) in [
        ("db_versioning", "shared", &found.shared),
        ("local_db_versioning", "local", &found.local),
    ] {
        let _ = writeln!(text, "\n>>> Running migrators for {said} tables");
        let steps = migrators(said);
        let mut at = from.clone();
        let failed = |at: &str, to: &str, why: String| Stopped::Failed {
            why,
            migrator: Place::from_environment()
                .onedb()
                .join(said)
                .join(format!("{at}_to_{to}.rb")),
        };
        if said == "local" {
            fail_on_request().map_err(|why| failed(&at, wanted, why))?;
        }
        while let Some((_, to)) = steps
            .iter()
            .find(|(from, to)| *from == at && number(to) <= number(wanted))
        {
            if verbose {
                let _ = writeln!(text, "  > Running migrator {at}_to_{to}");
            }
            write_version(&opened.db, table, &at, to).map_err(|why| failed(&at, to, why))?;
            at.clone_from(to);
        }
        if at == *from {
            let _ = writeln!(text, "Database already uses version {at}");
        }
        reached.push(at);
    }
    match <[String; 2]>::try_from(reached) {
        Ok([shared, local]) if shared != wanted || local != wanted => Err(Stopped::Missing { shared, local }),
        _ => Ok(()),
    }
}

/// The steps that are installed for the shared or the local tables; all that are known where onedb itself is not installed.
fn migrators(part: &str) -> Vec<(String, String)> {
    let home = Place::from_environment().onedb();
    if !home.is_dir() {
        return MIGRATORS
            .iter()
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect();
    }
    fs::read_dir(home.join(part))
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (from, to) = name.strip_suffix(".rb")?.split_once("_to_")?;
            Some((from.to_owned(), to.to_owned()))
        })
        .collect()
}

fn fail_on_request() -> Result<(), String> {
    let asked = std::env::var("ONESIM_FAIL_MIGRATION")
        .ok()
        .or_else(|| fs::read_to_string(FAIL_MIGRATION).ok());
    match asked.as_deref().map(str::trim) {
        None => Ok(()),
        Some("hang") => loop {
            std::thread::park();
        },
        Some(_) => Err("Mysql2::Error: this migrator fails by /usr/lib/onesim/fail-migration".to_owned()),
    }
}

/// Needs the release's schema, makes a backup and finds nothing. Exit code 1 for errors in the database exists since 7.2.
fn fsck(opened: &Opened, release: &Release, options: &Options) -> Result<(String, u8), String> {
    if !options.dry {
        one_not_running()?;
    }
    let found = read(&opened.db).ok_or(EMPTY)?;
    let wanted = release.schema();
    if found.local != wanted || found.shared != wanted {
        return Err(format!(
            "Version mismatch: fsck file is for version\nShared: {wanted}, Local: {wanted}\n\nCurrent database is version\nShared: {}, Local: {}",
            found.shared, found.local
        ));
    }
    let mut text = String::new();
    if !options.dry {
        let file = options
            .backup
            .clone()
            .unwrap_or_else(|| opened.backend.default_file());
        text.push_str(&opened.backend.backup(&file, options.force)?);
    }
    text.push_str("Total errors found: 0\nTotal errors repaired: 0\nTotal errors unrepaired: 0\n");
    Ok((text, 0))
}

fn write_version(db: &Db, table: &str, from: &str, to: &str) -> Result<(), String> {
    let rows = db
        .query(&format!("SELECT MAX(oid) FROM {table}"), &[])
        .map_err(|e| e.0)?;
    let last: i64 = rows
        .first()
        .and_then(|r| r.first())
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    let comment = format!("Database migrated from {from} to {to} by onedb command.");
    let slave = if table == "local_db_versioning" {
        (", is_slave", ", 0")
    } else {
        ("", "")
    };
    db.run(
        &format!(
            "INSERT INTO {table} (oid, version, timestamp, comment{}) VALUES (?, ?, ?, ?{})",
            slave.0, slave.1
        ),
        &[&(last + 1).to_string(), to, &clock::now().to_string(), &comment],
    )
    .map_err(|e| e.0)
}

/// Refuses while oned's lock file exists or something answers on its port.
fn one_not_running() -> Result<(), String> {
    let lock = Place::from_environment().lock();
    if lock.exists() {
        return Err(format!(
            "First stop OpenNebula. Lock file found: {}",
            lock.display()
        ));
    }
    if TcpStream::connect(("127.0.0.1", 2633)).is_ok() {
        return Err("OpenNebula found listening on 'http://localhost:2633/RPC2'".to_owned());
    }
    Ok(())
}
