//! The cluster as the scenarios see it: a namespace with the release's objects, its pods' logs and ports.
//! It decides nothing about the product; conditions are in `scenario`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, Secret};
use kube::api::{AttachParams, DeleteParams, ListParams, LogParams, Portforwarder, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;

use crate::forward::Forward;
use crate::http;
use crate::pod::pod_state;
use crate::wait::{Look, until};

/// Says whose namespace it is: one that somebody else made is never deleted.
const OWNER_LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "opennebula-e2e");

/// A connection, bound to one namespace.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Client,
    namespace: String,
}

/// What an exec in a container came to.
#[derive(Debug)]
pub(crate) struct Executed {
    /// Whether the exit status was 0.
    pub(crate) success: bool,
    /// Standard output, then standard error.
    pub(crate) output: String,
}

impl Cluster {
    /// Reads the kubeconfig; its current context is used.
    pub(crate) async fn connect(kubeconfig: &Path, namespace: &str) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig)
            .with_context(|| format!("cannot read the kubeconfig {}", kubeconfig.display()))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .with_context(|| format!("the kubeconfig {} is not complete", kubeconfig.display()))?;
        Ok(Self {
            client: Client::try_from(config)?,
            namespace: namespace.to_owned(),
        })
    }

    /// The same cluster, another namespace.
    pub(crate) fn in_namespace(&self, namespace: String) -> Self {
        Self {
            client: self.client.clone(),
            namespace,
        }
    }

    /// The connection.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The namespace's name.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The API of a kind in the namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// All objects of a kind in the namespace.
    pub(crate) async fn list<K>(&self) -> Result<Vec<K>>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let list = self.api::<K>().list(&ListParams::default()).await;
        Ok(list
            .with_context(|| format!("cannot list {}", K::plural(&())))?
            .items)
    }

    /// The cluster's version, e.g. `v1.35.4`.
    pub(crate) async fn version(&self) -> Result<String> {
        Ok(self
            .client
            .apiserver_version()
            .await
            .context("the cluster does not answer")?
            .git_version)
    }

    /// Makes the namespace anew, enforcing the restricted Pod Security Standard.
    pub(crate) async fn make_namespace(&self) -> Result<()> {
        self.delete_namespace().await?;
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(self.namespace.clone());
        namespace.metadata.labels = Some(
            [OWNER_LABEL, ("pod-security.kubernetes.io/enforce", "restricted")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        Api::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .with_context(|| format!("cannot make the namespace {}", self.namespace))?;
        Ok(())
    }

    /// Deletes the namespace with everything in it, until it is gone. One that the scenarios did not make is refused.
    pub(crate) async fn delete_namespace(&self) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let Some(found) = namespaces.get_opt(&self.namespace).await? else {
            return Ok(());
        };
        if found.labels().get(OWNER_LABEL.0).map(String::as_str) != Some(OWNER_LABEL.1) {
            bail!(
                "the namespace {} is there and not the scenarios' own: delete it, or choose another with --namespace",
                self.namespace
            );
        }
        namespaces
            .delete(&self.namespace, &DeleteParams::default())
            .await?;
        until(
            &format!("end of namespace {}", self.namespace),
            Duration::from_mins(5),
            async || {
                Ok(match namespaces.get_opt(&self.namespace).await? {
                    None => Look::Seen(()),
                    Some(_) => Look::NotYet("still there".to_owned()),
                })
            },
        )
        .await
    }

    /// The release's pods, ready or not; pods of Jobs and of Helm's hooks are left out.
    pub(crate) async fn service_pods(&self) -> Result<Vec<Pod>> {
        let mut pods = self.list::<Pod>().await?;
        pods.retain(|pod| pod.owner_references().iter().any(|owner| owner.kind != "Job"));
        Ok(pods)
    }

    /// Seen when every StatefulSet and Deployment has all its pods ready, in their newest form.
    pub(crate) async fn all_ready(&self) -> Result<Look<usize>> {
        let mut missing = Vec::new();
        let mut ready = 0;
        for set in self.list::<StatefulSet>().await? {
            let status = set.status.unwrap_or_default();
            let (wanted, have) = (set.spec.replicas.unwrap_or(1), status.ready_replicas.unwrap_or(0));
            let rolled = status.observed_generation == set.metadata.generation
                && (status.update_revision == status.current_revision
                    || status.updated_replicas == Some(wanted));
            if rolled && have == wanted {
                ready += usize::try_from(have)?;
            } else {
                missing.push(set.metadata.name.unwrap_or_default());
            }
        }
        for deployment in self.list::<Deployment>().await? {
            let status = deployment.status.unwrap_or_default();
            let wanted = deployment.spec.replicas.unwrap_or(1);
            if status.observed_generation == deployment.metadata.generation
                && status.updated_replicas == Some(wanted)
                && status.ready_replicas == Some(wanted)
            {
                ready += usize::try_from(wanted)?;
            } else {
                missing.push(deployment.metadata.name.unwrap_or_default());
            }
        }
        if ready > 0 && missing.is_empty() {
            return Ok(Look::Seen(ready));
        }
        let pods = self.service_pods().await?;
        Ok(Look::NotYet(if pods.is_empty() {
            format!("no pod yet of {}", missing.join(", "))
        } else {
            pods.iter().map(pod_state).collect::<Vec<_>>().join(", ")
        }))
    }

    /// One pod, if it is there.
    pub(crate) async fn pod(&self, name: &str) -> Result<Option<Pod>> {
        self.api()
            .get_opt(name)
            .await
            .with_context(|| format!("cannot read pod {name}"))
    }

    /// Data of all Opaque Secrets: what people, the chart and its Job made.
    pub(crate) async fn secrets(&self) -> Result<Vec<Secret>> {
        let mut secrets = self.list::<Secret>().await?;
        secrets.retain(|secret| secret.type_.as_deref().unwrap_or("Opaque") == "Opaque");
        Ok(secrets)
    }

    /// One key of one Secret, as text.
    pub(crate) async fn secret(&self, name: &str, key: &str) -> Result<String> {
        let secret: Secret = self
            .api()
            .get(name)
            .await
            .with_context(|| format!("cannot read Secret {name}"))?;
        let value = secret
            .data
            .as_ref()
            .and_then(|data| data.get(key))
            .with_context(|| format!("Secret {name} has no key {key}"))?;
        String::from_utf8(value.0.clone()).with_context(|| format!("Secret {name}, key {key}, is not text"))
    }

    /// Logs of all containers of a pod by container, an earlier life of a container included.
    pub(crate) async fn logs(&self, pod: &Pod, last_lines: Option<i64>) -> BTreeMap<String, String> {
        let mut logs = BTreeMap::new();
        let spec = pod.spec.clone().unwrap_or_default();
        let containers = spec
            .init_containers
            .unwrap_or_default()
            .into_iter()
            .chain(spec.containers);
        for container in containers.map(|container| container.name) {
            for previous in [true, false] {
                let parameters = LogParams {
                    container: Some(container.clone()),
                    previous,
                    tail_lines: last_lines,
                    ..LogParams::default()
                };
                // A container that has not started, or has no earlier life, has no log.
                if let Ok(text) = self.api::<Pod>().logs(&pod.name_any(), &parameters).await {
                    let life = if previous { " (previous)" } else { "" };
                    logs.insert(format!("{}/{container}{life}", pod.name_any()), text);
                }
            }
        }
        logs
    }

    /// GET of a path of a pod's own port.
    pub(crate) async fn get(&self, pod: &str, port: u16, path: &str) -> Result<http::Answer> {
        let mut forward = self.port(pod, port).await?;
        let stream = forward.take_stream(port).context("the forward has no stream")?;
        let answer = http::get(stream, "localhost", path).await;
        forward.abort();
        answer.with_context(|| format!("port {port} of pod {pod}"))
    }

    /// The same as a browser asks for it.
    pub(crate) async fn get_page(&self, pod: &str, port: u16, path: &str) -> Result<http::Answer> {
        let mut forward = self.port(pod, port).await?;
        let stream = forward.take_stream(port).context("the forward has no stream")?;
        let answer = http::get_page(stream, "localhost", path).await;
        forward.abort();
        answer.with_context(|| format!("port {port} of pod {pod}"))
    }

    async fn port(&self, pod: &str, port: u16) -> Result<Portforwarder> {
        self.api::<Pod>()
            .portforward(pod, &[port])
            .await
            .with_context(|| format!("cannot forward port {port} of pod {pod}"))
    }

    /// A local port that leads to a pod's.
    pub(crate) async fn forward(&self, pod: &str, port: u16) -> Result<Forward> {
        Forward::start(self.api(), pod, port).await
    }

    /// Runs a command in a pod's container.
    pub(crate) async fn exec(&self, pod: &str, container: &str, command: &[&str]) -> Result<Executed> {
        let parameters = AttachParams::default().container(container);
        let mut process = self
            .api::<Pod>()
            .exec(pod, command.iter().copied(), &parameters)
            .await
            .with_context(|| format!("cannot run {command:?} in pod {pod}"))?;
        let mut output = String::new();
        if let Some(mut stdout) = process.stdout() {
            stdout.read_to_string(&mut output).await?;
        }
        if let Some(mut stderr) = process.stderr() {
            stderr.read_to_string(&mut output).await?;
        }
        let status = process.take_status().context("the exec has no status")?.await;
        let success = status.and_then(|status| status.status).as_deref() == Some("Success");
        process.join().await?;
        Ok(Executed { success, output })
    }

    /// Port `port` of the first node's internal address.
    pub(crate) async fn node_port(&self, port: u16) -> Result<SocketAddr> {
        let nodes = Api::<Node>::all(self.client.clone())
            .list(&ListParams::default())
            .await?;
        let address = nodes
            .items
            .into_iter()
            .filter_map(|node| node.status?.addresses)
            .flatten()
            .find(|address| address.type_ == "InternalIP")
            .context("no node has an internal address")?;
        Ok(SocketAddr::new(address.address.parse()?, port))
    }

    /// Persistent volumes that belong to claims of the namespace.
    pub(crate) async fn volumes(&self) -> Result<Vec<String>> {
        let volumes: Api<k8s_openapi::api::core::v1::PersistentVolume> = Api::all(self.client.clone());
        let mut names = Vec::new();
        for volume in volumes.list(&ListParams::default()).await? {
            let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
            if claim.and_then(|claim| claim.namespace.as_deref()) == Some(&self.namespace) {
                names.push(volume.name_any());
            }
        }
        Ok(names)
    }
}
