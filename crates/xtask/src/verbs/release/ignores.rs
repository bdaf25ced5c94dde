//! `release ignores`: judges the accepted vulnerabilities, proposes new ones, and writes what users read of them.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};

use crate::progress;
use crate::release::ignores::{self, Ignores as Entries};
use crate::repo::Repo;

/// Where vulnerabilities are accepted.
const FILE: &str = "image/.trivyignore.yaml";

#[derive(Debug, Args)]
pub(crate) struct Ignores {
    /// Print entries, whose statements are to be written, for what this report has in the vendor's files
    #[arg(long, value_name = "TRIVY.JSON", conflicts_with = "vex")]
    propose: Option<PathBuf>,
    /// Write the accepted vulnerabilities as an `OpenVEX` document for users
    #[arg(long, value_name = "FILE")]
    vex: Option<PathBuf>,
}

impl Ignores {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        if let Some(report) = self.propose {
            let text = fs::read_to_string(&report).with_context(|| report.display().to_string())?;
            let (entries, ours) =
                ignores::propose(&text, today()).with_context(|| report.display().to_string())?;
            for finding in ours {
                progress::aside(&format!("no exception, update the package: {finding}"));
            }
            progress::say(entries.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        let entries = judged(repo)?;
        progress::say(&format!(
            "{FILE}: {} accepted, all with a reason and a day",
            entries.vulnerabilities.len()
        ));
        if let Some(vex) = self.vex {
            let document = entries.vex(Timestamp::now());
            fs::write(&vex, format!("{document:#}\n")).with_context(|| vex.display().to_string())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The accepted vulnerabilities, unless there is one that the release does not allow today.
pub(crate) fn judged(repo: &Repo) -> Result<Entries> {
    let text = fs::read_to_string(repo.root.join(FILE)).context(FILE)?;
    Entries::parse(&text, today()).context(FILE)
}

pub(super) fn today() -> Date {
    Timestamp::now().to_zoned_datetime(TimeZone::UTC).date()
}
