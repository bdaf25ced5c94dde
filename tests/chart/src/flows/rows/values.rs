//! The values of the variants that set more than one thing.

use serde_json::{Value, json};

/// Values with every list filled, over others.
pub(super) fn tight(over: &Value) -> Value {
    let mut values = json!({"networkPolicy": {
        "clients": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}],
        "hypervisors": ["192.0.2.0/24"],
        "web": ["203.0.113.0/24"],
        "metrics": [prometheus()],
    }});
    if let (Some(all), Some(over)) = (values.as_object_mut(), over.as_object()) {
        all.extend(over.clone());
    }
    values
}

pub(super) fn prometheus() -> Value {
    json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    })
}

pub(super) fn discovery() -> Value {
    tight(&json!({"service": {"monitord": {"type": "LoadBalancer"}}}))
}

pub(super) fn node_port() -> Value {
    tight(&json!({"monitord": {"port": 30124}, "service": {"monitord": {"type": "NodePort"}}}))
}

pub(super) fn external(host: &str) -> Value {
    json!({
        "mariadb": {"enabled": false},
        "externalDatabase": {"host": host, "port": 3307, "existingSecret": "database"},
    })
}

pub(super) fn operator() -> Value {
    tight(&json!({"mariadb": {"enabled": false}, "mariadbOperator": {"enabled": true}}))
}

pub(super) fn extra() -> Value {
    let zones = json!([{"ipBlock": {"cidr": "198.51.100.26/32"}}]);
    json!({
        "networkPolicy": {
            "extraIngress": [{"from": zones, "ports": [{"port": 2634}]}],
            "extraEgress": [
                {"to": zones, "ports": [{"port": 2633}, {"port": 2634}]},
                {"to": [{"ipBlock": {"cidr": "198.51.100.53/32"}}], "ports": [{"port": 636}]},
            ],
        },
        "mariadb": {"networkPolicy": {"extraIngress": [{
            "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "neighbour"}}}],
            "ports": [{"port": 3306}],
        }]}},
    })
}
