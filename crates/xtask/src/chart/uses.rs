//! The linter of values: what templates use is declared, and what is declared is used.
//!
//! Templates are followed by [`follow`]: through variables, `with`, `range`, `include` with whatever it is given, and the
//! functions that hand a value on. A name that is put together while rendering cannot be followed; a comment in that file,
//! `{{/* @uses service.api ingress */}}`, says which values are meant, and `{{/* @uses nothing */}}` that none is needed.
//! Text that goes through `tpl` is not looked into, and a condition counts as a use of what it asks for.

mod follow;
mod functions;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use super::template::{Define, File, parse};
use super::values::Content;
use super::{Chart, Finding, dotted};
use follow::Follower;
use shape::Shape;

/// A path of names.
type Names = Vec<String>;

/// A template file that was read, with its name for messages.
pub(super) type Template = (String, File);

/// What one chart's templates use.
#[derive(Debug, Default)]
struct Used {
    /// With everything below them.
    whole: BTreeSet<Names>,
    /// Only asked for, by a condition.
    asked: BTreeSet<Names>,
}

/// Reads the templates of a chart.
pub(super) fn templates(chart: &Chart) -> Result<Vec<Template>> {
    let mut found = Vec::new();
    let shown = format!("{}/templates", chart.shown);
    read_folder(&chart.folder.join("templates"), &shown, &mut found)?;
    found
        .into_iter()
        .map(|(name, text)| {
            let file = parse(&text).map_err(|(line, why)| anyhow!("{name}:{line}: {why}"))?;
            Ok((name, file))
        })
        .collect()
}

fn read_folder(folder: &Path, shown: &str, found: &mut Vec<(String, String)>) -> Result<()> {
    let mut paths = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let shown = format!("{shown}/{name}");
        if path.is_dir() {
            read_folder(&path, &shown, found)?;
        } else {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            found.push((shown, text));
        }
    }
    Ok(())
}

/// What is wrong between the values of these charts and their templates, which come in the same order.
pub(super) fn findings(charts: &[Chart], schemas: &[Value], templates: &[Vec<Template>]) -> Vec<Finding> {
    // Helm knows the named templates of all charts under one roof.
    let defines: BTreeMap<&str, (&str, &Define)> = templates
        .iter()
        .flatten()
        .flat_map(|(name, file)| {
            file.defines
                .iter()
                .map(move |define| (define.name.as_str(), (name.as_str(), define)))
        })
        .collect();
    let mut wrong = BTreeSet::new();
    let mut called = BTreeSet::new();
    let mut used = Vec::new();
    for (chart, files) in charts.iter().zip(templates) {
        let shape = Shape::of(chart, charts, schemas);
        let mut follower = Follower::new(&shape, &defines);
        for (name, file) in files {
            follower.file(name, file);
        }
        wrong.extend(follower.findings(files));
        called.append(&mut follower.called);
        used.push(follower.used);
    }
    for (name, (file, define)) in &defines {
        if !called.contains(*name) {
            wrong.insert(Finding::new(
                file,
                define.line,
                format!(
                    "the template {name} is not used, at least not by a name that can be followed: remove it"
                ),
            ));
        }
    }
    for (index, chart) in charts.iter().enumerate() {
        let all = everywhere(index, charts, &used);
        let shape = Shape::own(chart, schemas.get(index));
        for leaf in shape.leaves() {
            if all.covers(&leaf) || chart.conditions.contains(&dotted(&leaf)) {
                continue;
            }
            let entry = chart.values.nearest(&leaf);
            // Of a value that nothing uses, not every name that its schema has.
            let path = match entry {
                Some(entry) if !all.covers(&entry.path) => &entry.path,
                _ => &leaf,
            };
            wrong.insert(Finding::new(
                &chart.values_file(),
                entry.map_or(1, |entry| entry.line),
                format!("{} is declared and no template uses it", dotted(path)),
            ));
        }
    }
    wrong.extend(not_of_dependencies(charts));
    wrong.into_iter().collect()
}

/// What a chart's values are used for by itself, by the charts below it and by the one above.
fn everywhere(index: usize, charts: &[Chart], used: &[Used]) -> Used {
    let mut all = Used::default();
    let Some(chart) = charts.get(index) else {
        return all;
    };
    for (other, theirs) in charts.iter().zip(used) {
        let translate = |path: &Names| -> Option<Names> {
            if other.name == chart.name || path.first().is_some_and(|first| first == "global") {
                Some(path.clone())
            } else if chart.dependencies.contains(&other.name) {
                Some([std::slice::from_ref(&other.name), path].concat())
            } else if other.dependencies.contains(&chart.name) && path.first() == Some(&chart.name) {
                Some(path[1..].to_vec())
            } else {
                None
            }
        };
        all.whole.extend(theirs.whole.iter().filter_map(translate));
        all.asked.extend(theirs.asked.iter().filter_map(translate));
    }
    all
}

impl Used {
    /// Whether a value is used, alone, in part, or as a part of something.
    fn covers(&self, leaf: &[String]) -> bool {
        self.whole
            .iter()
            .any(|used| leaf.starts_with(used) || used.starts_with(leaf))
            || self.asked.iter().any(|asked| asked.starts_with(leaf))
    }
}

/// Values that a chart declares for a dependency which does not have them.
fn not_of_dependencies(charts: &[Chart]) -> Vec<Finding> {
    let mut wrong = Vec::new();
    for chart in charts {
        for entry in chart.values.all() {
            let Some((first, rest)) = entry.path.split_first() else {
                continue;
            };
            let Some(dependency) = charts
                .iter()
                .find(|other| chart.dependencies.contains(first) && other.name == *first)
            else {
                continue;
            };
            let known = rest.is_empty()
                || chart.conditions.contains(&dotted(&entry.path))
                || dependency.values.nearest(rest).is_some_and(|nearest| {
                    nearest.path.len() == rest.len() || matches!(nearest.content, Content::One)
                });
            if !known {
                wrong.push(Finding::new(
                    &chart.values_file(),
                    entry.line,
                    format!("{} is no value of the chart {first}", dotted(&entry.path)),
                ));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests;
