//! `files/defaults.json` of a chart: what its templates put in the place of a value that is null, and which values null
//! empties instead. Templates cannot read values.yaml, and Helm has removed what is null before they run.

use serde_json::{Value, json};

use super::dotted;
use super::values::{Content, Entry, Rule, Values};

/// The content of the file.
pub(super) fn defaults(values: &Values) -> Value {
    let cleared: Vec<String> = values
        .all()
        .into_iter()
        .filter(|entry| cleared(entry))
        .map(|entry| dotted(&entry.path))
        .collect();
    json!({"values": values.defaults, "cleared": cleared})
}

/// Lists and maps are the user's as a whole, and an optional key of a Secret may be left out: without them is a choice. A volume
/// without an access mode is none.
fn cleared(entry: &Entry) -> bool {
    let is = |wanted: &str| {
        let named = |rule: &Rule| matches!(rule, Rule::Named(name) if name == wanted);
        entry.notes.rules.iter().any(|(_, rule)| named(rule))
    };
    let whole = matches!(entry.content, Content::One)
        && !is("accessModes")
        && match &entry.default {
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => false,
        };
    is("optionalSecretKey") || whole
}

#[cfg(test)]
mod tests {
    use super::super::values::parse;
    use super::*;

    #[test]
    fn null_empties_lists_maps_and_optional_keys_alone() {
        let values = parse(
            "values.yaml",
            "keys:\n  # @schema optionalSecretKey\n  one: one-key\n  # @schema secretKey\n  two: two-key\n\
             # @schema object\nresources: {a: 1}\n# @schema object\nempty: {}\n# @schema strings\nlist: [a]\nsize: 1\n",
        )
        .unwrap();
        assert_eq!(
            defaults(&values),
            json!({
                "values": {
                    "keys": {"one": "one-key", "two": "two-key"}, "resources": {"a": 1}, "empty": {}, "list": ["a"], "size": 1,
                },
                "cleared": ["keys.one", "resources", "list"],
            })
        );
    }
}
