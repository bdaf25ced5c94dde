//! What a pod's status says, in the words that the scenarios need. Pure.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// Whether the pod's Ready condition is true and it is not on its way out.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// How often the pod's containers were started again, in sum.
pub(crate) fn restarts(pod: &Pod) -> i32 {
    let status = pod.status.clone().unwrap_or_default();
    status
        .container_statuses
        .unwrap_or_default()
        .iter()
        .map(|container| container.restart_count)
        .sum()
}

/// One phrase: name, phase, what a container waits for, restarts.
pub(crate) fn pod_state(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let mut words = vec![pod.name_any()];
    if pod.metadata.deletion_timestamp.is_some() {
        words.push("terminating".to_owned());
    } else if is_ready(pod) {
        words.push("ready".to_owned());
    } else {
        words.push(status.phase.unwrap_or_default().to_lowercase());
    }
    let containers = status
        .init_container_statuses
        .into_iter()
        .chain(status.container_statuses)
        .flatten();
    for state in containers.filter_map(|container| container.state) {
        if let Some(reason) = state.waiting.and_then(|waiting| waiting.reason) {
            words.push(format!("({reason})"));
        }
        if let Some(ended) = state.terminated.filter(|ended| ended.exit_code != 0) {
            words.push(format!("(exit {})", ended.exit_code));
        }
    }
    match restarts(pod) {
        0 => {}
        count => words.push(format!("{count} restarts")),
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "opennebula-0"}, "status": status})).unwrap()
    }

    #[test]
    fn a_ready_pod_that_is_being_deleted_is_not_ready() {
        let mut pod = pod(&json!({"conditions": [{"type": "Ready", "status": "True"}]}));
        assert!(is_ready(&pod));
        pod.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert!(!is_ready(&pod));
        assert_eq!(pod_state(&pod), "opennebula-0 terminating");
    }

    #[test]
    fn the_state_says_what_a_container_waits_for() {
        let pod = pod(&json!({
            "phase": "Pending",
            "containerStatuses": [{
                "name": "opennebula", "image": "x", "imageID": "", "ready": false, "restartCount": 2,
                "state": {"waiting": {"reason": "ErrImageNeverPull"}},
            }],
        }));
        assert_eq!(
            pod_state(&pod),
            "opennebula-0 pending (ErrImageNeverPull) 2 restarts"
        );
        assert_eq!(restarts(&pod), 2);
    }
}
