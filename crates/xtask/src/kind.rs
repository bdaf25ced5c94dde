//! The same with Docker and kind, where a Docker engine answers: images from the registries, except the front-end's,
//! which is built by `docker build` from the same Dockerfile.
//!
//! Traefik serves Ingresses here too, from `cluster/ingress.yaml`, with the published image. It serves no Gateway here: the
//! definitions of the Gateway API would have to be fetched, and `up` needs none.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::images::{Origin, Repository, Source, name, simulator};
use crate::platform::Platform;
use crate::progress::Progress;
use crate::repo::Repo;
use crate::serve;
use crate::sh::{Cmd, cmd};
use crate::tools::{HELM, KIND};

/// Releases of Kubernetes with their node images, the newest first: those that kind 0.33.0 was released with.
pub(crate) const NODES: [(&str, &str); 4] = [
    (
        "1.37",
        "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
    ),
    (
        "1.36",
        "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
    ),
    (
        "1.35",
        "kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
    ),
    (
        "1.34",
        "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d",
    ),
];
/// The version that `cluster/traefik` compiles.
const TRAEFIK: &str = "docker.io/library/traefik:v3.5.3";

/// The tag by which the scenarios tell this checkout's image from the published one of the same release.
const SECOND: &str = "e2e";

/// One kind cluster, of a fixed name.
#[derive(Debug)]
pub(crate) struct Kind {
    repo: Repo,
    dir: PathBuf,
    name: &'static str,
    /// The machine's ports of the Ingress controller: HTTP, HTTPS.
    ports: [u16; 2],
    /// The image of the node; without it kind's own choice.
    node: Option<&'static str>,
    content: Content,
    /// A second tag of the image in the cluster.
    second: Option<&'static str>,
}

/// The front-end's image in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Built here, with the vendor's packages where they can be reached and else with the simulated ones.
    Built,
    /// Built here, with the vendor's packages or not at all.
    BuiltFromVendor,
    /// A published one, by its digest.
    Published(String),
}

impl Kind {
    pub(crate) fn new(repo: &Repo) -> Self {
        Self {
            repo: repo.clone(),
            dir: repo.state.join("kind"),
            name: "opennebula",
            ports: [30080, 30443],
            node: None,
            content: Content::Built,
            second: None,
        }
    }

    /// The cluster of the scenarios, beside that of `up`.
    pub(crate) fn of_scenarios(repo: &Repo, node: Option<&'static str>, content: Content) -> Self {
        Self {
            repo: repo.clone(),
            dir: repo.state.join("kind-e2e"),
            name: "opennebula-e2e",
            ports: [31080, 31443],
            node,
            content,
            second: Some(SECOND),
        }
    }

    /// The pinned kind, whatever the machine has: the node images are of its release.
    fn kind<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<Cmd> {
        KIND.install(&self.repo)?;
        Ok(cmd(KIND.path(&self.repo)).args(args))
    }

    /// Kubectl of the node: the machine needs none.
    fn kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Cmd {
        cmd("docker")
            .args(["exec", "--interactive", &format!("{}-control-plane", self.name)])
            .args(["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"])
            .args(args)
    }

    fn folder(&self) -> String {
        self.dir
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    fn log(&self, what: &str) -> PathBuf {
        self.repo.logs().join(format!("{}-{what}.log", self.folder()))
    }

    /// Everything up to a cluster that has the image.
    pub(crate) fn start(&self, progress: &mut Progress) -> Result<Platform> {
        fs::create_dir_all(&self.dir).with_context(|| self.dir.display().to_string())?;
        let kubeconfig = self.dir.join("kubeconfig");
        let image = name(&self.repo.root)?;
        let (origin, image_is_new) = self.front_end(&image, progress)?;
        progress.step("cluster (kind)", || {
            let there = self
                .kind(["get", "clusters"])?
                .read()?
                .lines()
                .any(|line| line == self.name);
            if there {
                return self
                    .kind(["export", "kubeconfig", "--name", self.name, "--kubeconfig"])?
                    .arg(&kubeconfig)
                    .run(&self.log("up"));
            }
            let config = self.dir.join("config.yaml");
            fs::write(&config, configuration(self.ports)).with_context(|| config.display().to_string())?;
            self.kind(["create", "cluster", "--wait", "120s", "--name", self.name])?
                .args(self.node.iter().flat_map(|node| ["--image", node]))
                .arg("--kubeconfig")
                .arg(&kubeconfig)
                .arg("--config")
                .arg(config)
                .run(&self.log("up"))
        })?;
        progress.step("image into the cluster", || {
            let second = self.second.map(|tag| of_tag(&image, tag));
            if let Some(second) = &second {
                cmd("docker")
                    .args(["tag", &image, second])
                    .run(&self.log("load"))?;
            }
            self.kind(["load", "docker-image", "--name", self.name, &image])?
                .args(second)
                .run(&self.log("load"))
        })?;
        progress.step("Ingress controller", || {
            let objects = fs::read_to_string(self.repo.root.join("cluster/ingress.yaml"))
                .context("cluster/ingress.yaml")?;
            self.kubectl(["apply", "--server-side", "--filename", "-"])
                .feed(&published(&objects), &self.log("ingress"))?;
            self.kubectl([
                "-n",
                "kube-system",
                "rollout",
                "status",
                "--timeout=180s",
                "deployment/traefik",
            ])
            .run(&self.log("ingress"))
        })?;
        HELM.install(&self.repo)?;
        Ok(Platform {
            kubectl: format!("kubectl --kubeconfig {}", kubeconfig.display()),
            kubeconfig,
            root: self.repo.root.clone(),
            ingress: format!("127.0.0.1:{}", self.ports[0]),
            helm: vec![HELM.path(&self.repo).display().to_string()],
            image_is_new,
            origin,
        })
    }

    /// The image under the name that the chart asks for, in the Docker engine: whose packages it has, and whether it is
    /// another than before.
    fn front_end(&self, image: &str, progress: &mut Progress) -> Result<(Origin, bool)> {
        if let Content::Published(published) = &self.content {
            progress.step("front-end image (published)", || {
                cmd("docker").args(["pull", published]).run(&self.log("image"))?;
                cmd("docker")
                    .args(["tag", published, image])
                    .run(&self.log("image"))
            })?;
            let (address, key) = (published.clone(), String::new());
            return Ok((Origin::Repository(Repository { address, key }), true));
        }
        let origin = Origin::for_published_base(&self.repo);
        if self.content == Content::BuiltFromVendor && origin == Origin::Simulated {
            bail!(
                "the vendor's packages of {} cannot be reached, and nothing else was asked for: try again later, or leave \
                 `--packages vendor` out",
                self.repo.release
            );
        }
        let source = progress.step("OpenNebula packages", || {
            Source::prepare(&self.repo, &origin, || simulator(&self.repo))
        })?;
        let new = progress.step("front-end image (docker build)", || self.build(image, &source))?;
        Ok((origin, new))
    }

    /// True when the image is another than before.
    fn build(&self, image: &str, source: &Source) -> Result<bool> {
        let [repository, key, fingerprint] = source.arguments(serve::serve)?;
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
            .args(["--build-arg", &repository, "--build-arg", &key])
            .args(["--build-arg", &fingerprint])
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
        self.kind(["delete", "cluster", "--name", self.name])?
            .run(&self.log("down"))
    }
}

/// The same image under another tag.
fn of_tag(image: &str, tag: &str) -> String {
    let name = image.rsplit_once(':').map_or(image, |(name, _)| name);
    format!("{name}:{tag}")
}

/// The ports of the Ingress controller are the machine's own.
fn configuration([http, https]: [u16; 2]) -> String {
    format!(
        "kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraPortMappings:
  - {{containerPort: 30080, hostPort: {http}, listenAddress: 127.0.0.1}}
  - {{containerPort: 30443, hostPort: {https}, listenAddress: 127.0.0.1}}
"
    )
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
    fn every_node_image_is_pinned_and_of_its_release() {
        for (release, image) in NODES {
            let (name, digest) = image.split_once("@sha256:").unwrap();
            assert!(name.starts_with(&format!("kindest/node:v{release}.")), "{image}");
            assert_eq!(digest.len(), 64, "{image}");
        }
        assert!(NODES.is_sorted_by(|(newer, _), (older, _)| newer > older));
    }

    #[test]
    fn the_second_tag_is_of_the_same_name() {
        assert_eq!(of_tag("docker.io/a/b:7.0.0", SECOND), "docker.io/a/b:e2e");
    }

    #[test]
    fn two_clusters_have_ports_of_their_own() {
        let text = configuration([31080, 31443]);
        assert!(text.contains("{containerPort: 30080, hostPort: 31080, listenAddress: 127.0.0.1}"));
        let parsed: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(parsed["nodes"][0]["extraPortMappings"][1]["hostPort"], 31443);
    }
}
