//! pyone, the client that is not ours: its virtual environment, and calls of `scripts/one.py`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use crate::process::Call;
use crate::progress;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/requirements.txt");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/one.py");

/// The script has deadlines of its own; this ends it when even those do not.
const LIMIT: Duration = Duration::from_mins(15);

/// A Python that has pyone.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    program: PathBuf,
}

impl Python {
    /// Makes the virtual environment if it is not there, and installs what `requirements.txt` pins.
    pub(crate) async fn prepare(python: &Path, venv: &Path) -> Result<Self> {
        let program = venv.join("bin/python");
        if !program.exists() {
            progress::say(&format!(
                "Making a virtual environment for pyone in {}",
                venv.display()
            ));
            Call::new(python, LIMIT)
                .args(["-m".into(), "venv".into(), venv.to_owned()])
                .run()
                .await
                .context(
                    "cannot make a virtual environment (Debian and Ubuntu: apt-get install python3-venv)",
                )?;
        }
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            REQUIREMENTS,
        ];
        Call::new(&program, LIMIT)
            .args(pip)
            .run()
            .await
            .context("cannot install pyone from PyPI")?;
        Ok(Self { program })
    }

    /// Runs a verb of the script against a forwarded port, as `user:password` of `session`.
    pub(crate) async fn one<T: DeserializeOwned>(
        &self,
        api: SocketAddr,
        session: &str,
        verb: &[&str],
    ) -> Result<T> {
        let mut file = tempfile::NamedTempFile::new().context("cannot make the session's file")?;
        writeln!(file, "{session}")?;
        let answer = Call::new(&self.program, LIMIT)
            .args([
                SCRIPT,
                "--endpoint",
                &format!("http://{api}/RPC2"),
                "--session-file",
            ])
            .args([file.path()])
            .args(verb.iter().copied())
            .showing_progress()
            .run()
            .await?;
        serde_json::from_str(&answer).with_context(|| format!("one.py answered {answer:?}"))
    }
}
