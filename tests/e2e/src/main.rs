//! The scenarios on a real cluster: what a user does with the chart, from `helm install` to `helm uninstall`.
//!
//! By hand, on any cluster whose node holds the images under the chart's default names:
//!
//! ```text
//! cargo run -p e2e -- --kubeconfig ~/.kube/config --helm /usr/local/bin/helm --report target/e2e.md
//! ```
//!
//! It needs Helm, a Python 3 that can make virtual environments (pyone comes from `PyPI` into `--venv`), `timeout` of
//! coreutils and, for the steps of the Ingress, an ingress controller at `--ingress` (port 30080 of the first
//! node by default). Everything happens in a namespace of its own, which is deleted at the end; with `--keep` it is
//! left for a look when a step failed. The last lines are a table of the steps with their seconds, then `N passed, N failed`; the exit status is 1
//! when a step failed or could not be tried. A step that needs what the cluster lacks is "not possible here" and counts as neither.
//!
//! It does not build images, load them, or start a cluster: that is xtask's job.

mod apply;
mod browser;
mod cluster;
mod diagnostics;
mod forward;
mod helm;
mod http;
mod needs;
mod pod;
mod process;
mod progress;
mod python;
mod report;
mod scenario;
mod secrecy;
mod session;
mod settings;
mod wait;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::settings::Settings;

fn main() -> ExitCode {
    let settings = Settings::parse();
    match run(&settings) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress::say(&format!("e2e: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every step passed; an error says that the scenario could not begin.
fn run(settings: &Settings) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let report = runtime.block_on(scenario::play(settings))?;
    progress::say(&report.to_string());
    if let Some(path) = &settings.report {
        std::fs::write(path, report.to_string())
            .with_context(|| format!("cannot write the report to {}", path.display()))?;
    }
    Ok(report.passed())
}
