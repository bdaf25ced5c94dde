//! `release needs-rebuild`: whether building a published digest again would mend anything. Both answers are exit status 0.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use super::gate::scan;
use crate::progress;
use crate::release::rebuild::{Answer, decide, offered};
use crate::release::sbom::Sbom;

#[derive(Debug, Args)]
pub(crate) struct NeedsRebuild {
    /// The packages of the published digest: what `trivy image --format cyclonedx` writes
    #[arg(long, value_name = "FILE")]
    sbom: PathBuf,
    /// The packages that can be had now: what `apt-cache dumpavail` writes in a container of that digest, after an update
    #[arg(long, value_name = "FILE")]
    offered: PathBuf,
    /// What `trivy image --format json` says of the published digest
    #[arg(long, value_name = "FILE")]
    scan: PathBuf,
    /// Answers in JSON: {"rebuild": false, "reasons": [], "remarks": []}
    #[arg(long)]
    json: bool,
}

impl NeedsRebuild {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let answer = self.answer()?;
        progress::say(&if self.json {
            serde_json::to_string(&answer).context("the answer")?
        } else {
            answer.report()
        });
        Ok(ExitCode::SUCCESS)
    }

    fn answer(&self) -> Result<Answer> {
        let sbom = Sbom::parse(&text(&self.sbom)?).with_context(|| self.sbom.display().to_string())?;
        let offered = offered(&text(&self.offered)?, &sbom.architecture)
            .with_context(|| self.offered.display().to_string())?;
        decide(&sbom, &offered, &scan(&self.scan)?).with_context(|| self.offered.display().to_string())
    }
}

fn text(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}
