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
        &["extraEnv must be a list of maps"],
    );
    refuses(
        &json!({"extraVolumes": ["- name: a"]}),
        &["extraVolumes must be a list of maps, and has: - name: a"],
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
    assert!(
        container["image"]
            .as_str()
            .unwrap()
            .starts_with("docker.io/pablodelarco/")
    );
    refuses(
        &json!({"opennebula": {"existingSecretKeys": {"oneKey": null}}}),
        &["opennebula.existingSecretKeys.oneKey is empty"],
    );
}

/// A token in the configuration is for those who may read Secrets; without one the file can be read by everybody.
#[test]
fn a_secret_in_the_configuration_is_in_a_secret() {
    for config in [
        json!({"sunstone": {"token_remote_support": "hunter2hunter2"}}),
        json!({"oned": {"VM_MAD[NAME=netapp]": {"EXECUTABLE": "x", "NETAPP_PASSWORD": "hunter2hunter2"}}}),
        json!({"sunstone": {"proxy": "http://me:hunter2hunter2@proxy.example.org:3128"}}),
    ] {
        let objects = render(&json!({"config": config}));
        assert!(try_find(&objects, "ConfigMap", "opennebula-overrides").is_none());
        let secret = find(&objects, "Secret", "opennebula-overrides");
        assert!(secret.at("/data/config.yaml").is_string());
        let text: String = objects.iter().map(|object| object.value().to_string()).collect();
        assert!(!text.contains("hunter2"), "{config}");
        let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
        assert!(
            pod["volumes"]
                .to_string()
                .contains(r#""secretName":"opennebula-overrides""#),
            "{pod}"
        );
    }
    let open =
        json!({"oned": {"USER_ENCRYPTED_ATTR": ["SSH_PRIVATE_KEY"]}, "fireedge": {"session_expiration": 60}});
    assert!(
        try_find(
            &render(&json!({"config": open})),
            "ConfigMap",
            "opennebula-overrides"
        )
        .is_some()
    );
}

#[test]
fn a_secret_among_the_variables_is_refused_with_the_way_to_give_it() {
    for (name, value) in [
        ("S3_SECRET_KEY", "abc"),
        ("my_token", "abc"),
        ("HTTPS_PROXY", "http://me:word@proxy.example.org:3128"),
    ] {
        let variable = json!({"name": name, "value": value});
        refuses(
            &json!({"extraEnv": [variable]}),
            &["extraEnv has a password", name, "valueFrom: {secretKeyRef:"],
        );
        refuses(
            &json!({"extraEnv": format!("- {variable}")}),
            &["extraEnv has a password", name],
        );
    }
    refuses(
        &json!({"mariadb": {"extraEnv": [{"name": "X_PASSWORD", "value": "abc"}]}}),
        &["mariadb.extraEnv has a password", "X_PASSWORD"],
    );
    render(&json!({"extraEnv": [
        {"name": "S3_SECRET_KEY", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "key"}}},
        {"name": "X_PASSWORD_FILE", "value": "/run/x"},
        {"name": "TOKEN_SECONDS", "value": "3600"},
        {"name": "HTTPS_PROXY", "value": "http://proxy.example.org:3128"},
        {"name": "SSL_CERT_FILE", "value": "/etc/site-ca/bundle.pem"},
    ]}));
}

/// What a site needs of proxies and certificates reaches the container as it is given.
#[test]
fn proxies_and_certificates_reach_the_container() {
    let given = [
        ("HTTP_PROXY", "http://proxy.example.org:3128"),
        ("HTTPS_PROXY", "http://proxy.example.org:3128"),
        ("NO_PROXY", "localhost,127.0.0.1,.svc"),
        ("http_proxy", "http://proxy.example.org:3128"),
        ("https_proxy", "http://proxy.example.org:3128"),
        ("no_proxy", "localhost,127.0.0.1,.svc"),
        ("SSL_CERT_FILE", "/etc/site-ca/bundle.pem"),
        ("SSL_CERT_DIR", "/etc/site-ca"),
        ("NODE_EXTRA_CA_CERTS", "/etc/site-ca/ca.crt"),
        ("TZ", "Europe/Madrid"),
    ];
    let list: Vec<Value> = given
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let objects = render(&json!({"extraEnv": list}));
    let there = environment(front_end(&objects));
    for variable in given {
        assert!(there.contains(&variable), "{variable:?}");
    }
}
