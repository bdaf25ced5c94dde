//! `onedb version` and `onedb upgrade`: the schema's version and its way to this release's.
//!
//! Exit codes: 0 current, 1 no tables, 2 the database is older, 3 it is newer, 255 error. The simulated migration writes
//! the version rows; there is nothing else to change between these schemas here. Backup, restore and fsck
//! are not simulated.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::config::Config;
use crate::db::{Db, MysqlAddress};
use crate::oned::mysql_address;
use crate::place::Place;
use crate::release::Release;
use crate::schema;

const ERROR: u8 = 255;
const OLDER: u8 = 2;
const NEWER: u8 = 3;
/// What the source gives for a database without the version tables.
const NOT_BOOTSTRAPPED: u8 = 1;
const EMPTY: &str = "Database is not correctly bootstraped.";

/// Steps that the release's tree carries: from, to.
const MIGRATORS: &[(&str, &str)] = &[
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
struct Options {
    sqlite: Option<PathBuf>,
    server: Option<String>,
    port: u16,
    user: String,
    password: Option<String>,
    name: String,
    kind: Option<String>,
    verbose: bool,
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
    let done = connect(&options).and_then(|db| match command.as_str() {
        "version" => Ok(version(&db, &release, &options)),
        "upgrade" => upgrade(&db, &release, &options),
        other => Err(format!("Command {other} is not simulated")),
    });
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
            "-f" | "--force" | "--no-backup" => {}
            "-s" | "--sqlite" => options.sqlite = Some(PathBuf::from(rest.next()?)),
            "-S" | "--server" => options.server = Some(rest.next()?.clone()),
            "-P" | "--port" => options.port = rest.next()?.parse().ok()?,
            "-u" | "--username" => options.user.clone_from(rest.next()?),
            "-p" | "--password" => options.password = Some(rest.next()?.clone()),
            "-d" | "--dbname" => options.name.clone_from(rest.next()?),
            "-t" | "--type" => options.kind = Some(rest.next()?.clone()),
            "--backup" => {
                rest.next()?;
            }
            _ => return None,
        }
    }
    Some(options)
}

/// Opens the database of the options, else of oned.conf.
fn connect(options: &Options) -> Result<Db, String> {
    if let Some(file) = &options.sqlite {
        return sqlite(file);
    }
    let explicit = options.server.is_some() || options.kind.as_deref() == Some("mysql");
    if explicit {
        let password = options
            .password
            .clone()
            .or_else(|| std::env::var("ONE_DB_PASSWORD").ok())
            .ok_or("a password is needed: -p or ONE_DB_PASSWORD")?;
        return mysql(MysqlAddress {
            server: options.server.clone().unwrap_or_else(|| "localhost".to_owned()),
            port: options.port,
            user: options.user.clone(),
            password,
            name: options.name.clone(),
        });
    }
    let place = Place::from_environment();
    let config = Config::load(&place).map_err(|e| format!("Unable to parse oned.conf: {}", e.trim()))?;
    match config.get_in("DB", "BACKEND", "") {
        "sqlite" => sqlite(&place.var().join("one.db")),
        "mysql" => mysql(mysql_address(&config)),
        _ => Err("DB BACKEND must be sqlite or mysql.".to_owned()),
    }
}

fn sqlite(file: &Path) -> Result<Db, String> {
    if !file.exists() {
        return Err(format!("File {} doesn't exist", file.display()));
    }
    Db::sqlite(file, 2500).map_err(|e| e.0)
}

fn mysql(mut address: MysqlAddress) -> Result<Db, String> {
    // The real tool puts the password into a URL and turns blanks into '+': observed as a refused login.
    address.password = address.password.replace(' ', "+");
    Db::existing_mysql(address).map_err(|e| e.0)
}

fn number(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

struct Versions {
    shared: String,
    local: String,
}

/// The versions in the database; `None` when it has no such tables.
fn read(db: &Db) -> Option<Versions> {
    Some(Versions {
        shared: schema::version_in(db, "db_versioning")?,
        local: schema::version_in(db, "local_db_versioning")?,
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

fn upgrade(db: &Db, release: &Release, options: &Options) -> Result<(String, u8), String> {
    one_not_running()?;
    let found = read(db).ok_or(EMPTY)?;
    let wanted = release.schema();
    if number(&found.local) >= number(wanted) && number(&found.shared) >= number(wanted) {
        return Ok(("Database schema is up to date.\n".to_owned(), 0));
    }
    let mut text = String::new();
    for (table, said, mut at) in [
        ("db_versioning", "shared", found.shared),
        ("local_db_versioning", "local", found.local),
    ] {
        let _ = writeln!(text, "\n>>> Running migrators for {said} tables");
        while let Some((_, to)) = MIGRATORS
            .iter()
            .find(|(from, to)| *from == at && number(to) <= number(wanted))
        {
            if options.verbose {
                let _ = writeln!(text, "  > Running migrator {at}_to_{to}");
            }
            write_version(db, table, &at, to)?;
            (*to).clone_into(&mut at);
        }
        if at != wanted {
            return Err(format!(
                "ERROR: Database upgrade to the latest versions wasn't successful due to missing migration descriptors ({said} {at})."
            ));
        }
    }
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
