//! Programs that the suite calls, and processes that it finds in /proc. The only place that starts any.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the bans protect onepod's reaper; the suite waits for each program where it starts it"
)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A program that was started and is waited for. It is killed when this goes out of use.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command
            .spawn()
            .with_context(|| command.get_program().display().to_string())?;
        Ok(Self { child })
    }

    /// How it ended, once it has: its exit code, or 128 and the number of the signal.
    pub fn ended(&mut self) -> Result<Option<i32>> {
        Ok(self.child.try_wait()?.map(code))
    }

    /// Its number here.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its standard output, where that is a pipe; once.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// How a program ended, and what it wrote where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its exit code, or 128 and the number of the signal.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Runs a program to its end; what it wrote, and how it ended.
pub fn outcome(command: &mut Command) -> Result<(i32, String)> {
    let Said { code, mut out, err } = said(command)?;
    out.push_str(&err);
    Ok((code, out))
}

/// The same with its two outputs told apart.
pub fn said(command: &mut Command) -> Result<Said> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| command.get_program().display().to_string())?;
    Ok(Said {
        code: code(output.status),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a program that must succeed; what it wrote.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let (code, text) = outcome(Command::new(program).args(arguments))?;
    if code != 0 {
        bail!(
            "{program} {}: exit code {code}: {}",
            arguments.join(" "),
            text.trim()
        );
    }
    Ok(text)
}

/// Runs a program that must succeed, with `input` on its standard input; what it wrote on standard output.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "{}: {}",
            command.get_program().display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Sends a signal to a process by its number here.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("there is no process 0")?;
    kill_process(pid, signal).with_context(|| format!("cannot send {signal:?} to {pid}"))
}

/// The numbers of all processes that are seen here.
#[must_use]
pub fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The number here of the process that is `inside` in the PID namespace of `init`: see `NSpid` in `proc_pid_status(5)`.
#[must_use]
pub fn outside_number(init: u32, inside: u32) -> Option<u32> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = namespace(init)?;
    pids().into_iter().find(|&pid| {
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
            return false;
        };
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let last = numbers.and_then(|numbers| numbers.split_ascii_whitespace().next_back());
        last.and_then(|number| number.parse().ok()) == Some(inside) && namespace(pid) == Some(wanted.clone())
    })
}

/// The program that a process runs, by its short name.
#[must_use]
pub fn name(pid: u32) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("comm")).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_as_shells_do() {
        let (code, _) = outcome(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap();
        assert_eq!(code, 137);
    }

    #[test]
    fn the_two_outputs_are_told_apart() {
        let told = said(Command::new("sh").args(["-c", "echo a; echo b >&2; exit 4"])).unwrap();
        let expected = Said {
            code: 4,
            out: "a\n".to_owned(),
            err: "b\n".to_owned(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn a_program_that_fails_says_why() {
        let error = run("sh", &["-c", "echo no; exit 3"]).unwrap_err().to_string();
        assert!(error.contains("exit code 3: no"), "{error}");
    }

    #[test]
    fn input_is_fed() {
        assert_eq!(feed(&mut Command::new("cat"), "a\n").unwrap(), "a\n");
    }

    #[test]
    fn this_process_is_found_by_its_own_number() {
        let own = std::process::id();
        assert_eq!(outside_number(own, own), Some(own));
    }
}
