//! Values of an earlier chart: let through by the schema, so that a template says their new names.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

/// One value that has another name now, or no purpose any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Renamed {
    pub(super) old: Vec<String>,
    /// What the schema says of it.
    pub(super) about: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    old: String,
    new: Option<String>,
    why: Option<String>,
}

/// Reads a renamed.yaml.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Renamed>> {
    let raw: Vec<Raw> = serde_saphyr::from_str(text).with_context(|| file.to_owned())?;
    let mut seen = BTreeSet::new();
    let mut all: Vec<Renamed> = Vec::new();
    for Raw { old, new, why } in raw {
        if old.is_empty() || old.split('.').any(str::is_empty) {
            bail!("{file}: {old:?} is no path of a value");
        }
        if !seen.insert(old.clone()) {
            bail!("{file}: {old} stands there twice");
        }
        let about = match (new, why) {
            (Some(new), None) => format!("Now {new}."),
            (None, Some(why)) => format!("No value any more: {}.", why.trim_end_matches('.')),
            _ => bail!("{file}: {old} needs either new or why"),
        };
        let old = old.split('.').map(str::to_owned).collect();
        all.push(Renamed { old, about });
    }
    Ok(all)
}

/// Puts an old path into a chart's schema; an error says why there is no place for it.
pub(super) fn let_through(schema: &mut Value, renamed: &Renamed) -> Result<(), String> {
    let mut here = schema;
    let Some((last, above)) = renamed.old.split_last() else {
        return Ok(());
    };
    let old = renamed.old.join(".");
    for name in above {
        let Some(properties) = here["properties"].as_object_mut() else {
            return Err(format!(
                "{old}: what is above {name} is one value, it has no values in it"
            ));
        };
        here = properties.entry(name.clone()).or_insert_with(
            || json!({"type": "object", "additionalProperties": false, "deprecated": true, "properties": {}}),
        );
    }
    let Some(properties) = here["properties"].as_object_mut() else {
        return Err(format!(
            "{old}: what is above {last} is one value, it has no values in it"
        ));
    };
    if properties.contains_key(last) {
        return Err(format!("{old} is declared in values.yaml: it is not an old name"));
    }
    properties.insert(
        last.clone(),
        json!({"description": renamed.about, "deprecated": true}),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(path: &str) -> Renamed {
        parse("renamed.yaml", &format!("- {{old: {path}, new: b.c}}"))
            .unwrap()
            .remove(0)
    }

    fn schema() -> Value {
        json!({"properties": {"a": {"type": "object", "additionalProperties": false, "properties": {"b": {"type": "string"}}}}})
    }

    #[test]
    fn an_old_path_passes_and_its_neighbours_do_not() {
        let mut schema = schema();
        let_through(&mut schema, &old("a.x.y")).unwrap();
        let_through(&mut schema, &old("a.x.z")).unwrap();
        let_through(&mut schema, &old("q")).unwrap();
        let x = &schema["properties"]["a"]["properties"]["x"];
        assert_eq!(x["additionalProperties"], false);
        assert_eq!(
            x["properties"]["y"],
            json!({"description": "Now b.c.", "deprecated": true})
        );
        assert!(x["properties"]["z"].is_object());
        assert!(schema["properties"]["q"].is_object());
    }

    #[test]
    fn a_path_that_is_declared_or_lies_in_a_value_has_no_place() {
        let mut schema = schema();
        assert!(
            let_through(&mut schema, &old("a.b"))
                .unwrap_err()
                .contains("declared")
        );
        assert!(
            let_through(&mut schema, &old("a.b.c"))
                .unwrap_err()
                .contains("one value")
        );
        assert!(
            let_through(&mut schema, &old("a.b.c.d"))
                .unwrap_err()
                .contains("one value")
        );
    }

    #[test]
    fn each_needs_its_new_name_or_the_reason_and_stands_once() {
        for (text, words) in [
            ("- {old: a}", "either new or why"),
            ("- {old: a, new: b, why: c}", "either new or why"),
            ("- {old: a, nwe: b}", "renamed.yaml"),
            ("- {old: a..b, new: c}", "no path"),
            ("- {old: a, new: b}\n- {old: a, new: c}", "twice"),
        ] {
            let error = format!("{:#}", parse("renamed.yaml", text).unwrap_err());
            assert!(error.contains(words), "{text}: {error}");
        }
        let gone = parse("renamed.yaml", "- {old: a, why: the proxy is gone.}").unwrap();
        assert_eq!(gone[0].about, "No value any more: the proxy is gone.");
    }
}
