//! `onepod layout`: directories and configuration files on the pod's volumes, for an init container without the mounts that
//! lie in them. A container runtime would make the parent directories of such a mount as root. Starts nothing.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{complain, say};
use crate::board::Board;
use crate::paths::Paths;
use crate::prepare::layout;

/// Arguments of `onepod layout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory under which every path lies; another one than / is for tests
    #[arg(long, default_value = "/", hide = true)]
    pub root: PathBuf,
}

/// Runs the verb.
pub async fn run(args: Args) -> ExitCode {
    match lay_out(&Paths::new(args.root)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// Makes directories and files and prints what was moved aside, unless a front-end runs in this container: it reads the
/// files that would be made anew.
pub(super) async fn lay_out(paths: &Paths) -> Result<(), String> {
    if UnixStream::connect(paths.control()).is_ok() {
        return Err(
            "onepod runs in this container, and /etc/one belongs to it: nothing was changed".to_owned(),
        );
    }
    let board = Board::new();
    let stage = board.stage("layout");
    layout::volumes(paths, &stage)
        .await
        .map_err(|error| format!("layout: {error}"))?;
    for note in board.stages().into_iter().flat_map(|stage| stage.notes) {
        say(&format!("{note}\n"));
    }
    Ok(())
}
