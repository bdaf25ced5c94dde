//! Passwords and keys: made by the Job or given by the user, never by a template, never shown.

use std::fs;

use chart_tests::helm;
use chart_tests::object::Object;
use serde_json::{Value, json};

use crate::{environment, find, front_end, items, names, render, try_find};

/// All Secrets from the user, with keys named otherwise.
fn own() -> Value {
    json!({
        "opennebula": {
            "existingSecret": "mine",
            "existingSecretKeys": {"password": "pw", "oneKey": "", "fireedgeKey": "fk", "serveradminSecret": "", "sshPrivateKey": "id"},
        },
        "mariadb": {"auth": {"existingSecret": "mine-too", "existingSecretKeys": {"password": "user", "rootPassword": "root"}}},
    })
}

#[test]
fn no_template_generates_or_looks_up_a_value() {
    let forbidden = [
        "rand",
        "genCA",
        "genSelfSigned",
        "genSigned",
        "genPrivateKey",
        "derivePassword",
        "uuid",
        "now",
        "lookup",
        "htpasswd",
        "bcrypt",
        "encryptAES",
        "buildCustomCert",
        "date",
        "ago",
        "shuffle",
        "getHostByName",
        "env",
    ];
    let mut read = 0;
    for folder in ["templates", "templates/tests", "charts/mariadb/templates"] {
        for entry in fs::read_dir(helm::opennebula().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            read += 1;
            let text = fs::read_to_string(&path).unwrap();
            for action in text
                .split("{{")
                .skip(1)
                .filter_map(|rest| rest.split("}}").next())
            {
                let action = action.trim_start_matches('-').trim();
                if action.starts_with("/*") {
                    continue;
                }
                let code = without_strings(action);
                for word in
                    code.split(|letter: char| !letter.is_alphanumeric() && letter != '.' && letter != '$')
                {
                    assert!(
                        !forbidden.iter().any(|name| word.starts_with(name)),
                        "{}: {word} in {action}",
                        path.display()
                    );
                }
            }
        }
    }
    assert!(read > 15, "only {read} templates were read");
}

fn without_strings(action: &str) -> String {
    action.split('"').step_by(2).collect()
}

#[test]
fn nothing_secret_is_in_any_object() {
    for values in [
        json!({}),
        own(),
        crate::defaults::everything(),
        crate::database::external(),
    ] {
        let objects = render(&values);
        assert!(
            objects.iter().all(|object| object.kind() != "Secret"),
            "{:?}",
            names(&objects)
        );
        for object in &objects {
            for container in object.pod().into_iter().flat_map(|pod| items(&pod["containers"])) {
                for (name, value) in environment(container) {
                    assert!(
                        !sensitive(name) || (name.ends_with("_FILE") && value.starts_with("/run/secrets/")),
                        "{name}={value}"
                    );
                }
            }
            for name in object
                .at("/data")
                .as_object()
                .into_iter()
                .flat_map(|data| data.keys())
            {
                assert!(!sensitive(name), "{name} in ConfigMap {}", object.name());
            }
        }
    }
}

fn sensitive(name: &str) -> bool {
    ["PASSWORD", "SECRET", "TOKEN", "KEY", "CREDENTIAL"]
        .iter()
        .any(|word| name.to_uppercase().contains(word))
}

#[test]
fn a_password_is_not_a_value() {
    for (values, word) in [
        (json!({"opennebula": {"adminPassword": "x"}}), "adminPassword"),
        (json!({"opennebula": {"password": "x"}}), "password"),
        (json!({"mariadb": {"auth": {"password": "x"}}}), "password"),
        (
            json!({"mariadb": {"auth": {"rootPassword": "x"}}}),
            "rootPassword",
        ),
        (json!({"externalDatabase": {"password": "x"}}), "password"),
    ] {
        crate::refuses(&values, &[word, "not allowed"]);
    }
}

#[test]
fn the_job_makes_what_is_missing_and_may_do_no_more() {
    let objects = render(&json!({}));
    assert_eq!(
        keys(&objects),
        [
            "opennebula/oneadmin-password=password",
            "opennebula/one-key=hex64",
            "opennebula/fireedge-key=alphanumeric32",
            "opennebula/serveradmin-secret=hex64",
            "opennebula/ssh-private-key=ed25519",
            "opennebula-mariadb/password=password",
            "opennebula-mariadb/root-password=password",
        ]
    );
    assert_eq!(
        find(&objects, "Role", "opennebula-secrets").at("/rules"),
        &json!([
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "patch"], "resourceNames": ["opennebula", "opennebula-mariadb"]},
        ])
    );
}

#[test]
fn the_job_comes_first_and_leaves_nothing_behind() {
    for object in render(&json!({}))
        .iter()
        .filter(|object| object.name() == "opennebula-secrets")
    {
        let annotation = |name: &str| {
            object.at("/metadata/annotations")[name]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(annotation("helm.sh/hook"), "pre-install,pre-upgrade");
        assert_eq!(
            annotation("helm.sh/hook-delete-policy"),
            "before-hook-creation,hook-succeeded"
        );
        let first = annotation("helm.sh/hook-weight").parse::<i32>().unwrap() < 0;
        assert_eq!(
            first,
            object.kind() != "Job",
            "its account and rights come before the Job"
        );
    }
}

#[test]
fn a_secret_of_the_user_is_left_out_of_the_job() {
    let objects = render(&json!({"opennebula": {"existingSecret": "mine"}}));
    assert_eq!(
        keys(&objects),
        [
            "opennebula-mariadb/password=password",
            "opennebula-mariadb/root-password=password"
        ]
    );
    assert_eq!(
        find(&objects, "Role", "opennebula-secrets").at("/rules/1/resourceNames"),
        &json!(["opennebula-mariadb"])
    );

    let objects = render(&json!({"mariadb": {"auth": {"existingSecret": "mine"}}}));
    assert!(
        keys(&objects).iter().all(|key| key.starts_with("opennebula/")),
        "{:?}",
        keys(&objects)
    );
}

#[test]
fn without_a_secret_to_make_there_is_no_job_and_no_right() {
    let objects = render(&own());
    for kind in ["Job", "Role", "RoleBinding", "ServiceAccount"] {
        assert!(try_find(&objects, kind, "opennebula-secrets").is_none(), "{kind}");
    }
}

#[test]
fn keys_of_the_user_arrive_under_the_names_that_the_front_end_reads() {
    let objects = render(&own());
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(
        secret(pod, "secrets"),
        &json!({"secretName": "mine", "defaultMode": 0o440, "items": [
            {"key": "pw", "path": "oneadmin-password"},
            {"key": "fk", "path": "fireedge-key"},
            {"key": "id", "path": "ssh-private-key"},
        ]})
    );
    assert_eq!(
        secret(pod, "database-secret")["items"],
        json!([{"key": "user", "path": "password"}])
    );
    let names: Vec<_> = environment(front_end(&objects))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "ONEADMIN_PASSWORD_FILE",
            "FIREEDGE_KEY_FILE",
            "SSH_PRIVATE_KEY_FILE",
            "DB_PASSWORD_FILE"
        ]
    );

    let database = find(&objects, "StatefulSet", "opennebula-mariadb").pod().unwrap();
    assert_eq!(secret(database, "secrets")["secretName"], "mine-too");
    assert_eq!(
        secret(database, "secrets")["items"][1],
        json!({"key": "root", "path": "root-password"})
    );

    let test = find(&objects, "Pod", "opennebula-verify").pod().unwrap();
    assert_eq!(
        secret(test, "secrets")["items"],
        json!([{"key": "pw", "path": "oneadmin-password"}])
    );
}

#[test]
fn every_file_that_a_variable_names_is_mounted() {
    for values in [
        json!({}),
        own(),
        crate::database::external(),
        crate::defaults::everything(),
    ] {
        for object in render(&values) {
            let Some(pod) = object.pod() else { continue };
            for container in items(&pod["containers"]) {
                for (name, path) in environment(container)
                    .into_iter()
                    .filter(|(name, _)| name.ends_with("_FILE"))
                {
                    assert!(
                        mounted(pod, container, path),
                        "{name}={path} of {} is not mounted",
                        object.name()
                    );
                }
            }
        }
    }
}

#[test]
fn a_key_may_be_left_out_only_of_a_secret_of_the_user() {
    crate::refuses(
        &json!({"opennebula": {"existingSecretKeys": {"oneKey": ""}}}),
        &["opennebula.existingSecretKeys", "opennebula.existingSecret"],
    );
    crate::refuses(
        &json!({"opennebula": {"existingSecretKeys": {"serveradminSecret": ""}}}),
        &["opennebula.existingSecretKeys", "opennebula.existingSecret"],
    );
    crate::refuses(
        &json!({"opennebula": {"existingSecretKeys": {"password": ""}}}),
        &["existingSecretKeys/password"],
    );
}

fn keys(objects: &[Object]) -> Vec<String> {
    items(&find(objects, "Job", "opennebula-secrets").pod().unwrap()["containers"][0]["args"])
        .iter()
        .filter_map(|argument| argument.as_str()?.strip_prefix("--key=").map(str::to_owned))
        .collect()
}

fn secret<'a>(pod: &'a Value, volume: &str) -> &'a Value {
    &items(&pod["volumes"])
        .iter()
        .find(|candidate| candidate["name"] == volume)
        .unwrap()["secret"]
}

fn mounted(pod: &Value, container: &Value, path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap();
    items(&container["volumeMounts"]).iter().any(|mount| {
        let volume = mount["name"].as_str().unwrap();
        let of_secret = || {
            items(&secret(pod, volume)["items"])
                .iter()
                .any(|item| item["path"] == file)
        };
        // A ConfigMap is mounted as a whole.
        mount["mountPath"] == folder && (volume == "known-hosts" || of_secret())
    })
}
