//! Programs that the scenarios call: Helm and Python. Each has a limit, and none gets a secret in its arguments or
//! environment.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A call of a program.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    program: OsString,
    arguments: Vec<OsString>,
    limit: Duration,
    stderr: Stderr,
}

#[derive(Debug, Clone, Copy)]
enum Stderr {
    /// Kept, and part of the error when the program fails.
    Kept,
    /// Shown as it comes: it is the program's progress.
    Shown,
}

impl Call {
    /// A call without arguments that may take `limit`.
    pub(crate) fn new(program: &Path, limit: Duration) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            limit,
            stderr: Stderr::Kept,
        }
    }

    /// Adds arguments.
    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Shows what the program writes to its standard error, as it comes.
    pub(crate) fn showing_progress(mut self) -> Self {
        self.stderr = Stderr::Shown;
        self
    }

    /// Runs it to its end, and gives its standard output. An exit status other than 0 is an error with what it said.
    pub(crate) async fn run(self) -> Result<String> {
        let said = format!("{} {}", self.program.display(), join(&self.arguments));
        let output = tokio::task::spawn_blocking(move || self.output())
            .await
            .context("a helper thread ended")?
            .with_context(|| format!("cannot run {said}"))?;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if !output.status.success() {
            bail!(
                "{said}: {}: {}",
                output.status,
                [stderr.trim(), stdout.trim()].join(" ").trim()
            );
        }
        Ok(stdout.into_owned())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the ban is for onepod, where PID 1 waits for every process"
    )]
    fn output(&self) -> std::io::Result<std::process::Output> {
        // coreutils' timeout ends a program that hangs, with the processes that it started.
        Command::new("timeout")
            .arg("--kill-after=10")
            .arg(self.limit.as_secs().max(1).to_string())
            .arg(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(match self.stderr {
                Stderr::Kept => Stdio::piped(),
                Stderr::Shown => Stdio::inherit(),
            })
            .output()
    }
}

/// A program that serves the scenarios in the background; it ends with this.
#[expect(
    clippy::disallowed_types,
    reason = "the ban is for onepod, where PID 1 waits for every process"
)]
pub(crate) struct Running {
    child: std::process::Child,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the ban is for onepod, where PID 1 waits for every process"
)]
impl Running {
    /// Starts it with a home of its own.
    pub(crate) fn start(program: &Path, arguments: &[String], home: &Path) -> Result<Self> {
        let child = Command::new(program)
            .args(arguments)
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(Self { child })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn join(arguments: &[OsString]) -> String {
    arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, seconds: u64) -> Result<String> {
        let call = Call::new(Path::new("sh"), Duration::from_secs(seconds)).args(["-c", script]);
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(call.run())
    }

    #[test]
    fn standard_output_is_given() {
        assert_eq!(sh("echo one; echo two >&2", 60).unwrap(), "one\n");
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let error = sh("echo no such release >&2; exit 3", 60)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("no such release"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let start = std::time::Instant::now();
        let error = sh("sleep 600", 1).unwrap_err().to_string();
        assert!(error.contains("124"), "{error}");
        assert!(start.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let call = Call::new(Path::new("/nonexistent/helm"), Duration::from_secs(5));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let error = runtime.block_on(call.run()).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/helm"), "{error}");
    }
}
