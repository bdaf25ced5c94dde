//! The same with Docker and kind, where a Docker engine answers: images from the registries, except the front-end's,
//! which is built by `docker build` from the same Dockerfile.
//!
//! Traefik serves Ingresses and the Gateway API here too, from `cluster/ingress.yaml` and `cluster/gateway.yaml`, with the published
//! image; the resource definitions are those of `cluster/crds`. kind enforces NetworkPolicies itself. Its volumes cannot grow.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::cluster;
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
/// What the scenarios need and kind's cluster lacks, by their names for it: its `StorageClass` has no allowVolumeExpansion.
pub(crate) const LACKS: &str = "volume-expansion";
/// Ports of the node for HTTP and HTTPS, in cluster/ingress.yaml.
pub(crate) const HTTP_PORT: u16 = 30080;
const HTTPS_PORT: u16 = 30443;
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
    reach: Reach,
    /// The image of the node; without it kind's own choice.
    node: Option<&'static str>,
    content: Content,
    /// A second tag of the image in the cluster.
    second: Option<&'static str>,
}

/// How the node's ports are reached from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// On loopback, by the same numbers: for people.
    Loopback,
    /// At the node's own address in Docker's network, all of them: for the scenarios, beside the other cluster.
    Node,
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
            reach: Reach::Loopback,
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
            reach: Reach::Node,
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
            fs::write(&config, configuration(self.reach)).with_context(|| config.display().to_string())?;
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
        let address = self.address()?;
        progress.step("Ingress controller and Gateway", || {
            let apply = |objects: &str| {
                self.kubectl(["apply", "--server-side", "--force-conflicts", "--filename", "-"])
                    .feed(objects, &self.log("ingress"))
            };
            apply(&cluster::definitions(&self.repo)?)?;
            self.kubectl(["wait", "--for=condition=Established", "--timeout=60s"])
                .args(
                    ["gatewayclasses", "gateways"]
                        .map(|kind| format!("crd/{kind}.gateway.networking.k8s.io")),
                )
                .run(&self.log("definitions"))?;
            apply(&self.certificate()?)?;
            for file in ["cluster/gateway.yaml", "cluster/ingress.yaml"] {
                let objects = fs::read_to_string(self.repo.root.join(file)).context(file)?;
                apply(&published(&objects, &address))?;
            }
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
            ingress: format!("{address}:{HTTP_PORT}"),
            helm: vec![HELM.path(&self.repo).display().to_string()],
            image_is_new,
            origin,
        })
    }

    /// Where the node's ports are reached from this machine.
    fn address(&self) -> Result<String> {
        match self.reach {
            Reach::Loopback => Ok("127.0.0.1".to_owned()),
            Reach::Node => cmd("docker")
                .args([
                    "inspect",
                    "--format",
                    "{{.NetworkSettings.Networks.kind.IPAddress}}",
                ])
                .arg(format!("{}-control-plane", self.name))
                .read(),
        }
    }

    /// The Secret that cluster/gateway.yaml names, with a certificate of its own signature.
    fn certificate(&self) -> Result<String> {
        let [key, certificate] = ["gateway.key", "gateway.crt"].map(|name| self.dir.join(name));
        cmd("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365"])
            .args([
                "-subj",
                "/CN=gateway.test",
                "-addext",
                "subjectAltName=DNS:*.gateway.test",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .run(&self.log("certificate"))?;
        let read = |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "gateway", "namespace": "kube-system"},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": read(&certificate)?, "tls.key": read(&key)?},
        });
        Ok(secret.to_string())
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

fn configuration(reach: Reach) -> String {
    let ports = match reach {
        Reach::Loopback => [HTTP_PORT, HTTPS_PORT]
            .map(|port| json!({"containerPort": port, "hostPort": port, "listenAddress": "127.0.0.1"}))
            .to_vec(),
        Reach::Node => Vec::new(),
    };
    json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane", "extraPortMappings": ports}],
    })
    .to_string()
}

/// The objects of `cluster/` for a cluster that has a registry.
fn published(objects: &str, address: &str) -> String {
    objects
        .replace("localhost/traefik:local", TRAEFIK)
        .replace("imagePullPolicy: Never", "imagePullPolicy: IfNotPresent")
        .replace("NODE_ADDRESS", address)
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
        let objects = published(&repository_file("cluster/ingress.yaml"), "192.0.2.1");
        assert!(objects.contains(&format!("image: {TRAEFIK}\n")));
        assert!(objects.contains("statusaddress.ip=192.0.2.1\n"));
        for gone in ["localhost/", "Never", "NODE_ADDRESS"] {
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
    fn the_scenarios_and_the_cluster_agree_on_the_ports_of_the_node() {
        let controller = repository_file("cluster/ingress.yaml");
        let scenarios =
            ["world.rs", "outside.rs"].map(|file| repository_file(&format!("tests/e2e/src/scenario/{file}")));
        for (port, constant) in [
            (HTTP_PORT, "INGRESS_NODE_PORT"),
            (HTTPS_PORT, "TLS_PORT"),
            (30633, "GATEWAY_API_PORT"),
        ] {
            assert!(controller.contains(&format!("nodePort: {port}}}")), "{port}");
            let line = format!("const {constant}: u16 = {port};");
            assert!(scenarios.concat().contains(&line), "{line}");
        }
    }

    #[test]
    fn only_the_cluster_for_people_takes_ports_of_the_machine() {
        let ports = |reach| configuration(reach).matches("hostPort").count();
        assert_eq!((ports(Reach::Loopback), ports(Reach::Node)), (2, 0));
    }
}
