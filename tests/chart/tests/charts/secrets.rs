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

/// The two that the chart 0.2.6 had as values reach Secrets of their own, and nothing else.
#[test]
fn a_password_that_is_a_value_is_in_a_secret_alone() {
    let mut values = crate::database::external();
    values["externalDatabase"]["existingSecret"] = json!("");
    values["externalDatabase"]["password"] = json!("of-the-database");
    values["opennebula"] = json!({"adminPassword": "of-oneadmin"});
    let objects = render(&values);
    let admin = find(&objects, "Secret", "opennebula-admin");
    assert_eq!(
        admin.at("/data"),
        &json!({"oneadmin-password": "b2Ytb25lYWRtaW4="})
    );
    let database = find(&objects, "Secret", "opennebula-external-database");
    assert_eq!(database.at("/data"), &json!({"password": "b2YtdGhlLWRhdGFiYXNl"}));
    for object in objects.iter().filter(|object| object.kind() != "Secret") {
        let text = object.value().to_string();
        for password in ["of-oneadmin", "of-the-database", "b2Y"] {
            assert!(!text.contains(password), "{}/{}", object.kind(), object.name());
        }
    }
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert!(
        files(pod, "secrets").contains(&"opennebula-admin/oneadmin-password=oneadmin-password".to_owned()),
        "{:?}",
        files(pod, "secrets")
    );
    assert_eq!(
        files(pod, "database-secret"),
        ["opennebula-external-database/password=password"]
    );
    let test = find(&objects, "Pod", "opennebula-verify").pod().unwrap();
    assert_eq!(
        files(test, "secrets"),
        ["opennebula-admin/oneadmin-password=oneadmin-password"]
    );
    assert!(
        !keys(&objects).iter().any(|key| key.contains("oneadmin-password")),
        "a password that is given is not made: {:?}",
        keys(&objects)
    );
}

#[test]
fn other_passwords_are_no_values() {
    for (values, words) in [
        (
            json!({"opennebula": {"password": "x"}}),
            ["password", "not allowed"],
        ),
        (
            json!({"mariadb": {"auth": {"password": "x"}}}),
            ["mariadb.auth.password", "mariadb.auth.existingSecret"],
        ),
        (
            json!({"opennebula": {"adminPassword": "x", "existingSecret": "mine"}}),
            [
                "opennebula.adminPassword is set",
                "opennebula.existingSecret is \"mine\"",
            ],
        ),
    ] {
        crate::refuses(&values, &words);
    }
}

#[test]
fn the_key_for_hypervisors_may_have_a_secret_of_its_own() {
    let objects =
        render(&json!({"ssh": {"existingSecret": "key-pair", "existingSecretKeys": {"privateKey": "id"}}}));
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert!(files(pod, "secrets").contains(&"key-pair/id=ssh-private-key".to_owned()));
    assert!(!keys(&objects).iter().any(|key| key.ends_with("=ed25519")));
}

/// `kubectl apply` cannot change a Job, so another Job has another name.
#[test]
fn as_a_plain_job_it_can_be_applied_again() {
    let job = |values: &Value| {
        let objects = render(values);
        let jobs: Vec<_> = objects.iter().filter(|object| object.kind() == "Job").collect();
        assert_eq!(jobs.len(), 1);
        jobs[0].clone()
    };
    let plain = json!({"secretsJob": {"hook": false}});
    assert_eq!(job(&plain), job(&plain));
    assert_ne!(
        job(&plain).name(),
        job(&json!({"secretsJob": {"hook": false}, "image": {"tag": "7.0.1"}})).name()
    );
    for object in render(&plain) {
        let annotations = object.at("/metadata/annotations").to_string();
        assert!(
            object.kind() == "Pod" || !annotations.contains("helm.sh/hook"),
            "{}/{}: {annotations}",
            object.kind(),
            object.name()
        );
    }
}

#[test]
fn the_job_makes_what_is_missing_and_may_do_no_more() {
    let objects = render(&json!({}));
    assert_eq!(
        keys(&objects),
        [
            "opennebula/fireedge-key=alphanumeric32",
            "opennebula/one-key=hex64",
            "opennebula/oneadmin-password=password",
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
        .filter(|object| object.name().starts_with("opennebula-secrets"))
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
        files(pod, "secrets"),
        [
            "mine/pw=oneadmin-password",
            "mine/fk=fireedge-key",
            "mine/id=ssh-private-key"
        ]
    );
    assert_eq!(volume(pod, "secrets")["projected"]["defaultMode"], 0o440);
    assert_eq!(files(pod, "database-secret"), ["mine-too/user=password"]);
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
    assert_eq!(
        files(database, "secrets"),
        ["mine-too/user=password", "mine-too/root=root-password"]
    );

    let test = find(&objects, "Pod", "opennebula-verify").pod().unwrap();
    assert_eq!(files(test, "secrets"), ["mine/pw=oneadmin-password"]);
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
        &["opennebula.existingSecretKeys", "opennebula.existingSecret too"],
    );
    crate::refuses(
        &json!({"opennebula": {"existingSecretKeys": {"serveradminSecret": ""}}}),
        &["opennebula.existingSecretKeys", "opennebula.existingSecret too"],
    );
    crate::refuses(
        &json!({"opennebula": {"existingSecretKeys": {"password": ""}}}),
        &["existingSecretKeys/password"],
    );
}

fn keys(objects: &[Object]) -> Vec<String> {
    let job = objects.iter().find(|object| object.kind() == "Job").unwrap();
    items(&job.pod().unwrap()["containers"][0]["args"])
        .iter()
        .filter_map(|argument| argument.as_str()?.strip_prefix("--key=").map(str::to_owned))
        .collect()
}

fn volume<'a>(pod: &'a Value, name: &str) -> &'a Value {
    items(&pod["volumes"])
        .iter()
        .find(|candidate| candidate["name"] == name)
        .unwrap()
}

/// What a volume has of Secrets, each as `SECRET/KEY=FILE`; empty for other volumes.
pub(crate) fn files(pod: &Value, name: &str) -> Vec<String> {
    let volume = volume(pod, name);
    let one = |secret: &Value, name: &Value| {
        items(&secret["items"])
            .iter()
            .map(|item| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                format!("{}/{}={}", text(name), text(&item["key"]), text(&item["path"]))
            })
            .collect::<Vec<_>>()
    };
    let plain = &volume["secret"];
    let projected = items(&volume["projected"]["sources"]).iter();
    one(plain, &plain["secretName"])
        .into_iter()
        .chain(projected.flat_map(|source| one(&source["secret"], &source["secret"]["name"])))
        .collect()
}

fn mounted(pod: &Value, container: &Value, path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap();
    items(&container["volumeMounts"]).iter().any(|mount| {
        let volume = mount["name"].as_str().unwrap();
        let of_secret = || {
            files(pod, volume)
                .iter()
                .any(|entry| entry.ends_with(&format!("={file}")))
        };
        // A ConfigMap is mounted as a whole, and what the init container found is a file that it writes.
        mount["mountPath"] == folder && (["known-hosts", "discovered"].contains(&volume) || of_secret())
    })
}

/// Every value that changes what the Job does or how its pod runs changes its name; every other leaves it.
#[test]
fn the_job_s_name_follows_its_specification() {
    let everything = crate::defaults::everything();
    let mut cases: Vec<Value> = everything
        .as_object()
        .unwrap()
        .iter()
        // A name changes every name, and monitord's node port is another value.
        .filter(|(name, _)| !["fullnameOverride", "service"].contains(&name.as_str()))
        .map(|(name, value)| json!({name: value}))
        .collect();
    cases.extend([
        json!({"image": {"pullPolicy": "Always"}}),
        json!({"image": {"digest": format!("sha256:{}", "a".repeat(64))}}),
        json!({"runtimeClassName": "gvisor"}),
        json!({"schedulerName": "mine"}),
        json!({"podSecurityContext": {"fsGroup": 1}}),
        json!({"securityContext": {"privileged": false}}),
        json!({"global": {"openshift": {"enabled": true}}}),
        json!({"secretsJob": {"activeDeadlineSeconds": 900}}),
        json!({"opennebula": {"existingSecretKeys": {"oneKey": "other"}}}),
    ]);
    let job = |values: &Value| {
        let objects = render(values);
        objects.into_iter().find(|object| object.kind() == "Job").unwrap()
    };
    let plain = |mut values: Value| {
        values["secretsJob"]["hook"] = json!(false);
        values
    };
    let before = job(&plain(json!({})));
    let mut changed = 0;
    for case in cases {
        let after = job(&plain(case.clone()));
        let differs = after.at("/spec") != before.at("/spec");
        changed += usize::from(differs);
        assert_eq!(after.name() != before.name(), differs, "{case}");
    }
    assert!(changed >= 14, "{changed}");
}

/// A hook that never ends would stay for ever, and a plain Job that removes itself would be out of sync.
#[test]
fn the_job_ends_and_a_plain_one_stays() {
    for hook in [true, false] {
        let objects = render(&json!({"secretsJob": {"hook": hook}}));
        let job = objects.iter().find(|object| object.kind() == "Job").unwrap();
        assert_eq!(job.at("/spec/activeDeadlineSeconds"), 600);
        assert_eq!(job.at("/spec/ttlSecondsAfterFinished").is_null(), !hook);
    }
}
