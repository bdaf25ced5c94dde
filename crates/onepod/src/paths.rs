//! Every absolute path that onepod touches, under one root.

use std::path::PathBuf;

/// The paths, under `/` in production and under a temporary directory in tests.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// All paths under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The OpenNebula release that the image carries: one line.
    #[must_use]
    pub fn release(&self) -> PathBuf {
        self.root.join("usr/share/onepod/release")
    }

    /// The services to supervise.
    #[must_use]
    pub fn services(&self) -> PathBuf {
        self.root.join("usr/share/onepod/services.toml")
    }

    /// Sockets and files of onepod itself.
    #[must_use]
    pub fn run_onepod(&self) -> PathBuf {
        self.root.join("run/onepod")
    }

    /// Credentials of OpenNebula (`one_auth` and its companions).
    #[must_use]
    pub fn auth_dir(&self) -> PathBuf {
        self.root.join("var/lib/one/.one")
    }
}
