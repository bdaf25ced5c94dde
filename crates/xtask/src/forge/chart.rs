//! The packaged chart to an OCI registry, unless that version is there: a published version never changes. Where the very same
//! package is there it is named all the same, so that a run that failed after the push can be finished by another.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::repo::Repo;
use crate::sh::cmd;

/// Pushes the one package of `folder` to `target` (`oci://REGISTRY/PATH`), unless it is there; the reference with its digest. An
/// error where another package has its version. Credentials are those of `docker login`.
pub(crate) fn push(repo: &Repo, helm: &Path, folder: &Path, target: &str) -> Result<String> {
    let Some(place) = target.strip_prefix("oci://") else {
        bail!("\"{target}\" is no place for charts: oci://REGISTRY/PATH is")
    };
    let package = package(folder)?;
    let described = cmd(helm).args(["show", "chart"]).arg(&package).read()?;
    let (name, version) = identity(&described).with_context(|| package.display().to_string())?;
    let reference = format!("{target}/{name}");
    let log = repo.logs().join("chart-there.log");
    let there = cmd(helm)
        .args(["show", "chart", &reference, "--version", &version])
        .logged(&log)?;
    if there.success() {
        let digest = pulled(repo, helm, &reference, &version, &package)?;
        return Ok(format!("{place}/{name}@{digest}"));
    }
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    if !absent(&said) {
        bail!(
            "whether {reference} {version} is there cannot be said, and nothing was pushed: {}",
            said.trim()
        );
    }
    let log = repo.logs().join("chart-push.log");
    cmd(helm).arg("push").arg(&package).arg(target).run(&log)?;
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let digest = digest(&said).with_context(|| format!("helm push printed no digest: {}", said.trim()))?;
    Ok(format!("{place}/{name}@{digest}"))
}

/// The digest of a version that is there, once it was seen to be this package, byte for byte.
fn pulled(repo: &Repo, helm: &Path, reference: &str, version: &str, package: &Path) -> Result<String> {
    let dir = tempfile::tempdir().context("a temporary folder")?;
    let log = repo.logs().join("chart-pull.log");
    cmd(helm)
        .args(["pull", reference, "--version", version, "--destination"])
        .arg(dir.path())
        .run(&log)?;
    let there = self::package(dir.path())?;
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    if read(&there)? != read(package)? {
        bail!(
            "{reference} {version} is there with other content, and a published version never changes: give the chart its next \
             version with `cargo xtask release chart version`"
        );
    }
    let said = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let digest = digest(&said).with_context(|| format!("helm pull printed no digest: {}", said.trim()))?;
    Ok(digest.to_owned())
}

fn package(folder: &Path) -> Result<PathBuf> {
    let mut packages: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "tgz"))
        .collect();
    match (packages.pop(), packages.len()) {
        (Some(package), 0) => Ok(package),
        (found, more) => bail!(
            "{} has {} packages, and one is asked for: `cargo xtask release chart package --out {}`",
            folder.display(),
            more + usize::from(found.is_some()),
            folder.display()
        ),
    }
}

/// Name and version by a `Chart.yaml`.
fn identity(described: &str) -> Result<(String, String)> {
    let chart: Value = serde_saphyr::from_str(described).context("Chart.yaml")?;
    match (chart["name"].as_str(), chart["version"].as_str()) {
        (Some(name), Some(version)) => Ok((name.to_owned(), version.to_owned())),
        _ => bail!("Chart.yaml has no name, or no version"),
    }
}

/// Whether the registry says that there is no such version, rather than that it cannot say.
fn absent(said: &str) -> bool {
    said.contains("not found") || said.contains("manifest unknown") || said.contains("name unknown")
}

fn digest(said: &str) -> Option<&str> {
    said.lines()
        .find_map(|line| line.trim().strip_prefix("Digest:"))
        .map(str::trim)
        .filter(|digest| digest.starts_with("sha256:"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A helm that knows a chart or does not, and writes down that it pushed.
    struct Scene {
        dir: tempfile::TempDir,
    }

    impl Scene {
        fn new(shown: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let script = format!(
                "#!/bin/sh\ncase \"$1 $3\" in\n  'show oci://'*) {shown} ;;\n  show*) printf 'name: opennebula\\nversion: 0.3.0\\n' ;;\n\
                 \x20 push*) touch '{0}/pushed'; echo 'Pushed: x'; echo 'Digest: sha256:abc' ;;\n\
                 \x20 pull*) for last; do :; done; printf 'of before' >\"$last/opennebula-0.3.0.tgz\"; echo 'Digest: sha256:def' ;;\nesac\n",
                dir.path().display()
            );
            let helm = dir.path().join("helm");
            fs::write(&helm, script).unwrap();
            fs::set_permissions(&helm, fs::Permissions::from_mode(0o755)).unwrap();
            fs::write(dir.path().join("opennebula-0.3.0.tgz"), "of before").unwrap();
            Self { dir }
        }

        fn push(&self) -> Result<String> {
            let root = self.dir.path();
            let repo = Repo {
                root: root.to_owned(),
                state: root.join("state"),
                cache: root.join("cache"),
                release: "7.0.0".to_owned(),
                repository: None,
            };
            push(&repo, &root.join("helm"), root, "oci://ghcr.io/x/charts")
        }

        fn pushed(&self) -> bool {
            self.dir.path().join("pushed").exists()
        }
    }

    #[test]
    fn a_new_version_is_pushed_and_named_by_its_digest() {
        let scene = Scene::new("echo 'Error: ghcr.io/x/charts/opennebula:0.3.0: not found' >&2; exit 1");
        assert_eq!(scene.push().unwrap(), "ghcr.io/x/charts/opennebula@sha256:abc");
        assert!(scene.pushed());
    }

    #[test]
    fn a_version_that_is_there_stays_and_is_named_for_its_signature() {
        let scene = Scene::new("echo 'name: opennebula'");
        assert_eq!(scene.push().unwrap(), "ghcr.io/x/charts/opennebula@sha256:def");
        assert!(!scene.pushed());
    }

    #[test]
    fn a_version_that_is_there_with_other_content_is_an_error() {
        let scene = Scene::new("echo 'name: opennebula'");
        fs::write(scene.dir.path().join("opennebula-0.3.0.tgz"), "of now").unwrap();
        let error = scene.push().unwrap_err().to_string();
        assert!(error.contains("never changes"), "{error}");
        assert!(!scene.pushed());
    }

    #[test]
    fn a_registry_that_cannot_say_is_not_pushed_to() {
        let scene = Scene::new("echo 'Error: 503 Service Unavailable' >&2; exit 1");
        let error = scene.push().unwrap_err().to_string();
        assert!(
            error.contains("nothing was pushed") && error.contains("503"),
            "{error}"
        );
        assert!(!scene.pushed());
    }

    #[test]
    fn two_packages_are_one_too_many() {
        let scene = Scene::new("exit 1");
        fs::write(scene.dir.path().join("opennebula-0.2.9.tgz"), "").unwrap();
        let error = scene.push().unwrap_err().to_string();
        assert!(error.contains("has 2 packages"), "{error}");
    }
}
