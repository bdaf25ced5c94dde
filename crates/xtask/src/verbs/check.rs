//! `check`: what can be checked without a cluster. Without a part it is for contributors: the fastest checks run first, it needs no
//! root, installs nothing, and compiles only this repository and Helm.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::progress::{self, Counts, Progress};
use crate::repo::Repo;
use crate::sh::{cmd, tail, which};
use crate::tools::{ACTIONLINT, CARGO_DENY, HADOLINT, HELM, HELM3, Tool, ZIZMOR};
use crate::verbs::workflows;
use crate::{apt, chart, cluster, platform};

/// Where cargo-deny's list of known faults lives.
const ADVISORIES: &str = "https://github.com/rustsec/advisory-db/info/refs?service=git-upload-pack";

/// What can be asked for alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Everything that reads the repository and runs nothing of it
    Lint,
    /// Unit and integration tests of the crates; some need root
    Tests,
    /// Helm's lint and the tests of the charts, by both releases of Helm
    Chart,
}

pub(crate) fn run(repo: &Repo, parts: &[Part]) -> Result<ExitCode> {
    let mut progress = Progress::start();
    if parts.is_empty() {
        lint(repo, Missing::LeftOut, &mut progress);
        progress.test("unit tests", || {
            let all = ["--workspace", "--exclude", "chart-tests", "--lib", "--bins"];
            cargo_test(repo, &all, &[])
        });
        let helm = a_helm(repo, &mut progress)?;
        charts(repo, std::slice::from_ref(&helm), &mut progress);
        chart_tests(repo, helm.as_os_str(), &mut progress);
    }
    for part in parts {
        match part {
            Part::Lint => {
                tools(repo, &LINTERS, &mut progress)?;
                progress.step("packages of the system", || apt::install(repo, &[apt::LINTERS]))?;
                lint(repo, Missing::Fails, &mut progress);
            }
            Part::Tests => {
                progress.step("packages of the system", || {
                    apt::install(repo, &[apt::CLUSTER, apt::TESTS])
                })?;
                let all = ["--workspace", "--exclude", "chart-tests"];
                progress.test("tests of the crates", || cargo_test(repo, &all, &[]));
            }
            Part::Chart => {
                tools(repo, &HELMS, &mut progress)?;
                progress.step("packages of the system", || apt::install(repo, &[apt::CHART]))?;
                let helms = HELMS.map(|helm| helm.path(repo));
                charts(repo, &helms, &mut progress);
                let helms = env::join_paths(&helms).context("the paths of Helm")?;
                chart_tests(repo, &helms, &mut progress);
            }
        }
    }
    Ok(if progress.report() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

const LINTERS: [Tool; 4] = [HADOLINT, ACTIONLINT, ZIZMOR, CARGO_DENY];
const HELMS: [Tool; 2] = [HELM, HELM3];

fn tools(repo: &Repo, tools: &[Tool], progress: &mut Progress) -> Result<()> {
    for tool in tools {
        progress.step(&format!("{} {}", tool.name, tool.version), || tool.install(repo))?;
    }
    Ok(())
}

/// What `lint` and the charts of the offline cluster's Helm need.
pub(crate) fn set_up(repo: &Repo, progress: &mut Progress) -> Result<()> {
    progress.step("packages of the system", || {
        apt::install(repo, &[apt::CLUSTER, apt::TESTS])
    })?;
    platform::programs(repo, progress)?;
    tools(repo, &LINTERS, progress)
}

/// The Helm that is at hand: of an earlier check, the offline cluster's, or the machine's own; else one that is compiled alone.
fn a_helm(repo: &Repo, progress: &mut Progress) -> Result<PathBuf> {
    let own = HELM.path(repo);
    let of_cluster = cluster::programs(repo).map(|programs| programs.join("helm"));
    let found = [Some(own.clone()), of_cluster.ok(), which("helm")];
    if let Some(helm) = found.into_iter().flatten().find(|helm| helm.is_file()) {
        return Ok(helm);
    }
    progress.step("Helm, compiled once", || HELM.install(repo))?;
    Ok(own)
}

fn chart_tests(repo: &Repo, helms: &OsStr, progress: &mut Progress) {
    progress.test("tests of the charts", || {
        cargo_test(repo, &["--package", "chart-tests"], &[("HELM", helms)])
    });
}

/// `lint`, and the charts by the offline cluster's two releases of Helm.
pub(crate) fn statics(repo: &Repo, progress: &mut Progress) {
    lint(repo, Missing::Fails, progress);
    match cluster::programs(repo) {
        Ok(programs) => charts(repo, &["helm", "helm3"].map(|helm| programs.join(helm)), progress),
        Err(error) => progress.not_tried("charts", &format!("{error:#}")),
    }
}

fn charts(repo: &Repo, helms: &[PathBuf], progress: &mut Progress) {
    progress.test("charts", || {
        for (helm, number) in helms.iter().zip(1..) {
            cmd(helm)
                .args(["lint", "--strict", "charts/opennebula", "charts/mariadb"])
                .dir(&repo.root)
                .run(&repo.logs().join(format!("helm-{number}.log")))?;
        }
        Ok(Counts::PASSED)
    });
}

/// What happens to a lint whose program is not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fails,
    LeftOut,
}

/// Everything that reads the repository and runs nothing of it; what takes no time first.
fn lint(repo: &Repo, missing: Missing, progress: &mut Progress) {
    let there = |name: &str, programs: &[PathBuf]| {
        let there = missing == Missing::Fails || programs.iter().all(|program| program.is_file());
        if !there {
            progress::say(&format!(
                "        {name}: left out, its program is not installed here; `cargo xtask check lint` installs it"
            ));
        }
        there
    };
    let log = |name: &str| repo.logs().join(format!("{name}.log"));
    let one = |result: Result<()>| result.map(|()| Counts::PASSED);
    progress.test("format", || {
        one(cmd("cargo")
            .args(["fmt", "--all", "--check"])
            .dir(&repo.root)
            .run(&log("fmt")))
    });
    progress.test("accepted vulnerabilities", || {
        one(super::release::ignores::judged(repo).map(drop))
    });
    progress.test("values of the charts", || one(chart::check(repo)));
    progress.test("lints", || {
        let args = [
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ];
        one(cmd("cargo").args(args).dir(&repo.root).run(&log("clippy")))
    });
    if there("dependencies", &[CARGO_DENY.path(repo)]) {
        progress.test("dependencies", || dependencies(repo));
    }
    if there("Dockerfiles", &[HADOLINT.path(repo)]) {
        progress.test("Dockerfiles", || {
            one(cmd(HADOLINT.path(repo))
                .args(["--no-color", "--failure-threshold", "style"])
                .args(dockerfiles(repo)?)
                .dir(&repo.root)
                .run(&log("hadolint")))
        });
    }
    if there("shell scripts", &[which("shellcheck").unwrap_or_default()]) {
        progress.test("shell scripts", || {
            one(cmd("shellcheck")
                .args(scripts(repo)?)
                .dir(&repo.root)
                .run(&log("shellcheck")))
        });
    }
    if there("workflows", &[ACTIONLINT.path(repo), ZIZMOR.path(repo)]) {
        progress.test("workflows", || workflows::check(repo));
    }
}

fn dependencies(repo: &Repo) -> Result<Counts> {
    let check = |what: &[&str]| {
        cmd(CARGO_DENY.path(repo))
            .args(["--workspace", "--all-features", "check"])
            .args(what)
            .dir(&repo.root)
            .run(&repo.logs().join("deny.log"))
    };
    check(&["bans", "licenses", "sources"])?;
    if cmd("curl")
        .args([
            "--fail",
            "--silent",
            "--max-time",
            "5",
            "--output",
            "/dev/null",
            ADVISORIES,
        ])
        .succeeds()
    {
        check(&["advisories"])?;
    } else {
        progress::say("        the list of known faults (RustSec) cannot be reached from here: left out");
    }
    Ok(Counts::PASSED)
}

/// Runs `cargo test`, and counts.
pub(crate) fn cargo_test(repo: &Repo, which: &[&str], env: &[(&str, &OsStr)]) -> Result<Counts> {
    let log = repo.logs().join("cargo-test.log");
    let readers = repo.logs().join("fixtures-readers");
    fs::create_dir_all(repo.logs())?;
    fs::write(&readers, "").with_context(|| readers.display().to_string())?;
    let tests = cmd("cargo")
        .args(["test", "--locked", "--no-fail-fast"])
        .args(which)
        .env("OPENNEBULA_FIXTURES_READERS", &readers)
        .dir(&repo.root);
    let with_env = env
        .iter()
        .fold(tests, |tests, (name, value)| tests.env(name, value));
    let status = with_env.logged(&log)?;
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let counts = libtest(&said);
    let readers = fs::read_to_string(&readers).unwrap_or_default();
    progress::say(&match readers.lines().collect::<BTreeSet<_>>().len() {
        0 => "additional tests read no file of the vendor's: OPENNEBULA_FIXTURES names a folder with some, see CONTRIBUTING.md"
            .to_owned(),
        count => format!("{count} tests read files of the vendor's, in OPENNEBULA_FIXTURES"),
    });
    if !status.success() {
        progress::say(&format!("{}\n(all of it: {})", tail(&said, 60), log.display()));
        if counts.failed == 0 {
            bail!("cargo test ended with {status} before the tests were through");
        }
    }
    Ok(counts)
}

/// The sum of the lines `test result: ok. 3 passed; 0 failed; …`, and the names in `test NAME ... FAILED`.
fn libtest(text: &str) -> Counts {
    let mut total = Counts::default();
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|line| line.strip_suffix(" ... FAILED"))
        {
            total.failures.push(name.to_owned());
        }
    }
    for line in text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test result: "))
    {
        for part in line.split([';', '.']) {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => total.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => total.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
    total
}

/// The repository's files that images are built from.
fn dockerfiles(repo: &Repo) -> Result<Vec<String>> {
    let files = cmd("git")
        .args(["ls-files", "*Dockerfile", "*Containerfile"])
        .dir(&repo.root)
        .read()?;
    Ok(files.lines().map(str::to_owned).collect())
}

/// The repository's files that begin as shell scripts do.
fn scripts(repo: &Repo) -> Result<Vec<String>> {
    let files = cmd("git").args(["ls-files"]).dir(&repo.root).read()?;
    let is_script = |file: &&str| {
        fs::read(repo.root.join(file)).is_ok_and(|bytes| {
            let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
            first.starts_with(b"#!") && (first.ends_with(b"sh") || first.ends_with(b"bash"))
        })
    };
    Ok(files.lines().filter(is_script).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_binaries_are_summed() {
        let text = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    \ntest machine::restarts ... FAILED\n\ntest result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s\n";
        assert_eq!(
            libtest(text),
            Counts {
                passed: 13,
                failed: 2,
                not_possible: 0,
                failures: vec!["machine::restarts".to_owned()],
            }
        );
    }
}
