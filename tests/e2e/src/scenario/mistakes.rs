//! Settings that make no sense: every mistake is named at once, and the next upgrade mends it.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use serde_json::json;

use super::world::World;
use super::{api, install};
use crate::pod::pod_state;
use crate::progress::note;
use crate::wait::{Look, until};

/// What onepod exits with when settings are wrong (`EX_USAGE` of sysexits.h).
const USAGE: i32 = 64;
/// A port that is none, and a name that does not exist: two mistakes of different kinds.
const MISTAKES: [(&str, &str); 2] = [("DB_PORT", "many"), ("ONEPOD_LITSEN", "0.0.0.0:8080")];

/// The pod ends with 64 and names both; with the mistakes taken back it becomes ready, and nothing was lost.
pub(super) async fn named_and_mended(world: &mut World) -> Result<String> {
    let old = world.front_end().await?.metadata.uid;
    let environment = MISTAKES.map(|(name, value)| json!({"name": name, "value": value}));
    world.upgrade(&json!({"extraEnv": environment})).await?;
    let pod = until("a pod that ends with 64", Duration::from_mins(3), async || {
        let Some(pod) = world.cluster.pod(super::FRONT_END_POD).await? else {
            return Ok(Look::NotYet("no pod yet".to_owned()));
        };
        let ended = if pod.metadata.uid == old {
            None
        } else {
            last_end(&pod)
        };
        Ok(match ended {
            Some(end) if end.exit_code == USAGE => Look::Seen(pod),
            _ => Look::NotYet(pod_state(&pod)),
        })
    })
    .await?;
    let log = until("both in one log", Duration::from_secs(30), async || {
        let logs = world.cluster.logs(&pod, None).await;
        let one = logs
            .into_values()
            .find(|log| MISTAKES.iter().all(|(name, _)| log.contains(name)));
        Ok(one.map_or_else(|| Look::NotYet("not there".to_owned()), Look::Seen))
    })
    .await?;
    log.lines()
        .filter(|line| MISTAKES.iter().any(|(name, _)| line.contains(name)))
        .for_each(note);
    install::secrecy(world).await?;

    let old = pod.metadata.uid;
    world.upgrade(&json!({"extraEnv": []})).await?;
    let pod = world.successor(old.as_deref()).await?;
    ensure!(
        last_end(&pod).is_none(),
        "the mended pod ended once too: {}",
        pod_state(&pod)
    );
    Ok(format!("exit {USAGE}, both named; {}", api::known(world).await?))
}

/// How the pod's container ended, now or in its life before this one.
fn last_end(pod: &Pod) -> Option<ContainerStateTerminated> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find_map(|container| {
        [&container.state, &container.last_state]
            .into_iter()
            .flatten()
            .find_map(|state| state.terminated.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_earlier_life_counts() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {},
            "status": {"containerStatuses": [{
                "name": "opennebula", "image": "x", "imageID": "", "ready": false, "restartCount": 1,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 64}},
            }]},
        }))
        .unwrap();
        assert_eq!(last_end(&pod).unwrap().exit_code, USAGE);
        assert!(last_end(&Pod::default()).is_none());
    }
}
