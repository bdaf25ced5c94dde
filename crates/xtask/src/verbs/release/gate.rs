//! `release gate`: whether Trivy's report of a digest lets it through. The table is for people; the exit status decides.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::civil::Date;

use super::ignores::{day, file, read};
use crate::progress;
use crate::release::gate::judge;
use crate::release::scan::{Image, Scan};
use crate::repo::Repo;

#[derive(Debug, Args)]
pub(crate) struct Gate {
    /// The image that is to be released, by its digest
    #[arg(long, value_name = "NAME@sha256:…")]
    image: Image,
    /// What `trivy image --format json` says of it
    #[arg(long, value_name = "FILE")]
    scan: PathBuf,
    /// The file of accepted vulnerabilities; without it image/vulnerabilities.toml of this checkout
    #[arg(long, value_name = "FILE")]
    ignores: Option<PathBuf>,
    /// The day on which they are judged; without it today, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    on: Option<Date>,
}

impl Gate {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        let scan = scan(&self.scan)?;
        scan.must_be_of(&self.image)
            .with_context(|| self.scan.display().to_string())?;
        let ignores = read(&file(repo, self.ignores))?;
        let judged = judge(&scan, &ignores, day(self.on));
        progress::say(&judged.report());
        Ok(if judged.passes() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Reads a report.
pub(super) fn scan(file: &Path) -> Result<Scan> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Scan::parse(&text).with_context(|| file.display().to_string())
}
