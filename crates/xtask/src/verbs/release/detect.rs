//! `release detect`: brings `versions.json` up to what the vendor's signed apt indexes say.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::progress;
use crate::release::{Mode, Vendor, detect};
use crate::repo::Repo;
use crate::versions::Line;

#[derive(Debug, Args)]
pub(crate) struct Detect {
    /// Writes nothing; exits 1 when versions.json would change
    #[arg(long)]
    check: bool,
    /// This line alone, such as 7.0; nothing is proposed then
    #[arg(long, value_name = "X.Y")]
    line: Option<Line>,
    #[command(flatten)]
    vendor: Vendor,
}

impl Detect {
    /// Exits 1 too when a line cannot be judged; what is known of the others was written.
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let mode = if self.check { Mode::Compare } else { Mode::Write };
        let outcome = detect(&self.vendor, &repo.versions(), self.line, mode)?;
        progress::say(&outcome.report);
        Ok(if outcome.broken.is_empty() && !(self.check && outcome.news) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
