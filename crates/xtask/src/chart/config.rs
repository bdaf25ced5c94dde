//! What may stand under `config`: onepod's own schema of the file that it becomes, made to fit into the chart's.
//!
//! onepod is asked by running it, so that xtask stays without its dependencies. Descriptions stay in
//! docs/configuration.md, the schema would be twice as long with them.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::onepod_schema;
use crate::repo::Repo;

/// What a key that is not to be set is described by in onepod's schema.
const REFUSED: &str = "Cannot be set here: ";

/// onepod's settings and the chart's values that they are made of.
const VALUES: [(&str, &str); 6] = [
    ("DB_BACKEND", "mariadb.enabled or externalDatabase.host"),
    (
        "DB_PASSWORD or DB_PASSWORD_FILE",
        "externalDatabase.existingSecret",
    ),
    ("DB_HOST", "externalDatabase.host"),
    ("DB_PORT", "externalDatabase.port"),
    ("OPENNEBULA_HOSTNAME", "opennebula.hostname"),
    ("OPENNEBULA_MONITOR_ADDRESS", "monitord.advertisedAddress"),
];

/// Settings whose value depends on the database that is chosen.
const DATABASE: [(&str, &str); 2] = [
    ("DB_USER", "externalDatabase.username or mariadb.auth.username"),
    ("DB_NAME", "externalDatabase.database or mariadb.auth.database"),
];

/// Names that OpenNebula's own grammar can write: `NAME`, `VECTOR/KEY`, `VECTOR[NAME=x]/KEY`, `VECTOR[NAME=x]`.
const NAMES: &str = "^[A-Za-z0-9_]+(\\[[A-Za-z0-9_]+=[^\\[\\]]+\\])?(/[A-Za-z0-9_]+)?$";

/// Asks onepod.
pub(super) fn read(repo: &Repo) -> Result<Value> {
    adapted(&onepod_schema(repo)?)
}

/// The schema of `config` from onepod's.
fn adapted(onepod: &Value) -> Result<Value> {
    let sections = onepod["properties"]
        .as_object()
        .filter(|sections| !sections.is_empty())
        .context("`onepod schema` has no sections")?;
    let sections: Map<String, Value> = sections
        .iter()
        .map(|(name, section)| {
            let mut section = adapted_schema(section);
            // Only the files of OpenNebula's own grammar have names by pattern.
            if section["patternProperties"].is_object()
                && let Some(section) = section.as_object_mut()
            {
                let others = section.remove("additionalProperties").unwrap_or(json!(true));
                by_pattern(section, NAMES, others);
            }
            (name.clone(), section)
        })
        .collect();
    Ok(json!({"type": "object", "additionalProperties": false, "properties": sections}))
}

/// Without descriptions, and such that Helm says where a wrong name is.
fn adapted_schema(schema: &Value) -> Value {
    let fields = match schema {
        Value::Object(fields) if fields.contains_key("not") => return refusal(fields),
        Value::Object(fields) => fields,
        Value::Array(items) => return items.iter().map(adapted_schema).collect(),
        other => return other.clone(),
    };
    let mut adapted: Map<String, Value> = fields
        .iter()
        .filter(|(name, value)| !(*name == "description" && value.is_string()))
        .map(|(name, value)| (name.clone(), adapted_schema(value)))
        .collect();
    if let Some(pattern) = fields
        .get("propertyNames")
        .and_then(|names| names["pattern"].as_str())
    {
        adapted.remove("propertyNames");
        // Names that are not known: their values are onepod's to judge, beyond that they are no maps.
        by_pattern(
            &mut adapted,
            pattern,
            json!({"type": ["string", "number", "boolean", "array"]}),
        );
    }
    Value::Object(adapted)
}

/// Refuses names that are not of a pattern. `propertyNames` would do it without a place in Helm's message.
fn by_pattern(schema: &mut Map<String, Value>, pattern: &str, values: Value) {
    let patterns = schema.entry("patternProperties").or_insert_with(|| json!({}));
    patterns[pattern] = values;
    schema.insert("additionalProperties".to_owned(), json!(false));
}

/// A refusal that says what to do: `not` alone makes Helm say "'not' failed". The one text that a constant lets through
/// is refused by onepod.
fn refusal(fields: &Map<String, Value>) -> Value {
    let why = fields["description"].as_str().unwrap_or_default();
    let why = why.strip_prefix(REFUSED).unwrap_or(why).trim_end_matches('.');
    let setting = why.strip_prefix("use ");
    let known = VALUES.iter().chain(&DATABASE);
    let why = match setting.and_then(|setting| known.clone().find(|(name, _)| *name == setting)) {
        Some((_, value)) => format!("set {value} instead"),
        None => why.to_owned(),
    };
    json!({"const": format!("(cannot be set here: {why})")})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Value {
        json!({"type": ["object", "null"], "properties": {
            "oned": {
                "description": "Values for oned.conf",
                "properties": {
                    "DB/SERVER": {"not": {}, "description": "Cannot be set here: use DB_HOST."},
                    "PORT": {"not": {}, "description": "Cannot be set here: the probes reach the API at 2633."},
                    "LOG_CALL_FORMAT": {"type": "string", "description": "Format."},
                },
                "patternProperties": {"^VM_MAD\\[.*\\]$": {
                    "type": "object", "properties": {"LIST": {"type": "array"}}, "additionalProperties": {"type": "string"},
                    "propertyNames": {"pattern": "^[A-Z]+$"},
                }},
                "additionalProperties": {"type": ["string", "object"]},
            },
            "sunstone": {"properties": {"description": {"type": "string"}}},
        }})
    }

    #[test]
    fn a_key_that_the_chart_decides_is_refused_with_the_value_to_set() {
        let schema = adapted(&example()).unwrap();
        let refused = |pointer: &str| schema.pointer(pointer).unwrap()["const"].clone();
        assert_eq!(
            refused("/properties/oned/properties/DB~1SERVER"),
            "(cannot be set here: set externalDatabase.host instead)"
        );
        assert_eq!(
            refused("/properties/oned/properties/PORT"),
            "(cannot be set here: the probes reach the API at 2633)"
        );
    }

    #[test]
    fn descriptions_go_and_a_key_of_that_name_stays() {
        let schema = adapted(&example()).unwrap();
        assert_eq!(
            schema.pointer("/properties/oned/properties/LOG_CALL_FORMAT"),
            Some(&json!({"type": "string"}))
        );
        assert_eq!(
            schema.pointer("/properties/sunstone/properties/description"),
            Some(&json!({"type": "string"}))
        );
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn names_are_refused_where_they_stand() {
        let schema = adapted(&example()).unwrap();
        let oned = &schema["properties"]["oned"];
        assert_eq!(oned["additionalProperties"], false);
        assert_eq!(
            oned["patternProperties"][NAMES],
            json!({"type": ["string", "object"]})
        );
        let vector = &oned["patternProperties"]["^VM_MAD\\[.*\\]$"];
        assert_eq!(vector["additionalProperties"], false);
        assert!(vector.get("propertyNames").is_none());
        assert!(vector["patternProperties"]["^[A-Z]+$"]["type"].is_array());
    }

    #[test]
    fn an_answer_without_sections_is_an_error() {
        assert!(adapted(&json!({"properties": {}})).is_err());
    }
}
