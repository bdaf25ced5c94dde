//! `onepod status`.

use std::process::ExitCode;

/// Arguments of `onepod status`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
