//! Runs one program of the vendor to its end: in a process group of its own, its lines in the log under a name, within a
//! time limit.
//!
//! Whoever drops the future kills the group. Deliberately absent: restarts, and anything secret: arguments and environment
//! are there for everyone to read.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time;

use super::Tools;
use crate::reaper::{Exit, Reaper};
use crate::supervisor::capture::{Capture, Lines, Tail};

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of a program's last lines an error carries, in bytes.
const LONGEST: usize = 1500;

/// A program that could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The system does not execute it.
    #[error("cannot start {}: {source}", program.display())]
    Start {
        /// Which program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It took too long.
    #[error("{name} was killed, it had not ended after {} s{lines}", limit.as_secs())]
    TooLong {
        /// Its name in the log.
        name: String,
        /// What it had.
        limit: Duration,
        /// The last that it said.
        lines: String,
    },
    /// It ended in failure.
    #[error("{name} failed with {exit}{lines}")]
    Failed {
        /// Its name in the log.
        name: String,
        /// How it ended.
        exit: Exit,
        /// The last that it said.
        lines: String,
    },
}

/// One program with its arguments.
#[derive(Debug)]
pub(crate) struct Tool {
    /// Name of its lines in the log.
    pub(crate) name: &'static str,
    /// Absolute path.
    pub(crate) program: PathBuf,
    /// Nothing secret.
    pub(crate) arguments: Vec<OsString>,
    /// Beside `PATH` and `LANG`; nothing secret.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// How long it may take.
    pub(crate) limit: Duration,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    name: &'static str,
    /// How.
    pub(crate) exit: Exit,
    /// The last lines of both its streams.
    pub(crate) lines: Vec<String>,
}

impl Ended {
    /// An error unless it ended with 0.
    pub(crate) fn success(self) -> Result<(), ToolError> {
        if self.exit == Exit::Code(0) {
            return Ok(());
        }
        Err(ToolError::Failed {
            name: self.name.to_owned(),
            exit: self.exit,
            lines: last(&self.lines),
        })
    }
}

/// Runs the program and waits for its end, whatever that is.
pub(crate) async fn run(tools: &Tools, tool: Tool) -> Result<Ended, ToolError> {
    let mut command = Command::new(&tool.program);
    command
        .args(&tool.arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .envs(tools.identity.environment().iter().cloned())
        .envs(tool.environment)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let started = tools
        .reaper
        .spawn(&mut command)
        .map_err(|source| ToolError::Start {
            program: tool.program,
            source,
        })?;
    let group = Group {
        reaper: &tools.reaper,
        pid: started.pid,
    };
    let tail = Tail::default();
    let captures: Vec<_> = [started.stdout, started.stderr]
        .into_iter()
        .flatten()
        .filter_map(|pipe| {
            Capture::start(
                pipe,
                Lines::new(Arc::from(tool.name), tools.log.clone(), tail.clone()),
            )
            .ok()
        })
        .collect();
    let ended = time::timeout(tool.limit, started.exit).await;
    drop(group);
    captures.iter().for_each(Capture::drain);
    match ended {
        Ok(exit) => Ok(Ended {
            name: tool.name,
            // The reaper tells the end of everything that it has started.
            exit: exit.unwrap_or(Exit::Code(-1)),
            lines: tail.lines(),
        }),
        Err(_) => Err(ToolError::TooLong {
            name: tool.name.to_owned(),
            limit: tool.limit,
            lines: last(&tail.lines()),
        }),
    }
}

/// Kills the program's group when it goes; after the program's own end that reaches nobody.
struct Group<'a> {
    reaper: &'a Reaper,
    pid: Pid,
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        self.reaper.signal(self.pid, Signal::KILL);
    }
}

/// The end of what a program said, as the end of a sentence.
fn last(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
    {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n  {line}");
    }
    if text.is_empty() {
        return "; it said nothing".to_owned();
    }
    let begin = text.ceil_char_boundary(text.len().saturating_sub(LONGEST));
    format!("; its last lines:{}", text.get(begin..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_the_end_of_what_was_said() {
        assert_eq!(last(&[]), "; it said nothing");
        let lines = ["one".to_owned(), " ".to_owned(), "two".to_owned()];
        assert_eq!(last(&lines), "; its last lines:\n  one\n  two");
        let long: Vec<_> = (0..1000).map(|number| format!("line {number}")).collect();
        let text = last(&long);
        assert!(text.len() < LONGEST + 30 && text.ends_with("line 999"), "{text}");
    }
}
