//! Exactly one database.

use serde_json::{Value, json};

use crate::{find, names, refused, refuses, render};

/// A server outside.
pub(crate) fn external() -> Value {
    json!({
        "mariadb": {"enabled": false},
        "externalDatabase": {
            "host": "db.example.org", "port": 3307, "database": "one", "username": "nebula",
            "existingSecret": "db", "existingSecretKeys": {"password": "pw"},
        },
    })
}

#[test]
fn the_front_end_is_told_of_the_one_in_the_release() {
    let objects = render(&json!({"mariadb": {"auth": {"database": "one", "username": "nebula"}}}));
    let settings = find(&objects, "ConfigMap", "opennebula").at("/data").clone();
    assert_eq!(settings["DB_BACKEND"], "mysql");
    assert_eq!(settings["DB_HOST"], "opennebula-mariadb");
    assert_eq!(settings["DB_NAME"], "one");
    assert_eq!(settings["DB_USER"], "nebula");
    let server = &find(&objects, "StatefulSet", "opennebula-mariadb").pod().unwrap()["containers"][0];
    let environment = crate::environment(server);
    assert!(
        environment.contains(&("MARIADB_DATABASE", "one")),
        "{environment:?}"
    );
    assert!(
        environment.contains(&("MARIADB_USER", "nebula")),
        "{environment:?}"
    );
}

#[test]
fn the_front_end_is_told_of_the_one_outside() {
    let objects = render(&external());
    assert!(
        !names(&objects).iter().any(|name| name.contains("mariadb")),
        "{:?}",
        names(&objects)
    );
    let settings = find(&objects, "ConfigMap", "opennebula").at("/data").clone();
    for (name, value) in [
        ("DB_HOST", "db.example.org"),
        ("DB_PORT", "3307"),
        ("DB_NAME", "one"),
        ("DB_USER", "nebula"),
    ] {
        assert_eq!(settings[name], value, "{name}");
    }
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(
        crate::secrets::files(pod, "database-secret"),
        ["db/pw=password".to_owned()]
    );
}

#[test]
fn two_are_refused() {
    refuses(
        &json!({"externalDatabase": {"host": "db.example.org"}}),
        &[
            "Two databases are chosen",
            "mariadb.enabled",
            "externalDatabase.host is \"db.example.org\"",
            "mariadb.enabled=false switches",
        ],
    );
}

#[test]
fn none_is_refused() {
    refuses(
        &json!({"mariadb": {"enabled": false}}),
        &[
            "No database is chosen",
            "mariadb.enabled and mariadbOperator.enabled are false",
            "externalDatabase.host is empty",
        ],
    );
}

#[test]
fn one_outside_needs_its_password() {
    let mut values = external();
    values["externalDatabase"]["existingSecret"] = json!("");
    refuses(
        &values,
        &[
            "externalDatabase.existingSecret is empty",
            "\"nebula\" on \"db.example.org\"",
            "\"pw\"",
        ],
    );
}

#[test]
fn all_mistakes_are_said_at_once() {
    let values = json!({
        "externalDatabase": {"host": "db.example.org"},
        "fireedge": {"enabled": false},
        "ingress": {"enabled": true, "hostname": ""},
    });
    for message in refused(&values) {
        for word in [
            "Two databases",
            "fireedge.enabled is false",
            "ingress.hostname is empty",
        ] {
            assert!(message.contains(word), "{word:?} is not in: {message}");
        }
    }
}

#[test]
fn the_server_runs_as_opennebula_needs_it() {
    let objects = render(
        &json!({"mariadb": {"options": {"innodb-buffer-pool-size": 1_073_741_824, "max-connections": 400}}}),
    );
    let server = &find(&objects, "StatefulSet", "opennebula-mariadb").pod().unwrap()["containers"][0];
    let arguments: Vec<_> = crate::items(&server["args"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for expected in [
        "--transaction-isolation=READ-COMMITTED",
        "--character-set-server=utf8mb4",
        "--max-connections=400",
        "--innodb-buffer-pool-size=1073741824",
    ] {
        assert!(
            arguments.contains(&expected),
            "{expected} is not in {arguments:?}"
        );
    }
}

/// A Galera cluster that mariadb-operator runs.
fn operated(more: &Value) -> Value {
    let mut values = json!({"mariadb": {"enabled": false}, "mariadbOperator": {"enabled": true}});
    for (name, value) in more.as_object().unwrap() {
        values["mariadbOperator"][name] = value.clone();
    }
    values
}

#[test]
fn the_operator_is_asked_for_a_galera_cluster_with_our_secrets() {
    let objects = render(&operated(
        &json!({"backup": {"enabled": true}, "storage": {"size": "20Gi", "storageClass": "fast"}}),
    ));
    let server = find(&objects, "MariaDB", "opennebula-db");
    assert_eq!(server.text("/apiVersion"), "k8s.mariadb.com/v1alpha1");
    assert_eq!(server.at("/spec/replicas"), 3);
    assert_eq!(server.at("/spec/galera/enabled"), true);
    assert_eq!(
        server.at("/spec/storage"),
        &json!({"size": "20Gi", "storageClassName": "fast"})
    );
    assert!(
        server
            .text("/spec/myCnf")
            .contains("transaction-isolation=READ-COMMITTED\n"),
        "{}",
        server.text("/spec/myCnf")
    );
    let settings = find(&objects, "ConfigMap", "opennebula").at("/data");
    assert_eq!(
        settings["DB_HOST"], "opennebula-db-primary",
        "one server is written to"
    );
    for (field, key) in [
        ("passwordSecretKeyRef", "password"),
        ("rootPasswordSecretKeyRef", "root-password"),
    ] {
        let reference = server.at(&format!("/spec/{field}"));
        assert_eq!(reference, &json!({"name": "opennebula-db", "key": key}));
        let role = find(&objects, "Role", "opennebula-secrets")
            .at("/rules/1/resourceNames")
            .to_string();
        assert!(role.contains("\"opennebula-db\""), "the Job makes it: {role}");
    }
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(
        crate::secrets::files(pod, "database-secret"),
        ["opennebula-db/password=password"]
    );
    let backup = find(&objects, "Backup", "opennebula-db");
    assert_eq!(backup.text("/spec/mariaDbRef/name"), "opennebula-db");
    assert_eq!(
        backup.text("/spec/storage/persistentVolumeClaim/storageClassName"),
        "fast"
    );
    assert!(
        !names(&objects)
            .iter()
            .any(|name| name.contains("opennebula-mariadb")),
        "{:?}",
        names(&objects)
    );
}

#[test]
fn one_server_of_the_operator_is_no_cluster_and_its_spec_can_be_changed() {
    let objects = render(&operated(&json!({
        "replicas": 1, "existingSecret": "mine", "spec": {"metrics": {"enabled": true}, "storage": {"size": "1Gi"}},
    })));
    let server = find(&objects, "MariaDB", "opennebula-db");
    assert!(server.at("/spec/galera").is_null());
    assert_eq!(server.at("/spec/metrics/enabled"), true);
    assert_eq!(server.text("/spec/storage/size"), "1Gi");
    assert_eq!(server.text("/spec/passwordSecretKeyRef/name"), "mine");
    assert_eq!(
        find(&objects, "ConfigMap", "opennebula").text("/data/DB_HOST"),
        "opennebula-db"
    );
    assert!(!names(&objects).iter().any(|name| name.starts_with("Backup/")));
}

#[test]
fn three_databases_are_refused_too() {
    let mut values = operated(&json!({}));
    values["mariadb"]["enabled"] = json!(true);
    values["externalDatabase"] = json!({"host": "db.example.org"});
    refuses(
        &values,
        &["Three databases are chosen", "mariadbOperator.enabled is true"],
    );
}

#[test]
fn the_exporter_logs_in_with_a_file() {
    let objects = render(&json!({"mariadb": {"metrics": {"enabled": true}}}));
    let pod = find(&objects, "StatefulSet", "opennebula-mariadb").pod().unwrap();
    let exporter = &pod["containers"][1];
    assert_eq!(exporter["name"], "metrics");
    assert!(exporter["env"].is_null(), "{}", exporter["env"]);
    let volume = crate::items(&pod["volumes"])
        .iter()
        .find(|volume| volume["name"] == "metrics");
    assert_eq!(volume.unwrap()["emptyDir"]["medium"], "Memory");
    refuses(
        &json!({"mariadb": {"metrics": {"podMonitor": {"enabled": true}}}}),
        &["mariadb.metrics.podMonitor.enabled is true but mariadb.metrics.enabled is false"],
    );
}

#[test]
fn an_option_of_the_server_can_be_taken_away() {
    let objects = render(&json!({"mariadb": {"options": {"skip-name-resolve": null, "wait-timeout": 60}}}));
    let server = &find(&objects, "StatefulSet", "opennebula-mariadb").pod().unwrap()["containers"][0];
    let arguments = server["args"].to_string();
    assert!(!arguments.contains("skip-name-resolve"), "{arguments}");
    assert!(arguments.contains("--wait-timeout=60"), "{arguments}");
}
