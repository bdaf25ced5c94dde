//! The simulated core daemon: its start in the observed order, and its stop.
//!
//! Start-up failures end with exit code 255 and the real daemon's message on stderr; the lock file is
//! removed then, and left behind by a kill, as observed. What is not here: HA (a server id on an existing
//! database starts alone), federation, gRPC.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::clock;
use crate::config::{Config, value_of};
use crate::db::{Db, MysqlAddress};
use crate::log::Log;
use crate::place::Place;
use crate::release::Release;
use crate::schema;
use crate::store::Store;

pub(crate) mod bootstrap;
mod calls;
mod drivers;
mod managers;
mod notify;
mod scheduler;
mod server;
pub(crate) mod session;
mod vm_log;

use drivers::Drivers;

/// The fixed wait before monitord and XML-RPC.
const SETTLE_SECONDS: f64 = 2.5;
/// How long a stop takes, always.
const STOP_SECONDS: f64 = 6.0;

/// A running daemon, shared by its threads.
#[derive(Debug)]
pub(crate) struct Oned {
    place: Place,
    config: Config,
    release: Release,
    log: Log,
    store: Store,
    /// Calls and the scheduler change objects one at a time.
    turn: std::sync::Mutex<()>,
}

/// The program `oned`: returns the exit code.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the daemon's command line"
)]
pub(crate) fn main(arguments: &[String]) -> u8 {
    let release = Release::installed();
    let mut foreground = false;
    for argument in arguments {
        match argument.as_str() {
            "-v" | "--version" => {
                println!("OpenNebula {} ()", release.number());
                println!("Simulated for tests; not the software of the OpenNebula project.");
                return 0;
            }
            "-h" | "--help" => {
                println!("Usage: oned [-h] [-v] [-f] [-i]");
                return 0;
            }
            "-i" | "--init-db" => {
                // Always 0, as observed, even when it fails.
                if let Err(message) = start(release, true) {
                    eprintln!("{message}");
                }
                return 0;
            }
            "-f" | "--foreground" => foreground = true,
            _ => {
                eprintln!("Usage: oned [-h] [-v] [-f] [-i]");
                return 255;
            }
        }
    }
    let place = Place::from_environment();
    let lock = place.lock();
    if OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(&lock)
        .is_err()
    {
        eprintln!("Error: Cannot start oned, opening lock file {}", lock.display());
        return 255;
    }
    if !foreground {
        return daemonise(&lock);
    }
    let code = match start(release, false) {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("{message}");
            255
        }
    };
    let _ = fs::remove_file(&lock);
    code
}

/// Without `-f` the real daemon forks; this one starts itself again in the background.
#[expect(clippy::disallowed_methods, reason = "starts itself in the background")]
fn daemonise(lock: &Path) -> u8 {
    // The background process takes the lock itself.
    let _ = fs::remove_file(lock);
    let started = std::env::current_exe().and_then(|program| {
        std::process::Command::new("setsid")
            .arg(program)
            .args(["oned", "-f"])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
    });
    if started.is_ok() { 0 } else { 255 }
}

fn start(release: Release, bootstrap_only: bool) -> Result<(), String> {
    let place = Place::from_environment();
    let config = load(&place)?;
    let _ = fs::write(place.var().join("config"), format!("{}\n", config.dump()));
    let hostname = hostname(&config)?;
    let log = open_log(&place, &config)?;
    log.info(
        "ONE",
        &format!(
            "Starting OpenNebula {} ()\n{RULE}\n     OpenNebula Configuration File      \n{RULE}\n{}{RULE}",
            release.number(),
            config.dump()
        ),
    );
    log.info(
        "ONE",
        &format!(
            "Log level:{} [0=ERROR,1=WARNING,2=INFO,3=DEBUG,4=DDEBUG,5=DDDEBUG]",
            config.get_in("LOG", "DEBUG_LEVEL", "0")
        ),
    );
    log.info("ONE", "Support for xmlrpc-c > 1.31: yes");
    log.info("ONE", &format!("Using hostname: {hostname}"));
    load_key(&place)?;
    let db = open_database(&place, &config, &log)?;
    bootstrap::tables(
        &db,
        &release,
        &log,
        config.get_in("FEDERATION", "SERVER_ID", "-1"),
        bootstrap_only,
    )?;
    if bootstrap_only {
        return Err("Database bootstrap finalized, exiting.\n".to_owned());
    }
    // From here on a signal waits for the end of the start; before it, it ends the process at once.
    let mut signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])
            .map_err(|e| e.to_string())?;
    log.info("ACL", "Starting ACL Manager...");
    log.info("ACL", "ACL Manager started.");
    let store = Store { db };
    bootstrap::pools(&store, &place, &config, &release, &log)?;
    let oned = Arc::new(Oned {
        place,
        config,
        release,
        log,
        store,
        turn: std::sync::Mutex::new(()),
    });
    let mut drivers = Drivers::default();
    managers::load(&oned, &mut drivers)?;
    clock::pause(clock::scaled(SETTLE_SECONDS));
    let port = oned.config.get("PORT");
    let address = oned.config.get("LISTEN_ADDRESS");
    oned.log.info("InM", "Starting Information Manager...");
    for monitor in oned.config.vectors("IM_MAD") {
        drivers
            .start(
                &oned.place.mads(),
                value_of(monitor, "EXECUTABLE"),
                value_of(monitor, "ARGUMENTS"),
            )
            .map_err(|_| "Could not start the Information Manager".to_owned())?;
    }
    oned.log.info("ReM", "Starting Request Manager...");
    let listener =
        server::bind(address, port).map_err(|_| "Could not start the Request Manager".to_owned())?;
    server::serve(&oned, listener);
    oned.log
        .info("ReM", &format!("Starting XML-RPC server, port {port} ..."));
    // Since 7.2; nothing of the API is simulated there.
    let grpc = oned.config.get("GRPC_PORT");
    if !grpc.is_empty() {
        let listener = server::bind(oned.config.get("GRPC_LISTEN_ADDRESS"), grpc)
            .map_err(|_| "Could not start the gRPC server".to_owned())?;
        std::thread::spawn(move || listener.incoming().for_each(drop));
    }
    oned.log.info("ReM", "Request Manager started.");
    scheduler::run(&oned);
    notify::ready();
    let _ = signals.forever().next();
    stop(&oned, &mut drivers);
    Ok(())
}

const RULE: &str = "----------------------------------------";

#[expect(clippy::print_stdout, reason = "the real daemon prints syntax errors there")]
fn load(place: &Place) -> Result<Config, String> {
    Config::load(place).map_err(|message| {
        println!("{message}");
        "Could not load nebula configuration file.".to_owned()
    })
}

/// HOSTNAME, else the name of the machine, which must resolve.
fn hostname(config: &Config) -> Result<String, String> {
    let configured = config.get("HOSTNAME");
    if !configured.is_empty() {
        return Ok(configured.to_owned());
    }
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0)) {
        Ok(_) => Ok(name),
        Err(_) => Err(format!(
            "Unable to resolve hostname '{name}': Name or service not known"
        )),
    }
}

fn open_log(place: &Place, config: &Config) -> Result<Log, String> {
    match config.get_in("LOG", "SYSTEM", "file").to_lowercase().as_str() {
        "std" => Ok(Log::stderr()),
        "syslog" => Log::file(Path::new("/dev/null")).map_err(|e| e.to_string()),
        "file" => Log::file(&place.log().join("oned.log")).map_err(|_| "Error opening log file".to_owned()),
        _ => Err("Unknown LOG_SYSTEM.".to_owned()),
    }
}

/// `.one/one_key`: kept when it exists, created otherwise, before anything touches the database.
fn load_key(place: &Place) -> Result<(), String> {
    let failed = |_| "Could not load nebula master key file.".to_owned();
    let key = place.auth().join("one_key");
    if fs::read_to_string(&key).is_ok() {
        return Ok(());
    }
    make_auth_directory(place);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&key)
        .map_err(failed)?;
    writeln!(file, "{}", random_hex()).map_err(failed)
}

/// `.one`, 0700, if it is missing.
fn make_auth_directory(place: &Place) {
    let _ = fs::DirBuilder::new().mode(0o700).create(place.auth());
}

/// 64 random hexadecimal digits.
fn random_hex() -> String {
    let bytes: [u8; 32] = rand::random();
    session::hex(&bytes)
}

fn open_database(place: &Place, config: &Config, log: &Log) -> Result<Db, String> {
    let db = match config.get_in("DB", "BACKEND", "") {
        "sqlite" => {
            let timeout = config.get_in("DB", "TIMEOUT", "2500").parse().unwrap_or(2500);
            Db::sqlite(&place.var().join("one.db"), timeout).map_err(|e| e.0)?
        }
        "mysql" => {
            let address = mysql_address(config);
            Db::mysql(address, connections(config.get_in("DB", "CONNECTIONS", "25")))
                .map_err(|e| format!("Could not open connect to database server: {e}"))?
        }
        _ => return Err("DB BACKEND must be sqlite or mysql.".to_owned()),
    };
    if db.is_mysql() {
        let connections = config.get_in("DB", "CONNECTIONS", "25");
        log.info(
            "ONE",
            &format!("Set up {connections} DB connections using encoding utf8mb4"),
        );
        log.info("ONE", &format!("Using {} with:", db.server_version()));
        log.info("ONE", "\tJSON queries enabled");
    }
    log.info("ONE", "Checking database version.");
    Ok(db)
}

/// How many connections are held beside the one that works: the pool, and one more for escaping, less that one.
pub(crate) fn connections(configured: &str) -> usize {
    configured.trim().parse().unwrap_or(25)
}

/// The DB vector as an address, with the real daemon's fallbacks for keys that are left out.
pub(crate) fn mysql_address(config: &Config) -> MysqlAddress {
    MysqlAddress {
        server: config.get_in("DB", "SERVER", "localhost").to_owned(),
        port: config.get_in("DB", "PORT", "0").parse().unwrap_or(0),
        user: config.get_in("DB", "USER", "oneadmin").to_owned(),
        password: config.get_in("DB", "PASSWD", "oneadmin").to_owned(),
        name: config.get_in("DB", "DB_NAME", "opennebula").to_owned(),
    }
}

fn stop(oned: &Oned, drivers: &mut Drivers) {
    let begin = std::time::Instant::now();
    oned.log.info("ReM", "Stopping Request Manager...");
    oned.log.info("SCM", "Stopping Scheduler Manager...");
    drivers.stop();
    clock::pause(clock::scaled(STOP_SECONDS).saturating_sub(begin.elapsed()));
    oned.log.info("ONE", "All modules finalized, exiting.\n");
}

/// The schema check of the start, before any table is made.
pub(crate) fn version_mismatch(table: &str, release: &Release, found: &str) -> String {
    format!(
        "Database version mismatch ( {table}). Installed OpenNebula {} () needs DB version '{}', and existing DB version is '{found}'.",
        release.number(),
        release.schema()
    )
}

/// Whether the table holds this release's version: `Ok(true)`, nothing at all: `Ok(false)`.
pub(crate) fn check_version(db: &Db, table: &str, release: &Release, log: &Log) -> Result<bool, String> {
    match schema::version_in(db, table) {
        None => Ok(false),
        Some(found) if found == release.schema() => {
            log.info("ONE", &format!("oned is using version {found} for {table}"));
            Ok(true)
        }
        Some(found) => {
            log.error("ONE", &version_mismatch(table, release, &found));
            log.error("ONE", "Use onedb to upgrade DB.");
            Err("Database version mismatch. Check oned.log.".to_owned())
        }
    }
}
