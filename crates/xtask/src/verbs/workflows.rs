//! `workflows`, and the check of that name: what `crate::workflows` finds in `.github`, then actionlint and zizmor.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use crate::progress::{Counts, Progress};
use crate::repo::Repo;
use crate::sh::{Cmd, cmd};
use crate::tools::{ACTIONLINT, ZIZMOR};
use crate::verbs::Verb;
use crate::workflows::{File, findings};

/// What of each step was executed without a forge.
pub(crate) const TABLE: &str = "docs/maintainers/workflows.md";

pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    let mut progress = Progress::start();
    for tool in [ACTIONLINT, ZIZMOR] {
        progress.step(tool.name, || tool.install(repo))?;
    }
    let passed = progress.test("workflows", || check(repo));
    progress.report();
    Ok(ExitCode::from(u8::from(!passed)))
}

pub(crate) fn check(repo: &Repo) -> Result<Counts> {
    let table = fs::read_to_string(repo.root.join(TABLE)).context(TABLE)?;
    let found = findings(&files(repo)?, &table, &Verb::understand);
    ensure!(
        found.is_empty(),
        "{} findings:\n  {}",
        found.len(),
        found.join("\n  ")
    );
    let run = |program: Cmd, log| program.dir(&repo.root).run(&repo.logs().join(log));
    run(cmd(ACTIONLINT.path(repo)).arg("-no-color"), "actionlint.log")?;
    // The auditor's persona alone looks for secrets outside of environments.
    let zizmor = cmd(ZIZMOR.path(repo)).args(["--offline", "--persona=auditor", "--no-progress"]);
    run(zizmor.args(["--color=never", ".github"]), "zizmor.log")?;
    Ok(Counts::passed(3))
}

/// The workflows and composite actions.
pub(crate) fn files(repo: &Repo) -> Result<Vec<File>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "--"];
    let folders = [".github/workflows/*.yml", ".github/actions/*.yml"];
    let listed = cmd("git").args(list).args(folders).dir(&repo.root).read()?;
    let there = listed.lines().filter(|path| repo.root.join(path).exists());
    there
        .map(|path| {
            let text = fs::read_to_string(repo.root.join(path)).with_context(|| path.to_owned())?;
            let path = path.to_owned();
            Ok(File { path, text })
        })
        .collect()
}
