//! What the offline cluster promises to the scenarios, seen with real connections before they begin: an Ingress with a
//! certificate of its own, routes of the Gateway API, policies of the network, claims that grow, and resource definitions
//! that judge. A scenario that expects a refusal would prove nothing where nothing is enforced.
//!
//! Everything happens in one namespace, which is deleted at the end. The product is not looked at.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::cluster::Cluster;
use crate::progress::Counts;
use crate::repo::Repo;
use crate::sh::{Cmd, cmd};

const NAMESPACE: &str = "offers";
const OBJECTS: &str = include_str!("offers.yaml");
/// How long a controller may take to follow.
const PATIENCE: Duration = Duration::from_mins(1);
/// Only `friend` reaches the server.
const POLICY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: server}
spec:
  podSelector: {matchLabels: {app: server}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}], ports: [{port: http}]}]
";
const MONITOR: &str = "\
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: server}
spec: {selector: {matchLabels: {app: server}}, endpoints: [{port: http, interval: 30s}]}
";
const DATABASE: &str = "\
apiVersion: k8s.mariadb.com/v1alpha1
kind: MariaDB
metadata: {name: server}
spec: {replicas: 3, galera: {enabled: true}, storage: {size: 1Gi}}
";

/// Looks at each; the first that is not as promised is the error.
pub(crate) fn check(repo: &Repo, cluster: &Cluster) -> Result<Counts> {
    let site = Site { repo, cluster };
    site.prepare()?;
    for look in [Site::ways_in, Site::policies, Site::growing, Site::definitions] {
        look(&site)?;
    }
    site.kubectl(["delete", "namespace", NAMESPACE])
        .run(&site.log("delete"))?;
    Ok(Counts::passed(4))
}

struct Site<'a> {
    repo: &'a Repo,
    cluster: &'a Cluster,
}

impl Site<'_> {
    /// A server, two clients, and every way to the server.
    fn prepare(&self) -> Result<()> {
        self.kubectl(["create", "namespace", NAMESPACE])
            .run(&self.log("namespace"))?;
        let (key, certificate) = (self.file("tls.key"), self.file("tls.crt"));
        cmd("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"])
            .args(["-subj", "/CN=ingress.offers.test"])
            .args(["-addext", "subjectAltName=DNS:ingress.offers.test", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .run(&self.log("certificate"))?;
        self.kubectl(["create", "secret", "tls", "server"])
            .arg(format!("--key={}", key.display()))
            .arg(format!("--cert={}", certificate.display()))
            .run(&self.log("secret"))?;
        self.apply().feed(OBJECTS, &self.log("objects"))?;
        self.kubectl(["wait", "--for=condition=Ready", "--timeout=120s"])
            .args(["pod/server", "pod/friend", "pod/stranger"])
            .run(&self.log("pods"))
    }

    /// From the machine: by hostname over TLS, and by a port that belongs to the server alone.
    fn ways_in(&self) -> Result<()> {
        let own = self.file("tls.crt");
        let of_cluster = self.cluster.state.join("pki/ca.crt");
        let tls = |authority: &PathBuf, name: &str| {
            let to = format!("{name}:30443:{}", self.cluster.node_ip());
            curl(&format!("https://{name}:30443/ping"))
                .args(["--resolve", &to, "--cacert"])
                .arg(authority)
        };
        let tcp = || curl(&format!("http://{}:30633/ping", self.cluster.node_ip()));
        until("the Ingress answers with the certificate of its Secret", || {
            tls(&own, "ingress.offers.test").succeeds()
        })?;
        until("the HTTPRoute answers with the Gateway's certificate", || {
            tls(&of_cluster, "offers.gateway.test").succeeds()
        })?;
        until("the TCPRoute answers", || tcp().succeeds())
    }

    /// From pod to pod, and from the ways in, which the policy does not name.
    fn policies(&self) -> Result<()> {
        let address = self
            .kubectl(["get", "pod", "server", "--output=jsonpath={.status.podIP}"])
            .read()?;
        let reaches = |pod: &str| {
            let entry_point = format!("--entrypoints.traefik.address={address}:8080");
            self.kubectl([
                "exec",
                pod,
                "--",
                "/traefik",
                "healthcheck",
                "--ping",
                &entry_point,
            ])
            .succeeds()
        };
        ensure!(
            reaches("stranger"),
            "without a policy, one pod does not reach another"
        );
        self.apply().feed(POLICY, &self.log("policy"))?;
        until("a policy keeps a pod out that it does not name", || {
            !reaches("stranger")
        })?;
        ensure!(reaches("friend"), "a policy keeps a pod out that it names");
        let by_route = curl(&format!("http://{}:30633/ping", self.cluster.node_ip()));
        ensure!(
            !by_route.succeeds(),
            "a policy lets a TCPRoute's connection in that it does not name"
        );
        self.kubectl(["delete", "networkpolicy", "server"])
            .run(&self.log("no-policy"))?;
        until("a pod comes in again without the policy", || reaches("stranger"))
    }

    fn growing(&self) -> Result<()> {
        self.kubectl(["patch", "pvc", "data", "--patch"])
            .arg(r#"{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}"#)
            .run(&self.log("grow"))?;
        self.kubectl(["wait", "--for=jsonpath={.status.capacity.storage}=2Gi"])
            .args(["--timeout=30s", "pvc/data"])
            .run(&self.log("grown"))
    }

    fn definitions(&self) -> Result<()> {
        let judge = || self.apply().args(["--dry-run=server", "--validate=strict"]);
        for (what, right, wrong) in [
            (
                "ServiceMonitor",
                MONITOR,
                MONITOR.replace("interval:", "intervall:"),
            ),
            (
                "MariaDB",
                DATABASE,
                DATABASE.replace("replicas: 3", "replicas: three"),
            ),
        ] {
            judge().feed(right, &self.log(what))?;
            if judge().feed(&wrong, &self.log(what)).is_ok() {
                bail!("a dry run takes a wrong {what}");
            }
        }
        Ok(())
    }

    /// Kubectl in the namespace.
    fn kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Cmd {
        self.cluster
            .script(["kubectl", "--namespace", NAMESPACE])
            .args(args)
    }

    /// What `feed` gives it.
    fn apply(&self) -> Cmd {
        self.kubectl(["apply", "--server-side", "--filename", "-"])
    }

    fn file(&self, name: &str) -> PathBuf {
        let dir = self.cluster.state.join("offers");
        let _ = fs::create_dir_all(&dir); // openssl tells why it cannot write there
        dir.join(name)
    }

    fn log(&self, what: &str) -> PathBuf {
        self.repo.logs().join(format!("offers-{what}.log"))
    }
}

/// One request that fails unless it is answered with success.
fn curl(url: &str) -> Cmd {
    cmd("curl").args(["--silent", "--fail", "--max-time", "5", "--noproxy", "*", url])
}

/// Looks again until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let (_keep, never) = channel::<()>();
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            bail!("not within {} s: {what}", PATIENCE.as_secs());
        }
        let _ = never.recv_timeout(Duration::from_millis(200));
    }
    Ok(())
}
