//! The command line: which verb, with which arguments.

mod bench;
mod chart;
mod check;
mod cluster;
mod down;
mod e2e;
mod faults;
mod image;
mod release;
mod test;
mod up;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::repo::Repo;

/// Developers' and CI's commands of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) enum Verb {
    /// Installs what is missing, starts a cluster, builds the images, installs the chart, says how to log in
    Up,
    /// Ends the clusters of this checkout and removes all that they wrote; what took long to make stays in the cache
    Down,
    /// Every check of the repository, the scenarios on a cluster included
    Test,
    /// The fast loop without a cluster: formatting, lints, unit tests, licences, charts, shell scripts
    Check,
    /// onepod beside supervisord, s6, runit and a plain shell; rewrites docs/benchmarks.md
    Bench {
        /// What the benchmarks' program is told beside what it is told anyway
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// The images: builds them, checks those of all release lines, compares two builds
    Image {
        /// What to do
        #[command(subcommand)]
        what: Option<image::Image>,
    },
    /// What is made of the charts' annotated values, and what is checked of them
    #[command(subcommand)]
    Chart(chart::Chart),
    /// The cluster script, with this checkout's cluster: `cargo xtask cluster kubectl get pods`
    Cluster {
        /// What the script is told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// The fault suite alone: everything that breaks in real life, with the simulated OpenNebula and a real MariaDB
    Faults {
        /// What the suite is told: `--list`, `--only NAME`, `--keep`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// What the vendor released, and what follows from it for this repository
    #[command(subcommand)]
    Release(release::Release),
    /// The scenarios alone, on a cluster of their own that is gone afterwards
    E2e {
        /// What the scenarios' program is told beside what it is told anyway
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

impl Verb {
    /// Runs the verb; the code is the exit status where nothing went wrong on the way.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let repo = Repo::find()?;
        match self {
            Self::Up => up::run(&repo),
            Self::Down => down::run(&repo),
            Self::Test => test::run(&repo),
            Self::Check => check::run(&repo),
            Self::Bench { args } => bench::run(&repo, &args),
            Self::Image { what } => image::run(&repo, what.unwrap_or(image::Image::Build)),
            Self::Chart(chart) => chart.run(&repo),
            Self::Cluster { args } => cluster::run(&repo, &args),
            Self::Faults { args } => faults::run(&repo, &args),
            Self::Release(release) => release.run(&repo),
            Self::E2e { args } => e2e::run(&repo, &args),
        }
    }
}
