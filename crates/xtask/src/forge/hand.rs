//! What a verb prints, as an output of the step, as a file, in the run's summary. The verb runs in a process of its own.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::digest::sha256;
use crate::forge::given;
use crate::progress;
use crate::repo::Repo;
use crate::sh::cmd;

/// Makes what a verb prints an output of the step, and shows it.
pub(crate) fn output(name: &str, verb: &[OsString]) -> Result<()> {
    let printed = printed(verb)?;
    progress::say(&printed);
    set(name, &printed)
}

/// Sets an output of the step.
pub(crate) fn set(name: &str, value: &str) -> Result<()> {
    append(Path::new(&given("GITHUB_OUTPUT")?), &assignment(name, value)?)
}

/// Writes what a verb prints to a file.
pub(crate) fn file(path: &Path, verb: &[OsString]) -> Result<()> {
    fs::write(path, printed(verb)? + "\n").with_context(|| path.display().to_string())
}

/// Shows what a verb prints, in the log and in the run's summary, whether it ends well or not; ends as it does.
pub(crate) fn summary(repo: &Repo, verb: &[OsString]) -> Result<ExitCode> {
    let log = repo.logs().join("forge-summary.log");
    let status = cmd(this()?).args(verb).tee(&log)?;
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    append(Path::new(&given("GITHUB_STEP_SUMMARY")?), &block(&said))?;
    Ok(ExitCode::from(u8::from(!status.success())))
}

fn printed(verb: &[OsString]) -> Result<String> {
    cmd(this()?).args(verb).read()
}

fn this() -> Result<std::path::PathBuf> {
    std::env::current_exe().context("this program's own path")
}

fn append(file: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| file.display().to_string())
}

/// An output of several lines, in GitHub's form. The end mark is the value's digest, so that no value can contain it.
fn assignment(name: &str, value: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        bail!("\"{name}\" is not a valid output name: use letters, digits, - and _");
    }
    let end = sha256(value.as_bytes());
    Ok(format!("{name}<<{end}\n{value}\n{end}\n"))
}

/// A block of code with a fence that the text does not have.
fn block(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_cannot_end_itself_and_begin_another() {
        let text = assignment("plan", "a\nEOF\nb=c").unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        let end = first.strip_prefix("plan<<").unwrap();
        assert_eq!(rest, format!("a\nEOF\nb=c\n{end}\n"));
        for name in ["", "a\nb", "a=b", "a<<b"] {
            assert!(assignment(name, "x").is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_fence_is_longer_than_those_in_the_text() {
        assert_eq!(block("a\n"), "```\na\n```\n");
        assert!(block("```\na\n```").starts_with("````\n"));
    }
}
