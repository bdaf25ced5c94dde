//! The charts, rendered by every Helm that is here and read.
//!
//! Nothing is installed: what needs a cluster is in `tests/e2e`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends at the first surprise, in helper functions too, and says what it left out"
)]

mod addresses;
mod alerts;
mod aliases;
mod commands;
mod compose;
mod database;
mod defaults;
mod earlier;
mod flows;
mod monitoring;
mod network;
mod notes;
mod nulls;
mod operations;
mod packaging;
mod pods;
mod refusals;
mod secrets;
mod settings;

use std::sync::LazyLock;

use chart_tests::helm::{self, Error, Helm};
use chart_tests::object::{self, Object};
use serde_json::Value;

static HELMS: LazyLock<Vec<Helm>> =
    LazyLock::new(|| helm::installed().unwrap_or_else(|error| panic!("{error}")));

/// The release that the README installs.
const RELEASE: &str = "opennebula";

/// What the chart renders to; every Helm must give the same.
fn manifests(release: &str, values: &Value) -> String {
    let mut texts = HELMS.iter().map(|helm| {
        helm.template(&helm::opennebula(), release, values)
            .unwrap_or_else(|error| panic!("{}, with {values}: {error}", helm.version()))
    });
    let first = texts.next().unwrap();
    for text in texts {
        assert_eq!(first, text, "two Helms render {values} differently");
    }
    first
}

/// The objects of a release with these values.
fn render(values: &Value) -> Vec<Object> {
    objects(&manifests(RELEASE, values))
}

fn objects(manifests: &str) -> Vec<Object> {
    object::parse(manifests).unwrap_or_else(|error| panic!("not YAML: {error}\n{manifests}"))
}

/// What each Helm says when it refuses these values.
fn refused(values: &Value) -> Vec<String> {
    HELMS
        .iter()
        .map(|helm| match helm.template(&helm::opennebula(), RELEASE, values) {
            Err(Error::Refused(message)) => message,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{} renders {values}", helm.version()),
        })
        .collect()
}

/// Every Helm refuses these values and says all these words.
fn refuses(values: &Value, words: &[&str]) {
    for message in refused(values) {
        for word in words {
            assert!(
                message.contains(word),
                "with {values}, {word:?} is not in: {message}"
            );
        }
    }
}

fn find<'a>(objects: &'a [Object], kind: &str, name: &str) -> &'a Object {
    try_find(objects, kind, name).unwrap_or_else(|| panic!("no {kind} {name} in {:?}", names(objects)))
}

fn try_find<'a>(objects: &'a [Object], kind: &str, name: &str) -> Option<&'a Object> {
    objects
        .iter()
        .find(|object| object.kind() == kind && object.name() == name)
}

fn names(objects: &[Object]) -> Vec<String> {
    let mut names: Vec<_> = objects
        .iter()
        .map(|object| format!("{}/{}", object.kind(), object.name()))
        .collect();
    names.sort();
    names
}

/// The front-end's container.
fn front_end(objects: &[Object]) -> &Value {
    &find(objects, "StatefulSet", RELEASE).pod().unwrap()["containers"][0]
}

/// The container's environment variables that have a value of their own.
fn environment(container: &Value) -> Vec<(&str, &str)> {
    items(&container["env"])
        .iter()
        .filter_map(|variable| Some((variable["name"].as_str()?, variable["value"].as_str()?)))
        .collect()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
