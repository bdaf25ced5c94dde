//! The parts of onepod that are fuzzed, by links to their files: with the Kubernetes client and the databases around them
//! the instrumented build would take very long.

#![allow(dead_code, unreachable_pub, reason = "only parts of them are used")]

use serde_json::Value;

pub mod settings;
mod yaml;

pub use yaml::YamlError;

/// Stands for onepod's own, whose module has the whole log with it.
pub mod log {
    /// As in onepod.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Format {
        /// Text.
        Text,
        /// JSON.
        Json,
    }
}

/// How keys that are added are written.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// `:key:`
    Symbols,
    /// `key:`
    Plain,
}

/// The YAML text with one value.
pub fn edit_yaml(text: &str, keys: Keys, path: &[String], value: &Value) -> Result<String, YamlError> {
    let keys = match keys {
        Keys::Symbols => yaml::Keys::Symbols,
        Keys::Plain => yaml::Keys::Plain,
    };
    yaml::edit(text, keys, &[yaml::Wish { path, value }])
}

/// Whether the YAML text has a key.
pub fn yaml_has(text: &str, path: &[String]) -> bool {
    yaml::read(text).is_ok_and(|content| yaml::has(&content, path))
}
