//! No values at all: what most people install.

use serde_json::json;

use crate::{manifests, names, render};

#[test]
fn the_default_render() {
    insta::assert_snapshot!(manifests("opennebula", &json!({})));
}

#[test]
fn every_object_that_others_rely_on_is_there_by_name() {
    assert_eq!(
        names(&render(&json!({}))),
        [
            "ConfigMap/opennebula",
            "Job/opennebula-secrets",
            "Pod/opennebula-verify",
            "Role/opennebula-secrets",
            "RoleBinding/opennebula-secrets",
            "Service/opennebula-api",
            "Service/opennebula-fireedge",
            "Service/opennebula-headless",
            "Service/opennebula-mariadb",
            "Service/opennebula-monitord",
            "Service/opennebula-oneflow",
            "Service/opennebula-onegate",
            "Service/opennebula-ssh",
            "ServiceAccount/opennebula-secrets",
            "StatefulSet/opennebula",
            "StatefulSet/opennebula-mariadb",
        ]
    );
}

#[test]
fn two_renders_are_the_same_bytes() {
    for values in [json!({}), everything()] {
        assert_eq!(manifests("opennebula", &values), manifests("opennebula", &values));
    }
}

#[test]
fn a_name_fits_and_agrees_however_long_the_release_is() {
    let long = "a".repeat(53);
    for release in [
        "x",
        "opennebula",
        "my-opennebula-test",
        "one.cloud",
        &long,
        "ends-in-a-dash-where-it-is-cut-off-here---x",
    ] {
        let objects = crate::objects(&manifests(
            release,
            &json!({"service": {"monitord": {"type": "NodePort"}}, "monitord": {"port": 30124}, "config": {"oned": {"X": 1}}}),
        ));
        for object in &objects {
            assert!(object.name().len() <= 63, "{}", object.name());
            assert!(!object.name().ends_with('-'), "{}", object.name());
        }
        let settings = objects
            .iter()
            .find(|object| object.kind() == "ConfigMap" && object.at("/data/DB_HOST").is_string());
        let host = settings.unwrap().text("/data/DB_HOST").to_owned();
        assert!(
            names(&objects).contains(&format!("Service/{host}")),
            "no Service {host} in {:?}",
            names(&objects)
        );
    }
}

/// Every switch turned away from its default.
pub(crate) fn everything() -> serde_json::Value {
    json!({
        "global": {"imageRegistry": "registry.example.org", "imagePullSecrets": ["one", {"name": "two"}]},
        "fullnameOverride": "cloud",
        "opennebula": {"hostname": "cloud.example.org"},
        "ssh": {"knownHosts": "node1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ\n"},
        "mariadb": {"options": {"innodb-buffer-pool-size": "1G"}, "persistence": {"size": "50Gi", "storageClass": "fast"}},
        "persistence": {"size": "100Gi", "storageClass": "fast", "annotations": {"a": "b"}},
        "oneflow": {"enabled": false},
        "onegate": {"enabled": false},
        "monitord": {"port": 30124, "advertisedAddress": "192.0.2.1"},
        "service": {"type": "NodePort", "api": {"type": "LoadBalancer", "annotations": {"a": "b"}}, "monitord": {"type": "NodePort"}},
        "ingress": {"enabled": true, "className": "nginx", "hostname": "cloud.example.org", "annotations": {"a": "b"}, "tls": {"enabled": true}},
        "config": {"oned": {"DB/CONNECTIONS": 50, "VM_MAD[NAME=kvm]/ARGUMENTS": "-t 15"}, "monitord": {"DB/CONNECTIONS": 20}},
        "log": {"format": "json"},
        "resources": {"limits": {"memory": "4Gi"}},
        "extraEnv": [{"name": "TZ", "value": "Europe/Madrid"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"team": "cloud"},
        "priorityClassName": "high",
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    })
}
