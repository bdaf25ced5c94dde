//! The values of the chart 0.2.6: those of its README work unchanged, those that were renamed are refused with the new name.

use chart_tests::helm;
use serde_json::{Value, json};

use crate::{find, front_end, refuses, render, try_find};

/// The values that the README of 0.2.6 showed, with its defaults where it left them empty.
fn of_the_readme() -> Value {
    json!({
        "image": {"repository": "pablodelarco/opennebula", "tag": "latest", "pullPolicy": "IfNotPresent"},
        "opennebula": {"adminPassword": "your-secure-password"},
        "mariadb": {
            "enabled": true,
            "auth": {"database": "opennebula", "username": "oneadmin"},
            "primary": {"persistence": {"enabled": true, "size": "9Gi"}},
        },
        "externalDatabase": {"host": "", "port": 3306, "database": "opennebula", "username": "oneadmin", "password": ""},
        "persistence": {"enabled": true, "size": "21Gi", "accessMode": "ReadWriteOnce"},
        "service": {"type": "ClusterIP"},
        "ingress": {"enabled": true, "className": "nginx", "hostname": "one.example.org", "tls": {"enabled": true, "secretName": "of-mine"}},
        "resources": {"limits": {"cpu": 2, "memory": "4Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    })
}

#[test]
fn the_values_of_its_readme_work_unchanged() {
    let objects = render(&of_the_readme());
    assert_eq!(
        find(&objects, "Secret", "opennebula-admin").text("/data/oneadmin-password"),
        "eW91ci1zZWN1cmUtcGFzc3dvcmQ="
    );
    let size = |name: &str| {
        find(&objects, "PersistentVolumeClaim", name)
            .text("/spec/resources/requests/storage")
            .to_owned()
    };
    assert_eq!(size("opennebula-mariadb-data"), "9Gi");
    assert_eq!(size("opennebula-data"), "21Gi");
    let ingress = find(&objects, "Ingress", "opennebula");
    assert_eq!(ingress.text("/spec/tls/0/secretName"), "of-mine");
    assert_eq!(ingress.text("/spec/rules/0/host"), "one.example.org");
    let container = front_end(&objects);
    assert_eq!(container["image"], "docker.io/pablodelarco/opennebula:latest");
    assert_eq!(container["resources"]["limits"]["memory"], "4Gi");
    let pod = find(&objects, "StatefulSet", "opennebula").pod().unwrap();
    assert_eq!(pod["affinity"], json!({"nodeAffinity": {}}));
}

#[test]
fn its_external_database_works_unchanged() {
    let objects = render(&json!({
        "mariadb": {"enabled": false},
        "externalDatabase": {"host": "db.example.org", "port": 3306, "database": "one", "username": "one", "password": "x"},
    }));
    assert_eq!(
        find(&objects, "ConfigMap", "opennebula").text("/data/DB_HOST"),
        "db.example.org"
    );
    assert!(try_find(&objects, "Secret", "opennebula-external-database").is_some());
}

#[test]
fn the_storage_of_its_values_may_be_off_as_before() {
    let objects = render(
        &json!({"persistence": {"enabled": false}, "mariadb": {"primary": {"persistence": {"enabled": false}}}}),
    );
    assert!(
        objects
            .iter()
            .all(|object| object.kind() != "PersistentVolumeClaim")
    );
}

#[test]
fn a_renamed_value_is_refused_with_its_new_name() {
    let renamed: Value =
        serde_saphyr::from_str(&std::fs::read_to_string(helm::opennebula().join("renamed.yaml")).unwrap())
            .unwrap();
    let entries = renamed.as_array().unwrap();
    assert!(entries.len() >= 7, "{entries:?}");
    for entry in entries {
        let old = entry["old"].as_str().unwrap();
        let values = old
            .rsplit('.')
            .fold(json!("of-before"), |inner, name| json!({name: inner}));
        let mut words = vec![old];
        match entry["new"].as_str() {
            Some(new) => words.push(new),
            None => words.push(entry["why"].as_str().unwrap()),
        }
        refuses(&values, &words);
    }
    refuses(
        &json!({"opennebula": {"monitorAddress": "x"}, "fireedgeProxy": {"enabled": true}}),
        &["monitord.advertisedAddress", "fireedgeProxy was removed"],
    );
}

/// The command of docs/upgrading.md that changes a dump's character set, on lines of a dump of Bitnami's server.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test waits for sed here")]
fn the_page_turns_the_dump_of_its_database_into_utf8mb4() {
    let page = std::fs::read_to_string(helm::repository().join("docs/upgrading.md")).unwrap();
    let command = page
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("sed "))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let body = "INSERT INTO `document_pool` VALUES (1,'a CHARSET=utf8 and utf8mb3_general_ci in a text');\n";
    let dump = format!(
        "CREATE TABLE `user_pool` (\n  `name` varchar(128) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin DEFAULT NULL,\n  `body` mediumtext DEFAULT NULL\n) \
         ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_unicode_ci;\nCREATE TABLE `zone` (\n  `oid` int\n) ENGINE=InnoDB DEFAULT \
         CHARSET=utf8;\n/*!40101 SET NAMES utf8mb4 */;\n{body}-- Dump completed on 2026-11-30\n"
    );
    std::fs::write(folder.path().join("opennebula.sql"), dump).unwrap();
    let status = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "{command}");
    let changed = std::fs::read_to_string(folder.path().join("opennebula-utf8mb4.sql")).unwrap();
    let schema = changed.replace(body, "");
    assert_ne!(schema, changed, "a line with data was changed: {changed}");
    assert!(
        !schema.contains("utf8mb3") && !schema.contains("utf8;"),
        "{schema}"
    );
    for part in [
        "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;",
        "CHARSET=utf8mb4;",
        "SET NAMES utf8mb4 ",
    ] {
        assert!(schema.contains(part), "{part:?} is not in {schema}");
    }
}

/// Its `values.yaml` as it came: groups with nothing in them, and empty values that have no purpose any more.
#[test]
fn its_own_empty_values_are_let_through() {
    render(&json!({
        "ssh": null, "opennebula": {"monitorAddress": ""}, "vnm": {}, "fireedgeProxy": {},
        "mariadb": {"auth": {"password": "", "rootPassword": ""}},
    }));
    render(&json!({"ssh": {"privateKey": "", "publicKey": ""}}));
}
