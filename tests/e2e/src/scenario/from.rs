//! From the last release to this one: its published chart with its published image, then `helm upgrade` to this chart with
//! this image. What a user had is still there afterwards.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use super::api;
use super::world::World;
use crate::pod::restarts;

/// The tag of this run's image on the node; the release's own tag is the published image's.
const TAG: &str = "e2e";

/// The last release, with the image from the registry though the node may have another of its name.
pub(super) async fn install(world: &mut World) -> Result<String> {
    world.cluster.make_namespace().await?;
    let start = Instant::now();
    world.install(&json!({"image": {"pullPolicy": "Always"}})).await?;
    let pods = world.all_ready().await?;
    world.learn_secrets().await;
    Ok(format!(
        "{pods} pods ready after {:.1} s",
        start.elapsed().as_secs_f64()
    ))
}

/// This chart and this image on what the last release left: another pod, no start more than one, the same host and VM.
pub(super) async fn upgrade(world: &mut World) -> Result<String> {
    let old = world.front_end().await?.metadata.uid;
    let start = Instant::now();
    world
        .upgrade(&json!({"image": {"tag": TAG, "pullPolicy": "Never"}}))
        .await?;
    let pod = world.successor(old.as_deref()).await?;
    ensure!(
        restarts(&pod) == 0,
        "its container was started {} times more",
        restarts(&pod)
    );
    world.all_ready().await?;
    Ok(format!(
        "ready again after {:.1} s; {}",
        start.elapsed().as_secs_f64(),
        api::known(world).await?
    ))
}
