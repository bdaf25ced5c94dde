//! The semantics, one rule of the specification each.

use serde_json::{Value, json};

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn pod(name: &str, namespace: &str, address: &str) -> Endpoint {
    Endpoint::Pod(Pod {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        namespace_labels: labels(&[("kubernetes.io/metadata.name", namespace)]),
        labels: labels(&[("app", name)]),
        address: address.parse().unwrap(),
        ports: vec![
            DeclaredPort {
                name: "http".to_owned(),
                protocol: Protocol::Tcp,
                number: 8080,
            },
            DeclaredPort {
                name: "dns".to_owned(),
                protocol: Protocol::Udp,
                number: 53,
            },
        ],
    })
}

fn server() -> Endpoint {
    pod("server", "home", "10.0.0.1")
}

fn client() -> Endpoint {
    pod("client", "home", "10.0.0.2")
}

fn stranger() -> Endpoint {
    pod("client", "abroad", "10.0.0.3")
}

fn outside() -> Endpoint {
    Endpoint::Address("192.0.2.11".parse().unwrap())
}

/// A policy in the namespace `home`.
fn policy(spec: &Value) -> Policy {
    read(&json!({"metadata": {"name": "p", "namespace": "home"}, "spec": spec})).unwrap()
}

fn passes(specs: &[Value], from: &Endpoint, to: &Endpoint, protocol: Protocol, port: u16) -> bool {
    let policies: Vec<_> = specs.iter().map(policy).collect();
    decide(&policies, from, to, protocol, port) == Verdict::Passes
}

/// Whether a connection to the server's 8080 arrives, where the server's only policy has this rule.
fn arrives(rule: &Value, from: &Endpoint) -> bool {
    let spec = json!({"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [rule]});
    passes(&[spec], from, &server(), Protocol::Tcp, 8080)
}

#[test]
fn without_a_policy_everything_passes() {
    assert!(passes(&[], &outside(), &server(), Protocol::Tcp, 1));
}

#[test]
fn a_policy_isolates_the_pods_that_it_selects_in_its_namespace_alone() {
    let deny = [json!({"podSelector": {"matchLabels": {"app": "client"}}})];
    assert!(!passes(&deny, &outside(), &client(), Protocol::Tcp, 8080));
    assert!(passes(&deny, &outside(), &server(), Protocol::Tcp, 8080));
    assert!(passes(&deny, &outside(), &stranger(), Protocol::Tcp, 8080));
    let all = [json!({"podSelector": {}})];
    assert!(!passes(&all, &outside(), &server(), Protocol::Tcp, 8080));
}

#[test]
fn policy_types_default_to_ingress_and_to_egress_only_with_such_rules() {
    let leaves = |spec: Value| passes(&[spec], &server(), &outside(), Protocol::Tcp, 443);
    assert!(leaves(json!({})));
    assert!(leaves(json!({"egress": []})));
    assert!(!leaves(json!({"egress": [{"ports": [{"port": 1}]}]})));
    assert!(!leaves(json!({"policyTypes": ["Egress"]})));
    assert!(leaves(
        json!({"policyTypes": ["Ingress"], "egress": [{"ports": [{"port": 1}]}]})
    ));
    assert!(passes(
        &[json!({"policyTypes": ["Egress"]})],
        &outside(),
        &server(),
        Protocol::Tcp,
        8080
    ));
}

#[test]
fn both_ends_must_allow_a_connection() {
    let out =
        json!({"podSelector": {"matchLabels": {"app": "client"}}, "policyTypes": ["Egress"], "egress": [{}]});
    let closed = json!({"podSelector": {"matchLabels": {"app": "server"}}});
    let open = json!({"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{}]});
    let shut = json!({"podSelector": {"matchLabels": {"app": "client"}}, "policyTypes": ["Egress"]});
    let try_with = |specs: &[Value]| passes(specs, &client(), &server(), Protocol::Tcp, 8080);
    assert!(!try_with(&[out.clone(), closed]));
    assert!(!try_with(&[shut, open.clone()]));
    assert!(try_with(&[out, open]));
}

#[test]
fn policies_add_up() {
    let closed = json!({"podSelector": {}});
    let open = json!({"podSelector": {}, "ingress": [{"ports": [{"port": 8080}]}]});
    for specs in [[closed.clone(), open.clone()], [open, closed]] {
        assert!(passes(&specs, &outside(), &server(), Protocol::Tcp, 8080));
        assert!(!passes(&specs, &outside(), &server(), Protocol::Tcp, 8081));
    }
}

#[test]
fn an_empty_list_of_peers_is_everybody() {
    for rule in [json!({}), json!({"from": []}), json!({"from": null, "ports": []})] {
        assert!(arrives(&rule, &outside()), "{rule}");
        assert!(arrives(&rule, &stranger()), "{rule}");
    }
}

#[test]
fn a_pod_selector_alone_means_the_policys_namespace() {
    let rule = json!({"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]});
    assert!(arrives(&rule, &client()));
    assert!(!arrives(&rule, &stranger()));
    assert!(!arrives(&rule, &outside()));
    let everybody = json!({"from": [{"podSelector": {}}]});
    assert!(arrives(&everybody, &client()));
    assert!(!arrives(&everybody, &stranger()));
}

#[test]
fn two_selectors_in_one_peer_must_both_hold_and_in_two_peers_either() {
    let abroad = json!({"matchLabels": {"kubernetes.io/metadata.name": "abroad"}});
    let other = json!({"matchLabels": {"app": "other"}});
    let both = json!({"from": [{"namespaceSelector": abroad, "podSelector": other}]});
    assert!(!arrives(&both, &stranger()));
    let either = json!({"from": [{"namespaceSelector": abroad}, {"podSelector": other}]});
    assert!(arrives(&either, &stranger()));
    assert!(!arrives(&either, &client()));
    let anywhere = json!({"from": [{"namespaceSelector": {}}]});
    assert!(arrives(&anywhere, &stranger()) && arrives(&anywhere, &client()));
    assert!(!arrives(&anywhere, &outside()));
}

#[test]
fn expressions_select_as_labels_do() {
    let holds = |expression: Value| {
        arrives(
            &json!({"from": [{"podSelector": {"matchExpressions": [expression]}}]}),
            &client(),
        )
    };
    assert!(holds(
        json!({"key": "app", "operator": "In", "values": ["x", "client"]})
    ));
    assert!(!holds(json!({"key": "app", "operator": "In", "values": ["x"]})));
    assert!(!holds(json!({"key": "none", "operator": "In", "values": ["x"]})));
    assert!(!holds(
        json!({"key": "app", "operator": "NotIn", "values": ["client"]})
    ));
    assert!(holds(
        json!({"key": "none", "operator": "NotIn", "values": ["x"]})
    ));
    assert!(holds(json!({"key": "app", "operator": "Exists"})));
    assert!(!holds(json!({"key": "none", "operator": "Exists"})));
    assert!(holds(json!({"key": "none", "operator": "DoesNotExist"})));
    assert!(!holds(json!({"key": "app", "operator": "DoesNotExist"})));
}

#[test]
fn a_block_leaves_its_exceptions_out_and_contains_pods() {
    let rule = json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.0.2.0/28"]}}]});
    assert!(!arrives(&rule, &outside()));
    assert!(arrives(&rule, &client()));
    assert!(arrives(&rule, &Endpoint::Address("192.0.2.16".parse().unwrap())));
    assert!(!arrives(
        &rule,
        &Endpoint::Address("2001:db8::1".parse().unwrap())
    ));
}

#[test]
fn a_port_has_a_protocol_and_may_be_a_range() {
    let open = |port: &Value, protocol, number| {
        let spec = json!({"podSelector": {}, "ingress": [{"ports": [port]}]});
        passes(&[spec], &outside(), &server(), protocol, number)
    };
    assert!(open(&json!({"port": 8080}), Protocol::Tcp, 8080));
    assert!(!open(&json!({"port": 8080}), Protocol::Udp, 8080));
    assert!(open(&json!({"protocol": "UDP"}), Protocol::Udp, 7));
    assert!(!open(&json!({"protocol": "UDP"}), Protocol::Tcp, 7));
    let range = json!({"port": 5900, "endPort": 5902});
    for (number, inside) in [(5899, false), (5900, true), (5902, true), (5903, false)] {
        assert_eq!(open(&range, Protocol::Tcp, number), inside, "{number}");
    }
}

#[test]
fn a_named_port_is_the_targets_in_both_directions() {
    let named = |name: &str, protocol: &str| json!({"port": name, "protocol": protocol});
    let arriving = |port: Value, protocol, number| {
        let spec = json!({"podSelector": {}, "ingress": [{"ports": [port]}]});
        passes(&[spec], &outside(), &server(), protocol, number)
    };
    assert!(arriving(named("http", "TCP"), Protocol::Tcp, 8080));
    assert!(!arriving(named("http", "TCP"), Protocol::Tcp, 53));
    assert!(!arriving(named("http", "UDP"), Protocol::Udp, 8080));
    assert!(!arriving(named("none", "TCP"), Protocol::Tcp, 8080));
    let leaving = |to: &Endpoint| {
        let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [named("dns", "UDP")]}]});
        passes(&[spec], &client(), to, Protocol::Udp, 53)
    };
    assert!(leaving(&server()));
    assert!(!leaving(&outside()));
}

#[test]
fn a_pod_reaches_itself_and_its_node_reaches_it() {
    let closed = [json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})];
    assert!(passes(&closed, &server(), &server(), Protocol::Tcp, 1));
    assert!(passes(
        &closed,
        &Endpoint::OwnNode,
        &server(),
        Protocol::Tcp,
        8080
    ));
    assert!(passes(
        &closed,
        &server(),
        &Endpoint::OwnNode,
        Protocol::Tcp,
        10250
    ));
    assert!(!passes(&closed, &client(), &server(), Protocol::Tcp, 1));
}

#[test]
fn what_the_api_server_refuses_is_refused_with_the_policys_name() {
    let peer = |peer: Value| json!({"ingress": [{"from": [peer]}]});
    let port = |port: Value| json!({"ingress": [{"ports": [port]}]});
    for (spec, word) in [
        (json!({"podSelektor": {}}), "podSelektor"),
        (json!({"policyTypes": ["ingress"]}), "policyTypes"),
        (json!({"egress": [{"from": []}]}), "from"),
        (peer(json!({})), "without"),
        (peer(json!({"ipBlock": {"cidr": "192.0.2.1"}})), "192.0.2.1"),
        (
            peer(json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}})),
            "and a selector",
        ),
        (
            peer(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["169.254.0.0/16"]}})),
            "except",
        ),
        (
            peer(json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}})),
            "matchExpressions",
        ),
        (port(json!({"port": 0})), "port: 0"),
        (port(json!({"port": 65536})), "65536"),
        (port(json!({"port": 9, "endPort": 8})), "below"),
        (port(json!({"port": "http", "endPort": 8})), "endPort"),
        (port(json!({"endPort": 8})), "endPort"),
        (port(json!({"port": 9, "protocol": "tcp"})), "protocol"),
    ] {
        let error = read(&json!({"metadata": {"name": "my-policy"}, "spec": spec})).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("my-policy") && text.contains(word), "{text}");
    }
}
