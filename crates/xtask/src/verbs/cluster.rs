//! `cluster`: the cluster script with the settings of `up`'s cluster.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::repo::Repo;

pub(crate) fn run(repo: &Repo, args: &[OsString]) -> Result<ExitCode> {
    let status = Cluster::of_up(repo).script(args).show()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
