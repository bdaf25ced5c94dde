//! A password that changes in the Secret of a running front-end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::api;
use super::world::{FRONT_END_POD, PASSWORD, World};
use crate::pod::{is_ready, restarts};
use crate::wait::{Look, until};

const NEW: &str = "AnotherPasswordOfOneadmin7";
/// The kubelet brings a changed Secret into a running pod within its sync period and cache, about 90 s by default; onepod
/// reads the files every 10 s.
const ARRIVES: Duration = Duration::from_mins(5);

/// Oneadmin's password changes in the Secret: the new one opens the API, the old one does not, and neither the pod nor its
/// container nor oned was started again. The chart's own password is put back afterwards in the same way.
pub(super) async fn oneadmin_password(world: &mut World) -> Result<String> {
    let old = world.cluster.secret(PASSWORD.0, PASSWORD.1).await?;
    let there = rotate(world, &old, NEW).await?;
    let back = rotate(world, NEW, &old).await?;
    Ok(format!(
        "good after {there:.0} s, back after {back:.0} s, same container, same oned; {}",
        api::known(world).await?
    ))
}

/// Seconds until `new` is good, the kubelet's own part included.
async fn rotate(world: &mut World, old: &str, new: &str) -> Result<f64> {
    let before = world.front_end().await?;
    let oned = world.status().await?.service("oned")?.pid;
    let patch = json!({"stringData": {PASSWORD.1: new}});
    world
        .cluster
        .api::<Secret>()
        .patch(PASSWORD.0, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .with_context(|| format!("cannot change Secret {}", PASSWORD.0))?;
    world.learn_secrets().await;
    let start = Instant::now();
    hurry(world).await?;
    until("a login with the new password", ARRIVES, async || {
        Ok(match api::login(world).await {
            Ok(_) => Look::Seen(()),
            Err(_) => Look::NotYet("refused".to_owned()),
        })
    })
    .await?;
    let took = start.elapsed().as_secs_f64();
    ensure!(
        world
            .pyone_with::<serde_json::Value>(old, &["login"])
            .await
            .is_err(),
        "the old password still opens the API"
    );
    let after = until("the pod ready", Duration::from_mins(1), async || {
        let pod = world.front_end().await?;
        Ok(if is_ready(&pod) {
            Look::Seen(pod)
        } else {
            Look::NotYet(format!("{FRONT_END_POD} is not ready"))
        })
    })
    .await?;
    ensure!(after.metadata.uid == before.metadata.uid, "it is another pod");
    ensure!(
        restarts(&after) == restarts(&before),
        "the container was started again"
    );
    ensure!(
        world.status().await?.service("oned")?.pid == oned,
        "oned was started again"
    );
    Ok(took)
}

/// The kubelet looks at a pod's volumes every minute or so, and at once when the pod was changed: any annotation does.
async fn hurry(world: &World) -> Result<()> {
    let moment = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_millis();
    let patch = json!({"metadata": {"annotations": {"e2e/secret-changed": moment.to_string()}}});
    world
        .cluster
        .api::<Pod>()
        .patch(FRONT_END_POD, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .with_context(|| format!("cannot annotate pod {FRONT_END_POD}"))?;
    Ok(())
}
