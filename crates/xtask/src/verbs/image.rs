//! `image`: builds the images of the offline cluster, and stops there.

use std::process::ExitCode;

use anyhow::Result;

use crate::progress::Progress;
use crate::repo::Repo;
use crate::{apt, machine, platform};

pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    let mut progress = Progress::start();
    progress.step("machine", || machine::check(repo))?;
    progress.step("packages of the system", || apt::install(repo, &[apt::CLUSTER]))?;
    platform::build(repo, &mut progress)?;
    Ok(ExitCode::SUCCESS)
}
