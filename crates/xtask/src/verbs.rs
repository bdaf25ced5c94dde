//! The command line: which verb, with which arguments.

mod bench;
mod chart;
mod check;
mod cluster;
mod down;
mod e2e;
mod faults;
mod forge;
mod image;
mod manifests;
pub(crate) mod release;
mod test;
mod up;
pub(crate) mod workflows;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::images::Packages;
use crate::repo::Repo;

/// Developers' and CI's commands of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) enum Verb {
    /// Installs what is missing, starts a cluster, builds the images, installs the chart, says how to log in
    Up {
        #[command(flatten)]
        packages: Packages,
    },
    /// Ends the clusters of this checkout and removes all that they wrote; what took long to make stays in the cache
    Down,
    /// Every check of the repository, the scenarios on a cluster included
    Test {
        #[command(flatten)]
        packages: Packages,
    },
    /// The fast loop without a cluster: formatting, lints, unit tests, licences, charts, shell scripts; or parts of it
    Check {
        /// Only these parts
        #[arg(value_enum)]
        parts: Vec<check::Part>,
    },
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
    /// The fault suite alone: everything that breaks in real life, with a real MariaDB and, where no repository is named, the
    /// simulated OpenNebula
    Faults {
        #[command(flatten)]
        packages: Packages,
        /// What the suite is told, behind the options above: `--list`, `--only NAME`, `--keep`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// What the vendor released, and what follows from it for this repository
    #[command(subcommand)]
    Release(release::Release),
    /// The scenarios alone, on a cluster of their own that is gone afterwards
    E2e(e2e::E2e),
    /// The chart, rendered with each file of values, against the schemas of several releases of Kubernetes
    Manifests(manifests::Manifests),
    /// The check of the workflows alone, which `check` runs too: verbs, pins, time limits, the table; actionlint, zizmor
    Workflows,
    /// What only a workflow calls: hands on what a verb prints, tells of a failed run
    #[command(subcommand)]
    Forge(forge::Forge),
}

impl Verb {
    /// Runs the verb; the code is the exit status where nothing went wrong on the way.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let repo = Repo::find()?;
        match self {
            Self::Up { packages } => up::run(&packages.of(&repo)?),
            Self::Down => down::run(&repo),
            Self::Test { packages } => test::run(&packages.of(&repo)?),
            Self::Check { parts } => check::run(&repo, &parts),
            Self::Bench { args } => bench::run(&repo, &args),
            Self::Image { what } => image::run(
                &repo,
                what.unwrap_or_else(|| image::Image::Build(Packages::of_environment())),
            ),
            Self::Chart(chart) => chart.run(&repo),
            Self::Cluster { args } => cluster::run(&repo, &args),
            Self::Faults { packages, args } => faults::run(&packages.of(&repo)?, &args),
            Self::Release(release) => release.run(&repo),
            Self::E2e(e2e) => e2e.run(&repo),
            Self::Manifests(manifests) => manifests.run(&repo),
            Self::Workflows => workflows::run(&repo),
            Self::Forge(forge) => forge.run(&repo),
        }
    }

    /// What is wrong with words that are to be a verb; else the words of the verb that it runs, if it runs one.
    pub(crate) fn understand(words: &[String]) -> Result<Vec<String>, String> {
        let line = std::iter::once("cargo xtask").chain(words.iter().map(String::as_str));
        match Self::try_parse_from(line) {
            Ok(Self::Forge(forge)) => Ok(forge
                .inner()
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect()),
            Ok(_) => Ok(Vec::new()),
            Err(error) => {
                let said = error.to_string();
                let why: Vec<&str> = said
                    .lines()
                    .take_while(|line| !line.is_empty())
                    .map(str::trim)
                    .collect();
                Err(format!("`cargo xtask {}`: {}", words.join(" "), why.join(" ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflows::understood;

    fn judge(words: &str) -> Result<(), String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        understood(&words, &Verb::understand)
    }

    #[test]
    fn verbs_are_understood_as_on_the_command_line() {
        for words in [
            "check",
            "check lint chart",
            "image bake",
            "release detect --check --line 7.0",
            "e2e --on kind --line 7.2 --kubernetes 1.35",
            "up --repository file:///srv/one",
            "test --repository http://mirror.example.org/one",
            "faults --repository file:///srv/one --only stale-lock",
            "e2e --repository file:///srv/one --keep",
            "image contract --repository file:///srv/one",
            "image reproduce --repository file:///srv/one",
            "image report --repository file:///srv/one --repository-key /srv/one.asc",
            "forge output plan -- image bake",
            "forge summary -- forge matrix --kubernetes all",
        ] {
            assert_eq!(judge(words), Ok(()), "{words}");
        }
    }

    #[test]
    fn a_verb_or_an_argument_that_is_not_there_is_named() {
        for (words, named) in [
            ("deploy", "'deploy'"),
            ("image bake --fast", "'--fast'"),
            ("release detect --line seven", "seven"),
            ("up --repository ftp://x/y", "file://"),
            ("e2e --repository file:///srv/one --line 7.2", "--line"),
            ("forge output plan", "<VERB>"),
            ("forge output plan -- image fry", "'fry'"),
            ("forge summary -- forge output plan -- image fry", "'fry'"),
        ] {
            let error = judge(words).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
