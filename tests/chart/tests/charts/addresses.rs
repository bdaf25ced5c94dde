//! How the front-end is reached from outside: Ingress annotations, routes of the Gateway API, Service details, and the
//! address that hypervisors are told.

use chart_tests::object::Object;
use serde_json::{Value, json};

use crate::{environment, find, front_end, items, refuses, render, try_find};

fn ingress(values: &Value) -> Value {
    let mut all = json!({"enabled": true});
    for (name, value) in values.as_object().unwrap() {
        all[name] = value.clone();
    }
    find(&render(&json!({"ingress": all})), "Ingress", "opennebula")
        .at("/metadata/annotations")
        .clone()
}

#[test]
fn the_common_controllers_are_told_of_uploads_and_silent_consoles() {
    let annotations = ingress(&json!({}));
    assert_eq!(annotations["nginx.ingress.kubernetes.io/proxy-body-size"], "0");
    assert_eq!(
        annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"],
        "3600"
    );
    assert_eq!(annotations["nginx.org/websocket-services"], "opennebula-fireedge");
    assert_eq!(annotations["haproxy.org/timeout-tunnel"], "3600s");
    let own = ingress(&json!({
        "bodySize": "10g", "timeoutSeconds": 60,
        "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "7", "mine": "x"},
    }));
    assert_eq!(own["nginx.ingress.kubernetes.io/proxy-body-size"], "10g");
    assert_eq!(own["haproxy-ingress.github.io/proxy-body-size"], "10g");
    assert_eq!(own["nginx.ingress.kubernetes.io/proxy-send-timeout"], "60");
    assert_eq!(
        own["nginx.ingress.kubernetes.io/proxy-read-timeout"], "7",
        "the user's wins"
    );
    assert_eq!(own["mine"], "x");
    assert!(
        ingress(&json!({"bodySize": "", "timeoutSeconds": 0})).is_null(),
        "left to the controller"
    );
}

#[test]
fn cert_manager_is_asked_for_the_certificate() {
    let annotations = ingress(&json!({"tls": {"enabled": true, "clusterIssuer": "letsencrypt"}}));
    assert_eq!(annotations["cert-manager.io/cluster-issuer"], "letsencrypt");
    let annotations = ingress(&json!({"tls": {"enabled": true, "issuer": "mine"}}));
    assert_eq!(annotations["cert-manager.io/issuer"], "mine");
    for (tls, word) in [
        (
            json!({"enabled": true, "clusterIssuer": "a", "issuer": "b"}),
            "takes one of them",
        ),
        (json!({"clusterIssuer": "a"}), "ingress.tls.enabled is false"),
    ] {
        refuses(&json!({"ingress": {"enabled": true, "tls": tls}}), &[word]);
    }
}

#[test]
fn a_route_leads_to_its_service() {
    let gateway = json!([{"name": "gateway", "namespace": "{{ .Release.Namespace }}-gateways"}]);
    let objects = render(&json!({"route": {
        "fireedge": {"enabled": true, "parentRefs": gateway, "hostnames": ["one.example.org"], "annotations": {"a": "b"}},
        "api": {"enabled": true, "kind": "TCPRoute", "parentRefs": gateway},
        "oneflow": {"enabled": true, "parentRefs": gateway, "matches": [{"path": {"type": "PathPrefix", "value": "/flow"}}], "timeouts": {"request": "1h"}},
        "onegate": {"enabled": true, "parentRefs": gateway, "filters": [{"type": "URLRewrite"}]},
    }}));
    for (name, kind, version) in [
        ("fireedge", "HTTPRoute", "gateway.networking.k8s.io/v1"),
        ("api", "TCPRoute", "gateway.networking.k8s.io/v1alpha2"),
        ("oneflow", "HTTPRoute", "gateway.networking.k8s.io/v1"),
        ("onegate", "HTTPRoute", "gateway.networking.k8s.io/v1"),
    ] {
        let route = find(&objects, kind, &format!("opennebula-{name}"));
        assert_eq!(route.text("/apiVersion"), version);
        assert_eq!(route.text("/spec/parentRefs/0/namespace"), "default-gateways");
        let backend = route.at("/spec/rules/0/backendRefs/0");
        let service = find(&objects, "Service", backend["name"].as_str().unwrap());
        assert_eq!(service.at("/spec/ports/0/port"), &backend["port"], "{name}");
    }
    let route = |name: &str| find(&objects, "HTTPRoute", name);
    assert_eq!(
        route("opennebula-fireedge").at("/spec/hostnames"),
        &json!(["one.example.org"])
    );
    assert_eq!(
        route("opennebula-fireedge").at("/metadata/annotations"),
        &json!({"a": "b"})
    );
    assert_eq!(
        route("opennebula-fireedge").text("/spec/rules/0/matches/0/path/value"),
        "/"
    );
    assert_eq!(
        route("opennebula-oneflow").text("/spec/rules/0/matches/0/path/value"),
        "/flow"
    );
    assert_eq!(
        route("opennebula-oneflow").text("/spec/rules/0/timeouts/request"),
        "1h"
    );
    assert_eq!(
        route("opennebula-onegate").text("/spec/rules/0/filters/0/type"),
        "URLRewrite"
    );
    assert!(
        find(&objects, "TCPRoute", "opennebula-api")
            .at("/spec/rules/0/matches")
            .is_null()
    );
    assert!(
        !render(&json!({}))
            .iter()
            .any(|object| object.kind().ends_with("Route"))
    );
}

#[test]
fn a_route_that_cannot_work_is_refused() {
    let gateway = json!([{"name": "g"}]);
    for (route, words) in [
        (
            json!({"fireedge": {"enabled": true}}),
            vec!["route.fireedge.parentRefs is empty"],
        ),
        (
            json!({"api": {"enabled": true, "kind": "TCPRoute", "parentRefs": gateway, "hostnames": ["x"]}}),
            vec!["route.api.kind is TCPRoute, which knows no hostnames"],
        ),
    ] {
        refuses(&json!({"route": route}), &words);
    }
    refuses(
        &json!({"oneflow": {"enabled": false}, "route": {"oneflow": {"enabled": true, "parentRefs": gateway}}}),
        &["route.oneflow.enabled is true but oneflow.enabled is false"],
    );
}

#[test]
fn a_service_takes_what_load_balancers_need() {
    let objects = render(&json!({"service": {
        "api": {"type": "LoadBalancer", "labels": {"a": "b"}, "loadBalancerClass": "mine", "loadBalancerIP": "192.0.2.7",
                "loadBalancerSourceRanges": ["192.0.2.0/24"], "externalTrafficPolicy": "Local", "ipFamilyPolicy": "PreferDualStack"},
        "fireedge": {"type": "NodePort", "nodePort": 30616},
        "oneflow": {"clusterIP": "10.0.0.7", "nodePort": 30247, "externalTrafficPolicy": "Local"},
    }}));
    let api = find(&objects, "Service", "opennebula-api");
    for (field, value) in [
        ("loadBalancerClass", json!("mine")),
        ("loadBalancerIP", json!("192.0.2.7")),
        ("loadBalancerSourceRanges", json!(["192.0.2.0/24"])),
        ("externalTrafficPolicy", json!("Local")),
        ("ipFamilyPolicy", json!("PreferDualStack")),
    ] {
        assert_eq!(api.at(&format!("/spec/{field}")), &value, "{field}");
    }
    assert_eq!(api.text("/metadata/labels/a"), "b");
    assert_eq!(
        find(&objects, "Service", "opennebula-fireedge").at("/spec/ports/0/nodePort"),
        30616
    );
    let inside = find(&objects, "Service", "opennebula-oneflow");
    assert_eq!(inside.text("/spec/clusterIP"), "10.0.0.7");
    assert!(
        inside.at("/spec/ports/0/nodePort").is_null(),
        "not inside the cluster"
    );
    assert!(
        inside.at("/spec/externalTrafficPolicy").is_null(),
        "Kubernetes would refuse it"
    );
}

fn told(objects: &[Object]) -> (Option<String>, Option<Value>, bool) {
    let container = front_end(objects);
    let set = find(objects, "ConfigMap", "opennebula")
        .at("/data/OPENNEBULA_MONITOR_ADDRESS")
        .as_str()
        .map(str::to_owned);
    let from_node = items(&container["env"])
        .iter()
        .find(|variable| variable["name"] == "OPENNEBULA_MONITOR_ADDRESS")
        .map(|variable| variable["valueFrom"]["fieldRef"]["fieldPath"].clone());
    let from_file = environment(container)
        .iter()
        .any(|(name, _)| *name == "OPENNEBULA_MONITOR_ADDRESS_FILE");
    (set, from_node, from_file)
}

#[test]
fn hypervisors_are_told_an_address_that_they_can_reach() {
    assert_eq!(
        told(&render(&json!({}))),
        (None, None, false),
        "that of the connection"
    );
    let node = json!({"monitord": {"port": 30124}, "service": {"monitord": {"type": "NodePort"}}});
    assert_eq!(told(&render(&node)), (None, Some(json!("status.hostIP")), false));
    let balanced = json!({"service": {"monitord": {"type": "LoadBalancer"}}});
    assert_eq!(told(&render(&balanced)), (None, None, true));
    for kind in ["ClusterIP", "NodePort", "LoadBalancer"] {
        let mut values =
            json!({"monitord": {"advertisedAddress": "192.0.2.1"}, "service": {"monitord": {"type": kind}}});
        if kind == "NodePort" {
            values["monitord"]["port"] = json!(30124);
        }
        assert_eq!(
            told(&render(&values)),
            (Some("192.0.2.1".to_owned()), None, false),
            "{kind}"
        );
    }
}

/// Only the container that waits for the address has a token, and it may look at that one Service.
#[test]
fn the_address_of_a_load_balancer_is_found_with_the_least_rights() {
    let objects = render(
        &json!({"service": {"monitord": {"type": "LoadBalancer"}}, "monitord": {"discoveryTimeout": "30s"}}),
    );
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(pod["automountServiceAccountToken"], false);
    let first = &pod["initContainers"][0];
    assert_eq!(first["name"], "discover");
    let arguments: Vec<_> = items(&first["args"]).iter().filter_map(Value::as_str).collect();
    assert_eq!(
        arguments,
        [
            "discover",
            "--namespace=default",
            "--service=opennebula-monitord",
            "--timeout=30s",
            "--output=/run/discovered/monitor-address"
        ]
    );
    let mounts = |container: &Value| {
        items(&container["volumeMounts"])
            .iter()
            .any(|mount| mount["name"] == "token")
    };
    assert!(mounts(first));
    assert!(!mounts(&pod["containers"][0]));
    let role = find(&objects, "Role", "opennebula-discover");
    assert_eq!(
        role.at("/rules"),
        &json!([{"apiGroups": [""], "resources": ["services"], "resourceNames": ["opennebula-monitord"], "verbs": ["get", "watch"]}])
    );
    assert_eq!(
        find(&objects, "RoleBinding", "opennebula-discover").text("/subjects/0/name"),
        "opennebula"
    );
    assert!(try_find(&render(&json!({})), "Role", "opennebula-discover").is_none());
}
