//! Stage migrate: brings an older database to the image's schema by the vendor's tool, with a dump before it, and heals
//! what an earlier start left half-done.
//!
//! Order: room on the volume, dump, marker, `onedb upgrade`, `onedb version`, marker gone. Whatever fails or is cut off in
//! between ends with the dump restored, now or by the next start. Deliberately absent: knowledge of any schema.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time;

use super::Tools;
use super::database::mysql::{self, Login};
use super::database::schema::{Class, Versions};
use super::database::{self, Found};
use super::files::{self, FileError};
use super::tool::ToolError;
use crate::board::{Board, Stage};
use crate::paths::Paths;
use crate::settings::{Database, Settings};

mod dump;
mod error;
mod marker;
mod onedb;

pub use error::MigrateError;

use error::MOST_FAILURES;
use marker::{Marker, State};
use onedb::Onedb;

/// How often the log tells that a long work goes on.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// Whether a start before this one left a half-migrated database: its contents are not judged before it is restored.
pub(crate) fn cut_off(paths: &Paths) -> Result<bool, MigrateError> {
    Ok(Marker::load(paths)?.is_some_and(|marker| marker.state == State::Changing))
}

/// Restores and migrates as needed. What the database is afterwards goes into `found`.
pub(crate) async fn settle(
    found: &mut Found,
    paths: &Paths,
    board: &Board,
    tools: &Tools,
    stage: &Stage,
) -> Result<(), MigrateError> {
    let work = Work {
        settings: &found.settings,
        place: database::place(&found.settings, paths),
        paths,
        tools,
        stage,
    };
    let class = tokio::select! {
        biased;
        sentence = found.guard.lost() => return Err(MigrateError::LeaseLost(sentence)),
        class = work.settle(&found.class, found.bytes) => class?,
    };
    if class != found.class {
        if let Some(mut view) = board.database() {
            class.name().clone_into(&mut view.class);
            view.schema = class.schema();
            view.dumps =
                u32::try_from(files::names(&paths.dumps()).unwrap_or_default().len()).unwrap_or(u32::MAX);
            board.set_database(view);
        }
        found.class = class;
    }
    Ok(())
}

/// What every step needs.
struct Work<'a> {
    settings: &'a Settings,
    place: String,
    paths: &'a Paths,
    tools: &'a Tools,
    stage: &'a Stage,
}

impl Work<'_> {
    async fn settle(&self, class: &Class, bytes: u64) -> Result<Class, MigrateError> {
        let mut class = class.clone();
        let mut marker = Marker::load(self.paths)?;
        if let Some(begun) = marker.as_mut().filter(|marker| marker.state == State::Changing) {
            class = self.go_back(begun).await?;
            database::admit(&class, self.settings, self.paths)?;
        }
        let Class::Older { found, needed } = &class else {
            // The way that failed is not needed any more: another image, or another database.
            if marker.is_some() {
                Marker::remove(self.paths)?;
            }
            return Ok(class);
        };
        let failures = match &marker {
            Some(marker) if marker.to == needed.to_string() && marker.database == self.place => {
                marker.failures
            }
            _ => 0,
        };
        let (before, last) = match marker {
            Some(marker) => (Some(marker.dump), marker.last.unwrap_or_default()),
            None => (None, String::new()),
        };
        if failures >= MOST_FAILURES {
            return Err(MigrateError::GivenUp {
                place: self.place.clone(),
                from: found.to_string(),
                to: needed.to_string(),
                failures,
                marker: Marker::path(self.paths),
                last,
            });
        }
        if failures > 0 {
            self.stage.note(&format!(
                "the migration of {} to {needed} has failed {} and is tried once more; the last failure: {last}",
                self.place,
                if failures == 1 { "once".to_owned() } else { format!("{failures} times") }
            ));
        }
        self.migrate(found, needed, bytes, failures, before.as_deref())
            .await
    }

    /// Restores the dump of a migration that was cut off.
    async fn go_back(&self, begun: &mut Marker) -> Result<Class, MigrateError> {
        if begun.database != self.place {
            return Err(MigrateError::OtherDatabase {
                begun: begun.database.clone(),
                place: self.place.clone(),
                dump: begun.dump.clone(),
                marker: Marker::path(self.paths),
            });
        }
        self.stage.note(&format!(
            "the migration of {} from {} to {} was cut off by the end of the pod; restoring {} first",
            self.place,
            begun.from,
            begun.to,
            begun.dump.display()
        ));
        begun
            .last
            .get_or_insert_with(|| "the pod ended in the middle of it".to_owned());
        let class = self.restore(begun).await?;
        begun.failures += 1;
        begun.state = State::Restored;
        begun.save(self.paths)?;
        Ok(class)
    }

    /// Dumps and migrates. `before` is the dump of an attempt that has failed.
    async fn migrate(
        &self,
        found: &Versions,
        needed: &Versions,
        bytes: u64,
        failures: u32,
        before: Option<&Path>,
    ) -> Result<Class, MigrateError> {
        files::directory(&self.paths.dumps(), 0o700)?;
        self.room(found, needed, bytes)?;
        tracing::info!("migrate: {} from {found} to {needed}", self.place);
        let tool = Onedb::new(self.settings, self.paths, self.tools)?;
        let file = dump::path(self.paths, found, needed);
        self.dump(&tool, &file, bytes).await?;
        // The dump of the attempt before has the same contents: failures must not push older dumps out.
        if let Some(before) =
            before.filter(|before| *before != file && before.starts_with(self.paths.dumps()))
        {
            let _ = fs::remove_file(before);
        }
        let mut marker = Marker {
            database: self.place.clone(),
            from: found.to_string(),
            to: needed.to_string(),
            dump: file.clone(),
            state: State::Changing,
            failures,
            last: None,
        };
        marker.save(self.paths)?;
        let began = time::Instant::now();
        let outcome = match self.told("migrating", tool.upgrade(), || None).await {
            Ok(()) => self.verify(&tool).await,
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(class) => {
                Marker::remove(self.paths)?;
                self.prune(&file)?;
                tracing::info!(
                    "migrate: {} has schema {needed} after {:.1} s; the dump of {found} is {}",
                    self.place,
                    began.elapsed().as_secs_f64(),
                    file.display()
                );
                Ok(class)
            }
            Err(cause) => {
                tracing::error!("migrate: it has failed, restoring the dump: {cause}");
                marker.last = Some(cause.clone());
                self.restore(&marker).await?;
                marker.failures += 1;
                marker.state = State::Restored;
                marker.save(self.paths)?;
                Err(MigrateError::Failed {
                    place: self.place.clone(),
                    from: marker.from,
                    to: marker.to,
                    failures: marker.failures,
                    dump: file,
                    cause,
                })
            }
        }
    }

    fn room(&self, found: &Versions, needed: &Versions, bytes: u64) -> Result<(), MigrateError> {
        let directory = self.paths.dumps();
        let (wanted, free) = (
            dump::room(self.settings.database(), bytes),
            dump::free(&directory)?,
        );
        if free >= wanted {
            return Ok(());
        }
        Err(MigrateError::NoRoom {
            place: self.place.clone(),
            from: found.to_string(),
            to: needed.to_string(),
            needed: wanted,
            free,
            directory,
        })
    }

    async fn dump(&self, tool: &Onedb<'_>, file: &Path, bytes: u64) -> Result<(), MigrateError> {
        let size = || {
            let written = fs::metadata(file).map_or(0, |file| file.len());
            Some(format!(
                "{} of about {}",
                dump::mebibytes(written),
                dump::mebibytes(bytes)
            ))
        };
        let cause = match self.told("dumping", tool.backup(file), size).await {
            Ok(()) => match dump::seal(file, self.settings.database()) {
                Ok(()) => {
                    files::close(file, 0o600)?;
                    return Ok(());
                }
                Err(cause) => cause,
            },
            Err(error) => error.to_string(),
        };
        // Half a dump is of no use, and the disk may be full of it.
        let _ = fs::remove_file(file);
        Err(MigrateError::Dump {
            place: self.place.clone(),
            cause,
        })
    }

    /// Whether the tool and the tables agree that the schema is there.
    async fn verify(&self, tool: &Onedb<'_>) -> Result<Class, String> {
        if !tool.current().await.map_err(|error| error.to_string())? {
            return Err(
                "onedb upgrade ended with success, and onedb version finds another schema".to_owned(),
            );
        }
        match database::look_again(self.settings, self.paths).await? {
            class @ Class::Current(_) => Ok(class),
            other => Err(format!(
                "onedb upgrade ended with success, and the database is {}",
                other.name()
            )),
        }
    }

    /// Puts the dump in the place of what is there, and looks whether it is what it was.
    async fn restore(&self, begun: &Marker) -> Result<Class, MigrateError> {
        let not_restored = |cause: String| MigrateError::NotRestored {
            place: self.place.clone(),
            from: begun.from.clone(),
            to: begun.to.clone(),
            dump: begun.dump.clone(),
            cause,
        };
        dump::seal(&begun.dump, self.settings.database()).map_err(not_restored)?;
        self.clear_the_way().await.map_err(not_restored)?;
        let tool = Onedb::new(self.settings, self.paths, self.tools)?;
        self.told("restoring", tool.restore(&begun.dump), || None)
            .await
            .map_err(|error| not_restored(error.to_string()))?;
        let class = database::look_again(self.settings, self.paths)
            .await
            .map_err(not_restored)?;
        if class.schema().as_deref() != Some(&begun.from) {
            return Err(not_restored(format!(
                "the database is {} afterwards, with schema {}",
                class.name(),
                class.schema().as_deref().unwrap_or("none")
            )));
        }
        tracing::info!(
            "migrate: {} is restored from {}, schema {}",
            self.place,
            begun.dump.display(),
            begun.from
        );
        Ok(class)
    }

    /// A dump of sqlite leaves tables alone that it does not know, and onedb connects before it restores, also to a
    /// database that an earlier restore has dropped and not made again.
    async fn clear_the_way(&self) -> Result<(), String> {
        match self.settings.database() {
            Database::Sqlite => database::sqlite::set_aside(&self.paths.sqlite(), "half-migrated"),
            Database::MySql(server) => {
                let told = |cause: mysql::Cause| cause.describe(server);
                if let Login::In(mut connection) = mysql::log_in(server).await.map_err(told)? {
                    mysql::make(&mut connection, server).await.map_err(told)?;
                    // The server forgets the session either way; this only says goodbye.
                    let _ = connection.disconnect().await;
                }
                Ok(())
            }
        }
    }

    fn prune(&self, spared: &Path) -> Result<(), FileError> {
        for name in dump::prune(self.paths, self.settings.keep_dumps(), Some(spared))? {
            tracing::info!("migrate: removed the old dump {name} (ONEPOD_KEEP_DUMPS)");
        }
        Ok(())
    }

    /// Runs a long work and tells now and then that it goes on.
    async fn told(
        &self,
        what: &str,
        work: impl Future<Output = Result<(), ToolError>>,
        progress: impl Fn() -> Option<String>,
    ) -> Result<(), ToolError> {
        let began = time::Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = time::timeout(TELL_EVERY, &mut work).await {
                if done.is_ok() {
                    tracing::info!("migrate: {what} took {:.1} s", began.elapsed().as_secs_f64());
                }
                return done;
            }
            tracing::info!(
                "migrate: {what} {} for {} s now{}",
                self.place,
                began.elapsed().as_secs(),
                progress().map(|text| format!(", {text}")).unwrap_or_default()
            );
        }
    }
}
