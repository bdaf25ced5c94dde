//! Keeps scheduled workflows alive: GitHub switches them off when a repository has had no commit for 60 days, and
//! counts anew when they are switched on.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::forge::given;
use crate::progress;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::verbs::workflows;
use crate::workflows::File;

/// Switches every scheduled workflow of the repository on. `GH_TOKEN` must allow actions.
pub(crate) fn keep_alive(repo: &Repo) -> Result<()> {
    let repository = given("GITHUB_REPOSITORY")?;
    let names = scheduled(&workflows::files(repo)?)?;
    if names.is_empty() {
        bail!("no workflow has a schedule: nothing is to be kept alive");
    }
    for name in names {
        cmd("gh")
            .args(["api", "--method", "PUT"])
            .arg(format!("repos/{repository}/actions/workflows/{name}/enable"))
            .read()?;
        progress::say(&format!("{name} is switched on"));
    }
    Ok(())
}

/// File names of the workflows with a schedule.
fn scheduled(files: &[File]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in files {
        let Some(name) = file.path.strip_prefix(".github/workflows/") else {
            continue;
        };
        let workflow: Value = serde_saphyr::from_str(&file.text).with_context(|| file.path.clone())?;
        if workflow["on"].get("schedule").is_some() {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_schedule_is_found() {
        let file = |name: &str, text: &str| File {
            path: name.to_owned(),
            text: text.to_owned(),
        };
        let files = [
            file(
                ".github/workflows/a.yml",
                "on:\n  schedule:\n    - cron: '1 2 * * *'\n",
            ),
            file(".github/workflows/b.yml", "on: push\n"),
            file(".github/actions/c/action.yml", "on:\n  schedule: []\n"),
        ];
        assert_eq!(scheduled(&files).unwrap(), ["a.yml"]);
    }
}
