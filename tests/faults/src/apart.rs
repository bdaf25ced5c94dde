//! One part of a suite in namespaces of its own: the suite's program calls itself inside of them, with the words
//! `inside NAME` at the end, and the last line of what that writes says how it went. What a part does is not known here.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::namespaces;
use crate::process::Running;
use crate::wait::{Look, until};

/// Mark of the last line of a part that ended as it must; the rest of the line says what was seen.
pub const SEEN: &str = "seen: ";
/// The same for one that ended otherwise.
pub const FAILED: &str = "failed: ";

/// Tries one part; gives what was seen. Whatever it started ends with it: its PID 1 is killed when this thread or the
/// suite ends, or when it has taken too long. Its log is `NAME.log` in `work`, its folder `NAME`, which is emptied before.
pub fn attempt(work: &Path, name: &str, arguments: &[OsString], longest: Duration) -> Result<String> {
    let log = work.join(format!("{name}.log"));
    fs::create_dir_all(work)?;
    let dir = work.join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    }
    let file = File::create(&log).with_context(|| log.display().to_string())?;
    let mut command = namespaces::command();
    command
        .arg(std::env::current_exe()?)
        .args(arguments)
        .args(["inside", name])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let mut inside = Running::start(&mut command)?;
    let start = Instant::now();
    let ended = until(&format!("the end of {name}"), longest, || {
        Ok(inside.ended()?.map_or_else(
            || Look::NotYet(format!("{} s", start.elapsed().as_secs())),
            Look::Seen,
        ))
    });
    inside.kill();
    let text = fs::read_to_string(&log).unwrap_or_default();
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    if let Some(seen) = last.strip_prefix(SEEN) {
        return Ok(seen.to_owned());
    }
    let code = ended?;
    match last.strip_prefix(FAILED) {
        Some(why) => bail!("{why} ({})", log.display()),
        None => bail!("it ended with {code}: {last} ({})", log.display()),
    }
}

/// Without line breaks, as the last line needs it.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_is_one_line() {
        assert_eq!(one_line(" not\n  ready\t yet "), "not ready yet");
    }
}
