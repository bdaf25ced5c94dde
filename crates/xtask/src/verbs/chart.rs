//! `chart`: generates what follows from the charts' annotated values, and checks them.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::progress;
use crate::repo::Repo;

#[derive(Debug, Subcommand)]
pub(crate) enum Chart {
    /// Writes values.schema.json and the tables of the README of each chart
    Generate,
    /// Fails when they are behind, when values do not fit their schema, and when templates use other values than are declared
    Check,
}

impl Chart {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        match self {
            Self::Generate => {
                let changed = crate::chart::generate(repo)?;
                progress::say(&match changed.as_slice() {
                    [] => "nothing changed".to_owned(),
                    files => format!("written: {}", files.join(", ")),
                });
            }
            Self::Check => {
                crate::chart::check(repo)?;
                progress::say("the values of the charts are in order");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
