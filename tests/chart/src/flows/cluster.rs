//! A rendered release as a network sees it: its policies, and the pods that its objects make.

use std::net::IpAddr;

use serde_json::Value;

use super::policy::{self, DeclaredPort, Endpoint, Labels, Pod, Policy, Protocol, Verdict};
use super::{Flow, Place};
use crate::object::Object;

/// Why a flow could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A NetworkPolicy that the API server would not take.
    #[error(transparent)]
    Policy(#[from] policy::Error),
    /// The values do not render what the flow runs to or from.
    #[error("no object of the release is the {}", .0.title())]
    Missing(Place),
}

/// The policies of a release.
pub fn policies(objects: &[Object]) -> Result<Vec<Policy>, Error> {
    objects
        .iter()
        .filter(|object| object.kind() == "NetworkPolicy")
        .map(|object| Ok(policy::read(object.value())?))
        .collect()
}

/// What policies say to a flow of a release.
pub fn judge(flow: &Flow, objects: &[Object], policies: &[Policy]) -> Result<Verdict, Error> {
    Ok(policy::decide(
        policies,
        &endpoint(flow.from, objects)?,
        &endpoint(flow.to, objects)?,
        flow.protocol,
        flow.port,
    ))
}

/// One end of a flow in a release.
pub fn endpoint(place: Place, objects: &[Object]) -> Result<Endpoint, Error> {
    if let Some(address) = place.address() {
        return Ok(Endpoint::Address(address));
    }
    let missing = || Error::Missing(place);
    if let Some(stranger) = place.stranger() {
        return Ok(Endpoint::Pod(Pod {
            name: stranger.name.to_owned(),
            namespace: stranger.namespace.unwrap_or(namespace(objects)).to_owned(),
            namespace_labels: namespace_labels(stranger.namespace.unwrap_or(namespace(objects))),
            labels: stranger
                .labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            address: stranger.address,
            ports: Vec::new(),
        }));
    }
    let (kind, component, last) = match place {
        Place::FrontEnd => ("StatefulSet", "front-end", 11),
        Place::Database => ("StatefulSet", "database", 12),
        Place::SecretsJob => ("Job", "secrets", 13),
        Place::Verify => ("Pod", "verify", 14),
        Place::OperatorDatabase => return operator_database(objects).ok_or_else(missing),
        _ => return Ok(Endpoint::OwnNode),
    };
    // The object is found by its own labels; policies see those of the pod that it makes.
    let object = objects
        .iter()
        .find(|object| {
            object.kind() == kind && object.text("/metadata/labels/app.kubernetes.io~1component") == component
        })
        .ok_or_else(missing)?;
    Ok(Endpoint::Pod(pod(object, last)))
}

/// The ports that the containers of a release's pod declare.
#[must_use]
pub fn declared_ports(object: &Object) -> Vec<DeclaredPort> {
    let containers = |kind: &str| {
        object
            .pod()
            .and_then(|pod| pod[kind].as_array())
            .cloned()
            .unwrap_or_default()
    };
    [containers("initContainers"), containers("containers")]
        .concat()
        .iter()
        .flat_map(|container| container["ports"].as_array().cloned().unwrap_or_default())
        .filter_map(|port| {
            Some(DeclaredPort {
                name: port["name"].as_str().unwrap_or_default().to_owned(),
                protocol: protocol(&port["protocol"]),
                number: u16::try_from(port["containerPort"].as_u64()?).ok()?,
            })
        })
        .collect()
}

/// The protocol of a port of a container or a Service.
#[must_use]
pub fn protocol(field: &Value) -> Protocol {
    match field.as_str() {
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

fn pod(object: &Object, last: u8) -> Pod {
    let path = if object.kind() == "Pod" {
        "/metadata/labels"
    } else {
        "/spec/template/metadata/labels"
    };
    let namespace = object.text("/metadata/namespace");
    Pod {
        name: object.name().to_owned(),
        namespace: namespace.to_owned(),
        namespace_labels: namespace_labels(namespace),
        labels: labels(object.at(path)),
        address: IpAddr::from([10, 244, 1, last]),
        ports: declared_ports(object),
    }
}

/// As the operator labels its pods (mariadb-operator, `pkg/builder/labels`): by the name of the MariaDB resource.
fn operator_database(objects: &[Object]) -> Option<Endpoint> {
    let resource = objects.iter().find(|object| object.kind() == "MariaDB")?;
    let namespace = resource.text("/metadata/namespace");
    let label = |name: &str, value: &str| (format!("app.kubernetes.io/{name}"), value.to_owned());
    Some(Endpoint::Pod(Pod {
        name: format!("{}-0", resource.name()),
        namespace: namespace.to_owned(),
        namespace_labels: namespace_labels(namespace),
        labels: Labels::from([label("name", "mariadb"), label("instance", resource.name())]),
        address: IpAddr::from([10, 244, 1, 15]),
        ports: Vec::new(),
    }))
}

/// The namespace of the release: every front-end is a StatefulSet in it.
fn namespace(objects: &[Object]) -> &str {
    objects
        .iter()
        .find(|object| object.kind() == "StatefulSet")
        .map_or("", |object| object.text("/metadata/namespace"))
}

fn namespace_labels(namespace: &str) -> Labels {
    Labels::from([("kubernetes.io/metadata.name".to_owned(), namespace.to_owned())])
}

fn labels(value: &Value) -> Labels {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
