//! `onepod check`.

use std::process::ExitCode;

/// Arguments of `onepod check`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
#[must_use]
pub fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
