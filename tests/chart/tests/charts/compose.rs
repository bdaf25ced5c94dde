//! compose.yaml beside the chart: both run the same images, and give the front-end's the same places to write.

use std::collections::BTreeSet;
use std::fs;

use chart_tests::helm;
use serde_json::{Value, json};

use crate::{RELEASE, find, items, render};

fn compose() -> Value {
    let text = fs::read_to_string(helm::repository().join("compose.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

#[test]
fn the_front_end_may_write_where_the_chart_lets_it_write() {
    let objects = render(&json!({}));
    let pod = find(&objects, "StatefulSet", RELEASE).pod().unwrap();
    let volumes = items(&pod["volumes"]);
    let in_memory: BTreeSet<&str> = items(&pod["containers"][0]["volumeMounts"])
        .iter()
        .filter(|mount| {
            volumes
                .iter()
                .any(|volume| volume["name"] == mount["name"] && volume["emptyDir"].is_object())
        })
        .filter_map(|mount| mount["mountPath"].as_str())
        .collect();
    let compose = compose();
    let service = &compose["services"]["opennebula"];
    let tmpfs: BTreeSet<&str> = items(&service["tmpfs"])
        .iter()
        .filter_map(|mount| mount.as_str()?.split(':').next())
        .collect();
    assert_eq!(tmpfs, in_memory);
    assert_eq!(service["read_only"], true);
    assert_eq!(service["cap_drop"], json!(["ALL"]));
}

#[test]
fn the_database_is_the_chart_s() {
    let objects = render(&json!({}));
    let database = find(&objects, "StatefulSet", "opennebula-mariadb").pod().unwrap();
    let image = database["containers"][0]["image"].as_str().unwrap();
    let compose = compose();
    let theirs = compose["services"]["mariadb"]["image"].as_str().unwrap();
    assert_eq!(image.split('@').next(), Some(theirs));
}
