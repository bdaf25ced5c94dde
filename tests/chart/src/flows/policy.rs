//! NetworkPolicies, and whether they let a connection pass: the rules of the API `networking.k8s.io/v1` and of Kubernetes'
//! page "Network Policies".
//!
//! What the specification leaves to the network is decided here as kindnet and Calico do: a policy sees the pod's own port
//! and address behind a Service, and an `ipBlock` also contains pods. Nothing is known of other kinds of policies.

mod read;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::cidr::Cidr;
pub use read::{Error, read};

/// Labels of a pod or a namespace.
pub type Labels = BTreeMap<String, String>;

/// Of the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The default of a policy's port.
    Tcp,
    /// Datagrams.
    Udp,
    /// Streams of messages.
    Sctp,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Endpoint {
    /// A pod of the cluster.
    Pod(Pod),
    /// An address outside, or one that no pod has.
    Address(IpAddr),
    /// The node on which the pod at the other end runs. It is always let through: kubelet's probes come from it.
    OwnNode,
}

/// What policies can see of a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    /// Its name; two ends with the same one in one namespace are one pod.
    pub name: String,
    /// The name of its namespace.
    pub namespace: String,
    /// The labels of its namespace.
    pub namespace_labels: Labels,
    /// Its labels.
    pub labels: Labels,
    /// Its address.
    pub address: IpAddr,
    /// The ports that its containers declare: a policy may name them.
    pub ports: Vec<DeclaredPort>,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredPort {
    /// May be empty.
    pub name: String,
    /// Of the transport.
    pub protocol: Protocol,
    /// The number on which the container listens.
    pub number: u16,
}

/// What the policies say to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Both ends allow it.
    Passes,
    /// One of the ends does not.
    Refused,
}

/// One NetworkPolicy, as [`read`] accepts it.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    namespace: String,
    pods: Selector,
    /// `None`: it says nothing about this direction.
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    /// Empty: everybody.
    peers: Vec<Peer>,
    /// Empty: every port.
    ports: Vec<Ports>,
}

#[derive(Debug, Clone, PartialEq)]
enum Peer {
    Block {
        cidr: Cidr,
        except: Vec<Cidr>,
    },
    Pods {
        /// `None`: the policy's own namespace.
        namespaces: Option<Selector>,
        pods: Selector,
    },
}

#[derive(Debug, Clone, PartialEq)]
struct Ports {
    protocol: Protocol,
    numbers: Numbers,
}

#[derive(Debug, Clone, PartialEq)]
enum Numbers {
    All,
    Named(String),
    Range(u16, u16),
}

/// All requirements must hold; without any, everything is selected.
#[derive(Debug, Clone, PartialEq, Default)]
struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    /// Also holds when the label is missing.
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
}

/// Whether a connection to a port passes: the source's policies must allow it to leave, the target's to arrive.
#[must_use]
pub fn decide(policies: &[Policy], from: &Endpoint, to: &Endpoint, protocol: Protocol, port: u16) -> Verdict {
    let same = match (from, to) {
        (Endpoint::OwnNode, _) | (_, Endpoint::OwnNode) => true,
        // A pod is never kept from itself.
        (Endpoint::Pod(from), Endpoint::Pod(to)) => from.namespace == to.namespace && from.name == to.name,
        _ => false,
    };
    let target = Target { to, protocol, port };
    let leaves = allows(policies, from, to, &target, |policy| policy.egress.as_deref());
    let arrives = allows(policies, to, from, &target, |policy| policy.ingress.as_deref());
    if same || leaves && arrives {
        Verdict::Passes
    } else {
        Verdict::Refused
    }
}

/// Where a connection goes: ports are the target's, in both directions.
struct Target<'a> {
    to: &'a Endpoint,
    protocol: Protocol,
    port: u16,
}

/// Whether one end allows the connection: no policy selects it for this direction, or a rule of one that does has the other
/// end and the port.
fn allows<'a>(
    policies: &'a [Policy],
    own: &Endpoint,
    other: &Endpoint,
    target: &Target<'_>,
    direction: impl Fn(&'a Policy) -> Option<&'a [Rule]>,
) -> bool {
    let Endpoint::Pod(pod) = own else {
        return true;
    };
    let mut isolated = false;
    for policy in policies {
        let selected = policy.namespace == pod.namespace && policy.pods.selects(&pod.labels);
        let Some(rules) = direction(policy).filter(|_| selected) else {
            continue;
        };
        isolated = true;
        if rules
            .iter()
            .any(|rule| rule.has_peer(other, &policy.namespace) && rule.has_port(target))
        {
            return true;
        }
    }
    !isolated
}

impl Rule {
    fn has_peer(&self, other: &Endpoint, namespace: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|peer| peer.is(other, namespace))
    }

    fn has_port(&self, target: &Target<'_>) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|ports| ports.have(target))
    }
}

impl Peer {
    fn is(&self, other: &Endpoint, namespace: &str) -> bool {
        match (self, other) {
            (
                Self::Block { cidr, except },
                Endpoint::Pod(Pod { address, .. }) | Endpoint::Address(address),
            ) => cidr.contains(*address) && !except.iter().any(|part| part.contains(*address)),
            (Self::Pods { namespaces, pods }, Endpoint::Pod(pod)) => {
                pods.selects(&pod.labels)
                    && match namespaces {
                        Some(selector) => selector.selects(&pod.namespace_labels),
                        None => pod.namespace == namespace,
                    }
            }
            (Self::Pods { .. }, Endpoint::Address(_)) | (_, Endpoint::OwnNode) => false,
        }
    }
}

impl Ports {
    fn have(&self, target: &Target<'_>) -> bool {
        self.protocol == target.protocol
            && match &self.numbers {
                Numbers::All => true,
                Numbers::Range(first, last) => (*first..=*last).contains(&target.port),
                Numbers::Named(name) => match target.to {
                    Endpoint::Pod(pod) => pod.ports.iter().any(|declared| {
                        declared.name == *name
                            && declared.protocol == target.protocol
                            && declared.number == target.port
                    }),
                    Endpoint::Address(_) | Endpoint::OwnNode => false,
                },
            }
    }
}

impl Selector {
    fn selects(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::DoesNotExist(key) => !labels.contains_key(key),
        })
    }
}

#[cfg(test)]
mod tests;
