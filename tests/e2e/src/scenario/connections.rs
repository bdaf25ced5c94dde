//! The table of flows with real connections, as far as both ends can be had here: the release's own pods, and pods that stand
//! in for others. What the policies refuse must pass without them, or nothing would be proven.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chart_tests::flows::{self, Flow, Place, Protocol, Verdict};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::world::{CONTAINER, FRONT_END_POD, World};
use crate::cluster::Cluster;
use crate::pod::{is_ready, pod_state};
use crate::progress::note;
use crate::wait::{Look, until};

const DATABASE: (&str, &str) = ("opennebula-mariadb-0", "mariadb");
/// Ports on which the pods really listen: a refusal of another one would say nothing of the policies.
const LISTENING: [(Place, &[u16]); 2] = [
    (Place::FrontEnd, &[2222, 2474, 2616, 2633, 4124, 5030, 8080]),
    (Place::Database, &[3306]),
];
/// Those who stand in. The name server is the cluster's own.
const STRANGERS: [Place; 5] = [
    Place::Neighbour,
    Place::OtherFrontEnd,
    Place::OtherDatabase,
    Place::IngressController,
    Place::Prometheus,
];
/// With the values as they are every address outside is as good as a pod of another namespace, which stands in for it too.
const OUTSIDE: [Place; 4] = [Place::Client, Place::Hypervisor, Place::Vm, Place::Website];
/// Below it only root may listen.
const FIRST_FREE_PORT: u16 = 1024;
/// How long an attempt may take before it counts as refused, and how long policies may take to be enforced.
const ATTEMPT: &str = "4";
const PATIENCE: Duration = Duration::from_mins(1);

/// A pod, and where it is.
#[derive(Clone)]
struct End {
    cluster: Cluster,
    pod: String,
    container: String,
    address: String,
}

/// Plays all rows of the first variant that can be played; then without policies, where each of them must pass.
pub(super) async fn table(world: &mut World) -> Result<String> {
    let first = flows::variants()
        .into_iter()
        .next()
        .context("the table is empty")?;
    let rows = playable(first.flows);
    let refused = rows.iter().filter(|row| row.verdict == Verdict::Refused).count();
    ensure!(
        refused >= 5 && rows.len() - refused >= 5,
        "only {} rows can be played, {refused} of them refused",
        rows.len()
    );
    let ends = prepare(world, &rows).await?;
    settle(&ends, &rows, |row| row.verdict == Verdict::Passes).await?;
    for row in &rows {
        note(&format!(
            "{} → {} TCP {}: {}",
            row.from.title(),
            row.to.title(),
            row.port,
            match row.verdict {
                Verdict::Passes => "passes",
                Verdict::Refused => "refused",
            }
        ));
    }
    let off = json!({"networkPolicy": {"enabled": false}, "mariadb": {"networkPolicy": {"enabled": false}}});
    world.upgrade(&off).await?;
    settle(&ends, &rows, |_| true).await.context("without policies")?;
    let on = json!({"networkPolicy": {"enabled": true}, "mariadb": {"networkPolicy": {"enabled": true}}});
    world.upgrade(&on).await?;
    for namespace in namespaces() {
        world.cluster.in_namespace(namespace).delete_namespace().await?;
    }
    for place in STRANGERS {
        if let Some(stranger) = place.stranger().filter(|stranger| stranger.namespace.is_none()) {
            world
                .cluster
                .api::<Pod>()
                .delete(stranger.name, &kube::api::DeleteParams::default())
                .await?;
        }
    }
    Ok(format!(
        "{} flows as the table says, {refused} of them refused; all pass without policies",
        rows.len()
    ))
}

/// The rows whose ends can be had, with those who stand in.
fn playable(rows: Vec<Flow>) -> Vec<Flow> {
    let stand_in = |place: Place| {
        if OUTSIDE.contains(&place) {
            Place::IngressController
        } else {
            place
        }
    };
    let mut seen = BTreeSet::new();
    rows.into_iter()
        .map(|row| Flow {
            from: stand_in(row.from),
            to: stand_in(row.to),
            ..row
        })
        .filter(can_be_played)
        .filter(|row| seen.insert((row.from, row.to, row.port)))
        .collect()
}

fn can_be_played(row: &Flow) -> bool {
    let ours = |place: Place| place == Place::FrontEnd || place == Place::Database;
    let from = ours(row.from) || STRANGERS.contains(&row.from);
    let to = (STRANGERS.contains(&row.to) && row.port >= FIRST_FREE_PORT)
        || LISTENING
            .iter()
            .any(|(place, ports)| *place == row.to && ports.contains(&row.port));
    row.protocol == Protocol::Tcp && from && to
}

fn namespaces() -> Vec<String> {
    let mut names: Vec<_> = STRANGERS
        .iter()
        .filter_map(|place| place.stranger()?.namespace.map(str::to_owned))
        .collect();
    names.dedup();
    names
}

/// Makes those who stand in; they listen on the ports that the rows ask them for.
async fn prepare(world: &World, rows: &[Flow]) -> Result<BTreeMap<Place, End>> {
    for namespace in namespaces() {
        world.cluster.in_namespace(namespace).make_namespace().await?;
    }
    let front_end = world.front_end().await?;
    let image = front_end
        .spec
        .as_ref()
        .and_then(|spec| spec.containers.first()?.image.clone())
        .context("the front-end's pod has no image")?;
    let mut ends = BTreeMap::new();
    for place in STRANGERS {
        let Some(stranger) = place.stranger() else {
            continue;
        };
        let cluster = match stranger.namespace {
            Some(namespace) => world.cluster.in_namespace(namespace.to_owned()),
            None => world.cluster.clone(),
        };
        let ports: Vec<u16> = rows
            .iter()
            .filter(|row| row.to == place)
            .map(|row| row.port)
            .collect();
        let labels: BTreeMap<_, _> = stranger.labels.iter().copied().collect();
        let pod: Pod = serde_json::from_value(stand_in(stranger.name, &labels, &image, &ports))?;
        cluster
            .api::<Pod>()
            .create(&PostParams::default(), &pod)
            .await
            .with_context(|| format!("cannot make pod {}", stranger.name))?;
        ends.insert(place, (cluster, stranger.name, "stand-in"));
    }
    ends.insert(Place::FrontEnd, (world.cluster.clone(), FRONT_END_POD, CONTAINER));
    ends.insert(Place::Database, (world.cluster.clone(), DATABASE.0, DATABASE.1));
    let mut found = BTreeMap::new();
    for (place, (cluster, pod, container)) in ends {
        let address = address(&cluster, pod).await?;
        found.insert(
            place,
            End {
                cluster,
                pod: pod.to_owned(),
                container: container.to_owned(),
                address,
            },
        );
    }
    Ok(found)
}

/// A pod of the front-end's image that only listens. A pod that nobody may connect to is not asked whether it is ready.
fn stand_in(name: &str, labels: &BTreeMap<&str, &str>, image: &str, ports: &[u16]) -> Value {
    let listen = "trap 'exit 0' TERM; ruby -rsocket -e 'ARGV.map { |port| TCPServer.new(%q(0.0.0.0), port.to_i) }; sleep' \"$@\" & wait";
    let mut command = vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        listen.to_owned(),
        "sh".to_owned(),
    ];
    command.extend(ports.iter().map(u16::to_string));
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 9869, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "stand-in", "image": image, "imagePullPolicy": "IfNotPresent", "command": command,
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    })
}

async fn address(cluster: &Cluster, name: &str) -> Result<String> {
    until(&format!("pod {name}"), Duration::from_mins(2), async || {
        let pod = cluster
            .pod(name)
            .await?
            .with_context(|| format!("no pod {name}"))?;
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
        Ok(match address.filter(|_| is_ready(&pod)) {
            Some(address) => Look::Seen(address),
            None => Look::NotYet(pod_state(&pod)),
        })
    })
    .await
}

/// Until every row is as it must be; the last look names those that are not.
async fn settle(ends: &BTreeMap<Place, End>, rows: &[Flow], passes: impl Fn(&Flow) -> bool) -> Result<()> {
    until("the connections", PATIENCE, async || {
        let seen = attempts(ends, rows).await?;
        let wrong: Vec<String> = rows
            .iter()
            .zip(seen)
            .filter(|(row, seen)| *seen != passes(row))
            .map(|(row, seen)| {
                format!(
                    "{} → {} TCP {} {}",
                    row.from.title(),
                    row.to.title(),
                    row.port,
                    if seen { "passes" } else { "is refused" }
                )
            })
            .collect();
        Ok(if wrong.is_empty() {
            Look::Seen(())
        } else {
            Look::NotYet(wrong.join("; "))
        })
    })
    .await
}

/// All at once: a refusal takes as long as the attempt may take.
async fn attempts(ends: &BTreeMap<Place, End>, rows: &[Flow]) -> Result<Vec<bool>> {
    let mut running = JoinSet::new();
    for (index, row) in rows.iter().enumerate() {
        let (Some(from), Some(to)) = (ends.get(&row.from).cloned(), ends.get(&row.to).cloned()) else {
            bail!("no pod for {} or {}", row.from.title(), row.to.title());
        };
        let port = row.port;
        running.spawn(async move {
            let script = format!("</dev/tcp/{}/{port}", to.address);
            let command = ["timeout", ATTEMPT, "bash", "-c", script.as_str()];
            let tried = from.cluster.exec(&from.pod, &from.container, &command).await;
            tried.map(|tried| (index, tried.success))
        });
    }
    let mut seen = vec![false; rows.len()];
    while let Some(one) = running.join_next().await {
        let (index, passed) = one.context("an attempt ended")??;
        seen[index] = passed;
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_verdicts_can_be_played() {
        let rows = playable(flows::variants().remove(0).flows);
        for verdict in [Verdict::Passes, Verdict::Refused] {
            let count = rows.iter().filter(|row| row.verdict == verdict).count();
            assert!(count >= 5, "{count} rows are {verdict:?}");
        }
    }
}
