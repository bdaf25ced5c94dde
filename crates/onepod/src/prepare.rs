//! The stages between settings and supervision: layout, database, credentials, ssh, render.
//!
//! Each stage can be repeated: a start that was cut off at any point leaves nothing half-written, and the next one goes
//! through all of them again. None of them deletes a database or a key.

use crate::board::Board;
use crate::paths::Paths;
use crate::settings::Settings;

mod copy;
mod credentials;
mod database;
pub mod files;
pub mod layout;
pub mod render;
mod ssh;

pub use credentials::CredentialsError;
pub use files::FileError;
pub use render::RenderError;
pub use ssh::SshError;

/// Why the front-end could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Directories, configuration or remotes are not in place.
    #[error("layout: {0}")]
    Layout(#[source] FileError),
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

/// Runs every stage in order. Dropping the future stops it with nothing half-written.
pub async fn prepare(settings: &Settings, paths: &Paths, board: &Board) -> Result<(), PrepareError> {
    let stage = board.stage("layout");
    layout::lay_out(paths, &stage)
        .await
        .map_err(PrepareError::Layout)?;
    stage.done();

    let stage = board.stage("database");
    let found = database::wait(settings.clone(), paths, &stage).await;
    stage.done();

    let stage = board.stage("credentials");
    credentials::settle(&found.settings, paths, &found.oneadmin, &stage)
        .map_err(PrepareError::Credentials)?;
    stage.done();

    let stage = board.stage("ssh");
    ssh::settle(&found.settings, paths, &stage).map_err(PrepareError::Ssh)?;
    stage.done();

    let stage = board.stage("render");
    for path in render::render(&found.settings, paths).map_err(PrepareError::Render)? {
        tracing::debug!("render: wrote {}", path.display());
    }
    stage.done();
    Ok(())
}
