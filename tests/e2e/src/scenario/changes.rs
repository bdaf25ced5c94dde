//! What operators change in the life of a release: a rollback, a volume that grows, an address that hypervisors are told,
//! maintenance.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::api;
use super::world::{CONTAINER, FRONT_END_POD, World};
use crate::pod::pod_state;
use crate::progress::note;
use crate::wait::{Look, until};

const CLAIM: &str = "opennebula-data";
const SIZE: &str = "23Gi";
/// A documentation address (RFC 5737): no hypervisor sends there.
const BALANCER: &str = "192.0.2.44";
const MONITORD: &str = "opennebula-monitord";

/// `helm rollback` brings the values of before into effect, and loses nothing; the next upgrade brings back what it took.
pub(super) async fn rollback(world: &mut World, attribute: &str) -> Result<String> {
    let before = api::config(world, attribute).await?;
    let old = world.front_end().await?.metadata.uid;
    world.helm.rollback().await?;
    world.successor(old.as_deref()).await?;
    world.all_ready().await?;
    let after = api::config(world, attribute).await?;
    ensure!(after != before, "{attribute} is {after} after the rollback too");
    let old = world.front_end().await?.metadata.uid;
    world.upgrade(&json!({})).await?;
    world.successor(old.as_deref()).await?;
    world.all_ready().await?;
    Ok(format!(
        "{attribute} {before} → {after}; {}",
        api::known(world).await?
    ))
}

/// A larger size in the values makes the claim larger, under the running pod.
pub(super) async fn grow(world: &mut World) -> Result<String> {
    world.upgrade(&json!({"persistence": {"size": SIZE}})).await?;
    let claim = until("the larger volume", Duration::from_mins(2), async || {
        let claim = world.cluster.api::<PersistentVolumeClaim>().get(CLAIM).await?;
        let size = |map: Option<
            &std::collections::BTreeMap<_, k8s_openapi::apimachinery::pkg::api::resource::Quantity>,
        >| {
            map.and_then(|map| map.get("storage"))
                .map(|quantity| quantity.0.clone())
        };
        let wanted = size(
            claim
                .spec
                .as_ref()
                .and_then(|spec| spec.resources.as_ref()?.requests.as_ref()),
        );
        let has = size(claim.status.as_ref().and_then(|status| status.capacity.as_ref()));
        Ok(
            if wanted.as_deref() == Some(SIZE) && has.as_deref() == Some(SIZE) {
                Look::Seen(claim)
            } else {
                Look::NotYet(format!("asked for {wanted:?}, has {has:?}"))
            },
        )
    })
    .await?;
    world.all_ready().await?;
    Ok(format!(
        "claim {CLAIM} {SIZE}, volume {}; {}",
        claim.spec.and_then(|spec| spec.volume_name).unwrap_or_default(),
        api::known(world).await?
    ))
}

/// monitord's Service becomes a load balancer: the pod waits for its address, and tells hypervisors that one.
pub(super) async fn balancer(world: &mut World) -> Result<String> {
    let old = world.front_end().await?.metadata.uid;
    world
        .upgrade(&json!({"service": {"monitord": {"type": "LoadBalancer"}}}))
        .await?;
    until(
        "a pod that waits for the address",
        Duration::from_mins(3),
        async || {
            let Some(pod) = world.cluster.pod(FRONT_END_POD).await? else {
                return Ok(Look::NotYet("no pod yet".to_owned()));
            };
            if pod.metadata.uid == old {
                return Ok(Look::NotYet(format!("still the old {}", pod_state(&pod))));
            }
            let waiting = world
                .cluster
                .logs(&pod, None)
                .await
                .into_iter()
                .find(|(container, log)| container.contains("discover") && log.contains(MONITORD));
            Ok(match waiting {
                Some((_, log)) => {
                    log.lines().for_each(note);
                    Look::Seen(())
                }
                None => Look::NotYet(pod_state(&pod)),
            })
        },
    )
    .await?;
    // There is no controller for load balancers here: this is what one would do.
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}});
    world
        .cluster
        .api::<Service>()
        .patch_status(MONITORD, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .context("cannot give the Service an address")?;
    world.successor(old.as_deref()).await?;
    let told = told(world).await?;
    ensure!(
        told.contains(BALANCER),
        "hypervisors are told {told}, not {BALANCER}"
    );
    let pod = world.front_end().await?;
    let token = pod
        .spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .flat_map(|container| container.volume_mounts.iter().flatten())
        .any(|mount| mount.name == "token");
    ensure!(!token, "the front-end's container has the token");
    Ok(told)
}

/// Plays the commands of docs/operations.md for the way back to an older release, with a dump made on the spot.
async fn the_way_back(world: &World) -> Result<()> {
    const DUMP: &str = "by-hand.sql";
    let page = include_str!("../../../../docs/operations.md");
    let (_, section) = page
        .split_once("#### Back to an older release")
        .context("docs/operations.md has no way back")?;
    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
    let commands: Vec<&str> = section
        .lines()
        .filter(|line| line.starts_with("kubectl "))
        .filter_map(|line| line.split_once("exec opennebula-0 -- "))
        .map(|(_, command)| command)
        .collect();
    ensure!(commands.len() == 3, "docs/operations.md has {commands:?}");
    let dump =
        format!("mkdir -p /var/lib/one/backups/db && onedb backup --force /var/lib/one/backups/db/{DUMP}");
    let first = vec!["sh".to_owned(), "-c".to_owned(), dump];
    let documented = commands.iter().map(|command| {
        let command = command.replace("NAME", DUMP);
        command.split(' ').map(str::to_owned).collect::<Vec<_>>()
    });
    for command in std::iter::once(first).chain(documented) {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let done = world.cluster.exec(FRONT_END_POD, CONTAINER, &words).await?;
        ensure!(done.success, "{words:?}: {}", done.output);
    }
    Ok(())
}

/// Without anything running the pod has its volumes, and is not ready; afterwards everything is as before.
pub(super) async fn maintenance(world: &mut World) -> Result<String> {
    let old = world.front_end().await?.metadata.uid;
    // monitord's Service is ClusterIP again: nobody waits for an address from here on.
    world
        .upgrade(&json!({"maintenance": {"enabled": true}, "service": {"monitord": {"type": "ClusterIP"}}}))
        .await?;
    let seen = until("the pod in maintenance", Duration::from_mins(3), async || {
        let Some(pod) = world.cluster.pod(FRONT_END_POD).await? else {
            return Ok(Look::NotYet("no pod yet".to_owned()));
        };
        if pod.metadata.uid == old
            || pod.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Running")
        {
            return Ok(Look::NotYet(pod_state(&pod)));
        }
        let listed = world
            .cluster
            .exec(
                FRONT_END_POD,
                CONTAINER,
                &["ls", "-A", "/var/lib/one", "/etc/one"],
            )
            .await?;
        if !listed.output.contains("oned.conf") {
            return Ok(Look::NotYet("/etc/one is empty".to_owned()));
        }
        Ok(Look::Seen((pod, listed.output)))
    })
    .await?;
    let (pod, files) = seen;
    ensure!(!crate::pod::is_ready(&pod), "it is ready");
    ensure!(files.contains(".one"), "its volume has {files}");
    the_way_back(world).await?;
    let old = pod.metadata.uid;
    world.upgrade(&json!({"maintenance": {"enabled": false}})).await?;
    world.successor(old.as_deref()).await?;
    world.all_ready().await?;
    Ok(format!(
        "{} files seen; {}",
        files.lines().count(),
        api::known(world).await?
    ))
}

/// The line of monitord.conf.
async fn told(world: &World) -> Result<String> {
    let said = world
        .cluster
        .exec(
            FRONT_END_POD,
            CONTAINER,
            &["grep", "MONITOR_ADDRESS", "/etc/one/monitord.conf"],
        )
        .await?;
    ensure!(
        said.success,
        "no MONITOR_ADDRESS in monitord.conf: {}",
        said.output
    );
    let line = said
        .output
        .lines()
        .find(|line| !line.trim_start().starts_with('#'));
    Ok(line.unwrap_or_default().trim().to_owned())
}
