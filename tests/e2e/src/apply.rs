//! Manifests brought to the cluster without Helm, as Argo CD or `kubectl apply --server-side` does it: all
//! fields are checked strictly. It renders nothing, and waits for nothing.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use chart_tests::object::{self, Object};
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use kube::{Api, Client};

/// Who owns the fields that were applied.
const MANAGER: &str = "e2e-apply";

/// Whether it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The API server checks and admits it, and keeps nothing.
    DryRun,
    /// It is there afterwards.
    Real,
}

/// What was applied.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Objects that the API server took.
    pub(crate) taken: usize,
    /// Kinds that this cluster does not know, with their groups.
    pub(crate) unknown: BTreeSet<String>,
}

/// Applies all objects of a text, in its order. All refusals are told at once.
pub(crate) async fn apply(client: &Client, namespace: &str, manifests: &str, mode: Mode) -> Result<Applied> {
    let objects = object::parse(manifests).context("what Helm rendered is not YAML")?;
    let mut applied = Applied::default();
    let mut refused = Vec::new();
    for object in &objects {
        match one(client, namespace, object, mode).await {
            Ok(true) => applied.taken += 1,
            Ok(false) => drop(applied.unknown.insert(format!(
                "{} of {}",
                object.kind(),
                object.text("/apiVersion")
            ))),
            Err(error) => refused.push(format!("{}/{}: {error:#}", object.kind(), object.name())),
        }
    }
    if !refused.is_empty() {
        bail!("the API server refuses\n  {}", refused.join("\n  "));
    }
    Ok(applied)
}

/// False when the cluster does not know the kind.
async fn one(client: &Client, namespace: &str, object: &Object, mode: Mode) -> Result<bool> {
    let version = object.text("/apiVersion");
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = GroupVersionKind::gvk(group, version, object.kind());
    let (resource, capabilities) = match discovery::pinned_kind(client, &kind).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(false),
        Err(kube::Error::Discovery(_)) => return Ok(false),
        Err(error) => return Err(error).context("cannot ask for the kind"),
    };
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let parameters = PatchParams {
        dry_run: mode == Mode::DryRun,
        force: true,
        field_manager: Some(MANAGER.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
    };
    api.patch(object.name(), &parameters, &Patch::Apply(object.value()))
        .await?;
    Ok(true)
}
