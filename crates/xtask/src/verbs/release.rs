//! `release`: what follows from the vendor's releases. One file a verb, in `release/`; what they have in common is in
//! `crate::release`.

pub(crate) mod chart;
mod detect;
pub(crate) mod ignores;
mod promotion;
pub(crate) mod rehearse;
mod report;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::images;
use crate::progress;
use crate::registry::Name;
use crate::release::gate::prove;
use crate::repo::Repo;

#[derive(Debug, Subcommand)]
pub(crate) enum Release {
    /// Reads the vendor's signed apt indexes and brings versions.json up to what they say
    Detect(detect::Detect),
    /// Whether every accepted vulnerability is the vendor's, has a reason and a day that is not over; proposes entries
    Ignores(ignores::Ignores),
    /// Proves that Trivy, as image/trivy.yaml has it judge images, sees libraries in the vendor's packages
    Gate,
    /// What changed between the packages of two releases, and what of this repository it asks to look at
    Report(report::Report),
    /// The chart: its version and what follows from it, its package
    #[command(subcommand)]
    Chart(chart::Chart),
    /// Prints which images would be built, by versions.json
    Plan(promotion::Plan),
    /// Makes one index of the images of all architectures, under a tag to try it by; prints its digest
    Candidate(promotion::Candidate),
    /// Gives an image that was found good the tags of its release
    Promote(promotion::Promote),
    /// Prints the newest published build of a release by its digest, or nothing
    Published(promotion::Published),
    /// Prints whether a candidate differs from the published build: in its packages or in the gate's verdict
    Changed(promotion::Changed),
    /// Plays all of it on this machine: a registry, a signed repository, an image, and everything that goes wrong
    Rehearse(rehearse::Rehearse),
}

impl Release {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        match self {
            Self::Detect(detect) => detect.run(repo),
            Self::Ignores(ignores) => ignores.run(repo),
            Self::Gate => {
                progress::say(&prove(repo, ignores::today())?.join("\n"));
                Ok(ExitCode::SUCCESS)
            }
            Self::Report(report) => report.run(repo),
            Self::Chart(chart) => chart.run(repo),
            Self::Plan(plan) => plan.run(repo),
            Self::Candidate(candidate) => candidate.run(repo),
            Self::Promote(promote) => promote.run(repo),
            Self::Rehearse(rehearse) => rehearse.run(repo),
            Self::Published(published) => published.run(repo),
            Self::Changed(changed) => changed.run(),
        }
    }
}

/// The image that is meant: the named one, else the one that the chart asks for.
fn image(repo: &Repo, named: Option<&str>) -> Result<Name> {
    if let Some(named) = named {
        return named.parse();
    }
    images::repository(&repo.root)?.parse()
}
