//! Where the image's `OpenNebula` packages come from: the vendor's repository where it answers, one that was named, or
//! the simulated packages of this workspace.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::digest::Inputs;
use crate::machine::Distribution;
use crate::repo::Repo;
use crate::sh::cmd;

/// The vendor's public repositories.
pub(crate) const VENDOR: &str = "https://downloads.opennebula.io/repo";
/// How long the vendor's repository may take to answer before the simulated packages are used, in seconds.
const PATIENCE: &str = "5";

/// Which packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An apt repository by its address, with the address of its key.
    Repository { address: String, key: String },
    /// Those of crates/onesim.
    Simulated,
}

impl Origin {
    /// `ONE_REPOSITORY` if it is set, else the vendor's if it answers, else the simulated ones.
    pub(crate) fn choose(repo: &Repo) -> Self {
        Self::choose_for(&vendor(&repo.release, &Distribution::read()))
    }

    /// The same for the base image that the Dockerfile names.
    pub(crate) fn for_published_base(repo: &Repo) -> Self {
        Self::choose_for(&format!("{VENDOR}/{}/Ubuntu/24.04", repo.release))
    }

    fn choose_for(vendor: &str) -> Self {
        let key = format!("{VENDOR}/repo2.key");
        if let Some(address) = setting("ONE_REPOSITORY") {
            let key = setting("ONE_REPOSITORY_KEY").unwrap_or(key);
            return Self::Repository { address, key };
        }
        let release = format!("{vendor}/dists/stable/Release");
        let there = cmd("curl")
            .args([
                "--fail",
                "--silent",
                "--location",
                "--max-time",
                PATIENCE,
                &release,
            ])
            .succeeds();
        if there {
            Self::Repository {
                address: vendor.to_owned(),
                key,
            }
        } else {
            Self::Simulated
        }
    }
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The vendor's repository for the distribution that the image stands on.
fn vendor(release: &str, distribution: &Distribution) -> String {
    let name = if distribution.id == "ubuntu" {
        "Ubuntu"
    } else {
        "Debian"
    };
    format!("{VENDOR}/{release}/{name}/{}", distribution.version)
}

/// Packages that are at hand: a repository somewhere, or a folder that has to be served.
#[derive(Debug)]
pub(crate) struct Source {
    place: Place,
    /// Changes with the packages, as far as that can be known.
    pub(crate) number: String,
}

#[derive(Debug)]
enum Place {
    Address { address: String, key: String },
    Folder { dir: PathBuf, release: String },
}

impl Source {
    /// Makes the simulated packages, unless these very ones are there; takes a repository as it is.
    pub(crate) fn prepare(
        repo: &Repo,
        origin: &Origin,
        simulator: impl FnOnce() -> Result<PathBuf>,
    ) -> Result<Self> {
        if let Origin::Repository { address, key } = origin {
            let number = Inputs::default().word(address).word(key).number();
            return Ok(Self {
                place: Place::Address {
                    address: address.clone(),
                    key: key.clone(),
                },
                number,
            });
        }
        let program = simulator()?;
        let number = Inputs::default().word(&repo.release).path(&program)?.number();
        let parent = repo.state.join("packages").join(&repo.release);
        let dir = parent.join(&number);
        if !dir.is_dir() {
            if parent.exists() {
                fs::remove_dir_all(&parent).context(".state/packages")?;
            }
            let half = parent.join("unfinished");
            fs::create_dir_all(&half).context(".state/packages")?;
            cmd(&program)
                .args(["package", "--release", &repo.release, "--out"])
                .arg(&half)
                .run(&repo.logs().join("packages.log"))?;
            fs::rename(&half, &dir).context(".state/packages")?;
        }
        Ok(Self {
            place: Place::Folder {
                dir,
                release: repo.release.clone(),
            },
            number,
        })
    }

    /// The name in the store of the image of a release that is made with these.
    pub(crate) fn image(&self, release: &str) -> String {
        match self.place {
            Place::Address { .. } => format!("opennebula-{release}"),
            Place::Folder { .. } => format!("opennebula-simulated-{release}"),
        }
    }

    /// The addresses of the repository and of its key; `serve` is asked to serve a folder.
    pub(crate) fn addresses(
        &self,
        serve: impl FnOnce(&Path) -> Result<SocketAddr>,
    ) -> Result<(String, String)> {
        match &self.place {
            Place::Address { address, key } => Ok((address.clone(), key.clone())),
            Place::Folder { dir, release } => {
                let address = serve(dir)?;
                let repository = format!("http://{address}/repo/{release}/Ubuntu/24.04");
                Ok((repository, format!("http://{address}/repo/repo2.key")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_has_a_repository_for_each_distribution() {
        let distribution = |id: &str, version: &str| Distribution {
            id: id.to_owned(),
            version: version.to_owned(),
            ..Distribution::default()
        };
        assert_eq!(
            vendor("7.0.0", &distribution("ubuntu", "24.04")),
            "https://downloads.opennebula.io/repo/7.0.0/Ubuntu/24.04"
        );
        assert_eq!(
            vendor("7.0.0", &distribution("debian", "12")),
            "https://downloads.opennebula.io/repo/7.0.0/Debian/12"
        );
    }
}
