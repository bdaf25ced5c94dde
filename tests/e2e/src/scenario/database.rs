//! A wrong database password, as after a mistake in a Secret: it is said, and mending the Secret is enough.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::world::{FRONT_END_POD, HEALTH_PORT, World};
use super::{api, install};
use crate::pod::{is_ready, pod_state, restarts};
use crate::wait::{Look, until};

const SECRET: &str = "opennebula-mariadb";
const KEY: &str = "password";
const WRONG: &str = "NotThePasswordOfTheDatabase42";
/// The kubelet brings a changed Secret into a running pod within its sync period and cache, about 90 s by default.
const SECRET_ARRIVES: Duration = Duration::from_mins(4);

/// The pod waits, `/readyz` and the log say why without the password, and it becomes ready by itself when the Secret is
/// mended: the same pod, the same container.
pub(super) async fn wrong_password(world: &mut World) -> Result<String> {
    let right = world.cluster.secret(SECRET, KEY).await?;
    set_password(world, WRONG).await?;
    world.learn_secrets().await;
    let mut outcome = recover(world, &right).await;
    if outcome.is_ok()
        && let Err(error) = install::secrecy(world).await
    {
        outcome = Err(error);
    }
    // Whatever came of it, the steps after this one need the database.
    set_password(world, &right).await?;
    outcome
}

async fn recover(world: &World, right: &str) -> Result<String> {
    let old = world.front_end().await?.metadata.uid;
    world
        .cluster
        .api::<Pod>()
        .delete(FRONT_END_POD, &DeleteParams::default())
        .await?;
    let (pod, reason) = until(
        "a pod that says what is wrong",
        Duration::from_mins(3),
        async || {
            let Some(pod) = world
                .cluster
                .pod(FRONT_END_POD)
                .await?
                .filter(|pod| pod.metadata.uid != old)
            else {
                return Ok(Look::NotYet("no new pod yet".to_owned()));
            };
            ensure!(!is_ready(&pod), "the pod is ready with a wrong database password");
            Ok(
                match world.cluster.get(FRONT_END_POD, HEALTH_PORT, "/readyz").await {
                    Ok(answer) if answer.status == 503 && answer.body.contains("DB_PASSWORD") => {
                        Look::Seen((pod, answer.body))
                    }
                    Ok(answer) => Look::NotYet(format!("/readyz {}: {}", answer.status, answer.body.trim())),
                    Err(_) => Look::NotYet(pod_state(&pod)),
                },
            )
        },
    )
    .await?;
    // A line takes a moment from the pod's standard output through the container runtime.
    let said = until("the same in the log", Duration::from_secs(30), async || {
        let logs = world.cluster.logs(&pod, None).await;
        let line = logs
            .values()
            .flat_map(|log| log.lines())
            .find(|line| line.contains("DB_PASSWORD"));
        Ok(line.map_or_else(
            || Look::NotYet("not there".to_owned()),
            |line| Look::Seen(line.to_owned()),
        ))
    })
    .await?;
    ensure!(
        !reason.contains(WRONG) && !said.contains(WRONG),
        "the password itself is shown"
    );
    crate::progress::note(&format!("/readyz: {}", reason.trim()));
    crate::progress::note(&format!("log: {said}"));

    set_password(world, right).await?;
    let start = Instant::now();
    let mended = until("the same pod ready", SECRET_ARRIVES, async || {
        let pod = world.front_end().await?;
        Ok(if is_ready(&pod) {
            Look::Seen(pod)
        } else {
            Look::NotYet(pod_state(&pod))
        })
    })
    .await?;
    let took = start.elapsed();
    ensure!(mended.metadata.uid == pod.metadata.uid, "it is another pod");
    ensure!(
        restarts(&mended) == 0,
        "its container was started {} times more",
        restarts(&mended)
    );
    Ok(format!(
        "ready {:.1} s after the Secret was mended; {}",
        took.as_secs_f64(),
        api::known(world).await?
    ))
}

async fn set_password(world: &World, password: &str) -> Result<()> {
    let patch = json!({"stringData": {KEY: password}});
    world
        .cluster
        .api::<Secret>()
        .patch(SECRET, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .with_context(|| format!("cannot change Secret {SECRET}"))?;
    Ok(())
}
