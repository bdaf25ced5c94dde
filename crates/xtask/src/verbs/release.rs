//! `release`: what follows from the vendor's releases. One file a verb, in `release/`; what they have in common is in
//! `crate::release`.

mod detect;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::repo::Repo;

#[derive(Debug, Subcommand)]
pub(crate) enum Release {
    /// Reads the vendor's signed apt indexes and brings versions.json up to what they say
    Detect(detect::Detect),
}

impl Release {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        match self {
            Self::Detect(detect) => detect.run(repo),
        }
    }
}
