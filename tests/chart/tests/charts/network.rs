//! Services and the Ingress.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{find, front_end, items, names, refuses, render, try_find};

#[test]
fn every_service_leads_to_a_port_of_the_front_end() {
    for values in [json!({}), crate::defaults::everything()] {
        let objects = render(&values);
        let fullname = values["fullnameOverride"]
            .as_str()
            .unwrap_or("opennebula")
            .to_owned();
        let set = find(&objects, "StatefulSet", &fullname);
        let labels = set.at("/spec/template/metadata/labels");
        let ports = items(&set.pod().unwrap()["containers"][0]["ports"]);
        let mut seen = 0;
        for service in objects
            .iter()
            .filter(|object| object.kind() == "Service" && !object.name().contains("-mariadb"))
        {
            for (name, value) in service.at("/spec/selector").as_object().unwrap() {
                assert_eq!(&labels[name], value, "{}", service.name());
            }
            for port in service.list("/spec/ports") {
                seen += 1;
                let target = &port["targetPort"];
                assert!(
                    ports
                        .iter()
                        .any(|known| &known["name"] == target || &known["containerPort"] == target),
                    "{}: {target} is not in {ports:?}",
                    service.name()
                );
            }
        }
        assert!(seen >= 5, "{seen}");
    }
}

#[test]
fn the_type_is_for_all_but_monitord_and_each_may_differ() {
    let objects = render(
        &json!({"service": {"type": "LoadBalancer", "oneflow": {"type": "ClusterIP"}, "api": {"annotations": {"a": "b"}}}}),
    );
    let kind = |name: &str| find(&objects, "Service", name).text("/spec/type").to_owned();
    assert_eq!(kind("opennebula-api"), "LoadBalancer");
    assert_eq!(kind("opennebula-fireedge"), "LoadBalancer");
    assert_eq!(kind("opennebula-oneflow"), "ClusterIP");
    assert_eq!(kind("opennebula-monitord"), "ClusterIP");
    assert_eq!(kind("opennebula-ssh"), "ClusterIP", "nobody opens it unasked");
    let outside = render(&json!({"service": {"ssh": {"type": "LoadBalancer"}}}));
    let ssh = find(&outside, "Service", "opennebula-ssh");
    assert_eq!(ssh.text("/spec/type"), "LoadBalancer");
    assert_eq!(
        ssh.at("/spec/ports"),
        &json!([{"name": "ssh", "port": 22, "targetPort": "ssh", "protocol": "TCP"}])
    );
    assert_eq!(
        find(&objects, "Service", "opennebula-api").at("/metadata/annotations"),
        &json!({"a": "b"})
    );
}

#[test]
fn monitord_has_one_number_everywhere() {
    let values = json!({"monitord": {"port": 30124, "advertisedAddress": "192.0.2.1"}, "service": {"monitord": {"type": "NodePort"}}});
    let objects = render(&values);
    let service = find(&objects, "Service", "opennebula-monitord-node-30124");
    let protocols: Vec<_> = service
        .list("/spec/ports")
        .iter()
        .map(|port| port["protocol"].clone())
        .collect();
    assert_eq!(protocols, ["TCP", "UDP"]);
    for port in service.list("/spec/ports") {
        for field in ["port", "targetPort", "nodePort"] {
            assert_eq!(port[field], 30124, "{field}");
        }
    }
    assert!(front_end(&objects)["ports"].to_string().contains("30124"));
    assert_eq!(
        find(&objects, "ConfigMap", "opennebula").text("/data/OPENNEBULA_MONITOR_ADDRESS"),
        "192.0.2.1"
    );
    let overrides = find(&objects, "ConfigMap", "opennebula-overrides").text("/data/config.yaml");
    assert_eq!(overrides.trim(), "monitord:\n  NETWORK/PORT: 30124");
    refuses(
        &json!({"config": {"monitord": {"Network/Port": 4124}}}),
        &["monitord.port"],
    );
}

/// Helm 3 and `kubectl apply` merge a Service's ports by number: TCP and UDP on one number become one when the list changes.
#[test]
fn no_service_with_a_number_twice_ever_changes_its_ports() {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for port in [4124, 30124, 30125] {
        for kind in ["ClusterIP", "LoadBalancer", "NodePort"] {
            // No node port, and refused.
            if port == 4124 && kind == "NodePort" {
                continue;
            }
            let objects =
                render(&json!({"monitord": {"port": port}, "service": {"monitord": {"type": kind}}}));
            let service = objects
                .iter()
                .find(|object| object.name().contains("-monitord"))
                .unwrap();
            let ports = service.at("/spec/ports").clone();
            let before = seen
                .entry(service.name().to_owned())
                .or_insert_with(|| ports.clone());
            assert_eq!(
                before,
                &ports,
                "{} has other ports with {kind} {port}",
                service.name()
            );
        }
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    for object in render(&json!({}))
        .iter()
        .filter(|object| object.kind() == "StatefulSet")
    {
        let mut numbers: Vec<_> = items(&object.pod().unwrap()["containers"][0]["ports"])
            .iter()
            .map(|port| port["containerPort"].as_u64())
            .collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all, "{} lists a number twice", object.name());
    }
}

#[test]
fn a_service_that_is_off_leaves_nothing_behind() {
    for (name, off) in [
        ("oneflow", "oneflow"),
        ("onegate", "onegate"),
        ("fireedge", "fireedge,guacd"),
    ] {
        let objects = render(&json!({name: {"enabled": false}}));
        assert_eq!(
            find(&objects, "ConfigMap", "opennebula").text("/data/ONEPOD_DISABLE"),
            off
        );
        assert!(
            try_find(&objects, "Service", &format!("opennebula-{name}")).is_none(),
            "{:?}",
            names(&objects)
        );
        assert!(!front_end(&objects)["ports"].to_string().contains(name));
        let verify =
            find(&objects, "Pod", "opennebula-verify").pod().unwrap()["containers"][0]["args"].to_string();
        assert!(!verify.contains(name), "{verify}");
    }
    let on = render(&json!({}));
    assert!(
        find(&on, "ConfigMap", "opennebula")
            .at("/data/ONEPOD_DISABLE")
            .is_null()
    );
}

#[test]
fn oneks_starts_only_when_it_is_enabled_and_opens_no_port() {
    let (off, on) = (render(&json!({})), render(&json!({"oneks": {"enabled": true}})));
    let enabled = |objects: &[_]| {
        find(objects, "ConfigMap", "opennebula")
            .at("/data/ONEPOD_ENABLE")
            .clone()
    };
    assert!(enabled(&off).is_null());
    assert_eq!(enabled(&on), json!("oneks"));
    assert_eq!(names(&off), names(&on));
    for object in &off {
        if ["Service", "NetworkPolicy"].contains(&object.kind()) {
            assert_eq!(
                object.at("/spec"),
                find(&on, object.kind(), object.name()).at("/spec"),
                "{}",
                object.name()
            );
        }
    }
}

#[test]
fn the_ingress_leads_to_the_web_interface_by_name() {
    assert!(!render(&json!({})).iter().any(|object| object.kind() == "Ingress"));
    let objects = render(&json!({"ingress": {
        "enabled": true, "className": "traefik", "hostname": "cloud.example.org", "annotations": {"a": "b"},
        "tls": {"enabled": true},
    }}));
    let ingress = find(&objects, "Ingress", "opennebula");
    assert_eq!(ingress.text("/spec/ingressClassName"), "traefik");
    assert_eq!(ingress.text("/spec/rules/0/host"), "cloud.example.org");
    assert_eq!(ingress.at("/metadata/annotations")["a"], "b");
    assert_eq!(
        ingress.at("/spec/tls"),
        &json!([{"hosts": ["cloud.example.org"], "secretName": "opennebula-tls"}])
    );
    let backend = ingress.at("/spec/rules/0/http/paths/0/backend/service");
    let service = find(&objects, "Service", backend["name"].as_str().unwrap());
    assert_eq!(service.at("/spec/ports/0/name"), &backend["port"]["name"]);

    let several = render(&json!({"ingress": {
        "enabled": true, "hostname": "cloud.example.org", "extraHosts": ["cloud.example.net", "one.example.org"],
        "tls": {"enabled": true}, "extraTls": [{"hosts": ["cloud.example.net"], "secretName": "net"}],
    }}));
    let ingress = find(&several, "Ingress", "opennebula");
    let hosts: Vec<_> = ingress
        .list("/spec/rules")
        .iter()
        .map(|rule| &rule["host"])
        .collect();
    assert_eq!(
        hosts,
        ["cloud.example.org", "cloud.example.net", "one.example.org"]
    );
    assert_eq!(
        ingress.at("/spec/tls"),
        &json!([
            {"hosts": ["cloud.example.org", "one.example.org"], "secretName": "opennebula-tls"},
            {"hosts": ["cloud.example.net"], "secretName": "net"},
        ])
    );
    refuses(
        &json!({"ingress": {"enabled": true, "hostname": "a.example.org", "extraHosts": ["a.example.org"]}}),
        &["ingress.extraHosts has one name twice"],
    );

    let plain = render(&json!({"ingress": {"enabled": true}}));
    let ingress = find(&plain, "Ingress", "opennebula");
    assert_eq!(ingress.text("/spec/rules/0/host"), "opennebula.local");
    assert!(ingress.at("/spec/tls").is_null() && ingress.at("/spec/ingressClassName").is_null());
}
