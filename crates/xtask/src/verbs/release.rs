//! `release`: what follows from the vendor's releases. One file a verb, in `release/`; what they have in common is in
//! `crate::release`.

mod chart;
mod detect;
mod gate;
pub(crate) mod ignores;
mod needs_rebuild;
mod report;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::repo::Repo;

#[derive(Debug, Subcommand)]
pub(crate) enum Release {
    /// Reads the vendor's signed apt indexes and brings versions.json up to what they say
    Detect(detect::Detect),
    /// Whether every accepted vulnerability has a path, a reason and a last day that is not over
    Ignores(ignores::Ignores),
    /// Whether the scan of a digest lets it through: no CRITICAL or HIGH that is not accepted
    Gate(gate::Gate),
    /// Whether building a published digest again would mend anything
    NeedsRebuild(needs_rebuild::NeedsRebuild),
    /// What changed between the packages of two releases, and what of this repository it asks to look at
    Report(report::Report),
    /// The chart: its version and what follows from it, its package
    #[command(subcommand)]
    Chart(chart::Chart),
}

impl Release {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        match self {
            Self::Detect(detect) => detect.run(repo),
            Self::Ignores(ignores) => ignores.run(repo),
            Self::Gate(gate) => gate.run(repo),
            Self::NeedsRebuild(needs_rebuild) => needs_rebuild.run(),
            Self::Report(report) => report.run(repo),
            Self::Chart(chart) => chart.run(repo),
        }
    }
}
