//! What a step may need beyond pods, volumes that are made on demand, and the node ports of cluster/ingress.yaml.
//! Where it is missing, the step is reported as not possible, which is neither a pass nor a failure.

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};

use crate::browser;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Need {
    /// A default `StorageClass` that allows claims to grow
    VolumeExpansion,
    /// Enforced `NetworkPolicies`; the API does not tell, so they count as enforced unless `--lacks` says otherwise
    NetworkPolicies,
    /// The Gateway API and the Gateway of cluster/gateway.yaml
    Gateway,
    /// The resource definitions of the Gateway API and of prometheus-operator
    Definitions,
    /// Chromium or Chrome, and chromedriver, on this machine
    Browser,
}

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// `Gateway` of cluster/gateway.yaml: name, namespace.
pub(crate) const GATEWAY: (&str, &str) = ("gateway", "kube-system");
const DEFINITIONS: [&str; 2] = [
    "tcproutes.gateway.networking.k8s.io",
    "servicemonitors.monitoring.coreos.com",
];

impl Need {
    /// What is missing here, if anything. `declared` is what the cluster is said to lack: then it has the rest, and a step
    /// that does not find it fails.
    pub(crate) async fn missing(
        self,
        client: &Client,
        declared: Option<&[Self]>,
    ) -> Result<Option<&'static str>> {
        let present = match (self, declared) {
            (Self::Browser, _) => browser::programs().is_some(),
            (_, Some(lacks)) => !lacks.contains(&self),
            (Self::VolumeExpansion, None) => volumes_grow(client).await?,
            (Self::NetworkPolicies, None) => true,
            (Self::Gateway, None) => gateway(client).await?,
            (Self::Definitions, None) => definitions(client).await?,
        };
        Ok((!present).then_some(match self {
            Self::VolumeExpansion => "the default StorageClass has no allowVolumeExpansion",
            Self::NetworkPolicies => "nothing enforces NetworkPolicies",
            Self::Gateway => "there is no Gateway kube-system/gateway",
            Self::Definitions => "no resource definitions of the Gateway API and prometheus-operator",
            Self::Browser => "no Chromium or Chrome with its chromedriver on this machine",
        }))
    }
}

async fn volumes_grow(client: &Client) -> Result<bool> {
    let classes = Api::<StorageClass>::all(client.clone())
        .list(&ListParams::default())
        .await
        .context("cannot list StorageClasses")?;
    let default = |class: &&StorageClass| {
        class
            .annotations()
            .get(DEFAULT_CLASS)
            .is_some_and(|is| is == "true")
    };
    Ok(classes
        .items
        .iter()
        .find(default)
        .and_then(|class| class.allow_volume_expansion)
        == Some(true))
}

async fn gateway(client: &Client) -> Result<bool> {
    let resource = ApiResource {
        group: "gateway.networking.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "gateway.networking.k8s.io/v1".to_owned(),
        kind: "Gateway".to_owned(),
        plural: "gateways".to_owned(),
    };
    let gateways = Api::<DynamicObject>::namespaced_with(client.clone(), GATEWAY.1, &resource);
    let found = gateways.get_opt(GATEWAY.0).await;
    Ok(found.context("cannot look for the Gateway")?.is_some())
}

async fn definitions(client: &Client) -> Result<bool> {
    let all = Api::<CustomResourceDefinition>::all(client.clone());
    for name in DEFINITIONS {
        if all
            .get_opt(name)
            .await
            .context("cannot look for resource definitions")?
            .is_none()
        {
            return Ok(false);
        }
    }
    Ok(true)
}
