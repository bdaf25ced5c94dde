//! The database's troubles: a wrong password, as after a mistake in a Secret; a server that goes away, or that is not
//! there yet. Each is said where an operator looks, and ends by itself when its cause does.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::world::{FRONT_END_POD, HEALTH_PORT, World};
use super::{api, install};
use crate::pod::{is_ready, pod_state, restarts};
use crate::progress::note;
use crate::wait::{Look, until};

/// The database's StatefulSet, its pod, and where it is reached.
const SERVER: (&str, &str, &str) = (
    "opennebula-mariadb",
    "opennebula-mariadb-0",
    "opennebula-mariadb:3306",
);
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
    let (pod, reason) = restart_until(world, "DB_PASSWORD").await?;
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
    note(&format!("/readyz: {}", reason.trim()));
    note(&format!("log: {said}"));

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

/// The database goes away under a running front-end: not ready, but neither oned nor the container is started again,
/// and with the database everything is back.
pub(super) async fn lost_and_back(world: &mut World) -> Result<String> {
    let before = world.front_end().await?;
    let oned = world.status().await?.service("oned")?.pid;
    set_servers(world, 0).await?;
    let start = Instant::now();
    let reason = until("/readyz that says so", Duration::from_mins(2), async || {
        let answer = world.cluster.get(FRONT_END_POD, HEALTH_PORT, "/readyz").await?;
        Ok(match answer.status {
            503 => Look::Seen(answer.body),
            status => Look::NotYet(format!("/readyz {status}")),
        })
    })
    .await;
    let noticed = start.elapsed();
    set_servers(world, 1).await?;
    note(&format!("/readyz: {}", reason?.trim()));
    world.all_ready().await?;
    until("/readyz 200 again", Duration::from_mins(1), async || {
        let answer = world.cluster.get(FRONT_END_POD, HEALTH_PORT, "/readyz").await?;
        Ok(if answer.status == 200 {
            Look::Seen(())
        } else {
            Look::NotYet(answer.body)
        })
    })
    .await?;
    let after = world.front_end().await?;
    ensure!(after.metadata.uid == before.metadata.uid, "it is another pod");
    ensure!(
        restarts(&after) == restarts(&before),
        "the container was started again"
    );
    ensure!(
        world.status().await?.service("oned")?.pid == oned,
        "oned was started again"
    );
    Ok(format!(
        "noticed after {:.1} s, same oned; {}",
        noticed.as_secs_f64(),
        api::known(world).await?
    ))
}

/// No database when the front-end starts: it waits, names the address, and starts when the database is there.
pub(super) async fn absent_at_start(world: &mut World) -> Result<String> {
    set_servers(world, 0).await?;
    let waiting = wait_without_database(world).await;
    set_servers(world, 1).await?;
    let start = Instant::now();
    let waiting = waiting?;
    world.all_ready().await?;
    let took = start.elapsed();
    let pod = world.front_end().await?;
    ensure!(pod.metadata.uid == waiting.metadata.uid, "it is another pod");
    ensure!(
        restarts(&pod) == 0,
        "its container was started {} times more",
        restarts(&pod)
    );
    Ok(format!(
        "ready {:.1} s after the database was started; {}",
        took.as_secs_f64(),
        api::known(world).await?
    ))
}

async fn wait_without_database(world: &World) -> Result<Pod> {
    until("end of the database", Duration::from_mins(3), async || {
        Ok(match world.cluster.pod(SERVER.1).await? {
            None => Look::Seen(()),
            Some(pod) => Look::NotYet(pod_state(&pod)),
        })
    })
    .await?;
    let (pod, reason) = restart_until(world, SERVER.2).await?;
    note(&format!("/readyz: {}", reason.trim()));
    Ok(pod)
}

async fn set_servers(world: &World, replicas: i32) -> Result<()> {
    let patch = json!({"spec": {"replicas": replicas}});
    let sets = world.cluster.api::<StatefulSet>();
    sets.patch_scale(SERVER.0, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .with_context(|| format!("cannot scale {}", SERVER.0))?;
    Ok(())
}

/// Deletes the front-end's pod; gives the one in its place, and its `/readyz`, when that is 503 and contains `words`.
async fn restart_until(world: &World, words: &str) -> Result<(Pod, String)> {
    let old = world.front_end().await?.metadata.uid;
    world
        .cluster
        .api::<Pod>()
        .delete(FRONT_END_POD, &DeleteParams::default())
        .await?;
    until(
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
            ensure!(!is_ready(&pod), "the pod is ready without its database");
            Ok(
                match world.cluster.get(FRONT_END_POD, HEALTH_PORT, "/readyz").await {
                    Ok(answer) if answer.status == 503 && answer.body.contains(words) => {
                        Look::Seen((pod, answer.body))
                    }
                    Ok(answer) => Look::NotYet(format!("/readyz {}: {}", answer.status, answer.body.trim())),
                    Err(_) => Look::NotYet(pod_state(&pod)),
                },
            )
        },
    )
    .await
}
