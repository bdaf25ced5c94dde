//! A failed run becomes an issue; the next failure of the same workflow a comment on it, as long as it is open. What is
//! no failure is told once, and never again when somebody has closed it.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::forge::given;
use crate::progress;
use crate::sh::{Cmd, cmd};

/// Issues that are looked at for one of the very title, of those whose title has its words.
const LIMIT: &str = "100";

/// What an issue of the same title means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// An open one gets a comment; a closed one was mended, and this is another failure.
    Comment,
    /// Open or closed, it was told.
    Never,
}

/// Opens an issue of this title with a link to the run, or adds the link to the one that is open. `GH_TOKEN` must allow issues.
pub(crate) fn tell(title: &str, text: &str, again: Again) -> Result<()> {
    let run = format!(
        "{}/{}/actions/runs/{}",
        given("GITHUB_SERVER_URL")?,
        given("GITHUB_REPOSITORY")?,
        given("GITHUB_RUN_ID")?
    );
    progress::say(&tell_by("gh", title, &body(text, &run), again)?);
    Ok(())
}

fn body(text: &str, run: &str) -> String {
    format!("{text}\n\n{run}\n").trim_start().to_owned()
}

/// By this program; what it printed, the issue's address.
fn tell_by(gh: &str, title: &str, body: &str, again: Again) -> Result<String> {
    let issue = |args: &[&str]| -> Cmd { cmd(gh).arg("issue").args(args) };
    let state = match again {
        Again::Comment => "open",
        Again::Never => "all",
    };
    let listed = issue(&["list", "--state", state, "--search"])
        .arg(format!("in:title \"{title}\""))
        .args(["--limit", LIMIT, "--json", "number,title"])
        .read()?;
    match (of_title(&listed, title)?, again) {
        (Some(number), Again::Never) => Ok(format!("issue {number} has told it already")),
        (Some(number), Again::Comment) => issue(&["comment", &number.to_string(), "--body", body]).read(),
        (None, _) => issue(&["create", "--title", title, "--body", body]).read(),
    }
}

/// The number of the issue of this very title.
fn of_title(listed: &str, title: &str) -> Result<Option<u64>> {
    let listed: Value = serde_json::from_str(listed).context("what `gh issue list` printed")?;
    let Some(issues) = listed.as_array() else {
        bail!("`gh issue list` printed no list: {listed}")
    };
    Ok(issues
        .iter()
        .find(|issue| issue["title"] == title)
        .and_then(|issue| issue["number"].as_u64()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A `gh` that answers the list and writes down what else it is told.
    fn with_gh(list: &str, then: impl FnOnce(&str) -> Result<String>) -> (Result<String>, String) {
        let dir = tempfile::tempdir().unwrap();
        let (gh, told) = (dir.path().join("gh"), dir.path().join("told"));
        let script = format!(
            "#!/bin/sh\nif [ \"$2\" = list ]; then echo '{list}'; else echo \"$*\" >>'{}'; echo done; fi\n",
            told.display()
        );
        fs::write(&gh, script).unwrap();
        fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).unwrap();
        let result = then(gh.to_str().unwrap());
        (result, fs::read_to_string(&told).unwrap_or_default())
    }

    #[test]
    fn the_first_failure_opens_an_issue() {
        let (result, told) = with_gh(r#"[{"number":3,"title":"watch failed, long ago"}]"#, |gh| {
            tell_by(gh, "watch failed", &body("", "https://example/1"), Again::Comment)
        });
        assert_eq!(result.unwrap(), "done");
        assert_eq!(
            told,
            "issue create --title watch failed --body https://example/1\n\n"
        );
    }

    #[test]
    fn the_next_one_is_a_comment_on_it() {
        let (result, told) = with_gh(r#"[{"number":3,"title":"watch failed"}]"#, |gh| {
            tell_by(gh, "watch failed", "again", Again::Comment)
        });
        assert_eq!(result.unwrap(), "done");
        assert_eq!(told, "issue comment 3 --body again\n");
    }

    #[test]
    fn what_is_told_once_is_not_told_again() {
        let (result, told) = with_gh(r#"[{"number":3,"title":"7.6 is there"}]"#, |gh| {
            tell_by(gh, "7.6 is there", "x", Again::Never)
        });
        assert!(result.unwrap().contains("issue 3"));
        assert_eq!(told, "");
        let (result, told) = with_gh("[]", |gh| tell_by(gh, "7.6 is there", "x", Again::Never));
        assert_eq!(result.unwrap(), "done");
        assert_eq!(told, "issue create --title 7.6 is there --body x\n");
    }

    #[test]
    fn an_answer_that_is_no_list_opens_nothing() {
        for answer in ["oops", "{}"] {
            let (result, told) = with_gh(answer, |gh| tell_by(gh, "watch failed", "x", Again::Comment));
            assert!(format!("{:#}", result.unwrap_err()).contains("gh issue list"));
            assert_eq!(told, "");
        }
    }
}
