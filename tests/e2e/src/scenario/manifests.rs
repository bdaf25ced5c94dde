//! What the chart renders for each file of values in its folder `ci`, judged by the API server: strict fields, defaults,
//! validation, admission. Nothing of it is kept.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::world::World;
use crate::apply::{self, Mode};
use crate::progress::note;

/// Their definitions cannot be had from package registries; where an operator is installed, they are judged as well.
const MAY_BE_UNKNOWN: [&str; 1] = ["k8s.mariadb.com/"];

/// Every object of every file is taken by a dry run.
pub(super) async fn judged(world: &mut World) -> Result<String> {
    world.cluster.make_namespace().await?;
    let files = files(world)?;
    let (mut taken, mut unknown) = (0, BTreeSet::new());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let manifests = world.helm.template(file).await?;
        let applied = apply::apply(
            world.cluster.client(),
            world.cluster.namespace(),
            &manifests,
            Mode::DryRun,
        )
        .await
        .with_context(|| format!("with {name}"))?;
        note(&format!("{name}: {} objects", applied.taken));
        taken += applied.taken;
        unknown.extend(applied.unknown);
    }
    ensure!(
        unknown
            .iter()
            .all(|kind| MAY_BE_UNKNOWN.iter().any(|group| kind.contains(group))),
        "the cluster does not know {unknown:?}"
    );
    let unknown: Vec<_> = unknown.into_iter().collect();
    Ok(format!(
        "{} files, {taken} objects{}",
        files.len(),
        if unknown.is_empty() {
            String::new()
        } else {
            format!("; not known here: {}", unknown.join(", "))
        }
    ))
}

fn files(world: &World) -> Result<Vec<PathBuf>> {
    let folder = world.helm.chart().join("ci");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        files.push(entry?.path());
    }
    files.sort();
    ensure!(
        files.len() > 5,
        "only {} files in {}",
        files.len(),
        folder.display()
    );
    Ok(files)
}
