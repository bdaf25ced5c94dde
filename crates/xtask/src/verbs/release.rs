//! `release`: what follows from the vendor's releases. One file a verb, in `release/`; what they have in common is in
//! `crate::release`.

mod candidate;
mod detect;
mod plan;
mod promote;
mod published;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::images;
use crate::registry::Name;
use crate::repo::Repo;

#[derive(Debug, Subcommand)]
pub(crate) enum Release {
    /// Reads the vendor's signed apt indexes and brings versions.json up to what they say
    Detect(detect::Detect),
    /// Says what would be built and which tags it would get, by versions.json and what the registry has
    Plan(plan::Plan),
    /// Makes one index of the images of all architectures, under a tag to try it by; prints its digest
    Candidate(candidate::Candidate),
    /// Gives an image that was found good the tags of its release
    Promote(promote::Promote),
    /// Prints the newest published image of a line's release by its digest, or nothing
    Published(published::Published),
}

impl Release {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        match self {
            Self::Detect(detect) => detect.run(repo),
            Self::Plan(plan) => plan.run(repo),
            Self::Candidate(candidate) => candidate.run(repo),
            Self::Promote(promote) => promote.run(repo),
            Self::Published(published) => published.run(repo),
        }
    }
}

/// The image that is meant: the named one, else the one that the chart asks for.
fn image(repo: &Repo, named: Option<&str>) -> Result<Name> {
    match named {
        Some(named) => named.parse(),
        None => {
            let chart = images::name(&repo.root)?;
            chart
                .rsplit_once(':')
                .map_or(chart.as_str(), |(name, _)| name)
                .parse()
        }
    }
}
