//! Stage database: waits until oned could work with its database, makes sure that no other front-end does, and judges what
//! is in it.
//!
//! It writes onepod's own tables (the lease, the mark of the bootstrap), and empties a database whose bootstrap was
//! interrupted; everything else is oned's and the migration's. Waiting has no end of its own.

use std::time::Duration;

use mysql_async::Conn;
use tokio::time;

use super::lock::keep::{Held, Keeper};
use super::lock::volume::VolumeLock;
use super::lock::wait::Wait;
use super::lock::{Guard, Identity};
use crate::board::{Board, DatabaseLock, DatabaseView, Stage};
use crate::paths::Paths;
use crate::settings::{Database, MySql, Settings};

pub(crate) mod bootstrap;
pub(crate) mod installed;
pub(crate) mod mysql;
pub(crate) mod schema;
pub(crate) mod sqlite;
mod verdict;

pub use verdict::DatabaseError;
pub(crate) use verdict::admit;

use bootstrap::Mark;
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
    /// OpenNebula's tables, and how far their bootstrap has come.
    tables: Vec<String>,
    mark: Option<Mark>,
    /// Bytes that its data takes.
    pub(crate) bytes: u64,
    /// Keeps other front-ends away.
    pub(crate) guard: Guard,
}

impl Found {
    /// Whether user 0 is there.
    pub(crate) fn oneadmin(&self) -> Oneadmin {
        match &self.class {
            Class::Empty | Class::Incomplete { repeatable: true, .. } => Oneadmin::Missing,
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
            let contents = sqlite::look(&paths.sqlite());
            Found::new(settings, contents, needed.as_ref(), Guard::new(None, volume))
        }
        Database::MySql(server) => {
            "mysql".clone_into(&mut view.backend);
            let entered = enter(server, Identity::here(volume.as_ref()), paths, stage).await;
            view.version = entered.version;
            view.lock = match entered.lease {
                Some(_) => DatabaseLock::Held,
                None => DatabaseLock::Unknown,
            };
            let keeper = entered.lease.map(|(connection, held)| {
                Keeper::start(*connection, held, entered.server.clone(), board.clone())
            });
            Found::new(
                settings.with_database(Database::MySql(entered.server)),
                entered.contents,
                needed.as_ref(),
                Guard::new(keeper, volume),
            )
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

impl Found {
    fn new(
        settings: Settings,
        contents: Result<Contents, String>,
        needed: Option<&Versions>,
        guard: Guard,
    ) -> Self {
        let (class, contents) = match contents {
            Ok(contents) => (Class::of(&contents, needed), contents),
            Err(reason) => (Class::Unknown(reason), Contents::default()),
        };
        Self {
            settings,
            class,
            tables: contents.tables,
            mark: contents.mark,
            bytes: contents.bytes,
            guard,
        }
    }

    /// Whether oned's next start is its first here, or no start has been seen to complete that yet.
    pub(crate) fn is_bootstrapping(&self) -> bool {
        self.class == Class::Empty || self.mark == Some(Mark::Begun)
    }

    /// Makes an interrupted bootstrap one that can begin again, and marks an empty database as one whose bootstrap begins
    /// now. Comes after [`admit`]: nothing that was refused is changed.
    pub(crate) async fn begin_bootstrap(
        &mut self,
        paths: &Paths,
        stage: &Stage,
    ) -> Result<(), DatabaseError> {
        if let Class::Incomplete { missing, .. } = &self.class {
            stage.note(&format!(
                "the first start of OpenNebula on {} was interrupted: there was no {}. It began on an empty database and \
                 nothing of a user is in it, so it is emptied and begun again",
                place(&self.settings, paths),
                schema::some_of(missing)
            ));
            self.empty(paths)
                .await
                .map_err(|cause| self.bootstrap_error(paths, cause))?;
            self.class = Class::Empty;
            self.tables.clear();
            // A file was moved aside with its mark.
            self.mark = None;
        }
        if self.class == Class::Empty && self.mark != Some(Mark::Begun) {
            mark(&self.settings, paths, Mark::Begun)
                .await
                .map_err(|cause| self.bootstrap_error(paths, cause))?;
            self.mark = Some(Mark::Begun);
        }
        Ok(())
    }

    fn bootstrap_error(&self, paths: &Paths, cause: String) -> DatabaseError {
        DatabaseError::Bootstrap {
            place: place(&self.settings, paths),
            cause,
        }
    }

    async fn empty(&self, paths: &Paths) -> Result<(), String> {
        match self.settings.database() {
            Database::Sqlite => sqlite::set_aside(&paths.sqlite(), "incomplete"),
            Database::MySql(server) => {
                on_server(server, async |connection| {
                    mysql::empty(connection, server, &self.tables).await
                })
                .await
            }
        }
    }
}

/// Does something on a connection of its own.
async fn on_server<T>(
    server: &MySql,
    work: impl AsyncFnOnce(&mut Conn) -> Result<T, Cause>,
) -> Result<T, String> {
    let described = |cause: Cause| cause.describe(server);
    match mysql::log_in(server).await.map_err(described)? {
        Login::In(mut connection) => {
            let done = work(&mut connection).await.map_err(described);
            // The server forgets the session either way; this only says goodbye.
            let _ = connection.disconnect().await;
            done
        }
        Login::Other(reason) => Err(reason),
    }
}

/// Writes how far the bootstrap has come.
async fn mark(settings: &Settings, paths: &Paths, mark: Mark) -> Result<(), String> {
    match settings.database() {
        Database::Sqlite => sqlite::set_mark(&paths.sqlite(), mark),
        Database::MySql(server) => {
            on_server(server, async |connection| {
                mysql::set_mark(connection, server, mark).await
            })
            .await
        }
    }
}

/// Looks whether the bootstrap that oned has just made is complete, and marks it so. The error says what is missing.
pub(crate) async fn confirm_bootstrap(settings: &Settings, paths: &Paths) -> Result<(), String> {
    let missing = contents(settings, paths).await?.inventory.missing();
    if !missing.is_empty() {
        return Err(format!(
            "oned answers, and its first start on {} is not complete: there is no {}",
            place(settings, paths),
            schema::some_of(&missing)
        ));
    }
    mark(settings, paths, Mark::Complete).await
}

/// Looks at the database once more, after its contents were changed.
pub(crate) async fn look_again(settings: &Settings, paths: &Paths) -> Result<Class, String> {
    let contents = contents(settings, paths).await?;
    Ok(Class::of(&contents, Some(&installed::needed(paths)?)))
}

async fn contents(settings: &Settings, paths: &Paths) -> Result<Contents, String> {
    match settings.database() {
        Database::Sqlite => sqlite::look(&paths.sqlite()),
        Database::MySql(server) => {
            on_server(server, async |connection| mysql::look(connection, server).await).await
        }
    }
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
    /// The lease with its connection; none where this program cannot log in although oned may.
    lease: Option<(Box<Conn>, Held)>,
    version: Option<String>,
    contents: Result<Contents, String>,
}

/// Waits for the server and for the lease.
async fn enter(mut server: MySql, identity: Identity, paths: &Paths, stage: &Stage) -> Entered {
    let (mut attempts, mut wait) = (0, Wait::new(&server, identity));
    loop {
        match try_to_enter(&server, &mut wait, paths, stage).await {
            Ok(entered) => return entered,
            Err(cause) => stage.waiting(&cause.describe(&server)),
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
            stage.note(&format!(
                "{reason}: nothing keeps a second front-end from database \"{}\"",
                server.name()
            ));
            return Ok(Entered {
                server: server.clone(),
                lease: None,
                version: None,
                contents: Err(reason),
            });
        }
    };
    mysql::rights(&mut connection, server).await?;
    let held = wait.take(&mut connection, server, stage).await?;
    let mut contents = mysql::look(&mut connection, server).await?;
    if contents.tables.is_empty() {
        if has_service_files(paths) {
            mistyped(&mut connection, server, stage).await;
        }
        if contents.charsets.are_wrong() {
            stage.note(&format!(
                "database \"{}\" is empty, and new tables would get the character set {}; it is utf8mb4 now",
                server.name(),
                contents.charsets.default.as_deref().unwrap_or_default()
            ));
            mysql::use_unicode(&mut connection, server).await?;
            contents.charsets = schema::Charsets::default();
        }
    }
    let version = mysql::version(&mut connection).await;
    Ok(Entered {
        server: server.clone(),
        lease: Some((connection, held)),
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
        let waiting = time::timeout(
            Duration::from_mins(5),
            enter(server, Identity::here(None), &paths, &stage),
        );
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
