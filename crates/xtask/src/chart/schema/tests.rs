//! Schemas of small charts.

use std::path::PathBuf;

use super::*;
use crate::chart::{renamed, values};

fn chart(name: &str, text: &str) -> Chart {
    Chart {
        folder: PathBuf::new(),
        shown: name.to_owned(),
        name: name.to_owned(),
        dependencies: ["db".to_owned()].into(),
        conditions: Vec::new(),
        values: values::parse("values.yaml", text).unwrap(),
        renamed: Vec::new(),
    }
}

fn made(text: &str) -> Value {
    schema(&chart("app", text), &[], &json!({"type": "object"})).unwrap()
}

fn wrong(text: &str) -> String {
    let found = schema(&chart("app", text), &[], &json!({})).unwrap_err();
    found[0].to_string()
}

#[test]
fn types_come_from_the_defaults() {
    let schema = made("a: true\nb: 1\nc: x\nd: 0.5\ne: [p, q]\nf: {g: 1}\n# About h.\nh:\n  i: \"\"\n");
    let p = &schema["properties"];
    assert_eq!(p["a"], json!({"type": "boolean"}));
    assert_eq!(p["b"], json!({"type": "integer"}));
    assert_eq!(p["c"], json!({"type": "string"}));
    assert_eq!(p["d"], json!({"type": "number"}));
    assert_eq!(p["e"], json!({"type": "array", "items": {"type": "string"}}));
    assert_eq!(
        p["f"],
        json!({"type": "object", "additionalProperties": false, "properties": {"g": {"type": "integer"}}})
    );
    assert_eq!(p["h"]["description"], "About h.");
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn names_and_json_refine_them() {
    let schema = made(
        "# @schema port\n# @schema {\"minimum\": 1024}\na: 4124\n# @schema {\"enum\": [\"x\", \"y\"]}\nb: x\n# @schema boolean\nc: null\n",
    );
    let p = &schema["properties"];
    assert_eq!(
        p["a"],
        json!({"type": "integer", "minimum": 1024, "maximum": 65535})
    );
    assert_eq!(p["b"], json!({"type": "string", "enum": ["x", "y"]}));
    assert_eq!(p["c"], json!({"type": ["boolean", "null"]}));
}

#[test]
fn global_a_dependency_and_enabled_are_not_judged_here() {
    let schema = made("global:\n  a: x\n  b:\n    c: x\ndb:\n  auth:\n    user: x\n");
    let p = &schema["properties"];
    for open in ["/global", "/global/properties/b", "/db", "/db/properties/auth"] {
        let map = p.pointer(open).unwrap();
        assert_eq!(map.get("additionalProperties"), None, "{open}");
        assert!(map["properties"].is_object(), "{open}");
    }
    assert_eq!(p["enabled"]["type"], "boolean");
    assert_eq!(made("a: 1\n")["properties"]["global"], json!({"type": "object"}));
}

#[test]
fn old_names_pass_in_the_chart_and_in_the_dependency_that_is_judged_first() {
    let mut app = chart("app", "db:\n  size: x\n");
    app.renamed = renamed::parse(
        "renamed.yaml",
        "- {old: db.disk, new: db.size}\n- {old: proxy, why: gone}",
    )
    .unwrap();
    let db = chart("db", "size: x\n");
    let config = json!({});
    let charts = [app, db];
    let of_app = schema(&charts[0], &charts, &config).unwrap();
    let of_db = schema(&charts[1], &charts, &config).unwrap();
    assert_eq!(of_app["properties"]["proxy"]["deprecated"], true);
    assert_eq!(
        of_app["properties"]["db"]["properties"]["disk"]["deprecated"],
        true
    );
    assert_eq!(of_db["properties"]["disk"]["description"], "Now db.size.");
    assert!(of_db["properties"].get("proxy").is_none());
}

#[test]
fn what_a_default_does_not_say_must_be_said() {
    for (text, words) in [
        ("x: 1\na: {}\n", "values.yaml:2: a is an empty map"),
        ("a:\n  b: []\n", "values.yaml:2: a.b is a list of nothing"),
        (
            "a: [{b: 1}]\n",
            "values.yaml:1: a is a list of nothing or of maps",
        ),
        ("a: null\n", "values.yaml:1: a is null"),
        (
            "# @schema prot\na: 1\n",
            "values.yaml:1: @schema prot is not known",
        ),
        (
            "# @schema port\n# @schema nodePort\na: 1\n",
            "values.yaml:2: a has two names",
        ),
    ] {
        let found = wrong(text);
        assert!(
            found.ends_with(words) || found.contains(&words["values.yaml".len()..]),
            "{text:?}: {found}"
        );
    }
}
