//! `forge`: what only a workflow calls. What each does is in `crate::forge`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::forge::matrix::{Breadth, matrix};
use crate::forge::tell::Again;
use crate::forge::{bump, chart, hand, tell};
use crate::progress;
use crate::repo::Repo;
use crate::tools::HELM;
use crate::versions::Versions;

#[derive(Debug, Subcommand)]
pub(crate) enum Forge {
    /// Makes what a verb prints an output of the step: `forge output plan -- release plan --json`
    Output {
        /// Name of the output
        name: String,
        /// The verb with its arguments
        #[arg(last = true, required = true)]
        verb: Vec<OsString>,
    },
    /// Writes what a verb prints to a file: `forge file bake.json -- image bake`
    File {
        /// The file
        path: PathBuf,
        /// The verb with its arguments
        #[arg(last = true, required = true)]
        verb: Vec<OsString>,
    },
    /// Shows what a verb prints in the run's summary too, and ends as the verb does
    Summary {
        /// The verb with its arguments
        #[arg(last = true, required = true)]
        verb: Vec<OsString>,
    },
    /// Prints which release lines are tried on which releases of Kubernetes, as the matrix of a job
    Matrix {
        /// Which releases of Kubernetes
        #[arg(long, value_enum)]
        kubernetes: Breadth,
    },
    /// Brings versions.json up to date, and writes the body of the pull request that proposes it
    Bump {
        /// Where the body goes
        #[arg(long, value_name = "FILE")]
        body: PathBuf,
    },
    /// Pushes the packaged chart to an OCI registry, unless it is there; prints the reference with its digest
    PushChart {
        /// The folder with the package
        #[arg(long, value_name = "DIR")]
        packages: PathBuf,
        /// `oci://REGISTRY/PATH`
        #[arg(long, value_name = "TARGET")]
        to: String,
    },
    /// Opens an issue with a link to this run, or comments on the one that is open
    Tell {
        /// The title
        #[arg(long)]
        title: String,
        /// What is said beside the link
        #[arg(long, default_value = "")]
        text: String,
        /// Does nothing where there is an issue of the title, open or closed
        #[arg(long)]
        once: bool,
    },
}

impl Forge {
    pub(crate) fn run(self, repo: &Repo) -> Result<ExitCode> {
        match self {
            Self::Output { name, verb } => hand::output(&name, &verb)?,
            Self::File { path, verb } => hand::file(&path, &verb)?,
            Self::Summary { verb } => return hand::summary(repo, &verb),
            Self::Matrix { kubernetes } => {
                progress::say(&matrix(&Versions::read(&repo.versions())?, kubernetes).to_string());
            }
            Self::Bump { body } => bump::bump(repo, &body)?,
            Self::PushChart { packages, to } => {
                HELM.install(repo)?;
                progress::say(&chart::push(repo, &HELM.path(repo), &packages, &to)?);
            }
            Self::Tell { title, text, once } => {
                tell::tell(&title, &text, if once { Again::Never } else { Again::Comment })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The verb that it runs, if any.
    pub(super) fn inner(&self) -> &[OsString] {
        match self {
            Self::Output { verb, .. } | Self::File { verb, .. } | Self::Summary { verb } => verb,
            _ => &[],
        }
    }
}
