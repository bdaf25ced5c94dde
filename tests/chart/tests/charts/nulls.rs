//! What null means: the default, for a group and for a single value. `ssh:` with nothing below it is null.

use std::collections::BTreeSet;
use std::fs;

use chart_tests::helm;
use serde_json::{Map, Value, json};

use crate::{RELEASE, manifests, render};

/// The defaults of a chart, and the values that null empties.
fn defaults(chart: &str) -> (Map<String, Value>, BTreeSet<String>) {
    let path = helm::repository().join(chart).join("files/defaults.json");
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let cleared = file["cleared"].as_array().unwrap();
    (
        file["values"].as_object().unwrap().clone(),
        cleared
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect(),
    )
}

/// Every group that has no groups below it, and every single value, set to null at once.
fn emptied(values: &Map<String, Value>, cleared: &BTreeSet<String>, path: &str, groups: bool) -> Value {
    let mut all = Map::new();
    for (name, value) in values {
        let path = format!("{path}{name}");
        if cleared.contains(&path) || path == "mariadb.enabled" {
            continue;
        }
        match value.as_object().filter(|fields| !fields.is_empty()) {
            Some(fields) if !groups || fields.values().any(Value::is_object) => {
                all.insert(
                    name.clone(),
                    emptied(fields, cleared, &format!("{path}."), groups),
                );
            }
            None if groups => {}
            _ => {
                all.insert(name.clone(), Value::Null);
            }
        }
    }
    Value::Object(all)
}

#[test]
fn a_group_that_is_null_has_its_defaults() {
    let expected = manifests(RELEASE, &json!({}));
    let (values, cleared) = defaults("charts/opennebula");
    let (database, of_database) = defaults("charts/opennebula/charts/mariadb");
    let mut cases: Vec<Value> = values
        .iter()
        .filter(|(name, value)| value.is_object() && !cleared.contains(*name))
        .map(|(name, _)| json!({name: null}))
        .collect();
    assert!(cases.len() > 20, "{}", cases.len());
    cases.push(emptied(&values, &cleared, "", true));
    cases.push(emptied(&values, &cleared, "", false));
    for groups in [true, false] {
        let mut of_database = emptied(&database, &of_database, "", groups);
        of_database.as_object_mut().unwrap().remove("global");
        cases.push(json!({"mariadb": of_database}));
    }
    for group in database
        .iter()
        .filter(|(name, value)| value.is_object() && !of_database.contains(*name))
        .map(|(name, _)| name)
    {
        cases.push(json!({"mariadb": {group: null}}));
    }
    for case in cases {
        assert_eq!(manifests(RELEASE, &case), expected, "{case}");
    }
}

#[test]
fn a_list_or_a_map_that_is_null_is_empty() {
    let (values, cleared) = defaults("charts/opennebula");
    let keys = |name: &String| name.contains("existingSecretKeys");
    assert!(cleared.iter().any(keys));
    for name in cleared.iter().filter(|name| !keys(name)) {
        assert!(!values.is_empty());
        let case = name
            .rsplit('.')
            .fold(Value::Null, |inner, part| json!({part: inner}));
        assert!(!render(&case).is_empty(), "{case}");
    }
}
