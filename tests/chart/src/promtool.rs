//! Finding Prometheus' `promtool` and running it, which knows the whole language of the alerts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helm::{self, repository};

/// Why promtool was of no use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be run.
    #[error(transparent)]
    NotRun(#[from] helm::Error),
    /// It ended with an error; the text is what it said.
    #[error("promtool said: {0}")]
    Refused(String),
}

/// The one that `PROMTOOL` names, else the one in `PATH` (Debian and Ubuntu: package prometheus); none is no mistake.
#[must_use]
pub fn installed() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PROMTOOL") {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("promtool"))
        .find(|program| program.exists())
}

/// Runs it in the root of the repository; what it refuses is an error.
pub fn run(program: &Path, arguments: &[&str]) -> Result<(), Error> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository());
    let output = helm::run(&mut command)?;
    if output.status.success() {
        Ok(())
    } else {
        Err(Error::Refused(
            [output.stdout, output.stderr]
                .map(|text| String::from_utf8_lossy(&text).into_owned())
                .concat(),
        ))
    }
}
