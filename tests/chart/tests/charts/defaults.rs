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
        names(&render(&json!({})))
            .into_iter()
            .map(|name| match name.strip_prefix("Job/opennebula-secrets-") {
                Some(_) => "Job/opennebula-secrets-…".to_owned(),
                None => name,
            })
            .collect::<Vec<_>>(),
        [
            "ConfigMap/opennebula",
            "Job/opennebula-secrets-…",
            "NetworkPolicy/opennebula",
            "NetworkPolicy/opennebula-mariadb",
            "NetworkPolicy/opennebula-secrets",
            "NetworkPolicy/opennebula-verify",
            "PersistentVolumeClaim/opennebula-data",
            "PersistentVolumeClaim/opennebula-mariadb-data",
            "Pod/opennebula-verify",
            "PodDisruptionBudget/opennebula",
            "PodDisruptionBudget/opennebula-mariadb",
            "Role/opennebula-secrets",
            "RoleBinding/opennebula-secrets",
            "Service/opennebula-api",
            "Service/opennebula-fireedge",
            "Service/opennebula-headless",
            "Service/opennebula-mariadb",
            "Service/opennebula-mariadb-headless",
            "Service/opennebula-metrics",
            "Service/opennebula-monitord",
            "Service/opennebula-oneflow",
            "Service/opennebula-onegate",
            "Service/opennebula-ssh",
            "ServiceAccount/opennebula",
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
    serde_saphyr::from_str(include_str!("everything.yaml")).unwrap()
}
