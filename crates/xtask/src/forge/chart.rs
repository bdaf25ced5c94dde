//! The packaged chart to an OCI registry, unless its version is there: a published version never changes. It is named all the
//! same, so that a run that failed after the push can be finished by another.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::registry::Repository;
use crate::release::chart::version_of;
use crate::repo::Repo;
use crate::sh::cmd;

/// Pushes `FOLDER/opennebula-VERSION.tgz` to `oci://REGISTRY/PATH`; the reference with its digest. Credentials are those of
/// `docker login`.
pub(crate) fn push(repo: &Repo, helm: &Path, folder: &Path, target: &str) -> Result<String> {
    let place = target
        .strip_prefix("oci://")
        .with_context(|| format!("\"{target}\" must be such as oci://ghcr.io/owner/charts"))?;
    let chart = repo.root.join("charts/opennebula/Chart.yaml");
    let text = std::fs::read_to_string(&chart).with_context(|| chart.display().to_string())?;
    let version = version_of(&text)?.to_string();
    let repository = Repository::open(repo, &format!("{place}/opennebula").parse()?)?;
    if let Some(digest) = repository.digest(&version)? {
        return Ok(repository.by_digest(&digest));
    }
    let package = folder.join(format!("opennebula-{version}.tgz"));
    // crane, too, speaks with this machine without TLS.
    let plain = place.starts_with("127.0.0.1:").then_some("--plain-http");
    cmd(helm)
        .arg("push")
        .args(plain)
        .arg(&package)
        .arg(target)
        .run(&repo.logs().join("chart-push.log"))?;
    let digest = repository.digest(&version)?;
    Ok(repository.by_digest(&digest.with_context(|| format!("{target} lacks {version} after its push"))?))
}
