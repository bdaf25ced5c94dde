//! An issue for a failed run; while it is open, the next failure of the same workflow is a comment on it. A notice that is no
//! failure is given once, and not again after somebody has closed it.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::forge::given;
use crate::progress;
use crate::sh::{Cmd, cmd};

/// What an issue of the same title means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// An open one gets a comment; a closed one was another failure.
    Comment,
    /// Open or closed, nothing is written.
    Never,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    title: String,
}

/// Opens an issue of this title with a link to the run, or comments on the one that is open. `GH_TOKEN` must allow issues.
pub(crate) fn tell(title: &str, text: &str, again: Again) -> Result<()> {
    let [server, repository, run] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(given);
    let body = format!("{text}\n\n{}/{}/actions/runs/{}", server?, repository?, run?);
    progress::say(&tell_by("gh", title, body.trim_start(), again)?);
    Ok(())
}

/// By this program; what it printed, the issue's address.
fn tell_by(gh: &str, title: &str, body: &str, again: Again) -> Result<String> {
    let issue = |args: &[&str]| -> Cmd { cmd(gh).arg("issue").args(args) };
    let state = if again == Again::Comment { "open" } else { "all" };
    let search = format!("in:title \"{title}\"");
    let listed = issue(&["list", "--state", state, "--limit", "100", "--search"])
        .args([&search, "--json", "number,title"])
        .read()?;
    let issues: Vec<Issue> = serde_json::from_str(&listed).context("the answer of `gh issue list`")?;
    match (issues.iter().find(|issue| issue.title == title), again) {
        (Some(found), Again::Never) => Ok(format!("issue {} has this title already", found.number)),
        (Some(found), Again::Comment) => {
            issue(&["comment", &found.number.to_string(), "--body", body]).read()
        }
        (None, _) => issue(&["create", "--title", title, "--body", body]).read(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// What `gh` is asked for, where its list of issues is this one.
    fn asked(list: &str, again: Again) -> (Result<String>, String) {
        let dir = tempfile::tempdir().unwrap();
        let (gh, log) = (dir.path().join("gh"), dir.path().join("log"));
        let log_path = log.display();
        let script = format!("#!/bin/sh\n[ \"$2\" = list ] && echo '{list}' || echo \"$*\" >>'{log_path}'\n");
        fs::write(&gh, script).unwrap();
        fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).unwrap();
        let result = tell_by(gh.to_str().unwrap(), "watch failed", "URL", again);
        (result, fs::read_to_string(&log).unwrap_or_default())
    }

    #[test]
    fn a_failure_opens_an_issue_and_the_next_one_is_a_comment_on_it() {
        let create = "issue create --title watch failed --body URL\n";
        let comment = "issue comment 3 --body URL\n";
        let (same, similar) = (
            r#"[{"number":3,"title":"watch failed"}]"#,
            r#"[{"number":3,"title":"watch failed, long ago"}]"#,
        );
        for (list, again, expected) in [
            (similar, Again::Comment, create),
            (same, Again::Comment, comment),
            (same, Again::Never, ""),
            ("[]", Again::Never, create),
        ] {
            let (result, log) = asked(list, again);
            assert!(result.is_ok() && log == expected, "{list}: {result:?} {log}");
        }
    }

    #[test]
    fn an_answer_that_is_not_a_list_opens_nothing() {
        for answer in ["oops", "{}"] {
            let (result, log) = asked(answer, Again::Comment);
            assert!(format!("{:#}", result.unwrap_err()).contains("gh issue list"));
            assert_eq!(log, "");
        }
    }
}
