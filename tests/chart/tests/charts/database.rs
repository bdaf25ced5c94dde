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
