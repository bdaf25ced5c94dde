//! A NetworkPolicy's manifest, read as strictly as the API server does, and as `kubectl --validate=strict` for the names of
//! its fields.

use serde::Deserialize;
use serde_json::Value;

use super::super::cidr::Cidr;
use super::{Labels, Numbers, Peer, Policy, Ports, Protocol, Requirement, Rule, Selector};

/// Why a manifest is no NetworkPolicy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An unknown or missing field, or a value of another type.
    #[error("NetworkPolicy {name}: {source}")]
    Field {
        /// The policy's name.
        name: String,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
    /// A value that the API server refuses.
    #[error("NetworkPolicy {name}: {mistake}")]
    Refused {
        /// The policy's name.
        name: String,
        /// What is wrong.
        mistake: String,
    },
}

/// Reads one manifest of kind NetworkPolicy.
pub fn read(manifest: &Value) -> Result<Policy, Error> {
    let text = |path| {
        manifest
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let name = text("/metadata/name");
    let spec = RawSpec::deserialize(&manifest["spec"]).map_err(|source| Error::Field {
        name: name.clone(),
        source,
    })?;
    resolve(spec, text("/metadata/namespace")).map_err(|mistake| Error::Refused { name, mistake })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawSpec {
    #[serde(default)]
    pod_selector: RawSelector,
    #[serde(default)]
    ingress: Option<Vec<RawIngress>>,
    #[serde(default)]
    egress: Option<Vec<RawEgress>>,
    #[serde(default)]
    policy_types: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIngress {
    #[serde(default)]
    from: Option<Vec<RawPeer>>,
    #[serde(default)]
    ports: Option<Vec<RawPort>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEgress {
    #[serde(default)]
    to: Option<Vec<RawPeer>>,
    #[serde(default)]
    ports: Option<Vec<RawPort>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawPeer {
    #[serde(default)]
    pod_selector: Option<RawSelector>,
    #[serde(default)]
    namespace_selector: Option<RawSelector>,
    #[serde(default)]
    ip_block: Option<RawBlock>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBlock {
    cidr: String,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawPort {
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    port: Option<Value>,
    #[serde(default)]
    end_port: Option<u16>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawSelector {
    #[serde(default)]
    match_labels: Option<Labels>,
    #[serde(default)]
    match_expressions: Option<Vec<RawExpression>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpression {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

fn resolve(spec: RawSpec, namespace: String) -> Result<Policy, String> {
    let (of_ingress, of_egress) = match &spec.policy_types {
        Some(types) if !types.is_empty() => {
            if let Some(other) = types
                .iter()
                .find(|name| !["Ingress", "Egress"].contains(&name.as_str()))
            {
                return Err(format!("policyTypes: {other:?}"));
            }
            let has = |name: &str| types.iter().any(|one| one == name);
            (has("Ingress"), has("Egress"))
        }
        // Without types it is for what arrives, and for what leaves if it has such rules.
        _ => (true, spec.egress.as_ref().is_some_and(|rules| !rules.is_empty())),
    };
    // Rules of a direction that is not among the types count for nothing, but they must be right.
    let ingress = rules(spec.ingress, |rule| (rule.from, rule.ports))?;
    let egress = rules(spec.egress, |rule| (rule.to, rule.ports))?;
    Ok(Policy {
        namespace,
        pods: selector(spec.pod_selector)?,
        ingress: of_ingress.then_some(ingress),
        egress: of_egress.then_some(egress),
    })
}

type Parts = (Option<Vec<RawPeer>>, Option<Vec<RawPort>>);

fn rules<R>(raw: Option<Vec<R>>, split: impl Fn(R) -> Parts) -> Result<Vec<Rule>, String> {
    raw.unwrap_or_default()
        .into_iter()
        .map(|rule| {
            let (others, ports) = split(rule);
            Ok(Rule {
                peers: others.into_iter().flatten().map(peer).collect::<Result<_, _>>()?,
                ports: ports.into_iter().flatten().map(port).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

fn peer(raw: RawPeer) -> Result<Peer, String> {
    match (raw.ip_block, raw.namespace_selector, raw.pod_selector) {
        (Some(raw), None, None) => {
            let cidr = block(&raw.cidr)?;
            let except: Vec<Cidr> = raw
                .except
                .iter()
                .map(|text| block(text))
                .collect::<Result<_, _>>()?;
            if except.iter().any(|part| !part.is_part_of(cidr)) {
                return Err(format!("except: {:?} is not within {}", raw.except, raw.cidr));
            }
            Ok(Peer::Block { cidr, except })
        }
        (None, None, None) => Err("a peer without a selector and an ipBlock".to_owned()),
        (None, namespaces, pods) => Ok(Peer::Pods {
            namespaces: namespaces.map(selector).transpose()?,
            pods: selector(pods.unwrap_or_default())?,
        }),
        (Some(_), _, _) => Err("a peer with an ipBlock and a selector".to_owned()),
    }
}

fn block(text: &str) -> Result<Cidr, String> {
    Cidr::parse(text).ok_or_else(|| format!("ipBlock: {text:?}"))
}

fn port(raw: RawPort) -> Result<Ports, String> {
    let protocol = match raw.protocol.as_deref() {
        None | Some("TCP") => Protocol::Tcp,
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        Some(other) => return Err(format!("protocol: {other:?}")),
    };
    let numbers = match (raw.port, raw.end_port) {
        (None, None) => Numbers::All,
        (Some(Value::String(name)), None) => Numbers::Named(name),
        (Some(Value::Number(number)), end) => {
            let first = number
                .as_u64()
                .and_then(|number| u16::try_from(number).ok())
                .filter(|number| *number > 0)
                .ok_or_else(|| format!("port: {number}"))?;
            let last = end.unwrap_or(first);
            if last < first {
                return Err(format!("endPort {last} is below {first}"));
            }
            Numbers::Range(first, last)
        }
        (port, Some(end)) => return Err(format!("endPort {end} with port {port:?}")),
        (Some(other), None) => return Err(format!("port: {other}")),
    };
    Ok(Ports { protocol, numbers })
}

fn selector(raw: RawSelector) -> Result<Selector, String> {
    let mut requirements: Vec<_> = raw
        .match_labels
        .into_iter()
        .flatten()
        .map(|(key, value)| Requirement::In(key, vec![value]))
        .collect();
    for RawExpression {
        key,
        operator,
        values,
    } in raw.match_expressions.into_iter().flatten()
    {
        requirements.push(match (operator.as_str(), values.is_empty()) {
            ("In", false) => Requirement::In(key, values),
            ("NotIn", false) => Requirement::NotIn(key, values),
            ("Exists", true) => Requirement::Exists(key),
            ("DoesNotExist", true) => Requirement::DoesNotExist(key),
            _ => return Err(format!("matchExpressions: {key} {operator} {values:?}")),
        });
    }
    Ok(Selector(requirements))
}
