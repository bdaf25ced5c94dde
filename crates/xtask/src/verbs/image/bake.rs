//! `image bake`: what versions.json says, as a file for `docker buildx bake`: a target for each release line, with its
//! platforms, its base and the exact versions of its packages. Prints; builds nothing.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::images;
use crate::progress;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::versions::{Entry, Versions};

pub(super) fn print(repo: &Repo) -> Result<()> {
    let versions = Versions::read(&repo.versions())?;
    let name = images::name(&repo.root)?;
    let (image, _) = name.rsplit_once(':').unwrap_or((&name, ""));
    let git = |what: &[&str]| cmd("git").args(what).dir(&repo.root).read();
    let commit = Commit {
        hash: git(&["rev-parse", "HEAD"])?.trim().to_owned(),
        time: git(&["log", "-1", "--format=%ct"])?.trim().to_owned(),
    };
    progress::say(&serde_json::to_string_pretty(&file(&versions, image, &commit))?);
    Ok(())
}

/// What is built.
struct Commit {
    hash: String,
    /// Seconds since 1970.
    time: String,
}

fn file(versions: &Versions, image: &str, commit: &Commit) -> Value {
    let targets: Map<String, Value> = versions
        .lines()
        .map(|(line, entry)| (line.to_string().replace('.', "-"), target(entry, image, commit)))
        .collect();
    let names: Vec<&String> = targets.keys().collect();
    json!({"group": {"default": {"targets": names}}, "target": targets})
}

fn target(entry: &Entry, image: &str, commit: &Commit) -> Value {
    let release = entry.version().to_string();
    let pins: Vec<String> = entry
        .packages()
        .into_iter()
        .flatten()
        .map(|(name, version)| format!("{name}={version}"))
        .collect();
    let platforms: Vec<String> = entry
        .architectures()
        .iter()
        .map(|architecture| format!("linux/{architecture}"))
        .collect();
    json!({
        "context": ".",
        "dockerfile": "image/Dockerfile",
        "platforms": platforms,
        "tags": [format!("{image}:{release}")],
        "args": {
            "BASE_IMAGE": entry.base(),
            "ONE_VERSION": release,
            "ONE_PINS": pins.join(" "),
            "SOURCE_DATE_EPOCH": commit.time,
        },
        "labels": {"org.opencontainers.image.revision": commit.hash},
        // The same where a registry shows it without fetching the image.
        "annotations": [
            "index,manifest:org.opencontainers.image.title=OpenNebula front-end".to_owned(),
            format!("index,manifest:org.opencontainers.image.version={release}"),
            format!("index,manifest:org.opencontainers.image.revision={}", commit.hash),
        ],
        // The files of the layers carry the commit's time too.
        "output": ["type=image,rewrite-timestamp=true"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::tests::unconfirmed;

    #[test]
    fn a_target_for_each_line() {
        let commit = Commit {
            hash: "abc".to_owned(),
            time: "1751328000".to_owned(),
        };
        let versions = unconfirmed(&[("7.0", "7.0.0"), ("7.2", "7.2.0")]);
        let file = file(&versions, "docker.io/a/b", &commit);
        assert_eq!(file["group"]["default"]["targets"], json!(["7-0", "7-2"]));
        let target = &file["target"]["7-2"];
        assert_eq!(target["tags"], json!(["docker.io/a/b:7.2.0"]));
        assert_eq!(target["args"]["ONE_VERSION"], "7.2.0");
        let annotations = target["annotations"].to_string();
        assert!(annotations.contains("image.version=7.2.0") && annotations.contains("image.revision=abc"));
        assert_eq!(
            target["args"]["ONE_PINS"], "",
            "nothing is pinned that is not known"
        );
        assert!(
            target["platforms"][0]
                .as_str()
                .is_some_and(|name| name.starts_with("linux/"))
        );
    }
}
