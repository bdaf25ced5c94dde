//! What is generated from a chart's annotated values — `values.schema.json`, `files/defaults.json` and the tables of its
//! README — and what is checked of its values: that they fit their own schema, and that templates use what is declared and
//! nothing else.
//!
//! Nothing here renders a template; the tests of the charts do that with Helm itself.

mod config;
mod defaults;
mod definitions;
mod lines;
mod readme;
mod renamed;
mod schema;
mod template;
mod uses;
mod validate;
mod values;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::repo::Repo;
use crate::sh::cmd;
use renamed::Renamed;
use values::Values;

/// The charts, the one that people install first. The others are its dependencies.
const CHARTS: [&str; 2] = ["charts/opennebula", "charts/opennebula/charts/mariadb"];

/// One chart as it is read.
#[derive(Debug)]
pub(crate) struct Chart {
    /// Its folder.
    folder: PathBuf,
    /// Its folder as messages name it, from the root of the checkout.
    shown: String,
    /// Its name.
    name: String,
    /// Names under which values are a dependency's.
    dependencies: BTreeSet<String>,
    /// Values that switch dependencies: `mariadb.enabled`.
    conditions: Vec<String>,
    /// What values.yaml says.
    values: Values,
    /// Values of an earlier chart, to be let through to the template that names their successors.
    renamed: Vec<Renamed>,
}

/// Something wrong in a file of a chart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    text: String,
}

/// A generated file.
#[derive(Debug)]
pub(crate) struct Generated {
    path: PathBuf,
    shown: String,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    alias: Option<String>,
    condition: Option<String>,
}

impl Finding {
    fn new(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Writes what is generated; the files that changed.
pub(crate) fn generate(repo: &Repo) -> Result<Vec<String>> {
    let charts = read(repo)?;
    let schemas = schemas(&charts, &config::read(repo)?)?;
    let mut changed = Vec::new();
    for file in generated(&charts, &schemas)? {
        if fs::read_to_string(&file.path).ok().as_ref() != Some(&file.text) {
            fs::write(&file.path, &file.text).with_context(|| file.shown.clone())?;
            changed.push(file.shown);
        }
    }
    Ok(changed)
}

/// Everything that is wrong with the charts' values, at once.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    let charts = read(repo)?;
    let schemas = schemas(&charts, &config::read(repo)?)?;
    let mut wrong = Vec::new();
    for file in generated(&charts, &schemas)? {
        let found = fs::read_to_string(&file.path).unwrap_or_default();
        if found != file.text {
            wrong.push(format!(
                "{} is not what values.yaml says: run `cargo xtask chart generate`\n{}",
                file.shown,
                diff(&file.shown, &found, &file.text)
            ));
        }
    }
    wrong.extend(validate::findings(&charts, &schemas)?);
    let templates = charts.iter().map(uses::templates).collect::<Result<Vec<_>>>()?;
    let uses = uses::findings(&charts, &schemas, &templates);
    wrong.extend(uses.iter().map(Finding::to_string));
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "the values of the charts: {} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    )
}

/// The charts of the checkout.
fn read(repo: &Repo) -> Result<Vec<Chart>> {
    CHARTS
        .iter()
        .map(|shown| Chart::read(&repo.root.join(shown), shown))
        .collect()
}

/// The schema of each chart.
fn schemas(charts: &[Chart], config: &Value) -> Result<Vec<Value>> {
    charts
        .iter()
        .map(|chart| schema::schema(chart, charts, config).map_err(all))
        .collect()
}

/// Every generated file of these charts.
fn generated(charts: &[Chart], schemas: &[Value]) -> Result<Vec<Generated>> {
    let mut files = Vec::new();
    for (chart, schema) in charts.iter().zip(schemas) {
        files.push(chart.generated("values.schema.json", json(schema) + "\n"));
        let defaults = defaults::defaults(&chart.values);
        files.push(chart.generated("files/defaults.json", json(&defaults) + "\n"));
        let path = chart.folder.join("README.md");
        let hand_written = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let text = readme::readme(&hand_written, chart, schema)
            .with_context(|| format!("{}/README.md", chart.shown))?;
        files.push(chart.generated("README.md", text));
    }
    Ok(files)
}

/// Findings as one error.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn all(findings: Vec<Finding>) -> anyhow::Error {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    anyhow::anyhow!("{}", lines.join("\n"))
}

impl Chart {
    fn read(folder: &Path, shown: &str) -> Result<Self> {
        let file =
            |name: &str| fs::read_to_string(folder.join(name)).with_context(|| format!("{shown}/{name}"));
        let metadata: Metadata =
            serde_saphyr::from_str(&file("Chart.yaml")?).with_context(|| format!("{shown}/Chart.yaml"))?;
        let renamed = if folder.join("renamed.yaml").exists() {
            renamed::parse(&format!("{shown}/renamed.yaml"), &file("renamed.yaml")?)?
        } else {
            Vec::new()
        };
        Ok(Self {
            folder: folder.to_owned(),
            shown: shown.to_owned(),
            name: metadata.name,
            dependencies: metadata
                .dependencies
                .iter()
                .map(|dependency| dependency.alias.as_ref().unwrap_or(&dependency.name).clone())
                .collect(),
            conditions: metadata
                .dependencies
                .into_iter()
                .filter_map(|dependency| dependency.condition)
                .collect(),
            values: values::parse(&format!("{shown}/values.yaml"), &file("values.yaml")?).map_err(all)?,
            renamed,
        })
    }

    fn generated(&self, name: &str, text: String) -> Generated {
        Generated {
            path: self.folder.join(name),
            shown: format!("{}/{name}", self.shown),
            text,
        }
    }

    /// The file of its values as messages name it.
    fn values_file(&self) -> String {
        format!("{}/values.yaml", self.shown)
    }
}

/// Pretty JSON in which what fits into a line stands in one: a third of the lines of serde's.
fn json(value: &Value) -> String {
    fn write(value: &Value, indent: usize, out: &mut String) {
        const WIDTH: usize = 110;
        let compact = value.to_string();
        let (open, close, items): (_, _, Vec<(String, &Value)>) = match value {
            Value::Object(fields) if compact.len() + indent > WIDTH => {
                let named = |(name, value)| (format!("{}: ", Value::from(String::clone(name))), value);
                ("{", "}", fields.iter().map(named).collect())
            }
            Value::Array(items) if compact.len() + indent > WIDTH => {
                ("[", "]", items.iter().map(|item| (String::new(), item)).collect())
            }
            _ => return out.push_str(&compact),
        };
        out.push_str(open);
        for (index, (name, item)) in items.into_iter().enumerate() {
            out.push_str(if index == 0 { "\n" } else { ",\n" });
            out.push_str(&" ".repeat(indent + 2));
            out.push_str(&name);
            write(item, indent + 2, out);
        }
        out.push('\n');
        out.push_str(&" ".repeat(indent));
        out.push_str(close);
    }
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn diff(name: &str, found: &str, wanted: &str) -> String {
    similar::TextDiff::from_lines(found, wanted)
        .unified_diff()
        .context_radius(2)
        .header(name, "generated")
        .to_string()
}

/// The path of a name in a group.
fn below(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

/// A dotted path.
fn dotted(path: &[String]) -> String {
    path.join(".")
}

/// What onepod says of the file that `ONEPOD_CONFIG` names.
fn onepod_schema(repo: &Repo) -> Result<Value> {
    let text = cmd("cargo")
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "onepod",
            "--",
            "schema",
        ])
        .dir(&repo.root)
        .read()?;
    serde_json::from_str(&text).context("`onepod schema` printed no JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_the_same_value_in_lines_that_fit() {
        let long = "x".repeat(120);
        let value = json!({"a": {"b": [1, "\"", {"c": null}]}, "d": [long, {"e": long}], "f": {}});
        let text = json(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(
            text.starts_with("{\n  \"a\": {\"b\":[1,\"\\\"\",{\"c\":null}]},\n"),
            "{text}"
        );
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let shown = diff("README.md", "a\nb\n", "a\nc\n");
        assert!(
            shown.contains("-b\n+c\n") && shown.contains("README.md"),
            "{shown}"
        );
    }
}
