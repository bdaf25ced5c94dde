//! What a person needs to see when a step failed: pods, events, last log lines, onepod's own account. Values of Secrets
//! are taken out even where they should not be.

use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;

use crate::cluster::Cluster;
use crate::pod::pod_state;
use crate::progress;
use crate::secrecy::Needles;

const EVENTS: usize = 25;
const LOG_LINES: i64 = 60;

/// Prints the state of the namespace. What cannot be read is left out: the step's own error is what matters.
pub(crate) async fn print(cluster: &Cluster, needles: &Needles) {
    let say = |line: &str| progress::say(&format!("    | {}", needles.redact(line)));
    let pods = cluster.list::<Pod>().await.unwrap_or_default();
    say(&format!("pods of namespace {}:", cluster.namespace()));
    for pod in &pods {
        say(&format!("  {}", pod_state(pod)));
    }
    for claim in cluster.list::<PersistentVolumeClaim>().await.unwrap_or_default() {
        let phase = claim
            .status
            .as_ref()
            .and_then(|status| status.phase.clone())
            .unwrap_or_default();
        say(&format!("  claim {} {phase}", claim.name_any()));
    }
    let events = cluster.list::<Event>().await.unwrap_or_default();
    say(&format!("last of {} events:", events.len()));
    for line in last_events(events) {
        say(&format!("  {line}"));
    }
    for pod in &pods {
        for (container, log) in cluster.logs(pod, Some(LOG_LINES)).await {
            say(&format!("last log lines of {container}:"));
            log.lines().for_each(|line| say(&format!("  {line}")));
        }
    }
    for pod in pods.iter().filter(|pod| has_health_port(pod)) {
        for path in ["/readyz", "/status"] {
            if let Ok(answer) = cluster
                .get(&pod.name_any(), crate::scenario::HEALTH_PORT, path)
                .await
            {
                say(&format!("{path} of {}: {}", pod.name_any(), answer.status));
                answer.body.lines().for_each(|line| say(&format!("  {line}")));
            }
        }
    }
}

fn last_events(mut events: Vec<Event>) -> Vec<String> {
    events.sort_by_key(|event| event.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let skip = events.len().saturating_sub(EVENTS);
    events
        .into_iter()
        .skip(skip)
        .map(|event| {
            format!(
                "{} {} {}: {}",
                event.involved_object.kind.unwrap_or_default(),
                event.involved_object.name.unwrap_or_default(),
                event.reason.unwrap_or_default(),
                event.message.unwrap_or_default().trim()
            )
        })
        .collect()
}

/// Pods of the front-end's StatefulSet run onepod; the database's do not.
fn has_health_port(pod: &Pod) -> bool {
    pod.name_any() == crate::scenario::FRONT_END_POD
}
