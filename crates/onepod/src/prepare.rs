//! The stages between settings and supervision: layout, database, credentials, ssh, render.

use crate::board::Board;
use crate::paths::Paths;
use crate::settings::Settings;

/// Why the front-end could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {}

/// Runs every stage in order. Dropping the future stops it with nothing half-written.
#[expect(clippy::unused_async, reason = "the stages wait for the database")]
pub async fn prepare(_settings: &Settings, _paths: &Paths, _board: &Board) -> Result<(), PrepareError> {
    Ok(())
}
