//! The chart without Helm's hooks: rendered, applied, and applied again with changes, as Argo CD and Flux do.

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::api;
use super::world::World;
use crate::apply::{self, Mode};

/// A plain Job, and nothing of Helm's.
fn values() -> Value {
    json!({"secretsJob": {"hook": false}})
}

/// Everything at once: the pods wait for what the Job makes.
pub(super) async fn apply(world: &mut World) -> Result<String> {
    world.cluster.make_namespace().await?;
    let start = Instant::now();
    let taken = bring(world, &values()).await?;
    let pods = world.all_ready().await?;
    let took = start.elapsed();
    world.learn_secrets().await;
    Ok(format!(
        "{taken} objects, {pods} pods ready after {:.1} s, {} generated values; {}",
        took.as_secs_f64(),
        world.needles.names().len(),
        api::login(world).await?
    ))
}

/// The same again changes nothing; with another Job beside, which cannot be changed in place, no Secret changes either.
pub(super) async fn again(world: &mut World) -> Result<String> {
    let secrets = world.cluster.secrets().await?;
    let pod = world.front_end().await?.metadata.uid;
    let jobs = jobs(world).await?;
    bring(world, &values()).await?;
    ensure!(
        self::jobs(world).await? == jobs,
        "the same manifests made another Job"
    );
    let mut changed = values();
    changed["secretsJob"]["resources"] = json!({"requests": {"cpu": "20m", "memory": "32Mi"}});
    bring(world, &changed).await?;
    let after = self::jobs(world).await?;
    ensure!(
        after.len() == jobs.len() + 1,
        "Jobs before {jobs:?}, after {after:?}"
    );
    world.all_ready().await?;
    let kept = world.cluster.secrets().await?;
    ensure!(
        secrets
            .iter()
            .map(|secret| &secret.data)
            .eq(kept.iter().map(|secret| &secret.data)),
        "a Secret changed"
    );
    ensure!(
        world.front_end().await?.metadata.uid == pod,
        "the front-end's pod was replaced though nothing of it changed"
    );
    Ok(format!("Jobs {}; same Secrets, same pod", after.join(", ")))
}

async fn bring(world: &World, values: &Value) -> Result<usize> {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    file.write_all(values.to_string().as_bytes())
        .context("cannot write the values")?;
    let manifests = world.helm.template_without_hooks(file.path()).await?;
    let applied = apply::apply(
        world.cluster.client(),
        world.cluster.namespace(),
        &manifests,
        Mode::Real,
    )
    .await?;
    ensure!(applied.unknown.is_empty(), "unknown kinds: {:?}", applied.unknown);
    Ok(applied.taken)
}

async fn jobs(world: &World) -> Result<Vec<String>> {
    let mut names: Vec<_> = world
        .cluster
        .list::<Job>()
        .await?
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    names.sort();
    Ok(names)
}
