//! `onepod secrets`.

use std::process::ExitCode;

/// Arguments of `onepod secrets`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
