//! The JSON Schema of a chart's values, draft 7: what Helm 3 and 4 and editors understand.
//!
//! Unknown names are refused everywhere but below `global`, which is every chart's, below a dependency's name, whose own
//! schema judges, and in maps whose definition says otherwise.

use serde_json::{Map, Value, json};

use super::definitions::{definition, names};
use super::renamed::let_through;
use super::values::{Content, Entry, Rule};
use super::{Chart, Finding, dotted};

/// Who judges the names in a map.
#[derive(Clone, Copy)]
enum Names {
    /// This schema.
    Known,
    /// Somebody else.
    Open,
}

/// The schema of a chart; everything in values.yaml that has no place in one.
pub(super) fn schema(chart: &Chart, charts: &[Chart], config: &Value) -> Result<Value, Vec<Finding>> {
    let mut maker = Maker {
        file: chart.values_file(),
        config,
        wrong: Vec::new(),
    };
    let mut properties = Map::new();
    for entry in chart.values.sections.iter().flat_map(|section| &section.entries) {
        let name = entry.path.concat();
        let names = if name == "global" || chart.dependencies.contains(&name) {
            Names::Open
        } else {
            Names::Known
        };
        properties.insert(name, maker.entry(entry, names));
    }
    properties
        .entry("global")
        .or_insert_with(|| json!({"type": "object"}));
    properties.entry("enabled").or_insert_with(|| {
        json!({"type": "boolean", "description": "For the condition of a chart that has this one as a dependency."})
    });
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": format!("Values of the {} chart", chart.name),
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    for (file, renamed) in renamed(chart, charts) {
        if let Err(why) = let_through(&mut schema, &renamed) {
            maker.wrong.push(Finding::new(&file, 1, why));
        }
    }
    if maker.wrong.is_empty() {
        Ok(schema)
    } else {
        Err(maker.wrong)
    }
}

/// The chart's old names: its own, and those that a chart has for its dependency, for the dependency is judged first.
fn renamed(chart: &Chart, charts: &[Chart]) -> Vec<(String, super::Renamed)> {
    let mut all = Vec::new();
    for other in charts {
        let file = format!("{}/renamed.yaml", other.shown);
        for renamed in &other.renamed {
            if other.name == chart.name {
                all.push((file.clone(), renamed.clone()));
            } else if other.dependencies.contains(&chart.name)
                && renamed.old.len() > 1
                && renamed.old.first() == Some(&chart.name)
            {
                let mut renamed = renamed.clone();
                renamed.old.remove(0);
                all.push((file.clone(), renamed));
            }
        }
    }
    all
}

struct Maker<'a> {
    file: String,
    config: &'a Value,
    wrong: Vec<Finding>,
}

impl Maker<'_> {
    fn entry(&mut self, entry: &Entry, names: Names) -> Value {
        let mut schema = match &entry.content {
            Content::Group(inner) => {
                let properties: Map<String, Value> = inner
                    .iter()
                    .filter_map(|entry| Some((entry.path.last()?.clone(), self.entry(entry, names))))
                    .collect();
                match names {
                    Names::Known => {
                        json!({"type": "object", "additionalProperties": false, "properties": properties})
                    }
                    Names::Open => json!({"type": "object", "properties": properties}),
                }
            }
            Content::One => self.one(entry),
        };
        if !entry.notes.text.is_empty() {
            schema["description"] = json!(entry.notes.text);
        }
        schema
    }

    fn one(&mut self, entry: &Entry) -> Value {
        let mut schema = None;
        for (line, rule) in &entry.notes.rules {
            let Rule::Named(name) = rule else { continue };
            match (&schema, definition(name, self.config)) {
                (_, None) => {
                    let known: Vec<&str> = names().collect();
                    self.complain(
                        *line,
                        format!("@schema {name} is not known: there are {}", known.join(", ")),
                    );
                }
                (Some(_), Some(_)) => {
                    self.complain(
                        *line,
                        format!("{} has two names for its schema", dotted(&entry.path)),
                    );
                }
                (None, Some(definition)) => schema = Some(definition.schema),
            }
        }
        let mut schema = schema.unwrap_or_else(|| self.inferred(entry));
        for (_, rule) in &entry.notes.rules {
            if let (Rule::Merged(more), Some(fields)) = (rule, schema.as_object_mut()) {
                fields.extend(more.clone());
            }
        }
        if entry.default.is_null() {
            with_null(&mut schema);
        }
        schema
    }

    /// What the default says of its type.
    fn inferred(&mut self, entry: &Entry) -> Value {
        let kind = match &entry.default {
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(items) => match items_type(items) {
                Some(items) => return json!({"type": "array", "items": {"type": items}}),
                None => "array",
            },
            Value::Object(_) => "object",
            Value::Null => return self.unsaid(entry, json!({}), "null"),
        };
        let schema = json!({"type": kind});
        match &entry.default {
            Value::Array(_) => self.unsaid(entry, schema, "a list of nothing or of maps"),
            Value::Object(_) => self.unsaid(entry, schema, "an empty map"),
            _ => schema,
        }
    }

    fn unsaid(&mut self, entry: &Entry, schema: Value, what: &str) -> Value {
        if entry.notes.rules.is_empty() {
            self.complain(
                entry.line,
                format!(
                    "{} is {what}, which does not say what may stand there: add a line `# @schema NAME` or \
                     `# @schema {{…}}` above it",
                    dotted(&entry.path)
                ),
            );
        }
        schema
    }

    fn complain(&mut self, line: usize, text: impl Into<String>) {
        self.wrong.push(Finding::new(&self.file, line, text));
    }
}

/// The one type of all items of a list.
fn items_type(items: &[Value]) -> Option<&'static str> {
    let kind = |item: &Value| match item {
        Value::Bool(_) => Some("boolean"),
        Value::String(_) => Some("string"),
        Value::Number(number) if !number.is_f64() => Some("integer"),
        _ => None,
    };
    let first = kind(items.first()?)?;
    items
        .iter()
        .all(|item| kind(item) == Some(first))
        .then_some(first)
}

/// Accepts null too.
fn with_null(schema: &mut Value) {
    match schema.get("type") {
        Some(Value::String(kind)) => schema["type"] = json!([kind, "null"]),
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.clone();
            kinds.push(json!("null"));
            schema["type"] = json!(kinds);
        }
        _ => {}
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
}

#[cfg(test)]
mod tests;
