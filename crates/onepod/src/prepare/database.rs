//! Stage database: waits until oned could work with its database, makes sure that no other front-end does, and judges what
//! is in it.
//!
//! It changes nothing in the database and creates none: that is oned's, and the migration's. Waiting has no end of its
//! own; the pod's startup probe and the operator have.

use std::time::Duration;

use mysql_async::Conn;
use tokio::time;

use super::lock::Guard;
use super::lock::keep::Keeper;
use super::lock::volume::VolumeLock;
use super::lock::wait::Wait;
use crate::board::{Board, DatabaseLock, DatabaseView, Stage};
use crate::paths::Paths;
use crate::settings::{Database, MySql, Settings};

pub(crate) mod installed;
pub(crate) mod mysql;
pub(crate) mod schema;
pub(crate) mod sqlite;
mod verdict;

pub use verdict::DatabaseError;
pub(crate) use verdict::admit;

use mysql::{Cause, Login};
use schema::{Class, Contents, Versions};

/// The first pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether user 0 is in the database: oned bootstraps when it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Oneadmin {
    /// Certainly not: the next start of oned is its first.
    Missing,
    /// Yes: users and passwords are what the database says.
    Present,
    /// Could not be found out, for this reason.
    Unknown(String),
}

/// What the stage found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The settings with the password that worked.
    pub(crate) settings: Settings,
    /// What the database is to this image.
    pub(crate) class: Class,
    /// Bytes that its data takes.
    pub(crate) bytes: u64,
    /// Keeps other front-ends away.
    pub(crate) guard: Guard,
}

impl Found {
    /// Whether user 0 is there.
    pub(crate) fn oneadmin(&self) -> Oneadmin {
        match &self.class {
            Class::Empty | Class::HalfBootstrapped => Oneadmin::Missing,
            Class::Unknown(reason) => Oneadmin::Unknown(reason.clone()),
            _ => Oneadmin::Present,
        }
    }
}

/// Whether the settings' user and password are accepted by the database now. The error is the cause for people.
pub(crate) async fn reachable(settings: &Settings) -> Result<(), String> {
    match settings.database() {
        Database::Sqlite => Ok(()),
        Database::MySql(server) => match mysql::log_in(server).await {
            Ok(Login::In(connection)) => {
                // The server forgets the session either way; this only says goodbye.
                let _ = connection.disconnect().await;
                Ok(())
            }
            Ok(Login::Other(_)) => Ok(()),
            Err(cause) => Err(cause.describe(server)),
        },
    }
}

/// Waits for the database, takes its lock, and judges it. `volume` is the lock on the volume.
pub(crate) async fn open(
    settings: Settings,
    paths: &Paths,
    board: &Board,
    stage: &Stage,
    volume: Option<VolumeLock>,
) -> Found {
    let needed = needed(paths, stage);
    let mut view = DatabaseView {
        server: place(&settings, paths),
        dumps: u32::try_from(super::files::names(&paths.dumps()).unwrap_or_default().len())
            .unwrap_or(u32::MAX),
        ..DatabaseView::default()
    };
    let found = match settings.database().clone() {
        Database::Sqlite => {
            "sqlite".clone_into(&mut view.backend);
            view.lock = volume
                .as_ref()
                .map_or(DatabaseLock::Unknown, |_| DatabaseLock::Held);
            let (class, bytes) = judged(sqlite::look(&paths.sqlite()), needed.as_ref());
            Found {
                settings,
                class,
                bytes,
                guard: Guard::new(None, volume),
            }
        }
        Database::MySql(server) => {
            "mysql".clone_into(&mut view.backend);
            let entered = enter(server, paths, stage).await;
            view.version = entered.version;
            view.lock = entered.lock;
            let keeper = entered
                .connection
                .map(|connection| Keeper::start(*connection, entered.server.clone(), board.clone()));
            let (class, bytes) = judged(entered.contents, needed.as_ref());
            Found {
                settings: settings.with_database(Database::MySql(entered.server)),
                class,
                bytes,
                guard: Guard::new(keeper, volume),
            }
        }
    };
    found.class.name().clone_into(&mut view.class);
    view.schema = found.class.schema();
    board.set_database(view);
    tracing::info!(
        "database: {} is {}{}",
        place(&found.settings, paths),
        found.class.name(),
        found
            .class
            .schema()
            .map(|schema| format!(", schema {schema}"))
            .unwrap_or_default()
    );
    found
}

/// The schema that the image needs; where it does not say so, the operator is told what is not checked.
fn needed(paths: &Paths, stage: &Stage) -> Option<Versions> {
    match installed::needed(paths) {
        Ok(needed) => Some(needed),
        Err(reason) => {
            stage.note(&format!(
                "cannot tell which schema this image needs ({reason}); oned will refuse another one"
            ));
            None
        }
    }
}

fn judged(contents: Result<Contents, String>, needed: Option<&Versions>) -> (Class, u64) {
    match contents {
        Ok(contents) => (Class::of(&contents, needed), contents.bytes),
        Err(reason) => (Class::Unknown(reason), 0),
    }
}

/// Looks at the database once more, after its contents were changed.
pub(crate) async fn look_again(settings: &Settings, paths: &Paths) -> Result<Class, String> {
    let contents = match settings.database() {
        Database::Sqlite => sqlite::look(&paths.sqlite())?,
        Database::MySql(server) => {
            let told = |cause: Cause| cause.describe(server);
            match mysql::log_in(server).await.map_err(told)? {
                Login::In(mut connection) => {
                    let contents = mysql::look(&mut connection, server).await.map_err(told);
                    let _ = connection.disconnect().await;
                    contents?
                }
                Login::Other(reason) => return Err(reason),
            }
        }
    };
    Ok(Class::of(&contents, Some(&installed::needed(paths)?)))
}

/// Which database, for people.
pub(crate) fn place(settings: &Settings, paths: &Paths) -> String {
    match settings.database() {
        Database::Sqlite => paths.sqlite().display().to_string(),
        Database::MySql(server) => format!(
            "database \"{}\" on {}:{}",
            server.name(),
            server.host(),
            server.port()
        ),
    }
}

/// A server that was reached.
struct Entered {
    server: MySql,
    /// The connection that has the lock.
    connection: Option<Box<Conn>>,
    lock: DatabaseLock,
    version: Option<String>,
    contents: Result<Contents, String>,
}

/// Waits for the server and for the lock.
async fn enter(mut server: MySql, paths: &Paths, stage: &Stage) -> Entered {
    let (mut attempts, mut wait) = (0, Wait::default());
    loop {
        match try_to_enter(&server, &mut wait, paths, stage).await {
            Ok(entered) => return entered,
            Err(cause) => {
                wait.broken();
                stage.waiting(&cause.describe(&server));
            }
        }
        time::sleep(jittered(pause(attempts))).await;
        attempts = attempts.saturating_add(1);
        server = server.with_password_read_again();
    }
}

async fn try_to_enter(
    server: &MySql,
    wait: &mut Wait,
    paths: &Paths,
    stage: &Stage,
) -> Result<Entered, Cause> {
    let mut connection = match mysql::log_in(server).await? {
        Login::In(connection) => connection,
        Login::Other(reason) => {
            return Ok(Entered {
                server: server.clone(),
                connection: None,
                lock: DatabaseLock::Unknown,
                version: None,
                contents: Err(reason),
            });
        }
    };
    mysql::rights(&mut connection, server).await?;
    let locked = wait.take(&mut connection, server, stage).await?;
    let contents = mysql::look(&mut connection, server).await?;
    if contents.tables.is_empty() && has_service_files(paths) {
        mistyped(&mut connection, server, stage).await;
    }
    let version = mysql::version(&mut connection).await;
    Ok(Entered {
        server: server.clone(),
        connection: locked.then_some(connection),
        lock: if locked {
            DatabaseLock::Held
        } else {
            DatabaseLock::Unknown
        },
        version,
        contents: Ok(contents),
    })
}

/// Whether oned has bootstrapped on this volume before.
fn has_service_files(paths: &Paths) -> bool {
    super::files::names(&paths.auth_dir())
        .unwrap_or_default()
        .iter()
        .any(|name| name.ends_with("_auth") && name != "one_auth")
}

/// A used volume meets an empty database: lost, or `DB_NAME` is another one than before.
async fn mistyped(connection: &mut Conn, server: &MySql, stage: &Stage) {
    let others = mysql::elsewhere(connection, server).await;
    let hint = if others.is_empty() {
        String::new()
    } else {
        format!(
            "; the same server has OpenNebula's tables in {}",
            others.join(", ")
        )
    };
    stage.note(&format!(
        "database \"{}\" on {}:{} is empty, and the volume was in use before{hint}. If the database was not lost, \
         check DB_NAME and DB_HOST now: OpenNebula begins anew with an empty one",
        server.name(),
        server.host(),
        server.port()
    ));
}

/// The pause after the attempt of that number, counted from 0.
pub(crate) fn pause(attempt: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(LONGEST_PAUSE)
}

/// A fifth more or less, so that pods that wait for the same server do not come all at once.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.8..1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_minutes_without_a_server_end_nothing() {
        let dir = tempfile::TempDir::new().unwrap();
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = nobody.local_addr().unwrap().port();
        drop(nobody);
        let environment = [
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", &port.to_string()),
            ("DB_PASSWORD", "NobodyAsksForThis1"),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let settings = crate::settings::settle(environment).unwrap();
        let Database::MySql(server) = settings.database().clone() else {
            panic!("a server was set");
        };
        let board = Board::new();
        let stage = board.stage("database");
        let began = time::Instant::now();
        let paths = Paths::new(dir.path());
        let waiting = time::timeout(Duration::from_mins(5), enter(server, &paths, &stage));
        assert!(waiting.await.is_err(), "the wait ended without a server");
        assert!(began.elapsed() >= Duration::from_mins(5));
        let reasons = board.reasons();
        assert!(
            reasons
                .iter()
                .any(|reason| reason.contains(&format!("127.0.0.1:{port}: connection refused"))),
            "{reasons:?}"
        );
    }

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let pauses: Vec<_> = (0..7).map(|attempt| pause(attempt).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(1)).as_secs_f64();
            assert!((0.8..1.2).contains(&pause), "{pause}");
        }
    }
}
