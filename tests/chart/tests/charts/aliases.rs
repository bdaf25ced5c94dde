//! The chart twice in one release, as two dependencies of another chart: two installations that share nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use chart_tests::helm;
use serde_json::{Value, json};

use crate::{HELMS, objects};

fn labels_of(selector: &Value) -> BTreeMap<&String, &Value> {
    selector.as_object().unwrap().iter().collect()
}

#[test]
fn two_aliases_share_no_object_no_database_and_no_pod() {
    let parent = tempfile::tempdir().unwrap();
    fs::write(
        parent.path().join("Chart.yaml"),
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n  - {name: opennebula, alias: east, version: 0.x}\n  - {name: opennebula, alias: west, version: 0.x}\n",
    )
    .unwrap();
    fs::create_dir(parent.path().join("charts")).unwrap();
    let long = "a-release-whose-name-fills-all-the-room-there-is-east";
    for helm in &*HELMS {
        let charts = parent.path().join("charts").display().to_string();
        let chart = helm::opennebula().display().to_string();
        helm.say(&["package", &chart, "--destination", &charts]).unwrap();
        for release in ["cloud", "east", "east-west", long] {
            let text = helm
                .template(
                    parent.path(),
                    release,
                    &json!({"east": {"ingress": {"enabled": true}}}),
                )
                .unwrap_or_else(|error| panic!("{}: {error}", helm.version()));
            let objects = objects(&text);
            let mut seen = BTreeSet::new();
            for object in &objects {
                let name = (object.kind().to_owned(), object.name().to_owned());
                assert!(object.name().len() <= 63, "{name:?}");
                assert!(seen.insert(name.clone()), "{name:?} is there twice, {release}");
            }
            let databases: BTreeSet<&str> = objects
                .iter()
                .map(|object| object.text("/data/DB_HOST"))
                .filter(|host| !host.is_empty())
                .collect();
            assert_eq!(databases.len(), 2, "{databases:?}");
            for host in databases {
                assert!(seen.contains(&("Service".to_owned(), host.to_owned())), "{host}");
            }
            // Each Service leads to the pods of one StatefulSet.
            let sets: Vec<_> = objects
                .iter()
                .filter(|object| object.kind() == "StatefulSet")
                .collect();
            assert_eq!(sets.len(), 4);
            for service in objects.iter().filter(|object| object.kind() == "Service") {
                let selector = labels_of(service.at("/spec/selector"));
                let found = sets
                    .iter()
                    .filter(|set| {
                        let labels = set.at("/spec/template/metadata/labels");
                        selector
                            .iter()
                            .all(|(name, value)| &labels[name.as_str()] == *value)
                    })
                    .count();
                assert_eq!(
                    found,
                    1,
                    "Service {} leads to {found} StatefulSets",
                    service.name()
                );
            }
        }
    }
}
