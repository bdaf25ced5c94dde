//! Placeholder.
use std::path::PathBuf;

use crate::paths::Paths;
use crate::settings::Settings;

/// Placeholder.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {}

/// Placeholder.
pub fn render(_settings: &Settings, _paths: &Paths) -> Result<Vec<PathBuf>, RenderError> {
    Ok(Vec::new())
}
