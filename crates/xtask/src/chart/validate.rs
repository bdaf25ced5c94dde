//! Whether files of values fit the generated schemas, asked of a validator that is not Helm's: the defaults, and each
//! file in `ci/`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Value, json};

use super::Chart;

/// What does not fit, one text a file.
pub(super) fn findings(charts: &[Chart], schemas: &[Value]) -> Result<Vec<String>> {
    let judges: Vec<(&Chart, Judge)> = charts
        .iter()
        .zip(schemas)
        .map(|(chart, schema)| {
            let judge =
                Judge::new(schema.clone()).with_context(|| format!("the schema of {}", chart.name))?;
            Ok((chart, judge))
        })
        .collect::<Result<_>>()?;
    let mut wrong = Vec::new();
    for (chart, judge) in &judges {
        for (name, values) in files(chart)? {
            wrong.extend(judge.refusal(&values).map(|why| format!("{name}: {why}")));
            // As Helm hands them on.
            for (dependency, judge) in &judges {
                if chart.dependencies.contains(&dependency.name)
                    && let Some(inner) = values[&dependency.name].as_object()
                {
                    let mut inner = inner.clone();
                    inner.insert(
                        "global".to_owned(),
                        values.get("global").cloned().unwrap_or(json!({})),
                    );
                    wrong.extend(
                        judge
                            .refusal(&Value::Object(inner))
                            .map(|why| format!("{name}, {}: {why}", dependency.name)),
                    );
                }
            }
        }
    }
    Ok(wrong)
}

/// The chart's files of values with their names.
fn files(chart: &Chart) -> Result<Vec<(String, Value)>> {
    let mut files = vec![(chart.values_file(), chart.values.defaults.clone())];
    let folder = chart.folder.join("ci");
    if folder.exists() {
        let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
            .with_context(|| folder.display().to_string())?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        for path in paths {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let values = serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push((format!("{}/ci/{name}", chart.shown), values));
        }
    }
    Ok(files)
}

/// A schema that was judged itself.
struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new(schema: Value) -> Result<Self> {
        const NAME: &str = "file:///values.schema.json";
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V7);
        compiler
            .add_resource(NAME, schema)
            .map_err(|error| anyhow!("{error}"))?;
        let index = compiler
            .compile(NAME, &mut schemas)
            .map_err(|error| anyhow!("{error:#}"))?;
        Ok(Self { schemas, index })
    }

    fn refusal(&self, values: &Value) -> Option<String> {
        self.schemas
            .validate(values, self.index)
            .err()
            .map(|error| format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_named() {
        let judge = Judge::new(json!({
            "type": "object", "additionalProperties": false, "properties": {"port": {"type": "integer"}},
        }))
        .unwrap();
        assert_eq!(judge.refusal(&json!({"port": 1})), None);
        assert!(judge.refusal(&json!({"port": "1"})).unwrap().contains("/port"));
        assert!(judge.refusal(&json!({"prot": 1})).unwrap().contains("prot"));
    }

    /// Every map of a schema that has names and no others.
    fn closed(schema: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
        if schema["additionalProperties"] == false && schema["patternProperties"].is_null() {
            found.push(path.to_vec());
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            closed(inner, &crate::chart::below(path, name), found);
        }
    }

    #[test]
    fn a_misspelt_name_is_refused_by_its_name_wherever_names_are_known() {
        for (folder, least) in [("charts/opennebula", 20), ("charts/mariadb", 8)] {
            let path =
                concat!(env!("CARGO_MANIFEST_DIR"), "/../../").to_owned() + folder + "/values.schema.json";
            let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            let judge = Judge::new(schema.clone()).unwrap();
            let mut maps = Vec::new();
            closed(&schema, &[], &mut maps);
            assert!(maps.len() >= least, "{folder}: {}", maps.len());
            for map in maps {
                let values = map.iter().rev().fold(
                    json!({"misspelt": 1}),
                    |inner, name| json!({name.as_str(): inner}),
                );
                let why = judge.refusal(&values).unwrap_or_default();
                assert!(why.contains("misspelt"), "{folder}: {values}: {why}");
            }
        }
    }

    #[test]
    fn what_is_no_schema_is_an_error() {
        assert!(Judge::new(json!({"type": "integr"})).is_err());
        assert!(Judge::new(json!({"pattern": "("})).is_err());
    }
}
