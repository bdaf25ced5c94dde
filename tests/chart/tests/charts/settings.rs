//! What reaches OpenNebula's configuration, and which values are refused.

use chart_tests::helm::{self, Error};
use serde_json::{Value, json};

use crate::{HELMS, environment, find, front_end, manifests, objects, refuses, render, try_find};

#[test]
fn overrides_arrive_as_a_file() {
    let objects = render(&json!({"config": {
        "oned": {"SESSION_EXPIRATION_TIME": 1_000_000, "VM_MAD[NAME=kvm]/ARGUMENTS": "-t 15 -r 0 kvm", "SCHED_MAX_WND_TIME": "10"},
        "monitord": {"DB/CONNECTIONS": 20},
    }}));
    let file = find(&objects, "ConfigMap", "opennebula-overrides").text("/data/config.yaml");
    let read: Value = serde_saphyr::from_str(file).unwrap();
    assert_eq!(
        read,
        json!({
            "oned": {"SESSION_EXPIRATION_TIME": 1_000_000, "VM_MAD[NAME=kvm]/ARGUMENTS": "-t 15 -r 0 kvm", "SCHED_MAX_WND_TIME": "10"},
            "monitord": {"DB/CONNECTIONS": 20},
        })
    );
    let container = front_end(&objects);
    assert!(environment(container).contains(&("ONEPOD_CONFIG", "/etc/onepod/config.yaml")));
    assert!(container["volumeMounts"].to_string().contains("\"/etc/onepod\""));

    let without = render(&json!({}));
    assert!(try_find(&without, "ConfigMap", "opennebula-overrides").is_none());
    assert!(
        !environment(front_end(&without))
            .iter()
            .any(|(name, _)| *name == "ONEPOD_CONFIG")
    );
}

#[test]
fn every_file_of_opennebula_has_its_section() {
    let config = json!({
        "oned": {"RPC_LOG": true, "USER_ENCRYPTED_ATTR": ["SSH_PRIVATE_KEY"]},
        "rank": {"MEMORY_SYSTEM_DS_SCALE": 0.5},
        "oneflow": {"log": {"level": 3}},
        "onegate": {"permissions/vm/update": false},
        "onehem": {"concurrency": 20},
        "oneform": {"expire_delta": 60},
        "oneks": {"base_name": "k"},
        "fireedge": {"guacd": {"port": 4823}},
        "sunstone": {"supported_fs": ["xfs"]},
    });
    let objects = render(&json!({"config": config}));
    let file = find(&objects, "ConfigMap", "opennebula-overrides").text("/data/config.yaml");
    assert_eq!(serde_saphyr::from_str::<Value>(file).unwrap(), config);
}

#[test]
fn host_keys_of_hypervisors_arrive_as_a_file() {
    let lines = "node1 ssh-ed25519 AAAAC3Nza\n# the second\nnode2,192.0.2.2 ssh-rsa AAAAB3Nza";
    for given in [lines.to_owned(), format!("{lines}\n")] {
        let objects = render(&json!({"ssh": {"knownHosts": given}}));
        let map = find(&objects, "ConfigMap", "opennebula-known-hosts");
        assert_eq!(map.text("/data/known_hosts"), format!("{lines}\n"));
        let container = front_end(&objects);
        assert!(environment(container).contains(&("SSH_KNOWN_HOSTS_FILE", "/run/config/ssh/known_hosts")));
        assert!(
            container["volumeMounts"]
                .to_string()
                .contains("\"/run/config/ssh\"")
        );
    }
    let without = render(&json!({}));
    assert!(try_find(&without, "ConfigMap", "opennebula-known-hosts").is_none());
    assert!(
        !environment(front_end(&without))
            .iter()
            .any(|(name, _)| *name == "SSH_KNOWN_HOSTS_FILE")
    );
}

#[test]
fn a_driver_is_added_by_a_map_of_its_attributes() {
    let config = json!({
        "oned": {"VM_MAD[NAME=dummy]": {"EXECUTABLE": "one_vmm_dummy", "TYPE": "xml"}, "DB/CONNECTIONS": 50},
        "monitord": {"IM_MAD[NAME=dummy]": {"EXECUTABLE": "one_im_sh", "ARGUMENTS": "-r 3 dummy", "THREADS": 0}},
    });
    let objects = render(&json!({"config": config}));
    let file = find(&objects, "ConfigMap", "opennebula-overrides").text("/data/config.yaml");
    assert_eq!(serde_saphyr::from_str::<Value>(file).unwrap(), config);
}

#[test]
fn changed_settings_start_a_new_pod() {
    let checksum = |values: Value| {
        let objects = render(&values);
        find(&objects, "StatefulSet", "opennebula").at("/spec/template/metadata/annotations")["checksum/config"].clone()
    };
    let before = checksum(json!({}));
    assert_ne!(
        before,
        checksum(json!({"config": {"oned": {"DB/CONNECTIONS": 50}}}))
    );
    assert_ne!(before, checksum(json!({"log": {"format": "json"}})));
    assert_ne!(
        before,
        checksum(json!({"opennebula": {"hostname": "cloud.example.org"}}))
    );
    assert_eq!(
        before,
        checksum(json!({"service": {"type": "NodePort"}, "podAnnotations": {"a": "b"}}))
    );
}

#[test]
fn the_host_name_is_the_pods_own_unless_set() {
    let data = |values: Value| {
        find(&render(&values), "ConfigMap", "opennebula")
            .at("/data/OPENNEBULA_HOSTNAME")
            .clone()
    };
    assert!(data(json!({})).is_null());
    assert_eq!(
        data(json!({"opennebula": {"hostname": "cloud.example.org"}})),
        "cloud.example.org"
    );
}

#[test]
fn an_unknown_value_is_refused_by_its_name() {
    for (values, word) in [
        (json!({"ingres": {"enabled": true}}), "ingres"),
        (json!({"opennebula": {"hostName": "x"}}), "hostName"),
        (
            json!({"persistence": {"storageClassName": "fast"}}),
            "storageClassName",
        ),
        (json!({"mariadb": {"primary": {"replicas": 3}}}), "replicas"),
        (json!({"mariadb": {"auth": {"user": "x"}}}), "user"),
        (json!({"service": {"sunstone": {}}}), "sunstone"),
        (json!({"resources": {"request": {"cpu": 1}}}), "request"),
        (json!({"config": {"fireegde": {}}}), "fireegde"),
        (
            json!({"config": {"oned": {"DB CONNECTIONS": 1}}}),
            "DB CONNECTIONS",
        ),
        (
            json!({"config": {"oned": {"VM_MAD[NAME=dummy]": {"FULL NAME": "x"}}}}),
            "FULL NAME",
        ),
    ] {
        refuses(&values, &[&format!("'{word}' not allowed")]);
    }
}

#[test]
fn a_wrong_value_is_refused_by_its_place() {
    for (values, place) in [
        (json!({"service": {"type": "Nodeport"}}), "/service/type"),
        (json!({"monitord": {"port": 99_999}}), "/monitord/port"),
        (
            json!({"externalDatabase": {"port": "3306"}}),
            "/externalDatabase/port",
        ),
        (
            json!({"externalDatabase": {"host": "mysql://db"}}),
            "/externalDatabase/host",
        ),
        (json!({"ingress": {"enabled": "true"}}), "/ingress/enabled"),
        (
            json!({"ingress": {"hostname": "https://cloud.example.org/"}}),
            "/ingress/hostname",
        ),
        (json!({"image": {"tag": 7.0}}), "/image/tag"),
        (json!({"image": {"pullPolicy": "Allways"}}), "/image/pullPolicy"),
        (json!({"persistence": {"size": "20 GB"}}), "/persistence/size"),
        (
            json!({"persistence": {"accessModes": []}}),
            "/persistence/accessModes",
        ),
        (json!({"log": {"format": "xml"}}), "/log/format"),
        (
            json!({"config": {"oned": {"DB/SERVER": "db"}}}),
            "cannot be set here: set externalDatabase.host instead",
        ),
        (
            json!({"config": {"sunstone": {"max_upload_file_size": "much"}}}),
            "/config/sunstone/max_upload_file_size",
        ),
        (json!({"extraEnv": {"TZ": "UTC"}}), "/extraEnv"),
        (
            json!({"mariadb": {"auth": {"database": "open-nebula"}}}),
            "/auth/database",
        ),
        (json!({"fullnameOverride": "My_Cloud"}), "/fullnameOverride"),
        (
            json!({"config": {"oned": {"DB": {"CONNECTIONS": "five"}}}}),
            "/config/oned/DB/CONNECTIONS",
        ),
        (
            json!({"config": {"oned": {"VM_MAD[NAME=dummy]": "xml"}}}),
            "/config/oned/VM_MAD[NAME=dummy]",
        ),
        (
            json!({"config": {"monitord": {"IM_MAD[NAME=dummy]": {}}}}),
            "/config/monitord/IM_MAD[NAME=dummy]",
        ),
        (
            json!({"config": {"monitord": {"IM_MAD[NAME=dummy]": {"THREADS": []}}}}),
            "/config/monitord/IM_MAD[NAME=dummy]/THREADS",
        ),
    ] {
        refuses(&values, &[place]);
    }
}

#[test]
fn a_name_that_no_service_can_have_is_refused() {
    for release in ["1st", "my.cloud"] {
        for helm in &*HELMS {
            let message = match helm.template(&helm::opennebula(), release, &json!({})) {
                Err(Error::Refused(message)) => message,
                other => panic!("{}: {other:?}", helm.version()),
            };
            assert!(
                message.contains(&format!(
                    "{release}-opennebula or {release}-mariadb cannot be the name"
                )),
                "{message}"
            );
        }
    }
    refuses(&json!({"nameOverride": "Foo_Bar"}), &["/nameOverride", "Foo_Bar"]);
}

#[test]
fn names_that_yaml_takes_for_something_else_stay_text() {
    for object in objects(&manifests("yes", &json!({"fullnameOverride": "on"}))) {
        assert_eq!(object.text("/metadata/labels/app.kubernetes.io~1instance"), "yes");
        assert!(object.at("/metadata/name").is_string(), "{:?}", object.value());
    }
}

#[test]
fn what_kubernetes_would_refuse_is_refused_by_the_name_of_its_value() {
    refuses(&json!({"commonLabels": {"team": "a b"}}), &["/commonLabels/team"]);
    refuses(&json!({"ingress": {"path": "one"}}), &["/ingress/path"]);
    refuses(
        &json!({"extraEnv": "TZ: Europe/Madrid"}),
        &["extraEnv is no list of maps"],
    );
    refuses(
        &json!({"extraVolumes": ["- name: a"]}),
        &["extraVolumes is no list of maps: - name: a"],
    );
    refuses(
        &json!({
            "mariadb": {"enabled": false},
            "externalDatabase": {"host": "db:3306", "existingSecret": "db"},
        }),
        &["externalDatabase.host is \"db:3306\"", "externalDatabase.port"],
    );
}

#[test]
fn null_is_a_value_that_is_not_there() {
    let objects = render(&json!({
        "probes": {"liveness": null}, "podSecurityContext": null, "commonLabels": null, "config": {"oned": null},
        "service": {"api": null, "type": null}, "persistence": {"accessMode": null, "annotations": null},
        "image": {"registry": null},
    }));
    let container = front_end(&objects);
    assert!(container["livenessProbe"].is_null());
    assert!(container["readinessProbe"].is_object());
    assert!(container["image"].as_str().unwrap().starts_with("pablodelarco/"));
    refuses(
        &json!({"opennebula": {"existingSecretKeys": {"oneKey": null}}}),
        &["opennebula.existingSecretKeys.oneKey is empty"],
    );
}
