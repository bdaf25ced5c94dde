//! Finding Helm and running it on charts, offline.
//!
//! No version of Helm is preferred: whoever asks gets all that are there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The Kubernetes that templates are rendered for: the one that `cluster/` runs.
const KUBERNETES: &str = "1.35.4";

/// Why Helm could not be used; a refusal by Helm itself is [`Error::Refused`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No Helm on this machine.
    #[error(
        "no Helm found in {0}: set HELM to the path of one, or run `cluster/cluster build`, which compiles \
         Helm 4 and Helm 3 (about 5 minutes, once)"
    )]
    Missing(String),
    /// A program did not start, or a file could not be written.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
    /// Helm ended with an error; the text is what it said.
    #[error("helm said: {0}")]
    Refused(String),
}

/// One Helm.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    subcommand: Option<&'static str>,
    version: String,
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The chart that people install.
#[must_use]
pub fn opennebula() -> PathBuf {
    repository().join("charts/opennebula")
}

/// Every Helm that is here: those that `HELM` names, as PATH does, else those that `cluster/cluster build` made.
pub fn installed() -> Result<Vec<Helm>, Error> {
    let mut candidates = Vec::new();
    let place = if let Some(named) = std::env::var_os("HELM") {
        candidates.extend(std::env::split_paths(&named).map(|program| (program, None)));
        format!("HELM={}", named.display())
    } else {
        let folder = programs()?;
        for (name, subcommand) in [("kube", Some("helm")), ("helm3", None)] {
            let program = folder.join(name);
            if program.exists() {
                candidates.push((program, subcommand));
            }
        }
        folder.display().to_string()
    };
    if candidates.is_empty() {
        return Err(Error::Missing(place));
    }
    candidates
        .into_iter()
        .map(|(program, subcommand)| {
            let nameless = Helm {
                program,
                subcommand,
                version: String::new(),
            };
            let version = nameless.say(&["version", "--short"])?.trim().to_owned();
            Ok(Helm { version, ..nameless })
        })
        .collect()
}

/// Where `cluster/cluster build` puts its programs.
pub(crate) fn programs() -> Result<PathBuf, Error> {
    let mut question = Command::new(repository().join("cluster/cluster"));
    question.arg("bin");
    let answer = run(&mut question)?;
    Ok(PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim()))
}

impl Helm {
    /// Its version, as it says: `v4.1.4`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The manifests of a chart, hooks and tests included, in Helm's order.
    pub fn template(&self, chart: &Path, release: &str, values: &Value) -> Result<String, Error> {
        self.with_values(
            &[
                "template",
                release,
                &chart.display().to_string(),
                "--kube-version",
                KUBERNETES,
            ],
            values,
        )
    }

    /// What a user reads after the installation. Helm 3 asks a cluster even for this, so here it is Helm 4 only.
    pub fn notes(&self, chart: &Path, release: &str, values: &Value) -> Result<String, Error> {
        let chart = chart.display().to_string();
        let all = self.with_values(&["install", release, &chart, "--dry-run=client"], values)?;
        Ok(all
            .split_once("NOTES:\n")
            .map_or_else(String::new, |(_, notes)| notes.to_owned()))
    }

    /// Runs Helm with a file of values.
    pub fn with_values(&self, arguments: &[&str], values: &Value) -> Result<String, Error> {
        let failed = |error| Error::Io("a temporary file for the values".to_owned(), error);
        let mut file = tempfile::Builder::new()
            .suffix(".json")
            .tempfile()
            .map_err(failed)?;
        file.write_all(values.to_string().as_bytes()).map_err(failed)?;
        let path = file.path().display().to_string();
        self.say(&[arguments, &["--values", &path]].concat())
    }

    /// Runs Helm and returns what it printed.
    pub fn say(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(&self.program);
        command
            .args(self.subcommand)
            .args(arguments)
            .env("KUBECONFIG", "/dev/null");
        let output = run(&mut command)?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Error::Refused(
                [output.stdout, output.stderr]
                    .map(|text| String::from_utf8_lossy(&text).into_owned())
                    .concat(),
            ))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests wait for Helm and promtool here; onepod's reaper is not in this process"
)]
pub(crate) fn run(command: &mut Command) -> Result<Output, Error> {
    command
        .output()
        .map_err(|error| Error::Io(command.get_program().display().to_string(), error))
}
