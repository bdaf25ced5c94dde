//! What the steps share: the cluster, the clients, and what was learned on the way. It makes no step of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::cluster::Cluster;
use crate::helm::Helm;
use crate::pod::{is_ready, pod_state};
use crate::python::Python;
use crate::secrecy::Needles;
use crate::wait::{Look, until};

/// The front-end's pod, for a release named as in the README.
pub(crate) const FRONT_END_POD: &str = "opennebula-0";
/// Its container.
pub(crate) const CONTAINER: &str = "opennebula";
/// Where onepod answers `/readyz` and `/status`.
pub(crate) const HEALTH_PORT: u16 = 8080;
/// OpenNebula's XML-RPC API.
pub(crate) const API_PORT: u16 = 2633;
/// Where the cluster's ingress controller listens on the node.
pub(crate) const INGRESS_NODE_PORT: u16 = 30080;
/// The Secret that the chart's Job makes for the front-end, and its key with oneadmin's password.
pub(crate) const PASSWORD: (&str, &str) = ("opennebula", "oneadmin-password");
/// For pods to become ready: MariaDB's first start, oned's 5 s, a slow disk.
pub(crate) const READY: Duration = Duration::from_mins(7);

/// Ids of what `create` made, as the script reports them.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Created {
    pub(crate) host: i64,
    pub(crate) vm: i64,
    pub(crate) placed_on: String,
    pub(crate) running_after_seconds: f64,
}

/// One service in onepod's `/status`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u32,
}

/// onepod's `/status`, as far as the scenario reads it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Status {
    pub(crate) ready: bool,
    pub(crate) services: Vec<Service>,
}

impl Status {
    /// One service by its name in services.toml.
    pub(crate) fn service(&self, name: &str) -> Result<&Service> {
        let found = self.services.iter().find(|service| service.name == name);
        found.with_context(|| format!("/status does not list {name}"))
    }
}

/// Shared by the steps of one install.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) helm: Helm,
    pub(crate) ingress: SocketAddr,
    pub(crate) ingress_class: Option<String>,
    /// Where pictures of the browser go.
    pub(crate) pictures: Option<PathBuf>,
    /// Every value that a Secret has had so far.
    pub(crate) needles: Needles,
    /// What `create` made, once it has.
    pub(crate) created: Option<Created>,
    /// The user's file of values as it has grown so far.
    values: Value,
    python: Python,
}

impl World {
    pub(crate) fn new(
        cluster: Cluster,
        helm: Helm,
        python: Python,
        ingress: SocketAddr,
        ingress_class: Option<String>,
    ) -> Self {
        Self {
            cluster,
            helm,
            ingress,
            ingress_class,
            pictures: None,
            needles: Needles::default(),
            created: None,
            values: json!({}),
            python,
        }
    }

    /// Remembers the values of the Secrets as they are now. What cannot be read is not there to leak.
    pub(crate) async fn learn_secrets(&mut self) {
        if let Ok(secrets) = self.cluster.secrets().await {
            self.needles.extend(Needles::of(&secrets));
        }
    }

    /// Runs a verb of the pyone script as oneadmin, through a port-forward.
    pub(crate) async fn pyone<T: DeserializeOwned>(&self, verb: &[&str]) -> Result<T> {
        let password = self.cluster.secret(PASSWORD.0, PASSWORD.1).await?;
        self.pyone_with(&password, verb).await
    }

    /// The same with a password of one's own.
    pub(crate) async fn pyone_with<T: DeserializeOwned>(&self, password: &str, verb: &[&str]) -> Result<T> {
        let forward = self.cluster.forward(FRONT_END_POD, API_PORT).await?;
        self.python
            .one(
                forward.address(),
                &format!("oneadmin:{}", password.trim_end()),
                verb,
            )
            .await
    }

    /// The same at an address that is reached from here, without a forward.
    pub(crate) async fn pyone_at<T: DeserializeOwned>(
        &self,
        address: SocketAddr,
        verb: &[&str],
    ) -> Result<T> {
        let password = self.cluster.secret(PASSWORD.0, PASSWORD.1).await?;
        self.python
            .one(address, &format!("oneadmin:{}", password.trim_end()), verb)
            .await
    }

    /// `helm upgrade` with the file of values, into which these are put before.
    pub(crate) async fn upgrade(&mut self, changes: &Value) -> Result<()> {
        put(&mut self.values, changes);
        self.helm.upgrade(self.values_file()?.path()).await?;
        Ok(())
    }

    /// `helm install` with the file of values, into which these are put before.
    pub(crate) async fn install(&mut self, changes: &Value) -> Result<()> {
        put(&mut self.values, changes);
        self.install_again().await
    }

    /// `helm install` with the file of values.
    pub(crate) async fn install_again(&self) -> Result<()> {
        self.helm.install_with(self.values_file()?.path()).await?;
        Ok(())
    }

    /// JSON is YAML too.
    fn values_file(&self) -> Result<NamedTempFile> {
        let mut file = tempfile::Builder::new()
            .suffix(".yaml")
            .tempfile()
            .context("cannot write the values")?;
        file.write_all(self.values.to_string().as_bytes())
            .context("cannot write the values")?;
        Ok(file)
    }

    /// onepod's own account of its services.
    pub(crate) async fn status(&self) -> Result<Status> {
        let answer = self.cluster.get(FRONT_END_POD, HEALTH_PORT, "/status").await?;
        ensure!(answer.status == 200, "/status: {} {}", answer.status, answer.body);
        serde_json::from_str(&answer.body).with_context(|| format!("/status is {}", answer.body))
    }

    /// The front-end's pod as it is now.
    pub(crate) async fn front_end(&self) -> Result<Pod> {
        self.cluster
            .pod(FRONT_END_POD)
            .await?
            .with_context(|| format!("no pod {FRONT_END_POD}"))
    }

    /// Waits until every pod of the release is ready; gives their number.
    pub(crate) async fn all_ready(&self) -> Result<usize> {
        until("every pod ready", READY, async || self.cluster.all_ready().await).await
    }

    /// Waits for a ready front-end pod with another uid than `old`.
    pub(crate) async fn successor(&self, old: Option<&str>) -> Result<Pod> {
        until("a ready pod in its place", READY, async || {
            Ok(match self.cluster.pod(FRONT_END_POD).await? {
                None => Look::NotYet("no pod yet".to_owned()),
                Some(pod) if pod.metadata.uid.as_deref() == old => {
                    Look::NotYet(format!("still the old {}", pod_state(&pod)))
                }
                Some(pod) if is_ready(&pod) => Look::Seen(pod),
                Some(pod) => Look::NotYet(pod_state(&pod)),
            })
        })
        .await
    }
}

/// Puts values into others: maps are merged, everything else is replaced, as Helm does it.
fn put(values: &mut Value, changes: &Value) {
    match (values, changes) {
        (Value::Object(values), Value::Object(changes)) => {
            for (name, change) in changes {
                put(values.entry(name.as_str()).or_insert(Value::Null), change);
            }
        }
        (values, changes) => values.clone_from(changes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_grow_by_their_names() {
        let mut values = json!({"config": {"oned": {"A": 1, "B": 2}}, "extraEnv": [1, 2]});
        put(
            &mut values,
            &json!({"config": {"oned": {"B": 3}, "monitord": {"C": 4}}, "extraEnv": []}),
        );
        assert_eq!(
            values,
            json!({"config": {"oned": {"A": 1, "B": 3}, "monitord": {"C": 4}}, "extraEnv": []})
        );
    }
}
