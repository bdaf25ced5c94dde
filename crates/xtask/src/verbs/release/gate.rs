//! `release gate`: whether a library in one of the vendor's packages would stop a release.

use std::process::ExitCode;

use anyhow::Result;

use super::ignores::today;
use crate::progress;
use crate::release::gate::prove;
use crate::repo::Repo;

pub(crate) fn run(repo: &Repo) -> Result<ExitCode> {
    for seen in prove(repo, today())? {
        progress::say(&seen);
    }
    Ok(ExitCode::SUCCESS)
}
