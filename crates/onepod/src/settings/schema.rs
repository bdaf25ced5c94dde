//! JSON Schema of the file that `ONEPOD_CONFIG` names, made from the tables of [`vendor`](super::vendor).
//!
//! It accepts whatever onepod accepts, as far as letters are written as in the tables (names in OpenNebula's own files
//! may have any case). What it cannot say, onepod checks: values against each other, and names that are given twice.

use serde_json::{Map, Value, json};

use super::vendor::{FILES, File, Grammar, Key};

/// The schema, draft 2020-12.
#[must_use]
pub fn schema() -> Value {
    let sections: Map<String, Value> = FILES
        .iter()
        .map(|file| (file.section.to_owned(), section(file)))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://github.com/pablodelarco/opennebula-kubernetes/onepod-config.schema.json",
        "title": "Further values for OpenNebula's configuration files (ONEPOD_CONFIG)",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": sections,
    })
}

fn section(file: &File) -> Value {
    let mut schema = match file.grammar {
        Grammar::Attributes => attributes(file),
        Grammar::Symbols | Grammar::Yaml => tree(file),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "description".to_owned(),
            json!(format!("Values for {}", file.path)),
        );
        schema.insert("type".to_owned(), json!(["object", "null"]));
    }
    schema
}

/// `NAME`, `VECTOR/KEY`, `VECTOR: {KEY: …}`, `VECTOR[NAME=…]/KEY` and `VECTOR[NAME=…]: {KEY: …}`.
fn attributes(file: &File) -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    let mut vectors: Vec<&str> = Vec::new();
    for key in file.keys {
        let one = value(file, key);
        match key.name.split_once('/') {
            None => drop(properties.insert(key.name.to_owned(), one)),
            Some((vector, name)) => {
                let plain = vector.trim_end_matches("[NAME]");
                patterns.insert(format!("^{plain}\\[[A-Za-z0-9_]+=.*\\]/{name}$"), one.clone());
                properties.insert(format!("{plain}/{name}"), one);
                if !vectors.contains(&vector) {
                    vectors.push(vector);
                }
            }
        }
    }
    let other = json!({"type": ["string", "number"]});
    for vector in vectors {
        let keys: Map<String, Value> = file
            .below(vector.trim_end_matches("[NAME]"))
            .filter_map(|key| Some((key.name.split_once('/')?.1.to_owned(), value(file, key))))
            .collect();
        let map = json!({
            "type": "object", "minProperties": 1, "properties": keys, "additionalProperties": other,
            "propertyNames": {"pattern": "^[A-Za-z0-9_]+$"},
        });
        let plain = vector.trim_end_matches("[NAME]");
        if plain == vector {
            properties.insert(plain.to_owned(), map.clone());
        }
        patterns.insert(format!("^{plain}\\[[A-Za-z0-9_]+=.*\\]$"), map);
    }
    // Keys that are not known: single values, or vectors of them.
    json!({
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": {"anyOf": [
            other, {"type": "array"}, {"type": "boolean"},
            {"type": "object", "minProperties": 1},
        ]},
    })
}

/// Nested keys, and the same as paths with slashes.
fn tree(file: &File) -> Value {
    let mut schema = json!({"properties": {}, "additionalProperties": true});
    for key in file.keys {
        let one = value(file, key);
        let path: Vec<&str> = key.name.split('/').collect();
        for start in 0..path.len() {
            // a/b/c, and a: {b/c}, and a: {b: {c}}.
            if let Some(properties) = properties_at(&mut schema, &path[..start]) {
                properties.insert(path[start..].join("/"), one.clone());
            }
        }
    }
    schema
}

/// The properties of nested keys, which are made where they are not there.
fn properties_at<'a>(schema: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let properties = schema.get_mut("properties")?.as_object_mut()?;
    match path.split_first() {
        None => Some(properties),
        Some((first, rest)) => {
            let below = properties.entry((*first).to_owned()).or_insert_with(|| {
                json!({"type": "object", "minProperties": 1, "properties": {}, "additionalProperties": true})
            });
            properties_at(below, rest)
        }
    }
}

fn value(file: &File, key: &Key) -> Value {
    if let Some(instead) = key.decided {
        return json!({"not": {}, "description": format!("Cannot be set here: {instead}.")});
    }
    let mut schema = key.kind.schema(file.grammar);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(format!("{}.", key.about)));
    }
    schema
}

#[cfg(test)]
mod tests;
