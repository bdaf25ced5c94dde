//! The stages between settings and supervision: layout, remotes, database, render, credentials, ssh.
//!
//! Each stage can be repeated: a start that was cut off at any point leaves nothing half-written, and the next one goes
//! through all of them again. None of them deletes a database or a key.

use crate::board::Board;
use crate::identity::Identity;
use crate::log::Log;
use crate::paths::Paths;
use crate::reaper::Reaper;
use crate::settings::{Database, Settings};

mod capacity;
mod copy;
pub(crate) mod credentials;
pub(crate) mod database;
pub mod files;
pub mod layout;
mod lock;
mod migrate;
pub(crate) mod mounts;
mod remotes;
pub mod render;
#[cfg(test)]
pub(crate) mod scratch;
pub(crate) mod ssh;
mod tool;

pub use capacity::CapacityError;
pub use credentials::CredentialsError;
pub use database::DatabaseError;
pub(crate) use database::confirm_bootstrap;
pub use files::FileError;
pub use lock::{Guard, Standing};
pub use migrate::MigrateError;
pub use render::RenderError;
pub use ssh::SshError;
pub use tool::ToolError;

/// Why the front-end could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Directories or configuration are not in place.
    #[error("layout: {0}")]
    Layout(#[source] FileError),
    /// The release's drivers are not in place.
    #[error("remotes: {0}")]
    Remotes(#[source] FileError),
    /// The database is none to start with.
    #[error("database: {0}")]
    Database(#[source] DatabaseError),
    /// Nothing would keep a second pod from a database in a file.
    #[error(
        "database: {reason}, and OpenNebula's database is a file there: nothing would keep a second pod from it. Use a \
         volume whose file system locks files, or a database server (DB_BACKEND=mysql)"
    )]
    NoVolumeLock {
        /// Why there is no lock.
        reason: String,
    },
    /// The database server allows too few connections.
    #[error("database: {0}")]
    Capacity(#[source] CapacityError),
    /// The database is not as this image needs it, and could not be brought there.
    #[error("migrate: {0}")]
    Migrate(#[source] MigrateError),
    /// oned's credentials are not settled.
    #[error("credentials: {0}")]
    Credentials(#[source] CredentialsError),
    /// oneadmin's SSH files are not settled.
    #[error("ssh: {0}")]
    Ssh(#[source] SshError),
    /// The configuration files could not be edited.
    #[error("render: {0}")]
    Render(#[source] RenderError),
}

/// What stages need to run the vendor's programs.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Starts and reaps their processes.
    pub reaper: Reaper,
    /// Takes their lines.
    pub log: Log,
    /// Who they take their user for.
    pub identity: Identity,
}

/// What the stages hand to the supervisor.
#[derive(Debug)]
pub struct Prepared {
    /// The settings with the database's password that worked.
    pub settings: Settings,
    /// Keeps other front-ends away from the database until it is dropped.
    pub database: Guard,
    /// oned's first start on this database has not been seen to complete.
    pub bootstrapping: bool,
}

/// Runs every stage in order. Dropping the future stops it with nothing half-written.
pub async fn prepare(
    settings: &Settings,
    paths: &Paths,
    board: &Board,
    tools: &Tools,
) -> Result<Prepared, PrepareError> {
    let stage = board.stage("layout");
    let volume = lock::volume::take(paths, &stage).await;
    layout::lay_out(paths, &stage)
        .await
        .map_err(PrepareError::Layout)?;
    tools.identity.settle().map_err(PrepareError::Layout)?;
    let volume = match volume {
        Ok(lock) => Some(lock),
        Err(reason) if matches!(settings.database(), Database::Sqlite) => {
            return Err(PrepareError::NoVolumeLock { reason });
        }
        Err(reason) => {
            stage.note(&format!(
                "{reason}: nothing keeps a second pod from the files of this volume; the database has a lease of its own"
            ));
            None
        }
    };
    stage.done();

    let stage = board.stage("remotes");
    remotes::settle(paths, board, &stage)
        .await
        .map_err(PrepareError::Remotes)?;
    stage.done();

    let stage = board.stage("database");
    let mut found = database::open(settings.clone(), paths, board, &stage, volume).await;
    let cut_off = migrate::cut_off(paths).map_err(PrepareError::Migrate)?;
    if !cut_off {
        database::admit(&found.class, &found.settings, paths).map_err(PrepareError::Database)?;
        if found.oneadmin() == database::Oneadmin::Missing {
            render::admit_empty(&found.settings).map_err(PrepareError::Render)?;
        }
    }
    capacity::admit(&found.settings)
        .await
        .map_err(PrepareError::Capacity)?;
    if !cut_off {
        found
            .begin_bootstrap(paths, &stage)
            .await
            .map_err(PrepareError::Database)?;
    }
    stage.done();

    // Before anything runs the vendor's database tool, which reads oned.conf.
    let stage = board.stage("render");
    for path in render::render(&found.settings, paths).map_err(PrepareError::Render)? {
        tracing::debug!("render: wrote {}", path.display());
    }
    stage.done();

    let stage = board.stage("migrate");
    migrate::settle(&mut found, paths, board, tools, &stage)
        .await
        .map_err(PrepareError::Migrate)?;
    stage.done();

    let stage = board.stage("credentials");
    credentials::settle(&found.settings, paths, &found.oneadmin(), &stage)
        .map_err(PrepareError::Credentials)?;
    stage.done();

    let stage = board.stage("ssh");
    ssh::settle(&found.settings, paths, &|text| stage.note(text)).map_err(PrepareError::Ssh)?;
    stage.done();

    Ok(Prepared {
        bootstrapping: found.is_bootstrapping(),
        settings: found.settings,
        database: found.guard,
    })
}
