//! Running programs. The only place of xtask that starts any; `clippy.toml` bans it elsewhere for onepod's sake.
//!
//! A command's output goes to a log file, or is returned, or goes to the terminal: one method for each. No shell
//! is involved.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the bans protect onepod's reaper; xtask is no PID 1 and waits for each program where it starts it"
)]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::progress;

/// How often a command that still runs is mentioned.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Lines of a failed command's output that are shown; the file has all.
const TAIL: usize = 40;

/// A program with its arguments, not started yet.
#[derive(Debug)]
pub(crate) struct Cmd {
    command: Command,
    shown: String,
}

/// A command that runs `program`.
pub(crate) fn cmd(program: impl AsRef<OsStr>) -> Cmd {
    let shown = Path::new(program.as_ref())
        .file_name()
        .unwrap_or(program.as_ref())
        .to_string_lossy()
        .into_owned();
    Cmd {
        command: Command::new(program),
        shown,
    }
}

/// A command from its words, the program first.
pub(crate) fn command(words: &[String]) -> Cmd {
    match words.split_first() {
        Some((program, args)) => cmd(program).args(args),
        None => cmd("false"),
    }
}

impl Cmd {
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.shown = format!("{} {}", self.shown, arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<T: AsRef<OsStr>>(self, args: impl IntoIterator<Item = T>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it with its output in `log`; a failure shows the output's last lines.
    pub(crate) fn run(self, log: &Path) -> Result<()> {
        let shown = self.shown.clone();
        let status = self.logged(log)?;
        if status.success() {
            return Ok(());
        }
        let text = fs::read_to_string(log).unwrap_or_default();
        bail!(
            "`{shown}` failed ({status}); the end of {}:\n{}",
            log.display(),
            tail(&text, TAIL)
        );
    }

    /// Runs it with its output in `log`, and returns the status whatever it is. Says every half minute that it still runs.
    pub(crate) fn logged(mut self, log: &Path) -> Result<ExitStatus> {
        if let Some(parent) = log.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        let out = File::create(log).with_context(|| log.display().to_string())?;
        let err = out.try_clone().with_context(|| log.display().to_string())?;
        let since = Instant::now();
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| self.shown.clone())?;
        let (tell, told) = channel();
        thread::spawn(move || tell.send(child.wait()));
        loop {
            match told.recv_timeout(HEARTBEAT) {
                Ok(status) => return status.context(self.shown),
                Err(RecvTimeoutError::Timeout) => progress::still(&self.shown, since.elapsed(), log),
                Err(RecvTimeoutError::Disconnected) => bail!("`{}`: nobody waits for it", self.shown),
            }
        }
    }

    /// Runs it with its output on the terminal and in `log`.
    pub(crate) fn tee(mut self, log: &Path) -> Result<ExitStatus> {
        if let Some(parent) = log.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        let mut copy = File::create(log).with_context(|| log.display().to_string())?;
        let (read, write) = pipe().context("pipe")?;
        let second = write.try_clone().context("pipe")?;
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(write)
            .stderr(second)
            .spawn()
            .with_context(|| self.shown.clone())?;
        drop(self.command); // and with it our writing ends: reading ends with the program
        for line in BufReader::new(read).lines().map_while(Result::ok) {
            progress::say(&line);
            writeln!(copy, "{line}").with_context(|| log.display().to_string())?;
        }
        child.wait().context(self.shown)
    }

    /// Starts it and waits for the first line that it writes; it must end when its standard input does.
    pub(crate) fn serve(mut self, log: &Path) -> Result<Service> {
        let err = File::create(log).with_context(|| log.display().to_string())?;
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(err)
            .spawn()
            .with_context(|| self.shown.clone())?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(BufReader::new);
        let mut service = Service {
            said: String::new(),
            child,
            stdin,
        };
        if let Some(mut stdout) = stdout {
            stdout.read_line(&mut service.said).context(self.shown)?;
        }
        service.said.truncate(service.said.trim_end().len());
        Ok(service)
    }

    /// Runs it and returns what it wrote on standard output, without the last line's end.
    pub(crate) fn read(mut self) -> Result<String> {
        let output = self
            .command
            .stdin(Stdio::null())
            .output()
            .with_context(|| self.shown.clone())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "`{}` failed ({}): {}",
                self.shown,
                output.status,
                tail(&said, TAIL)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Whether it ends well; what it says is dropped, and so is the reason when it cannot be started.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Runs it on this terminal.
    pub(crate) fn show(mut self) -> Result<ExitStatus> {
        self.command.status().with_context(|| self.shown)
    }

    /// Runs it with `input` on its standard input and its output in `log`.
    pub(crate) fn feed(mut self, input: &str, log: &Path) -> Result<()> {
        let out = File::create(log).with_context(|| log.display().to_string())?;
        let err = out.try_clone().with_context(|| log.display().to_string())?;
        let mut child: Child = self
            .command
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| self.shown.clone())?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input.as_bytes())
                .with_context(|| self.shown.clone())?;
        }
        let status = child.wait().with_context(|| self.shown.clone())?;
        if !status.success() {
            let text = fs::read_to_string(log).unwrap_or_default();
            bail!("`{}` failed ({status}): {}", self.shown, tail(&text, TAIL));
        }
        Ok(())
    }
}

/// A program that runs beside this one, and ends with the value.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its first line.
    pub(crate) said: String,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It is gone then, whatever its status is.
        let _ = self.child.wait();
    }
}

/// The file that a program's name leads to, by `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    // root's folders too: a login without them in PATH is common.
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The last `count` lines.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_end_of_the_output() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log/it");
        let error = cmd("sh")
            .arg("-c")
            .arg("seq 1 50; echo last >&2; exit 3")
            .run(&log)
            .unwrap_err()
            .to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.ends_with("49\n50\nlast"), "{error}");
        assert!(!error.contains("\n11\n"), "more than {TAIL} lines: {error}");
    }

    #[test]
    fn a_service_says_something_and_ends_with_its_input() {
        let dir = tempfile::tempdir().unwrap();
        let service = cmd("sh")
            .arg("-c")
            .arg("echo here; exec cat")
            .serve(&dir.path().join("log"))
            .unwrap();
        assert_eq!(service.said, "here");
        drop(service);
    }

    #[test]
    fn output_is_returned_without_its_last_line_end() {
        assert_eq!(cmd("printf").arg(r"a\nb\n").read().unwrap(), "a\nb");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = cmd("no-such-program").read().unwrap_err();
        assert!(format!("{error:#}").starts_with("no-such-program: "), "{error:#}");
        assert!(!cmd("no-such-program").succeeds());
    }
}
