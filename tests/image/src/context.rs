//! What every check knows of the image.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::config::ImageConfig;
use crate::release::Release;
use crate::settings::Settings;

/// The image, and what is said of it.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Its unpacked file system.
    pub(crate) rootfs: PathBuf,
    /// Its configuration.
    pub(crate) config: ImageConfig,
    /// The release of OpenNebula that it must have.
    pub(crate) release: Release,
}

impl Context {
    /// Reads what the settings name.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let rootfs = settings
            .rootfs
            .canonicalize()
            .with_context(|| format!("{} is no unpacked image", settings.rootfs.display()))?;
        Ok(Self {
            rootfs,
            config: ImageConfig::read(&settings.config)?,
            release: settings.release,
        })
    }
}
