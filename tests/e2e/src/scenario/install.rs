//! Installing, testing and removing the release as a user does, and what must never be readable on the way.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use serde::Serialize;

use super::api;
use super::world::{CONTAINER, FRONT_END_POD, HEALTH_PORT, World};
use crate::progress::note;
use crate::wait::{Look, until};

/// What the Job makes; each must be one of the values that are looked for, or the search would prove nothing.
const GENERATED: [&str; 7] = [
    "opennebula-mariadb/password",
    "opennebula-mariadb/root-password",
    "opennebula/fireedge-key",
    "opennebula/one-key",
    "opennebula/oneadmin-password",
    "opennebula/serveradmin-secret",
    "opennebula/ssh-private-key",
];

/// `helm install` with no values into a new namespace that enforces the restricted standard.
pub(super) async fn install(world: &mut World) -> Result<String> {
    world.cluster.make_namespace().await?;
    let start = Instant::now();
    world.helm.install().await?;
    let pods = world.all_ready().await?;
    let took = start.elapsed();
    world.learn_secrets().await;
    let names = world.needles.names();
    ensure!(
        names == GENERATED,
        "the Job should have made {GENERATED:?}, there are {names:?}"
    );
    Ok(format!(
        "{pods} pods ready {:.1} s after helm install began, {} generated values",
        took.as_secs_f64(),
        names.len()
    ))
}

/// `helm test`, which runs `onepod verify` in a pod.
pub(super) async fn test(world: &mut World) -> Result<String> {
    world.helm.test().await?;
    let mut lines = 0;
    for pod in world.cluster.list::<Pod>().await? {
        if pod.annotations().get("helm.sh/hook").map(String::as_str) == Some("test") {
            for log in world.cluster.logs(&pod, None).await.into_values() {
                log.lines().for_each(note);
                lines += log.lines().count();
            }
        }
    }
    ensure!(lines > 0, "the test's pod said nothing");
    Ok(format!("onepod verify said {lines} lines"))
}

/// The page of the state on the health port, as a browser gets it, and the same as JSON for scripts; `onepod status` in the
/// container says it too.
pub(super) async fn status(world: &mut World) -> Result<String> {
    let page = world
        .cluster
        .get_page(FRONT_END_POD, HEALTH_PORT, "/status")
        .await?;
    ensure!(
        page.status == 200,
        "/status as a page: {} {}",
        page.status,
        page.body
    );
    let services = world.status().await?.services;
    for part in ["<!doctype html>", "oned", "fireedge"] {
        ensure!(
            page.body.to_lowercase().contains(part),
            "\"{part}\" is not in the page of {} bytes",
            page.body.len()
        );
    }
    let said = world
        .cluster
        .exec(FRONT_END_POD, CONTAINER, &["onepod", "status"])
        .await?;
    ensure!(
        said.success && said.output.contains("oned"),
        "onepod status: {}",
        said.output
    );
    Ok(format!(
        "{} bytes of HTML, {} services",
        page.body.len(),
        services.len()
    ))
}

/// No value of any Secret is in a pod's log, a ConfigMap, an object that shows a pod's environment, an event, or in
/// what Helm prints.
pub(super) async fn secrecy(world: &mut World) -> Result<String> {
    world.learn_secrets().await;
    let cluster = &world.cluster;
    let mut texts = vec![(
        "helm get manifest, hooks, notes".to_owned(),
        world.helm.rendered().await?,
    )];
    let pods = cluster.list::<Pod>().await?;
    let mut lines = 0;
    for pod in &pods {
        let logs = cluster.logs(pod, None).await;
        lines += logs.values().map(|log| log.lines().count()).sum::<usize>();
        texts.extend(
            logs.into_iter()
                .map(|(name, log)| (format!("log of {name}"), log)),
        );
    }
    ensure!(lines > 0, "no pod has a log: there was nothing to search");
    texts.extend(objects(&pods)?);
    texts.extend(objects(&cluster.list::<ConfigMap>().await?)?);
    texts.extend(objects(&cluster.list::<StatefulSet>().await?)?);
    texts.extend(objects(&cluster.list::<Job>().await?)?);
    texts.extend(objects(&cluster.list::<Event>().await?)?);

    let found: Vec<String> = texts
        .iter()
        .map(|(place, text)| (place, world.needles.found_in(text)))
        .filter(|(_, names)| !names.is_empty())
        .map(|(place, names)| format!("{} in {place}", names.join(", ")))
        .collect();
    ensure!(
        found.is_empty(),
        "values of Secrets can be read: {}",
        found.join("; ")
    );
    let values = world.needles.names().len();
    Ok(format!(
        "{values} values, {} texts, {lines} log lines",
        texts.len()
    ))
}

/// `helm uninstall` leaves the claims and the Secrets, and no pod.
pub(super) async fn uninstall(world: &mut World) -> Result<String> {
    secrecy(world).await?; // the last look at these pods' logs
    let before = kept(world).await?;
    world.helm.uninstall().await?;
    until("end of the pods", Duration::from_mins(3), async || {
        let pods = world.cluster.service_pods().await?;
        Ok(if pods.is_empty() {
            Look::Seen(())
        } else {
            Look::NotYet(
                pods.iter()
                    .map(ResourceExt::name_any)
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        })
    })
    .await?;
    let after = kept(world).await?;
    ensure!(
        after == before && !after.is_empty(),
        "kept were {before:?}, left are {after:?}"
    );
    Ok(after.into_iter().collect::<Vec<_>>().join(", "))
}

/// The install again, with the values of the last upgrade, finds the kept volumes and Secrets: oneadmin, the host and the VM are those of before.
pub(super) async fn again(world: &mut World) -> Result<String> {
    let before = world.cluster.secrets().await?;
    world.install_again().await?;
    let pods = world.all_ready().await?;
    let after = world.cluster.secrets().await?;
    ensure!(
        before
            .iter()
            .map(|secret| &secret.data)
            .eq(after.iter().map(|secret| &secret.data)),
        "the second install changed a Secret that was there"
    );
    api::login(world).await?;
    Ok(format!("{pods} pods; {}", api::known(world).await?))
}

/// Uninstalls, deletes the namespace, and waits until its volumes are gone too.
pub(super) async fn clean(world: &mut World) -> Result<String> {
    if world.helm.is_installed().await? {
        world.helm.uninstall().await?;
    }
    world.cluster.delete_namespace().await?;
    no_volume(world).await?;
    Ok("no namespace, no volume".to_owned())
}

/// Waits until no volume belongs to the namespace any more.
pub(super) async fn no_volume(world: &World) -> Result<()> {
    until("end of the volumes", Duration::from_mins(3), async || {
        let volumes = world.cluster.volumes().await?;
        Ok(if volumes.is_empty() {
            Look::Seen(())
        } else {
            Look::NotYet(volumes.join(", "))
        })
    })
    .await
}

/// Names of what outlives the release: claims and Secrets.
async fn kept(world: &World) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for claim in world.cluster.list::<PersistentVolumeClaim>().await? {
        names.insert(format!("claim {}", claim.name_any()));
    }
    for secret in world.cluster.secrets().await? {
        names.insert(format!("Secret {}", secret.name_any()));
    }
    Ok(names)
}

/// Objects as `kubectl get -o yaml` would show them.
fn objects<K>(objects: &[K]) -> Result<Vec<(String, String)>>
where
    K: kube::Resource<DynamicType = ()> + Serialize,
{
    let mut texts = Vec::new();
    for object in objects {
        let name = object.meta().name.as_deref().unwrap_or("?");
        texts.push((format!("{} {name}", K::kind(&())), serde_json::to_string(object)?));
    }
    Ok(texts)
}
