//! The same with Docker and kind, where a Docker engine answers: images from the registries, except the front-end's,
//! which is built by `docker build` from the same Dockerfile.
//!
//! Traefik serves Ingresses here too, from `cluster/ingress.yaml`, with the published image. It serves no Gateway here: the
//! definitions of the Gateway API would have to be fetched, and `up` needs none.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::images::{Origin, Source, name, simulator};
use crate::platform::Platform;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::serve;
use crate::sh::{Cmd, cmd, command, which};

const NAME: &str = "opennebula";
/// Run by `go run` where kind or Helm is not installed.
const KIND: &str = "sigs.k8s.io/kind@v0.33.0";
const HELM: &str = "helm.sh/helm/v4/cmd/helm@v4.1.4";
/// The version that `cluster/traefik` compiles.
const TRAEFIK: &str = "docker.io/library/traefik:v3.5.3";

/// The port of the Ingress controller is the machine's own.
const CONFIG: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraPortMappings:
  - {containerPort: 30080, hostPort: 30080, listenAddress: 127.0.0.1}
  - {containerPort: 30443, hostPort: 30443, listenAddress: 127.0.0.1}
";

/// One kind cluster, of a fixed name.
#[derive(Debug)]
pub(crate) struct Kind {
    repo: Repo,
    dir: PathBuf,
}

impl Kind {
    pub(crate) fn new(repo: &Repo) -> Self {
        Self {
            repo: repo.clone(),
            dir: repo.state.join("kind"),
        }
    }

    fn kind<'a>(args: impl IntoIterator<Item = &'a str>) -> Cmd {
        command(&tool("kind", KIND)).args(args)
    }

    /// Kubectl of the node: the machine needs none.
    fn kubectl<'a>(args: impl IntoIterator<Item = &'a str>) -> Cmd {
        cmd("docker")
            .args(["exec", "--interactive", &format!("{NAME}-control-plane")])
            .args(["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"])
            .args(args)
    }

    fn log(&self, what: &str) -> PathBuf {
        self.repo.logs().join(format!("kind-{what}.log"))
    }

    /// Everything up to a cluster that has the image.
    pub(crate) fn start(&self, progress: &mut Progress) -> Result<Platform> {
        fs::create_dir_all(&self.dir).context(".state/kind")?;
        let kubeconfig = self.dir.join("kubeconfig");
        let origin = Origin::for_published_base(&self.repo);
        let source = progress.step("OpenNebula packages", || {
            Source::prepare(&self.repo, &origin, || simulator(&self.repo))
        })?;
        let image = name(&self.repo.root)?;
        let image_is_new = progress.step("front-end image (docker build)", || self.build(&image, &source))?;
        progress.step("cluster (kind)", || {
            let there = Self::kind(["get", "clusters"])
                .read()?
                .lines()
                .any(|line| line == NAME);
            if there {
                return Self::kind(["export", "kubeconfig", "--name", NAME, "--kubeconfig"])
                    .arg(&kubeconfig)
                    .run(&self.log("up"));
            }
            let config = self.dir.join("config.yaml");
            fs::write(&config, CONFIG).context(".state/kind/config.yaml")?;
            Self::kind([
                "create",
                "cluster",
                "--wait",
                "120s",
                "--name",
                NAME,
                "--kubeconfig",
            ])
            .arg(&kubeconfig)
            .arg("--config")
            .arg(config)
            .run(&self.log("up"))
        })?;
        progress.step("image into the cluster", || {
            Self::kind(["load", "docker-image", "--name", NAME, &image]).run(&self.log("load"))
        })?;
        progress.step("Ingress controller", || {
            let objects = fs::read_to_string(self.repo.root.join("cluster/ingress.yaml"))
                .context("cluster/ingress.yaml")?;
            Self::kubectl(["apply", "--server-side", "--filename", "-"])
                .feed(&published(&objects), &self.log("ingress"))?;
            Self::kubectl([
                "-n",
                "kube-system",
                "rollout",
                "status",
                "--timeout=180s",
                "deployment/traefik",
            ])
            .run(&self.log("ingress"))
        })?;
        Ok(Platform {
            kubectl: format!("kubectl --kubeconfig {}", kubeconfig.display()),
            kubeconfig,
            root: self.repo.root.clone(),
            ingress: "127.0.0.1:30080".to_owned(),
            helm: tool("helm", HELM),
            image_is_new,
            origin,
        })
    }

    /// True when the image is another than before.
    fn build(&self, image: &str, source: &Source) -> Result<bool> {
        let (repository, key) = source.addresses(serve::serve)?;
        let id = || {
            cmd("docker")
                .args(["image", "inspect", "--format", "{{.Id}}", image])
                .read()
                .unwrap_or_default()
        };
        let before = id();
        cmd("docker")
            .args(["build", "--network", "host", "--tag", image])
            .args(["--build-arg", &format!("ONE_VERSION={}", self.repo.release)])
            .args(["--build-arg", &format!("ONE_REPOSITORY={repository}")])
            .args(["--build-arg", &format!("ONE_REPOSITORY_KEY={key}")])
            .arg("--file")
            .arg(self.repo.root.join("image/Dockerfile"))
            .arg(&self.repo.root)
            .env("DOCKER_BUILDKIT", "1")
            .run(&self.log("image"))?;
        Ok(before != id())
    }

    /// Whether this checkout made it.
    pub(crate) fn made(&self) -> bool {
        self.dir.exists()
    }

    /// Removes the cluster.
    pub(crate) fn delete(&self) -> Result<()> {
        Self::kind(["delete", "cluster", "--name", NAME]).run(&self.log("down"))
    }
}

/// A program of `PATH`, or the pinned one by `go run`.
fn tool(name: &str, module: &str) -> Vec<String> {
    match which(name) {
        Some(path) => vec![path.display().to_string()],
        None => ["go", "run", module].map(str::to_owned).to_vec(),
    }
}

/// The Ingress controller's objects for a cluster that has a registry, and not the Gateway API.
fn published(objects: &str) -> String {
    let served: Vec<&str> = objects
        .lines()
        .filter(|line| !line.contains("--providers.kubernetesgateway"))
        .collect();
    (served.join("\n") + "\n")
        .replace("localhost/traefik:local", TRAEFIK)
        .replace("imagePullPolicy: Never", "imagePullPolicy: IfNotPresent")
        .replace("NODE_ADDRESS", "127.0.0.1")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn repository_file(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
    }

    #[test]
    fn the_published_ingress_controller_is_the_compiled_one_s_version() {
        let version = TRAEFIK.rsplit(':').next().unwrap();
        let module = repository_file("cluster/traefik/go.mod");
        assert!(
            module.contains(&format!("github.com/traefik/traefik/v3 {version} ")),
            "{version}"
        );
        let objects = published(&repository_file("cluster/ingress.yaml"));
        assert!(objects.contains(&format!("image: {TRAEFIK}\n")));
        assert!(objects.contains("- --providers.kubernetesingress\n"));
        for gone in ["localhost/", "Never", "NODE_ADDRESS", "kubernetesgateway"] {
            assert!(!objects.contains(gone), "{gone}");
        }
    }

    #[test]
    fn the_pinned_helm_is_the_compiled_one() {
        let version = HELM.rsplit('@').next().unwrap();
        assert!(
            repository_file("cluster/go.mod").contains(&format!("helm.sh/helm/v4 {version}\n")),
            "{version}"
        );
    }
}
