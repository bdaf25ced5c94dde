//! The image's configuration as Docker writes it. It says what is there, and judges nothing.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

/// What a runtime goes by. Docker leaves parts out, or writes null.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageConfig {
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, Value>>,
    healthcheck: Option<Healthcheck>,
    stop_signal: Option<String>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
    working_dir: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Healthcheck {
    test: Option<Vec<String>>,
}

impl ImageConfig {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no configuration of an image", path.display()))
    }

    pub(crate) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }

    pub(crate) fn stop_signal(&self) -> &str {
        self.stop_signal.as_deref().unwrap_or_default()
    }

    pub(crate) fn working_dir(&self) -> &str {
        self.working_dir.as_deref().unwrap_or_default()
    }

    pub(crate) fn entrypoint(&self) -> &[String] {
        self.entrypoint.as_deref().unwrap_or_default()
    }

    pub(crate) fn cmd(&self) -> &[String] {
        self.cmd.as_deref().unwrap_or_default()
    }

    /// What a container runs.
    pub(crate) fn command(&self) -> Vec<String> {
        [self.entrypoint(), self.cmd()].concat()
    }

    /// Ports with their protocol, `2633/tcp`.
    pub(crate) fn exposed(&self) -> impl Iterator<Item = &str> {
        let ports = self.exposed_ports.iter().flatten();
        ports.map(|(port, _)| port.as_str())
    }

    pub(crate) fn label(&self, name: &str) -> &str {
        let labels = self.labels.as_ref();
        labels
            .and_then(|labels| labels.get(name))
            .map_or("", String::as_str)
    }

    /// The environment of every container.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let pairs = self.env.iter().flatten();
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (name.to_owned(), value.to_owned())
            })
            .collect()
    }

    /// The health check as a program with its arguments; empty when there is none.
    pub(crate) fn healthcheck(&self) -> Vec<String> {
        let test = self
            .healthcheck
            .as_ref()
            .and_then(|health| health.test.as_deref());
        match test {
            Some([kind, words @ ..]) if kind == "CMD" => words.to_vec(),
            Some([kind, line]) if kind == "CMD-SHELL" => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
pub(crate) fn of(value: Value) -> ImageConfig {
    serde_json::from_value(value).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_docker_writes_is_read() {
        let config = of(json!({
            "User": "9869:9869", "ExposedPorts": {"4124/udp": {}, "2616/tcp": {}}, "Healthcheck": {"Test": ["CMD", "a", "b"]},
            "Entrypoint": ["/x"], "Cmd": ["run"], "Env": ["PATH=/bin", "A=b=c"], "Labels": null, "Hostname": ""
        }));
        assert_eq!(config.exposed().collect::<Vec<_>>(), ["2616/tcp", "4124/udp"]);
        assert_eq!(config.healthcheck(), ["a", "b"]);
        assert_eq!(config.command(), ["/x", "run"]);
        assert_eq!(config.environment()["A"], "b=c");
        assert_eq!((config.label("x"), config.stop_signal()), ("", ""));
    }

    #[test]
    fn a_check_by_a_shell_is_one_too_and_none_is_none() {
        let by = |test: Value| of(json!({"Healthcheck": {"Test": test}})).healthcheck();
        assert_eq!(by(json!(["CMD-SHELL", "a b"])), ["/bin/sh", "-c", "a b"]);
        assert!(by(json!(["NONE"])).is_empty());
        assert!(ImageConfig::default().healthcheck().is_empty());
    }
}
