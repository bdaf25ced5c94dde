//! What values there are, as the generated schemas say: which names a map has, and where names are free.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Names;
use crate::chart::values::Content;
use crate::chart::{Chart, below};

/// The values of one chart as its templates see them.
#[derive(Debug)]
pub(super) struct Shape {
    schema: Value,
    /// Groups of values.yaml: what they do not declare is not there, whatever the schema lets through.
    groups: BTreeSet<Names>,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Child {
    Declared(Names),
    /// Part of a value that may hold anything.
    Free,
    Missing,
}

impl Shape {
    /// With the values of its dependencies in their places.
    pub(super) fn of(chart: &Chart, charts: &[Chart], schemas: &[Value]) -> Self {
        let position = charts.iter().position(|other| other.name == chart.name);
        let mut shape = Self::own(chart, position.and_then(|index| schemas.get(index)));
        for (other, schema) in charts.iter().zip(schemas) {
            if chart.dependencies.contains(&other.name) {
                shape.schema["properties"][&other.name] = schema.clone();
                let below = Self::own(other, None).groups;
                shape.groups.extend(
                    below
                        .into_iter()
                        .map(|path| [vec![other.name.clone()], path].concat()),
                );
            }
        }
        shape
    }

    /// Without them.
    pub(super) fn own(chart: &Chart, schema: Option<&Value>) -> Self {
        let groups = chart
            .values
            .all()
            .into_iter()
            .filter(|entry| matches!(entry.content, Content::Group(_)))
            .map(|entry| entry.path.clone());
        Self {
            schema: schema.cloned().unwrap_or(json!({})),
            groups: groups.chain([Names::new()]).collect(),
        }
    }

    /// What is below a path under a name.
    pub(super) fn child(&self, path: &[String], name: &str) -> Child {
        let below = below(path, name);
        let node = self.at(path);
        if node["properties"].get(name).is_some() {
            Child::Declared(below)
        } else if self.closed(path) || is_scalar(node) {
            Child::Missing
        } else {
            Child::Free
        }
    }

    /// The names below a path, where they are known.
    pub(super) fn children(&self, path: &[String]) -> Option<Vec<String>> {
        let properties = self.at(path)["properties"].as_object()?;
        self.closed(path).then(|| properties.keys().cloned().collect())
    }

    /// Every value that has no known names below it, but old ones, and `enabled`, which is for a chart above.
    pub(super) fn leaves(&self) -> Vec<Names> {
        let mut found = Vec::new();
        self.add_leaves(&Names::new(), &mut found);
        found
    }

    fn add_leaves(&self, path: &[String], found: &mut Vec<Names>) {
        for name in self.children(path).unwrap_or_default() {
            let below = below(path, &name);
            let node = self.at(&below);
            if node["deprecated"] == true
                || below == ["enabled"]
                || below == ["global"] && !self.groups.contains(&below)
            {
                continue;
            }
            if self.children(&below).is_some() {
                self.add_leaves(&below, found);
            } else {
                found.push(below);
            }
        }
    }

    fn closed(&self, path: &[String]) -> bool {
        self.at(path)["additionalProperties"] == false && self.at(path)["patternProperties"].is_null()
            || self.groups.contains(path)
    }

    fn at(&self, path: &[String]) -> &Value {
        path.iter()
            .fold(&self.schema, |node, name| &node["properties"][name.as_str()])
    }
}

fn is_scalar(node: &Value) -> bool {
    let scalar = |kind: &Value| {
        kind.as_str()
            .is_some_and(|kind| !matches!(kind, "object" | "array"))
    };
    match &node["type"] {
        Value::Array(kinds) => kinds.iter().all(scalar),
        kind => scalar(kind),
    }
}
