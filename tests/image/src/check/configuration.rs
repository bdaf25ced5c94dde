//! The image's configuration: what a runtime does when nobody tells it anything.

use anyhow::Result;

use crate::config::ImageConfig;
use crate::context::Context;
use crate::findings::Findings;
use crate::release::Release;

/// Labels that whoever finds the image goes by.
const LABELS: [&str; 6] = ["title", "description", "version", "licenses", "source", "vendor"];
/// Parts of names whose value would be secret.
const SECRET: [&str; 7] = [
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "KEY",
    "CREDENTIAL",
    "AUTH",
];

pub(super) fn run(context: &Context) -> Result<String> {
    judge(&context.config, context.release)
}

fn judge(config: &ImageConfig, release: Release) -> Result<String> {
    let mut findings = Findings::default();
    let mut same = |what: &str, is: &str, must: &str| {
        findings.unless(is == must, || {
            format!("{what} is \"{is}\" and must be \"{must}\"")
        });
    };
    same("the user", config.user(), "9869:9869");
    same(
        "the entrypoint",
        &config.entrypoint().join(" "),
        "/usr/local/bin/onepod",
    );
    same("the command", &config.cmd().join(" "), "run");
    same("the stop signal", config.stop_signal(), "SIGTERM");
    same("the working directory", config.working_dir(), "/var/lib/one");
    let health = config.healthcheck().join(" ");
    findings.unless(health.contains("onepod probe ready"), || {
        format!("the health check is \"{health}\" and must be \"onepod probe ready\"")
    });
    for name in LABELS {
        let label = format!("org.opencontainers.image.{name}");
        let value = config.label(&label);
        if name == "version" {
            findings.unless(value == release.to_string(), || {
                format!("{label} is \"{value}\" and must be {release}")
            });
        } else {
            findings.unless(!value.trim().is_empty(), || format!("{label} is missing"));
        }
    }
    let environment = config.environment();
    for name in ["PATH", "HOME"] {
        findings.unless(environment.contains_key(name), || {
            format!("the environment lacks {name}")
        });
    }
    for name in environment.keys().filter(|name| is_secret(name)) {
        findings.one_of("names of secrets in the environment", name);
    }
    findings.unless(config.exposed().next().is_some(), || {
        "no port is exposed".to_owned()
    });
    findings.or(format!(
        "user {}, \"{}\", {} labels, {} ports",
        config.user(),
        config.command().join(" "),
        LABELS.len(),
        config.exposed().count()
    ))
}

/// A path of a file with a secret is none.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    !name.ends_with("_FILE") && SECRET.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use serde_json::{Value, json};

    fn right() -> Value {
        json!({
            "User": "9869:9869", "ExposedPorts": {"2633/tcp": {}}, "StopSignal": "SIGTERM",
            "Healthcheck": {"Test": ["CMD", "/usr/local/bin/onepod", "probe", "ready"]},
            "Entrypoint": ["/usr/local/bin/onepod"], "Cmd": ["run"], "WorkingDir": "/var/lib/one",
            "Env": ["PATH=/bin", "HOME=/var/lib/one"],
            "Labels": {
                "org.opencontainers.image.title": "a", "org.opencontainers.image.description": "b",
                "org.opencontainers.image.version": "7.2.0", "org.opencontainers.image.licenses": "c",
                "org.opencontainers.image.source": "d", "org.opencontainers.image.vendor": "e",
            },
        })
    }

    fn of(value: Value) -> String {
        judge(&config::of(value), "7.2.0".parse().unwrap()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_published_one_passes() {
        assert_eq!(
            of(right()),
            "user 9869:9869, \"/usr/local/bin/onepod run\", 6 labels, 1 ports"
        );
    }

    #[test]
    fn each_part_that_is_otherwise_is_named() {
        for (part, value, word) in [
            ("User", json!("root"), "the user"),
            ("StopSignal", json!(null), "the stop signal"),
            ("Entrypoint", json!(["sh"]), "the entrypoint"),
            ("Cmd", json!(["check"]), "the command"),
            ("WorkingDir", json!("/"), "the working directory"),
            ("Healthcheck", json!({"Test": ["NONE"]}), "the health check"),
            ("ExposedPorts", json!({}), "no port"),
            ("Env", json!(["PATH=/bin"]), "lacks HOME"),
        ] {
            let mut config = right();
            config[part] = value;
            let said = of(config);
            assert!(said.contains(word) && !said.contains(';'), "{part}: {said}");
        }
        let mut config = right();
        config["Labels"]["org.opencontainers.image.version"] = json!("7.2.1");
        config["Labels"]["org.opencontainers.image.vendor"] = json!(" ");
        let said = of(config);
        assert!(
            said.contains("version is \"7.2.1\" and must be 7.2.0") && said.contains("vendor is missing"),
            "{said}"
        );
    }

    #[test]
    fn a_secret_in_the_environment_is_named_without_its_value() {
        let mut config = right();
        config["Env"] = json!(["PATH=/bin", "HOME=/", "db_password=abc", "DB_PASSWORD_FILE=/x"]);
        assert_eq!(of(config), "names of secrets in the environment: db_password");
    }
}
