//! The restricted Pod Security Standard, evaluated on the specification of a pod.
//!
//! The rules are those of Kubernetes' page "Pod Security Standards" for v1.35, on the side of refusing: the windows and
//! localhost exceptions that these charts do not use are violations here.

use serde_json::Value;

/// Kinds of volumes that the standard allows.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What of a pod's specification the standard refuses, one sentence each; empty when it is admitted.
#[must_use]
pub fn violations(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if !pod[field].is_null() {
            found.push(format!("{field} is set"));
        }
    }
    for volume in items(&pod["volumes"]) {
        for kind in volume.as_object().into_iter().flat_map(|fields| fields.keys()) {
            if kind != "name" && !VOLUMES.contains(&kind.as_str()) {
                found.push(format!("volume {} is a {kind}", volume["name"]));
            }
        }
    }
    let context = &pod["securityContext"];
    for field in ["seLinuxOptions", "sysctls", "windowsOptions", "appArmorProfile"] {
        if !context[field].is_null() {
            found.push(format!("the pod's {field} is set"));
        }
    }
    for kind in ["containers", "initContainers", "ephemeralContainers"] {
        for container in items(&pod[kind]) {
            found.extend(of_container(container, context));
        }
    }
    found
}

fn of_container(container: &Value, pod: &Value) -> Vec<String> {
    let own = &container["securityContext"];
    let effective = |field: &str| {
        if own[field].is_null() {
            &pod[field]
        } else {
            &own[field]
        }
    };
    let mut wrong = Vec::new();
    if own["allowPrivilegeEscalation"] != false {
        wrong.push("allowPrivilegeEscalation is not false".to_owned());
    }
    if own["privileged"] == true {
        wrong.push("privileged".to_owned());
    }
    if effective("runAsNonRoot") != true {
        wrong.push("runAsNonRoot is not true".to_owned());
    }
    if effective("runAsUser") == 0 {
        wrong.push("runAsUser is 0".to_owned());
    }
    if effective("seccompProfile")["type"] != "RuntimeDefault" {
        wrong.push("the seccomp profile is not RuntimeDefault".to_owned());
    }
    if !items(&own["capabilities"]["drop"])
        .iter()
        .any(|capability| capability == "ALL")
    {
        wrong.push("not all capabilities are dropped".to_owned());
    }
    for capability in items(&own["capabilities"]["add"]) {
        if capability != "NET_BIND_SERVICE" {
            wrong.push(format!("capability {capability} is added"));
        }
    }
    for field in ["procMount", "seLinuxOptions", "windowsOptions", "appArmorProfile"] {
        if !own[field].is_null() {
            wrong.push(format!("{field} is set"));
        }
    }
    for port in items(&container["ports"]) {
        if !port["hostPort"].is_null() {
            wrong.push(format!("port {} is a port of the host", port["containerPort"]));
        }
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        for action in ["httpGet", "tcpSocket"] {
            if !container[probe][action]["host"].is_null() {
                wrong.push(format!("{probe} names a host"));
            }
        }
    }
    wrong
        .into_iter()
        .map(|sentence| format!("container {}: {sentence}", container["name"]))
        .collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "data", "emptyDir": {}}],
            "containers": [{
                "name": "c",
                "ports": [{"containerPort": 80}],
                "startupProbe": {"httpGet": {"path": "/", "port": 80}},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        })
    }

    #[test]
    fn a_restricted_pod_is_admitted() {
        assert_eq!(violations(&good()), Vec::<String>::new());
    }

    #[test]
    fn each_rule_refuses() {
        let cases = [
            ("/hostNetwork", json!(true), "hostNetwork"),
            (
                "/volumes/0",
                json!({"name": "data", "hostPath": {"path": "/"}}),
                "hostPath",
            ),
            ("/securityContext/runAsNonRoot", json!(null), "runAsNonRoot"),
            ("/securityContext/runAsUser", json!(0), "runAsUser"),
            (
                "/securityContext/seccompProfile",
                json!({"type": "Unconfined"}),
                "seccomp",
            ),
            ("/securityContext/sysctls", json!([]), "sysctls"),
            (
                "/containers/0/securityContext/allowPrivilegeEscalation",
                json!(null),
                "allowPrivilegeEscalation",
            ),
            (
                "/containers/0/securityContext/privileged",
                json!(true),
                "privileged",
            ),
            (
                "/containers/0/securityContext/runAsNonRoot",
                json!(false),
                "runAsNonRoot",
            ),
            (
                "/containers/0/securityContext/capabilities",
                json!({"drop": ["NET_RAW"]}),
                "dropped",
            ),
            (
                "/containers/0/securityContext/capabilities/add",
                json!(["NET_ADMIN"]),
                "NET_ADMIN",
            ),
            (
                "/containers/0/securityContext/procMount",
                json!("Unmasked"),
                "procMount",
            ),
            ("/containers/0/ports/0/hostPort", json!(80), "host"),
            (
                "/containers/0/startupProbe/httpGet/host",
                json!("10.0.0.1"),
                "host",
            ),
            ("/initContainers", json!([{"name": "i"}]), "container \"i\""),
        ];
        for (path, value, word) in cases {
            let mut pod = good();
            let (parent, field) = path.rsplit_once('/').unwrap();
            let parent = pod.pointer_mut(parent).unwrap();
            match parent {
                Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
                _ => parent[field] = value,
            }
            let found = violations(&pod);
            assert!(
                found.iter().any(|sentence| sentence.contains(word)),
                "{path}: {found:?}"
            );
        }
    }
}
