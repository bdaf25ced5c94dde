//! Where the image's `OpenNebula` packages come from: the vendor's repository where it answers, one that was named, or
//! the simulated packages of this workspace.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::repository::{Repository, SUITE, vendor_key};
use crate::digest::Inputs;
use crate::machine::Distribution;
use crate::release::VENDOR_FINGERPRINT;
use crate::repo::Repo;
use crate::sh::cmd;

/// The vendor's public repositories.
pub(crate) const VENDOR: &str = "https://downloads.opennebula.io/repo";
/// How long the vendor's repository may take to answer before the simulated packages are used, in seconds.
const ANSWER_TIMEOUT: &str = "5";

/// Which packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Those of an apt repository.
    Repository(Repository),
    /// Those of crates/onesim.
    Simulated,
}

impl Origin {
    /// The repository that was named, else the vendor's if it answers, else the simulated packages.
    pub(crate) fn choose(repo: &Repo) -> Self {
        Self::choose_for(repo, &vendor(&repo.release, &Distribution::read()))
    }

    /// The same for the base image that the Dockerfile names.
    pub(crate) fn for_published_base(repo: &Repo) -> Self {
        Self::choose_for(repo, &format!("{VENDOR}/{}/Ubuntu/24.04", repo.release))
    }

    fn choose_for(repo: &Repo, vendor: &str) -> Self {
        if let Some(named) = &repo.repository {
            return Self::Repository(named.clone());
        }
        let release = format!("{vendor}/dists/{SUITE}/Release");
        let there = cmd("curl")
            .args([
                "--fail",
                "--silent",
                "--location",
                "--max-time",
                ANSWER_TIMEOUT,
                &release,
            ])
            .succeeds();
        if there {
            Self::Repository(Repository {
                address: vendor.to_owned(),
                key: vendor_key(),
            })
        } else {
            Self::Simulated
        }
    }
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

/// Packages that are at hand.
#[derive(Debug)]
pub(crate) struct Source {
    place: Place,
    /// Changes with the packages.
    pub(crate) number: String,
}

#[derive(Debug)]
enum Place {
    Repository(Repository),
    /// The simulated ones, which have to be served.
    Folder {
        dir: PathBuf,
        release: String,
    },
}

impl Source {
    /// Makes the simulated packages, unless these very ones are there; reads the index of a repository.
    pub(crate) fn prepare(
        repo: &Repo,
        origin: &Origin,
        simulator: impl FnOnce() -> Result<PathBuf>,
    ) -> Result<Self> {
        if let Origin::Repository(repository) = origin {
            // The index has the checksums of all packages: with other packages it is another.
            let number = Inputs::default()
                .word(&repository.address)
                .word(&repository.key)
                .word(&repository.index()?)
                .number();
            return Ok(Self {
                place: Place::Repository(repository.clone()),
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
            Place::Repository(_) => format!("opennebula-{release}"),
            Place::Folder { .. } => format!("opennebula-simulated-{release}"),
        }
    }

    /// The arguments of a build that say where the packages are and who signs them; `serve` is asked to serve folders of
    /// this machine.
    pub(crate) fn arguments(&self, serve: impl Fn(&Path) -> Result<SocketAddr>) -> Result<[String; 3]> {
        let (repository, key, fingerprint) = match &self.place {
            Place::Repository(repository) => {
                let (address, key) = repository.served(serve)?;
                // The vendor's key is pinned. One that was named is trusted as it is.
                let pinned = repository.key == vendor_key();
                (address, key, if pinned { VENDOR_FINGERPRINT } else { "" })
            }
            Place::Folder { dir, release } => {
                let address = serve(dir)?;
                let repository = format!("http://{address}/repo/{release}/Ubuntu/24.04");
                (repository, format!("http://{address}/repo/repo2.key"), "")
            }
        };
        Ok([
            format!("ONE_REPOSITORY={repository}"),
            format!("ONE_REPOSITORY_KEY={key}"),
            format!("ONE_REPOSITORY_FINGERPRINT={fingerprint}"),
        ])
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
