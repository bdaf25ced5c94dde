//! `onepod run`: settings, stages, supervision, stop.

use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `onepod run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory under which every path lies; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Prepares and supervises until a signal ends it.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
