//! What happens to pods and processes in real life: they are deleted and killed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;

use super::world::{CONTAINER, FRONT_END_POD, HEALTH_PORT, World};
use super::{api, install};
use crate::pod::{is_ready, restarts};
use crate::wait::{Look, until};

/// A file where users put image files: it is on the volume, or nothing there is.
const MARK: &str = "/var/lib/one/datastores/1/e2e";

/// The pod is deleted: its successor finds everything, every service logs in as before, and no Secret changed.
pub(super) async fn delete_pod(world: &mut World) -> Result<String> {
    let marked = run(world, &format!("echo marked > {MARK} && cat {MARK}")).await?;
    ensure!(marked == "marked\n", "{MARK} has {marked:?}");
    let old = world.front_end().await?.metadata.uid;
    let secrets = world.cluster.secrets().await?;
    let start = Instant::now();
    world
        .cluster
        .api::<Pod>()
        .delete(FRONT_END_POD, &DeleteParams::default())
        .await?;
    let pod = world.successor(old.as_deref()).await?;
    let took = start.elapsed();
    ensure!(
        restarts(&pod) == 0,
        "its container was started {} times more",
        restarts(&pod)
    );
    let found = run(world, &format!("cat {MARK}")).await?;
    ensure!(found == marked, "{MARK} has {found:?}");
    // The services' own credentials were on the volume too: FireEdge's login shows it.
    install::test(world).await?;
    let known = api::known(world).await?;
    ensure!(world.cluster.secrets().await? == secrets, "a Secret changed");
    Ok(format!("ready again after {:.1} s; {known}", took.as_secs_f64()))
}

/// `kill -9` of oned leaves its lock file; onepod starts it again in the same container, and no login fails then.
pub(super) async fn kill_oned(world: &mut World) -> Result<String> {
    let before = world.front_end().await?;
    let oned = world.status().await?.service("oned")?.clone();
    let pid = oned.pid.context("/status gives no pid of oned")?;
    let start = Instant::now();
    run(world, &format!("kill -9 {pid}")).await?;

    until("another oned, ready", Duration::from_mins(2), async || {
        let status = match world.status().await {
            Ok(status) => status,
            Err(error) => return Ok(Look::not_yet(error)),
        };
        let now = status.service("oned")?;
        let other = now.pid.is_some_and(|now| now != pid) && now.restarts > oned.restarts;
        if other && now.state == "ready" && status.ready {
            return Ok(Look::Seen(()));
        }
        Ok(Look::NotYet(format!("oned is {}", now.state)))
    })
    .await?;
    let took = start.elapsed();
    let answer = world.cluster.get(FRONT_END_POD, HEALTH_PORT, "/readyz").await?;
    ensure!(
        answer.status == 200,
        "/status says ready, /readyz {} {}",
        answer.status,
        answer.body
    );
    let logins = api::logins(world, 30).await?;

    let after = until("the pod ready", Duration::from_mins(1), async || {
        let pod = world.front_end().await?;
        Ok(if is_ready(&pod) {
            Look::Seen(pod)
        } else {
            Look::NotYet("not ready".to_owned())
        })
    })
    .await?;
    ensure!(after.metadata.uid == before.metadata.uid, "it is another pod");
    ensure!(
        restarts(&after) == restarts(&before),
        "the container was started again"
    );
    Ok(format!(
        "back after {:.1} s; {logins}; {}",
        took.as_secs_f64(),
        api::known(world).await?
    ))
}

/// Runs a line of shell in the front-end's container; gives what it printed.
async fn run(world: &World, line: &str) -> Result<String> {
    let done = world
        .cluster
        .exec(FRONT_END_POD, CONTAINER, &["sh", "-c", line])
        .await?;
    ensure!(done.success, "{line}: {}", done.output);
    Ok(done.output)
}
