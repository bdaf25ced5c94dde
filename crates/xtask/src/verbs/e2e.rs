//! `e2e`: the scenarios on a cluster of their own, beside that of `up`, which is gone afterwards without a trace: the
//! cluster of this repository, or one of kind.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use crate::cluster::{self, Cluster};
use crate::images::Packages;
use crate::kind::{self, Content, HTTP_PORT, Kind, NODES};
use crate::leftovers::Reading;
use crate::lock::Lock;
use crate::platform::{self, Images};
use crate::progress::{Counts, Progress};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::tools::{HELM, HELM3};
use crate::versions::{Line, Versions};
use crate::{apt, machine, offers, progress, published_chart};

/// Which cluster, and what it runs.
#[derive(Debug, Args)]
pub(crate) struct E2e {
    /// Where the cluster comes from
    #[arg(long, value_enum, default_value = "offline")]
    on: On,
    #[command(flatten)]
    repository: Packages,
    /// The release line, such as 7.2; without it the default line, or that of the repository
    #[arg(long, value_name = "X.Y", conflicts_with = "repository")]
    line: Option<Line>,
    /// On kind: the release of Kubernetes
    #[arg(long, value_name = "X.Y")]
    kubernetes: Option<String>,
    /// On kind: a published image by its digest, instead of one that is built
    #[arg(long, value_name = "NAME@DIGEST", conflicts_with = "repository")]
    image: Option<String>,
    /// On kind: which packages the image is built with
    #[arg(long, value_enum, default_value = "any", conflicts_with = "repository")]
    packages: Which,
    /// What the scenarios' program is told beside what it is told anyway
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Where the cluster comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum On {
    /// The cluster of this repository
    Offline,
    /// kind, with a Docker engine
    Kind,
}

/// Which packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The vendor's where they can be reached, else the simulated ones
    Any,
    /// The vendor's, or none
    Vendor,
}

impl E2e {
    pub(crate) fn run(&self, repo: &Repo) -> Result<ExitCode> {
        let repo = &self.repository.of(&self.of_line(repo)?)?;
        let mut progress = Progress::start();
        match self.on {
            On::Offline => {
                self.refuse_what_is_kind_s()?;
                progress.step("machine", || machine::check(repo))?;
                progress.step("packages of the system", || {
                    apt::install(repo, &[apt::CLUSTER, apt::TESTS])
                })?;
                platform::programs(repo, &mut progress)?;
                let images = platform::build(repo, &mut progress)?;
                scenarios(repo, &images, &self.args, &mut progress);
            }
            On::Kind => self.on_kind(repo, &mut progress)?,
        }
        Ok(if progress.report() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn of_line(&self, repo: &Repo) -> Result<Repo> {
        let Some(wanted) = self.line else {
            return Ok(repo.clone());
        };
        let versions = Versions::read(&repo.versions())?;
        Ok(repo.of_release(&versions.line(wanted)?.version.to_string()))
    }

    fn refuse_what_is_kind_s(&self) -> Result<()> {
        let given = [
            (self.kubernetes.is_some(), "--kubernetes"),
            (self.image.is_some(), "--image"),
            (self.packages != Which::Any, "--packages"),
        ];
        match given.iter().find(|(given, _)| *given) {
            Some((_, name)) => bail!("{name} is for a cluster of kind: `--on kind`"),
            None => Ok(()),
        }
    }

    /// The image by its digest alone: what a tag names may change between the steps.
    fn content(&self) -> Result<Content> {
        match (&self.image, self.packages) {
            (Some(image), _) if !image.contains("@sha256:") => {
                bail!("--image {image} has no digest, and what a tag names may change: NAME@sha256:…")
            }
            (Some(image), _) => Ok(Content::Published(image.clone())),
            (None, Which::Any) => Ok(Content::Built),
            (None, Which::Vendor) => Ok(Content::BuiltFromVendor),
        }
    }

    fn node(&self) -> Result<Option<&'static str>> {
        let Some(wanted) = &self.kubernetes else {
            return Ok(None);
        };
        match NODES.iter().find(|(release, _)| release == wanted) {
            Some((_, image)) => Ok(Some(image)),
            None => bail!(
                "no node image is known for Kubernetes {wanted}: {} are",
                NODES.map(|(release, _)| release).join(", ")
            ),
        }
    }

    fn on_kind(&self, repo: &Repo, progress: &mut Progress) -> Result<()> {
        let kind = Kind::of_scenarios(repo, self.node()?, self.content()?);
        if !platform::docker_answers() {
            bail!("no Docker engine answers, and kind needs one: `--on offline` needs none");
        }
        for tool in [HELM, HELM3] {
            progress.step(&format!("{} {}", tool.name, tool.version), || tool.install(repo))?;
        }
        let _one = Lock::take(repo, "scenarios")?;
        kind.delete()?; // of a run that was interrupted
        match kind.start(progress) {
            Ok(platform) => {
                let target = Target {
                    kubeconfig: platform.kubeconfig,
                    helm: HELM.path(repo),
                    helm3: HELM3.path(repo),
                    ingress: platform.ingress,
                    lacks: kind::LACKS,
                };
                progress.test("scenarios", || play(repo, &target, &self.args));
            }
            Err(error) => {
                progress::complain(&error);
                progress.not_tried("scenarios", "the cluster is not up");
            }
        }
        progress.step("cluster (kind) is gone", || kind.delete())
    }
}

/// Starts the cluster, plays the scenarios, ends the cluster, and looks whether the machine is as before.
pub(crate) fn scenarios(repo: &Repo, images: &Images, args: &[OsString], progress: &mut Progress) {
    let cluster = Cluster::of_scenarios(repo);
    let mut before = None;
    let mut one = None;
    let up = progress.test("cluster of the scenarios", || {
        one = Some(Lock::take(repo, "scenarios")?);
        cluster.purge()?; // of a run that was interrupted
        before = Some(Reading::take(&cluster));
        cluster.up()?;
        images.load(&cluster)?;
        Ok(Counts::PASSED)
    });
    if up {
        progress.test("what the cluster offers to them", || {
            offers::check(repo, &cluster)
        });
        progress.test("scenarios", || {
            let programs = cluster::programs(repo)?;
            let target = Target {
                kubeconfig: cluster.kubeconfig(),
                helm: programs.join("helm"),
                helm3: programs.join("helm3"),
                ingress: format!("{}:{HTTP_PORT}", cluster.node_ip()),
                lacks: "",
            };
            play(repo, &target, args)
        });
        progress.test("the chart from a registry", || {
            published_chart::check(repo, &cluster)?;
            Ok(Counts::PASSED)
        });
    } else {
        progress.not_tried("scenarios", "the cluster is not up");
    }
    progress.test("nothing left of the cluster", || {
        cluster.purge()?;
        let Some(before) = before else {
            bail!("the machine was not read before")
        };
        before.expect_again(&cluster)?;
        Ok(Counts::PASSED)
    });
    drop(one);
}

/// What the scenarios are told of a cluster.
struct Target {
    kubeconfig: PathBuf,
    helm: PathBuf,
    helm3: PathBuf,
    /// `ADDRESS:PORT` from this machine.
    ingress: String,
    /// The scenarios' names of what they may find missing; every other step must pass.
    lacks: &'static str,
}

fn play(repo: &Repo, target: &Target, args: &[OsString]) -> Result<Counts> {
    let log = repo.logs().join("scenarios.log");
    let status = cmd("cargo")
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "e2e",
            "--",
            "--kubeconfig",
        ])
        .arg(&target.kubeconfig)
        .arg("--helm")
        .arg(&target.helm)
        .arg("--helm3")
        .arg(&target.helm3)
        .args(["--ingress", &target.ingress])
        .arg(match target.lacks {
            "" => "--lacks".to_owned(),
            lacks => format!("--lacks={lacks}"),
        })
        .arg("--venv")
        .arg(repo.cache.join("e2e-venv"))
        .arg("--pictures")
        .arg(repo.logs())
        .arg("--report")
        .arg(repo.logs().join("scenarios.md"))
        .args(args)
        .dir(&repo.root)
        .tee(&log)?;
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let Some(counts) = Counts::of_suite(&said) else {
        bail!("the scenarios ended with {status} and without their sum");
    };
    if !status.success() && counts.failed == 0 {
        bail!("the scenarios ended with {status}, though none failed");
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        e2e: E2e,
    }

    fn told(words: &str) -> E2e {
        Line::parse_from(["e2e"].into_iter().chain(words.split_whitespace())).e2e
    }

    #[test]
    fn what_is_not_known_here_goes_to_the_scenarios() {
        assert_eq!(told("--keep --namespace x").args, ["--keep", "--namespace", "x"]);
        let both = told("--on kind --line 7.2 --keep");
        assert_eq!((both.on, both.args), (On::Kind, vec!["--keep".into()]));
    }

    #[test]
    fn an_image_is_named_by_its_digest() {
        let error = told("--on kind --image docker.io/a/b:7.0.0")
            .content()
            .unwrap_err();
        assert!(error.to_string().contains("has no digest"), "{error}");
        let found = told("--on kind --image docker.io/a/b@sha256:abc")
            .content()
            .unwrap();
        assert_eq!(found, Content::Published("docker.io/a/b@sha256:abc".to_owned()));
    }

    #[test]
    fn a_release_of_kubernetes_without_a_node_image_is_refused() {
        let error = told("--on kind --kubernetes 1.12")
            .node()
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("are") && error.contains("1.12") && error.contains(NODES[0].0),
            "{error}"
        );
        assert_eq!(told("--kubernetes 1.35").node().unwrap(), Some(NODES[2].1));
    }

    #[test]
    fn what_needs_kind_is_refused_without_it() {
        for words in ["--kubernetes 1.35", "--image a@sha256:b", "--packages vendor"] {
            let error = told(words).refuse_what_is_kind_s().unwrap_err().to_string();
            assert!(error.contains("--on kind"), "{error}");
        }
        assert!(told("--line 7.2").refuse_what_is_kind_s().is_ok());
    }
}
