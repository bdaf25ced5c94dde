//! `image bake`: what versions.json says, as a file for `docker buildx bake`: a target for each release line, with its
//! platforms and its base; or one target, `image`, for one release and architecture
//! that is pushed by its digest. Prints; builds nothing.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::images;
use crate::progress;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::versions::{Architecture, Entry, Version, Versions};

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Bake {
    /// This release alone, as the target `image`; one of a line of versions.json, and not newer than there
    #[arg(long, value_name = "X.Y.Z", requires_all = ["architecture", "push"])]
    release: Option<Version>,
    /// With --release: for this architecture
    #[arg(long, requires = "release")]
    architecture: Option<Architecture>,
    /// With --release: pushed under this name by its digest, with no tag
    #[arg(long, value_name = "NAME", requires = "release")]
    push: Option<String>,
}

impl Bake {
    pub(super) fn print(&self, repo: &Repo) -> Result<()> {
        let versions = Versions::read(&repo.versions())?;
        let git = |what: &[&str]| cmd("git").args(what).dir(&repo.root).read();
        let commit = Commit {
            hash: git(&["rev-parse", "HEAD"])?.trim().to_owned(),
            time: git(&["log", "-1", "--format=%ct"])?.trim().to_owned(),
        };
        let file = match (self.release, self.architecture, &self.push) {
            (Some(release), Some(architecture), Some(push)) => {
                one(&versions, release, architecture, push, &commit)?
            }
            _ => file(&versions, &images::repository(&repo.root)?, &commit),
        };
        progress::say(&serde_json::to_string_pretty(&file)?);
        Ok(())
    }
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

/// One release for one architecture. Its index, and the annotations of that, are made when all architectures are there.
fn one(
    versions: &Versions,
    release: Version,
    architecture: Architecture,
    push: &str,
    commit: &Commit,
) -> Result<Value> {
    let entry = versions.line(release.line())?;
    if release > entry.version {
        bail!(
            "versions.json knows nothing newer than {} of the line {}: `cargo xtask release detect` brings it up to date",
            entry.version,
            release.line()
        );
    }
    if !entry.architectures.contains(&architecture) {
        bail!(
            "versions.json has no packages for {architecture} of the line {}",
            release.line()
        );
    }
    let mut target = target(entry, push, commit);
    target["args"]["ONE_VERSION"] = json!(release.to_string());
    target["platforms"] = json!([format!("linux/{architecture}")]);
    target["tags"] = json!([]);
    target["annotations"] = json!([
        "manifest:org.opencontainers.image.title=OpenNebula front-end",
        format!("manifest:org.opencontainers.image.version={release}"),
        format!("manifest:org.opencontainers.image.revision={}", commit.hash),
    ]);
    target["output"] = json!([format!(
        "type=image,name={push},push=true,push-by-digest=true,name-canonical=true,rewrite-timestamp=true"
    )]);
    Ok(json!({"target": {"image": target}}))
}

fn target(entry: &Entry, image: &str, commit: &Commit) -> Value {
    let release = entry.version.to_string();
    let platforms: Vec<String> = entry
        .architectures
        .iter()
        .map(|architecture| format!("linux/{architecture}"))
        .collect();
    json!({
        "context": ".",
        "dockerfile": "image/Dockerfile",
        "platforms": platforms,
        "tags": [format!("{image}:{release}")],
        "args": {
            "BASE_IMAGE": entry.base,
            "ONE_VERSION": release,
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
    use crate::versions::tests::versions;

    #[test]
    fn a_target_for_each_line() {
        let commit = Commit {
            hash: "abc".to_owned(),
            time: "1751328000".to_owned(),
        };
        let versions = versions(&[("7.0", "7.0.0"), ("7.2", "7.2.0")]);
        let file = file(&versions, "docker.io/a/b", &commit);
        assert_eq!(file["group"]["default"]["targets"], json!(["7-0", "7-2"]));
        let target = &file["target"]["7-2"];
        assert_eq!(target["tags"], json!(["docker.io/a/b:7.2.0"]));
        assert_eq!(target["args"]["ONE_VERSION"], "7.2.0");
        let annotations = target["annotations"].to_string();
        assert!(annotations.contains("image.version=7.2.0") && annotations.contains("image.revision=abc"));
        assert!(
            target["platforms"][0]
                .as_str()
                .is_some_and(|name| name.starts_with("linux/"))
        );
    }

    fn commit() -> Commit {
        Commit {
            hash: "abc".to_owned(),
            time: "1751328000".to_owned(),
        }
    }

    fn one_of(release: &str) -> Result<Value> {
        let versions = versions(&[("7.0", "7.0.1"), ("7.2", "7.2.0")]);
        one(
            &versions,
            release.parse()?,
            Architecture::Amd64,
            "docker.io/a/b",
            &commit(),
        )
    }

    #[test]
    fn one_release_is_pushed_by_its_digest_and_has_no_tag() {
        let file = one_of("7.2.0").unwrap();
        let target = &file["target"]["image"];
        assert_eq!(target["platforms"], json!(["linux/amd64"]));
        assert_eq!(target["tags"], json!([]));
        assert_eq!(
            target["output"],
            json!([
                "type=image,name=docker.io/a/b,push=true,push-by-digest=true,name-canonical=true,rewrite-timestamp=true"
            ])
        );
        assert!(!target["annotations"].to_string().contains("index"), "{target}");
    }

    #[test]
    fn an_older_release_is_built_and_a_newer_one_is_not() {
        let file = one_of("7.0.0").unwrap();
        assert_eq!(file["target"]["image"]["args"]["ONE_VERSION"], "7.0.0");
        for (release, finding) in [("7.0.2", "nothing newer than 7.0.1"), ("8.0.0", "no line 8.0")] {
            let error = one_of(release).unwrap_err().to_string();
            assert!(error.contains(finding), "{error}");
        }
    }

    #[test]
    fn an_architecture_without_packages_is_refused() {
        let versions = versions(&[("7.0", "7.0.0")]);
        let release = "7.0.0".parse().unwrap();
        let error = one(
            &versions,
            release,
            Architecture::Arm64,
            "docker.io/a/b",
            &commit(),
        )
        .unwrap_err();
        assert!(error.to_string().contains("no packages for arm64"), "{error}");
    }
}
