//! What `# @schema NAME` may name: the one table of the values that charts have in common.
//!
//! Patterns are such that Go's, Rust's and ECMAScript's regular expressions read them alike. What Kubernetes judges by
//! itself, and in words of its own, is let through as an object or a list.

use serde_json::{Value, json};

/// A kind of value.
#[derive(Debug)]
pub(super) struct Definition {
    /// What it is, for the table of the README.
    pub(super) words: &'static str,
    /// What it may be; draft 7 of JSON Schema.
    pub(super) schema: Value,
}

/// The names, sorted.
const NAMES: [&str; 51] = [
    "accessMode",
    "accessModes",
    "address",
    "annotations",
    "anything",
    "boolean",
    "cidrs",
    "config",
    "cron",
    "databaseHost",
    "databaseName",
    "digest",
    "dnsName",
    "duration",
    "fullname",
    "hostname",
    "ingressHost",
    "ingressHosts",
    "ingressTls",
    "intOrPercent",
    "labels",
    "monitordService",
    "namePart",
    "networkPeers",
    "nodePort",
    "notEmpty",
    "object",
    "objects",
    "optionalAccessMode",
    "optionalDuration",
    "optionalQuantity",
    "optionalSecretKey",
    "password",
    "port",
    "probe",
    "pullPolicy",
    "pullSecrets",
    "quantity",
    "resources",
    "route",
    "secretKey",
    "secretName",
    "serverOptions",
    "service",
    "serviceType",
    "storageClass",
    "stringMap",
    "strings",
    "tplObject",
    "tplObjects",
    "url",
];

const ACCESS_MODES: [&str; 4] = [
    "ReadWriteOnce",
    "ReadWriteOncePod",
    "ReadWriteMany",
    "ReadOnlyMany",
];
const SERVICE_TYPES: [&str; 3] = ["ClusterIP", "NodePort", "LoadBalancer"];
/// As in Kubernetes' API conventions, without signs and exponents.
/// More than zero: a claim of nothing is refused by the API server.
const QUANTITY: &str =
    "([0-9]*[1-9][0-9]*(\\.[0-9]+)?|0+\\.[0-9]*[1-9][0-9]*)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?";
const IP_ADDRESS: &str = "^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)?$";
/// As Go writes durations.
const DURATION: &str = "([0-9]+(\\.[0-9]+)?(ms|s|m|h))+";
const INGRESS_HOST: &str = "^((\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$";
const DNS_SUBDOMAIN: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$";

/// The names that are known.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

/// The definition of a name; `config` is what onepod accepts.
pub(super) fn definition(name: &str, config: &Value) -> Option<Definition> {
    let (words, schema) = match name {
        "accessMode" => ("access mode", json!({"type": "string", "enum": ACCESS_MODES})),
        "optionalAccessMode" => (
            "access mode",
            json!({"type": "string", "enum": optional(&ACCESS_MODES)}),
        ),
        "accessModes" => (
            "list of access modes",
            json!({"type": "array", "minItems": 1, "items": {"type": "string", "enum": ACCESS_MODES}}),
        ),
        "address" => ("host name or address", text("^[-A-Za-z0-9.:]*$")),
        "hostname" => ("host name", text("^[-A-Za-z0-9.]*$")),
        "databaseHost" => ("host name or address", text("^[-A-Za-z0-9.:_]*$")),
        "databaseName" => (
            "name of a database",
            json!({"type": "string", "pattern": "^[A-Za-z0-9_]+$", "maxLength": 64}),
        ),
        "url" => ("URL", text("^(https?://[^ ]+)?$")),
        "dnsName" | "secretName" => (
            "name",
            json!({"type": "string", "pattern": DNS_SUBDOMAIN, "maxLength": 253}),
        ),
        "fullname" => ("name", text("^([a-z]([-a-z0-9]*[a-z0-9])?)?$")),
        "secretKey" => ("key of a Secret", text("^[-._a-zA-Z0-9]+$")),
        "optionalSecretKey" => ("key of a Secret", text("^[-._a-zA-Z0-9]*$")),
        "password" => ("text in one line", text("^[^\\r\\n]*$")),
        "notEmpty" => ("text", json!({"type": "string", "minLength": 1})),
        "digest" => ("sha256:…", text("^(sha256:[0-9a-f]{64})?$")),
        "pullPolicy" => (
            "pull policy",
            json!({"type": "string", "enum": ["Always", "IfNotPresent", "Never"]}),
        ),
        "pullSecrets" => ("list of names", pull_secrets()),
        "storageClass" => (
            "name",
            json!({"type": "string", "pattern": "^(-|[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", "maxLength": 253}),
        ),
        "port" => ("port", json!({"type": "integer", "minimum": 1, "maximum": 65535})),
        "nodePort" => (
            "port, 0 for any",
            json!({"type": "integer", "minimum": 0, "maximum": 65535}),
        ),
        "quantity" => ("quantity", quantity(&format!("^{QUANTITY}$"))),
        "optionalQuantity" => ("quantity", quantity(&format!("^({QUANTITY})?$"))),
        "duration" => ("duration", text(&format!("^{DURATION}$"))),
        "optionalDuration" => ("duration", text(&format!("^({DURATION})?$"))),
        "cron" => (
            "cron schedule",
            text("^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[^ ]+( [^ ]+){4})$"),
        ),
        "intOrPercent" => (
            "number or percentage",
            json!({"type": ["integer", "string"], "minimum": 0, "pattern": "^(100|[1-9]?[0-9])%$"}),
        ),
        "boolean" => ("boolean", json!({"type": "boolean"})),
        "stringMap" | "annotations" => ("map of texts", string_map()),
        "labels" => ("map of labels", labels()),
        "namePart" => (
            "name",
            json!({"type": "string", "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", "maxLength": 63}),
        ),
        "strings" => ("list of texts", strings()),
        "cidrs" => (
            "list of networks",
            json!({"type": "array", "items": {"type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$"}}),
        ),
        "object" => ("map", json!({"type": "object"})),
        "objects" => (
            "list of maps",
            json!({"type": "array", "items": {"type": "object"}}),
        ),
        "tplObject" => ("map or template", json!({"type": ["string", "object"]})),
        "tplObjects" => (
            "list or template",
            json!({"type": ["string", "array"], "items": {"type": ["string", "object"]}}),
        ),
        "anything" => ("anything", json!({})),
        "resources" => ("resources of a container", resources()),
        "probe" => ("numbers of a probe", probe()),
        "networkPeers" => ("list of network peers", network_peers()),
        "serviceType" => (
            "type of a Service",
            json!({"type": "string", "enum": optional(&SERVICE_TYPES)}),
        ),
        "service" => ("map", service()),
        "monitordService" => ("map", without(service(), "nodePort")),
        "route" => ("map", route()),
        "serverOptions" => (
            "map of options",
            json!({
                "type": "object", "additionalProperties": false,
                "patternProperties": {"^[a-z][-_a-z0-9]*$": {"type": ["string", "integer", "null"]}},
            }),
        ),
        "config" => ("map", config.clone()),
        _ => return of_ingress(name),
    };
    Some(Definition { words, schema })
}

/// What may stand in values of an Ingress.
fn of_ingress(name: &str) -> Option<Definition> {
    let (words, schema) = match name {
        "ingressHost" => ("host name, may begin with *", text(INGRESS_HOST)),
        "ingressHosts" => (
            "list of host names",
            json!({"type": "array", "items": text(INGRESS_HOST)}),
        ),
        "ingressTls" => (
            "list of hosts and secretName",
            json!({"type": "array", "items": closed(&json!({
                "hosts": {"type": "array", "items": text(INGRESS_HOST)}, "secretName": {"type": "string"},
            }))}),
        ),
        _ => return None,
    };
    Some(Definition { words, schema })
}

fn text(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn quantity(pattern: &str) -> Value {
    json!({"type": ["string", "integer"], "pattern": pattern})
}

fn optional(words: &[&'static str]) -> Vec<&'static str> {
    [&[""], words].concat()
}

fn string_map() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

/// What Kubernetes takes as the values of labels.
fn labels() -> Value {
    let value = json!({"type": "string", "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", "maxLength": 63});
    json!({"type": "object", "additionalProperties": value})
}

fn strings() -> Value {
    json!({"type": "array", "items": {"type": "string", "minLength": 1}})
}

fn closed(properties: &Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn without(mut schema: Value, property: &str) -> Value {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.remove(property);
    }
    schema
}

fn pull_secrets() -> Value {
    let name = json!({"type": "string", "minLength": 1});
    let mut object = closed(&json!({"name": name}));
    object["required"] = json!(["name"]);
    json!({"type": "array", "items": {"anyOf": [name, object]}})
}

fn resources() -> Value {
    let amounts = json!({
        "type": "object", "additionalProperties": {"type": ["string", "number"], "pattern": format!("^{QUANTITY}$")},
    });
    closed(
        &json!({"requests": amounts, "limits": amounts, "claims": {"type": "array", "items": {"type": "object"}}}),
    )
}

fn probe() -> Value {
    let count = |least: u8| json!({"type": "integer", "minimum": least});
    closed(&json!({
        "initialDelaySeconds": count(0),
        "periodSeconds": count(1),
        "timeoutSeconds": count(1),
        "successThreshold": count(1),
        "failureThreshold": count(1),
        "terminationGracePeriodSeconds": count(1),
    }))
}

fn network_peers() -> Value {
    let selector = json!({"type": "object"});
    let block = closed(&json!({"cidr": {"type": "string"}, "except": strings()}));
    let mut peer = closed(&json!({"namespaceSelector": selector, "podSelector": selector, "ipBlock": block}));
    peer["minProperties"] = json!(1);
    json!({"type": "array", "items": peer})
}

fn service() -> Value {
    closed(&json!({
        "type": {"type": "string", "enum": optional(&SERVICE_TYPES)},
        "annotations": string_map(),
        "labels": labels(),
        "nodePort": {"type": "integer", "minimum": 0, "maximum": 65535},
        "clusterIP": {"type": "string", "pattern": format!("{IP_ADDRESS}|^None$")},
        "loadBalancerClass": {"type": "string"},
        "loadBalancerIP": {"type": "string", "pattern": IP_ADDRESS},
        "loadBalancerSourceRanges": strings(),
        "externalTrafficPolicy": {"type": "string", "enum": ["", "Cluster", "Local"]},
        "ipFamilyPolicy": {"type": "string", "enum": ["", "SingleStack", "PreferDualStack", "RequireDualStack"]},
        "ipFamilies": {"type": "array", "items": {"type": "string", "enum": ["IPv4", "IPv6"]}},
    }))
}

fn route() -> Value {
    let objects = json!({"type": "array", "items": {"type": "object"}});
    closed(&json!({
        "enabled": {"type": "boolean"},
        "kind": {"type": "string", "enum": ["HTTPRoute", "TCPRoute"]},
        "apiVersion": {"type": "string"},
        "parentRefs": objects,
        "hostnames": strings(),
        "annotations": string_map(),
        "labels": labels(),
        "matches": objects,
        "filters": objects,
        "timeouts": {"type": "object"},
        "additionalRules": objects,
    }))
}

#[cfg(test)]
mod tests {
    use boon::{Compiler, Schemas};

    use super::*;

    fn accepts(name: &str, value: &Value) -> bool {
        let schema = definition(name, &json!({"type": "object"})).unwrap().schema;
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(boon::Draft::V7);
        compiler.add_resource("file:///definition.json", schema).unwrap();
        let index = compiler.compile("file:///definition.json", &mut schemas).unwrap();
        schemas.validate(value, index).is_ok()
    }

    #[test]
    fn every_name_has_a_definition_and_is_listed_once() {
        let all: Vec<&str> = names().collect();
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
        for name in all {
            assert!(definition(name, &json!({})).is_some(), "{name}");
        }
        assert!(definition("nothing", &json!({})).is_none());
    }

    #[test]
    fn what_people_write_is_accepted_and_what_they_mistype_is_not() {
        for (name, good, bad) in [
            ("secretName", json!("my-secret.v1"), json!("My_Secret")),
            ("secretName", json!(""), json!(null)),
            ("secretKey", json!("tls.key"), json!("")),
            ("optionalSecretKey", json!(""), json!("a b")),
            ("port", json!(4124), json!(0)),
            ("port", json!(65535), json!("4124")),
            ("nodePort", json!(0), json!(65536)),
            ("quantity", json!("20Gi"), json!("20 GB")),
            ("quantity", json!(1024), json!("")),
            ("quantity", json!("0.5Gi"), json!("0")),
            ("quantity", json!("10Gi"), json!("0.0Gi")),
            ("optionalQuantity", json!(""), json!("Gi")),
            ("duration", json!("1h30m"), json!("30")),
            ("duration", json!("1.5s"), json!("")),
            ("optionalDuration", json!(""), json!("1d")),
            ("cron", json!("17 3 * * *"), json!("17 3 * *")),
            ("cron", json!("@daily"), json!("@never")),
            ("intOrPercent", json!(1), json!(-1)),
            ("intOrPercent", json!("50%"), json!("50")),
            ("intOrPercent", json!("100%"), json!("101%")),
            (
                "service",
                json!({"clusterIP": "None"}),
                json!({"clusterIP": "any"}),
            ),
            (
                "service",
                json!({"loadBalancerIP": "2001:db8::1"}),
                json!({"loadBalancerIP": "balancer"}),
            ),
            (
                "digest",
                json!(format!("sha256:{}", "a".repeat(64))),
                json!("sha256:abc"),
            ),
            ("url", json!("https://one.example/x"), json!("one.example")),
            ("address", json!("::1"), json!("http://x")),
            ("ingressHost", json!("*.example.org"), json!("https://x/")),
            ("ingressHost", json!("one.example.org"), json!("one..org")),
            ("ingressHost", json!(""), json!("one.*.org")),
            (
                "ingressHosts",
                json!(["a.example.org"]),
                json!(["https://a.example.org"]),
            ),
            (
                "ingressTls",
                json!([{"hosts": ["a.example.org"], "secretName": "a"}]),
                json!([{"host": "a.example.org"}]),
            ),
            ("databaseName", json!("opennebula"), json!("open-nebula")),
            ("cidrs", json!(["192.0.2.0/24", "::/0"]), json!(["192.0.2.0"])),
            ("accessModes", json!(["ReadWriteOnce"]), json!([])),
            ("optionalAccessMode", json!(""), json!("ReadWriteTwice")),
            ("stringMap", json!({"a": "b"}), json!({"a": 1})),
            ("labels", json!({"a": "b.c"}), json!({"a": "b c"})),
            ("namePart", json!("one"), json!("Foo_Bar")),
            ("pullSecrets", json!(["a", {"name": "b"}]), json!([{"nam": "b"}])),
            ("resources", json!({"limits": {"cpu": 1}}), json!({"limit": {}})),
            (
                "resources",
                json!({"requests": {"memory": "1Gi"}}),
                json!({"requests": {"memory": "1 GB"}}),
            ),
            ("probe", json!({"periodSeconds": 1}), json!({"period": 1})),
            (
                "networkPeers",
                json!([{"ipBlock": {"cidr": "::/0"}}]),
                json!([{"ipblock": {}}]),
            ),
            ("networkPeers", json!([]), json!([{}])),
            ("service", json!({"type": ""}), json!({"type": "Nodeport"})),
            ("service", json!({"nodePort": 30000}), json!({"nodeport": 30000})),
            ("monitordService", json!({}), json!({"nodePort": 30000})),
            ("route", json!({"kind": "TCPRoute"}), json!({"kind": "Ingress"})),
            ("tplObjects", json!(["{{ x }}", {"name": "a"}]), json!([1])),
            ("tplObjects", json!("{{ x }}"), json!({"name": "a"})),
            ("tplObject", json!({"a": 1}), json!([])),
            (
                "serverOptions",
                json!({"max-connections": 1, "x": null}),
                json!({"Max": 1}),
            ),
            ("password", json!("a b"), json!("a\nb")),
            ("storageClass", json!("-"), json!("Fast Disks")),
        ] {
            assert!(accepts(name, &good), "{name} refuses {good}");
            assert!(!accepts(name, &bad), "{name} accepts {bad}");
        }
    }
}
