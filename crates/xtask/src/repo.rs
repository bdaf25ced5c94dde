//! Where things are: the checkout, its state, and the cache that outlives it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The folders that xtask works with.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// What belongs to this checkout only, and goes with `down`.
    pub(crate) state: PathBuf,
    /// What took long to make and is good for any checkout: stays after `down`.
    pub(crate) cache: PathBuf,
    /// The `OpenNebula` release of the default line in versions.json, `X.Y.Z`.
    pub(crate) release: String,
}

impl Repo {
    /// The checkout that this program was compiled in.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .context("the checkout that xtask was compiled in is gone: run it by `cargo xtask`")?;
        let cache = match std::env::var_os("XDG_CACHE_HOME") {
            Some(dir) if !dir.is_empty() => PathBuf::from(dir),
            _ => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
        };
        let versions = fs::read_to_string(root.join("versions.json")).context("versions.json")?;
        Ok(Self {
            state: root.join(".state"),
            cache: cache.join("opennebula-kubernetes"),
            release: default_release(&versions)?,
            root,
        })
    }

    /// The folder of log files of commands, made when it is missing.
    pub(crate) fn logs(&self) -> PathBuf {
        self.state.join("log")
    }
}

/// The release of the line that versions.json calls the default.
fn default_release(versions: &str) -> Result<String> {
    let versions: serde_json::Value = serde_json::from_str(versions).context("versions.json")?;
    let Some(line) = versions["default"].as_str() else {
        bail!("versions.json: \"default\" does not name a line");
    };
    match versions["lines"][line]["version"].as_str() {
        Some(version) => Ok(version.to_owned()),
        None => bail!("versions.json: the line {line} has no \"version\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_line_has_a_release() {
        let text =
            r#"{"default": "7.0", "lines": {"7.0": {"version": "7.0.0"}, "7.2": {"version": "7.2.0"}}}"#;
        assert_eq!(default_release(text).unwrap(), "7.0.0");
    }

    #[test]
    fn a_default_without_a_line_is_a_mistake() {
        let error = default_release(r#"{"default": "8.0", "lines": {}}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "versions.json: the line 8.0 has no \"version\""
        );
    }
}
