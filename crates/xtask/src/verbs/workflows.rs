//! `workflows`, and the check of that name: what `crate::workflows` finds in `.github`, then actionlint and zizmor.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::progress::{Counts, Progress};
use crate::repo::Repo;
use crate::sh::cmd;
use crate::tools::{ACTIONLINT, ZIZMOR};
use crate::verbs::Verb;
use crate::workflows::{File, findings, understood, unused};

pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    let mut progress = Progress::start();
    for tool in [ACTIONLINT, ZIZMOR] {
        progress.step(tool.name, || tool.install(repo))?;
    }
    progress.test("workflows", || check(repo));
    Ok(if progress.report() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All of it; the error has every finding of the first of the three that has any.
pub(crate) fn check(repo: &Repo) -> Result<Counts> {
    let files = files(repo)?;
    if files.is_empty() {
        bail!(".github has no workflow");
    }
    let mut all = findings(&files, &|words| understood(words, &Verb::understand));
    all.extend(unused(&files));
    if !all.is_empty() {
        bail!("{} findings in .github:\n  {}", all.len(), all.join("\n  "));
    }
    let logs = repo.logs();
    cmd(ACTIONLINT.path(repo))
        .arg("-no-color")
        .dir(&repo.root)
        .run(&logs.join("actionlint.log"))?;
    cmd(ZIZMOR.path(repo))
        .args([
            "--offline",
            "--pedantic",
            "--no-progress",
            "--color=never",
            ".github",
        ])
        .dir(&repo.root)
        .run(&logs.join("zizmor.log"))?;
    Ok(Counts::passed(3))
}

/// The workflows and composite actions that version control knows, or would.
pub(crate) fn files(repo: &Repo) -> Result<Vec<File>> {
    let listed = cmd("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--"])
        .args([".github/workflows", ".github/actions"])
        .dir(&repo.root)
        .read()?;
    listed
        .lines()
        .filter(|path| {
            Path::new(path)
                .extension()
                .is_some_and(|end| end == "yml" || end == "yaml")
        })
        .map(|path| {
            let text = fs::read_to_string(repo.root.join(path)).with_context(|| path.to_owned())?;
            Ok(File {
                path: path.to_owned(),
                text,
            })
        })
        .collect()
}
