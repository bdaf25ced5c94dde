//! An apt repository with `OpenNebula`'s packages that is named on the command line, on another machine or on this one.
//!
//! What is read of it here is read unverified, and decides only which release is built and whether it is built anew: apt
//! verifies the signature when it installs.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::packages::VENDOR;
use crate::repo::Repo;
use crate::sh::cmd;
use crate::versions::{CORE, Version};

/// The suite and the component that the vendor uses.
pub(super) const SUITE: &str = "stable";
const COMPONENT: &str = "opennebula";
/// How long a file of a repository may take, in seconds.
const READ_TIMEOUT: &str = "60";

/// The switch of every verb that builds an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct Packages {
    /// An apt repository (suite stable, component opennebula) with the packages to build the image with, http://, https:// or
    /// file://; the release is the repository's
    #[arg(long, env = "ONE_REPOSITORY", value_name = "ADDRESS", value_parser = address)]
    repository: Option<String>,
    /// The key that signs the repository, a path or an address; the vendor's by default
    #[arg(
        long,
        env = "ONE_REPOSITORY_KEY",
        value_name = "ADDRESS",
        requires = "repository"
    )]
    repository_key: Option<String>,
}

/// An address that apt in a build can be led to. Empty is how a shell says that a variable is not set.
fn address(text: &str) -> Result<String, String> {
    let known = ["http://", "https://", "file:///"];
    if text.is_empty() || known.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(format!("must begin with {}", known.join(", ")))
}

impl Packages {
    /// Those of the environment alone, for a verb that is called without a word.
    pub(crate) fn of_environment() -> Self {
        let read = |name| std::env::var(name).ok();
        Self {
            repository: read("ONE_REPOSITORY"),
            repository_key: read("ONE_REPOSITORY_KEY"),
        }
    }

    /// The checkout, with the repository if one was named.
    pub(crate) fn of(&self, repo: &Repo) -> Result<Repo> {
        repo.with_repository(self.named()?)
    }

    fn named(&self) -> Result<Option<Repository>> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let Some(address) = given(&self.repository) else {
            return Ok(None);
        };
        let key = match given(&self.repository_key) {
            Some(key) => key,
            None if address.starts_with("file://") => bail!(
                "--repository {address} is a folder, and its key is not named: give the key that signs it with \
                 --repository-key or ONE_REPOSITORY_KEY"
            ),
            None => vendor_key(),
        };
        Ok(Some(Repository { address, key }))
    }
}

/// The key of the vendor's repositories.
pub(super) fn vendor_key() -> String {
    format!("{VENDOR}/repo2.key")
}

/// An apt repository by its address, with the address of its key, or the key's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) address: String,
    pub(crate) key: String,
}

impl Repository {
    /// The signed index, which changes whenever a package does.
    pub(super) fn index(&self) -> Result<String> {
        self.read("InRelease").or_else(|_| self.read("Release"))
    }

    /// The release that its packages are of, the newest where there are several.
    pub(crate) fn release(&self) -> Result<Version> {
        let architecture = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        let list = format!("{COMPONENT}/binary-{architecture}/Packages");
        let text = self
            .read(&list)
            .or_else(|_| self.read_packed(&format!("{list}.gz")))?;
        newest(&text).with_context(|| {
            format!(
                "{}/dists/{SUITE}/{list} has no package {CORE} of a plain release, such as 7.0.1-1",
                self.address
            )
        })
    }

    fn read(&self, file: &str) -> Result<String> {
        let address = format!("{}/dists/{SUITE}/{file}", self.address);
        cmd("curl")
            .args([
                "--fail",
                "--silent",
                "--show-error",
                "--location",
                "--max-time",
                READ_TIMEOUT,
            ])
            .arg(&address)
            .read()
            .with_context(|| format!("cannot read {address}: look at --repository (ONE_REPOSITORY)"))
    }

    fn read_packed(&self, file: &str) -> Result<String> {
        let address = format!("{}/dists/{SUITE}/{file}", self.address);
        let script =
            "curl --fail --silent --show-error --location --max-time \"$1\" \"$2\" | gzip --decompress";
        cmd("sh")
            .args(["-c", script, "sh", READ_TIMEOUT, &address])
            .read()
            .with_context(|| format!("cannot read {address}: look at --repository (ONE_REPOSITORY)"))
    }

    /// The addresses for a build: what lies on this machine is served, for a build does not see the machine's files.
    pub(super) fn served(&self, serve: impl Fn(&Path) -> Result<SocketAddr>) -> Result<(String, String)> {
        let address = match self.address.strip_prefix("file://") {
            Some(folder) => format!("http://{}", serve(Path::new(folder))?),
            None => self.address.clone(),
        };
        let is_remote = self.key.starts_with("http://") || self.key.starts_with("https://");
        let path = Path::new(self.key.strip_prefix("file://").unwrap_or(&self.key));
        let key = match (is_remote, path.parent(), path.file_name()) {
            (true, ..) => self.key.clone(),
            (false, Some(folder), Some(name)) if path.is_file() => {
                let folder = folder
                    .canonicalize()
                    .with_context(|| folder.display().to_string())?;
                format!("http://{}/{}", serve(&folder)?, name.to_string_lossy())
            }
            _ => bail!(
                "the repository's key {} is not a file: look at --repository-key (ONE_REPOSITORY_KEY)",
                path.display()
            ),
        };
        Ok((address, key))
    }
}

/// The newest release of the core's package in a list.
fn newest(list: &str) -> Option<Version> {
    list.split("\n\n")
        .filter(|stanza| stanza.lines().any(|line| line == format!("Package: {CORE}")))
        .filter_map(|stanza| stanza.lines().find_map(|line| line.strip_prefix("Version: ")))
        .filter_map(|version| Version::of_package(version.trim()))
        .max()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::serve::serve;

    fn packages(repository: &str, key: Option<&str>) -> Packages {
        Packages {
            repository: Some(repository.to_owned()),
            repository_key: key.map(str::to_owned),
        }
    }

    /// A repository of this machine with one list, and its key beside it.
    fn folder(list: &str) -> (tempfile::TempDir, Repository) {
        let dir = tempfile::tempdir().unwrap();
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let binary = dir
            .path()
            .join("repo/dists/stable/opennebula")
            .join(format!("binary-{architecture}"));
        fs::create_dir_all(&binary).unwrap();
        fs::write(binary.join("Packages"), list).unwrap();
        fs::write(dir.path().join("repo/dists/stable/InRelease"), "SHA256: 1\n").unwrap();
        fs::write(dir.path().join("key.asc"), "the key").unwrap();
        let repository = Repository {
            address: format!("file://{}", dir.path().join("repo").display()),
            key: dir.path().join("key.asc").display().to_string(),
        };
        (dir, repository)
    }

    const LIST: &str = "Package: opennebula\nVersion: 7.0.2-1\n\nPackage: opennebula\nVersion: 7.0.10.1-1\n\n\
                        Package: opennebula\nVersion: 7.0.80~rc1-1\n\nPackage: opennebula-tools\nVersion: 9.0.0-1\n";

    #[test]
    fn a_folder_needs_its_key_and_a_mirror_has_the_vendor_s() {
        let error = packages("file:///srv/one", None).named().unwrap_err().to_string();
        assert!(
            error.contains("file:///srv/one") && error.contains("ONE_REPOSITORY_KEY"),
            "{error}"
        );
        let mirror = packages("http://mirror/one", Some("")).named().unwrap().unwrap();
        assert_eq!(mirror.key, "https://downloads.opennebula.io/repo/repo2.key");
        assert_eq!(Packages::default().named().unwrap(), None);
        assert_eq!(
            packages("", None).named().unwrap(),
            None,
            "an empty variable is none"
        );
    }

    #[test]
    fn the_release_is_the_repository_s_newest() {
        let (_dir, repository) = folder(LIST);
        assert_eq!(repository.release().unwrap().to_string(), "7.0.10.1");
        let (_dir, empty) = folder("Package: opennebula-tools\nVersion: 9.0.0-1\n");
        let error = empty.release().unwrap_err().to_string();
        assert!(error.contains("has no package opennebula"), "{error}");
    }

    #[test]
    fn a_packed_list_is_read_and_a_missing_one_is_named() {
        let (dir, repository) = folder(LIST);
        let list = fs::read_dir(dir.path().join("repo/dists/stable/opennebula"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
            .join("Packages");
        assert!(cmd("gzip").arg(&list).succeeds());
        assert_eq!(repository.release().unwrap().to_string(), "7.0.10.1");
        fs::remove_dir_all(dir.path().join("repo/dists")).unwrap();
        let error = format!("{:#}", repository.release().unwrap_err());
        assert!(
            error.contains("Packages.gz") && error.contains("--repository"),
            "{error}"
        );
    }

    #[test]
    fn new_packages_under_the_same_address_are_another_index() {
        let (dir, repository) = folder(LIST);
        let before = repository.index().unwrap();
        fs::write(dir.path().join("repo/dists/stable/InRelease"), "SHA256: 2\n").unwrap();
        assert_ne!(repository.index().unwrap(), before);
        fs::rename(
            dir.path().join("repo/dists/stable/InRelease"),
            dir.path().join("repo/dists/stable/Release"),
        )
        .unwrap();
        assert_eq!(repository.index().unwrap(), "SHA256: 2");
    }

    #[test]
    fn what_lies_on_this_machine_is_served() {
        let (_dir, repository) = folder(LIST);
        let (address, key) = repository.served(serve).unwrap();
        assert_eq!(cmd("curl").args(["--silent", &key]).read().unwrap(), "the key");
        let index = format!("{address}/dists/stable/InRelease");
        assert_eq!(
            cmd("curl").args(["--silent", &index]).read().unwrap(),
            "SHA256: 1"
        );
        let missing = Repository {
            key: "/nowhere/key.asc".to_owned(),
            ..repository
        };
        let error = missing.served(serve).unwrap_err().to_string();
        assert!(error.contains("/nowhere/key.asc"), "{error}");
    }
}
