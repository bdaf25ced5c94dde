//! The table of flows against the rendered NetworkPolicies, and the policies against the table: no rule without a row that
//! needs it, no port without a row.
//!
//! Offline. That a network does what the policies say is `tests/e2e`'s business.

use std::collections::BTreeMap;
use std::fs;

use chart_tests::flows::cidr::Cidr;
use chart_tests::flows::cluster::{self, declared_ports, endpoint, judge, protocol};
use chart_tests::flows::policy::{self, Endpoint, Policy, decide};
use chart_tests::flows::{Flow, Place, Protocol, Variant, Verdict, markdown, variants};
use chart_tests::helm;
use chart_tests::object::Object;
use serde_json::{Value, json};

use crate::{find, items, render, try_find};

const BEGIN: &str = "<!-- The table of flows, by `UPDATE=1 cargo test -p chart-tests flows`: begin -->\n";
const END: &str = "<!-- The table of flows: end -->";

fn wrong(flows: &[Flow], objects: &[Object], policies: &[Policy]) -> Vec<String> {
    flows
        .iter()
        .filter(|flow| judge(flow, objects, policies).unwrap() != flow.verdict)
        .map(markdown::row)
        .collect()
}

fn policies(objects: &[Object]) -> Vec<Policy> {
    cluster::policies(objects).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_flow_of_the_table_gets_its_verdict() {
    for Variant { title, values, flows } in variants() {
        let objects = render(&values);
        let wrong = wrong(&flows, &objects, &policies(&objects));
        assert!(wrong.is_empty(), "{title}, not so:\n{}", wrong.join("\n"));
    }
}

/// One change of the policies.
struct Mutant {
    change: String,
    policies: Vec<Value>,
}

/// Every policy, rule, port, peer and exception taken away in turn, and every policy, rule and list opened in turn.
fn mutants(all: &[Value]) -> Vec<Mutant> {
    let mut found = Vec::new();
    for (index, policy) in all.iter().enumerate() {
        let name = policy["metadata"]["name"].as_str().unwrap();
        let mut add = |change: String, changed: Option<Value>| {
            let mut policies = all.to_vec();
            match changed {
                Some(changed) => policies[index] = changed,
                None => drop(policies.remove(index)),
            }
            found.push(Mutant {
                change: format!("{name}: {change}"),
                policies,
            });
        };
        let with = |path: &str, value: Value| {
            let mut policy = policy.clone();
            *policy.pointer_mut(path).unwrap() = value;
            Some(policy)
        };
        add("none".to_owned(), None);
        for direction in ["ingress", "egress"] {
            let mut open = policy.clone();
            open["spec"][direction] = json!([{}]);
            add(format!("{direction}: everything"), Some(open));
            let rules = items(&policy["spec"][direction]);
            for (at, rule) in rules.iter().enumerate() {
                add(
                    format!("{direction}: without {rule}"),
                    with(&format!("/spec/{direction}"), without(rules, at)),
                );
                for list in ["ports", "from", "to"] {
                    let path = format!("/spec/{direction}/{at}/{list}");
                    for (change, value) in of_list(items(&rule[list])) {
                        add(
                            format!("{direction}: {list} {change} in {rule}"),
                            with(&path, value),
                        );
                    }
                }
            }
        }
    }
    found
}

/// Changes of a list of ports or peers.
fn of_list(entries: &[Value]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if !entries.is_empty() {
        found.push(("all".to_owned(), json!([])));
    }
    for (at, entry) in entries.iter().enumerate() {
        // The last one gone means everybody, as above.
        if entries.len() > 1 {
            found.push((format!("without {entry}"), without(entries, at)));
        }
        let exceptions = items(&entry["ipBlock"]["except"]);
        for (which, exception) in exceptions.iter().enumerate() {
            let mut changed = entries.to_vec();
            changed[at]["ipBlock"]["except"] = without(exceptions, which);
            found.push((format!("except {exception}"), Value::Array(changed)));
        }
    }
    found
}

fn without(list: &[Value], index: usize) -> Value {
    let mut list = list.to_vec();
    list.remove(index);
    Value::Array(list)
}

#[test]
fn every_rule_port_peer_and_exception_is_needed_by_a_row() {
    // Noticed by one of the variants that have it is enough: the same rule is in several.
    let mut noticed = BTreeMap::new();
    for Variant { values, flows, .. } in variants() {
        let objects = render(&values);
        let all: Vec<Value> = objects
            .iter()
            .filter(|object| object.kind() == "NetworkPolicy")
            .map(|object| object.value().clone())
            .collect();
        for Mutant { change, policies } in mutants(&all) {
            let policies: Vec<_> = policies
                .iter()
                .map(|manifest| policy::read(manifest).unwrap())
                .collect();
            *noticed.entry(change).or_insert(false) |= !wrong(&flows, &objects, &policies).is_empty();
        }
    }
    let unnoticed: Vec<_> = noticed
        .iter()
        .filter(|(_, noticed)| !**noticed)
        .map(|(change, _)| change.as_str())
        .collect();
    assert!(unnoticed.is_empty(), "no row notices:\n{}", unnoticed.join("\n"));
    assert!(noticed.len() > 100, "only {} changes were tried", noticed.len());
}

/// The places whose pods the chart makes, and the object that makes each.
fn workloads(objects: &[Object]) -> Vec<(Place, &Object)> {
    objects
        .iter()
        .filter(|object| object.pod().is_some())
        .map(|object| {
            let component = object.text("/metadata/labels/app.kubernetes.io~1component");
            let place = match (object.kind(), component) {
                ("StatefulSet", "front-end") => Place::FrontEnd,
                ("StatefulSet", "database") => Place::Database,
                ("Job", "secrets") => Place::SecretsJob,
                ("Pod", "verify") => Place::Verify,
                other => panic!("{other:?} is no place of the table"),
            };
            (place, object)
        })
        .collect()
}

#[test]
fn every_pod_is_under_a_policy_of_its_own_in_both_directions() {
    let objects = render(&json!({}));
    for (place, _) in workloads(&objects) {
        let Endpoint::Pod(pod) = endpoint(place, &objects).unwrap() else {
            panic!("{place:?}")
        };
        let own = objects.iter().filter(|object| {
            object.kind() == "NetworkPolicy"
                && object
                    .at("/spec/podSelector/matchLabels")
                    .as_object()
                    .unwrap()
                    .iter()
                    .all(|(key, value)| pod.labels.get(key).map(String::as_str) == value.as_str())
        });
        let types: Vec<_> = own.map(|policy| policy.at("/spec/policyTypes")).collect();
        assert_eq!(types, [&json!(["Ingress", "Egress"])], "{place:?}");
    }
}

#[test]
fn every_port_of_a_pod_and_of_a_service_has_a_row() {
    let all = variants();
    for Variant { title, values, flows } in &all {
        let rows: Vec<&Flow> = all[0].flows.iter().chain(flows).collect();
        let passes = |place, protocol, port| {
            rows.iter().any(|row| {
                (row.to, row.protocol, row.port, row.verdict) == (place, protocol, port, Verdict::Passes)
            })
        };
        let objects = render(values);
        for (place, object) in workloads(&objects) {
            for port in declared_ports(object) {
                assert!(
                    passes(place, port.protocol, port.number),
                    "{title}: no row to port {} of {}",
                    port.number,
                    object.name()
                );
            }
        }
        for service in objects.iter().filter(|object| object.kind() == "Service") {
            let (place, object) = *workloads(&objects)
                .iter()
                .find(|(place, _)| {
                    selects(service.at("/spec/selector"), &endpoint(*place, &objects).unwrap())
                })
                .unwrap_or_else(|| panic!("{title}: {} selects no pod", service.name()));
            for port in service.list("/spec/ports") {
                let number = match &port["targetPort"] {
                    Value::String(name) => {
                        declared_ports(object)
                            .into_iter()
                            .find(|declared| declared.name == *name)
                            .unwrap_or_else(|| panic!("{title}: no port {name}"))
                            .number
                    }
                    number => u16::try_from(number.as_u64().or(port["port"].as_u64()).unwrap()).unwrap(),
                };
                assert!(
                    passes(place, protocol(&port["protocol"]), number),
                    "{title}: no row to port {port} of Service {}",
                    service.name()
                );
            }
        }
    }
}

fn selects(selector: &Value, endpoint: &Endpoint) -> bool {
    let Endpoint::Pod(pod) = endpoint else {
        return false;
    };
    selector
        .as_object()
        .unwrap()
        .iter()
        .all(|(key, value)| pod.labels.get(key).map(String::as_str) == value.as_str())
}

/// What a careful administrator puts into a namespace.
fn default_deny() -> Policy {
    policy::read(&json!({
        "metadata": {"name": "default-deny", "namespace": "default"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }))
    .unwrap()
}

/// Whether a pod in the release's namespace is under no policy: then even this arrives.
fn is_open(place: Place, objects: &[Object], policies: &[Policy]) -> bool {
    let to = endpoint(place, objects).unwrap();
    let from = endpoint(Place::Client, objects).unwrap();
    matches!(&to, Endpoint::Pod(pod) if pod.namespace == "default")
        && decide(policies, &from, &to, Protocol::Sctp, 1) == Verdict::Passes
}

#[test]
fn the_release_works_in_a_namespace_that_refuses_everything_else() {
    for Variant { title, values, flows } in variants() {
        let objects = render(&values);
        let mut policies = policies(&objects);
        if policies.is_empty() {
            continue;
        }
        // Pods without a policy of the chart need one of somebody else's: neighbours for what leaves them, the operator's
        // database for what arrives.
        let own: Vec<_> = flows
            .into_iter()
            .filter(|flow| flow.from.stranger().is_none() && !is_open(flow.to, &objects, &policies))
            .collect();
        policies.push(default_deny());
        let wrong = wrong(&own, &objects, &policies);
        assert!(wrong.is_empty(), "{title}, not so:\n{}", wrong.join("\n"));
    }
}

#[test]
fn the_job_reaches_the_kubernetes_api_before_anything_else_of_the_release_exists() {
    let objects = render(&json!({}));
    let policy = find(&objects, "NetworkPolicy", "opennebula-secrets");
    let account = find(&objects, "ServiceAccount", "opennebula-secrets");
    assert_eq!(
        policy.at("/metadata/annotations"),
        account.at("/metadata/annotations")
    );
    let hooks = [policy::read(policy.value()).unwrap(), default_deny()];
    let api = |policies: &[Policy]| {
        decide(
            policies,
            &endpoint(Place::SecretsJob, &objects).unwrap(),
            &endpoint(Place::ApiServer, &objects).unwrap(),
            Protocol::Tcp,
            6443,
        )
    };
    assert_eq!(api(&hooks), Verdict::Passes);
    assert_eq!(api(&hooks[1..]), Verdict::Refused);
}

#[test]
fn the_jobs_policy_is_a_plain_object_where_the_job_is() {
    let objects = render(&json!({"secretsJob": {"hook": false}}));
    let policy = find(&objects, "NetworkPolicy", "opennebula-secrets");
    assert_eq!(policy.at("/metadata/annotations"), &Value::Null);
}

#[test]
fn without_the_job_it_has_no_policy() {
    let objects = render(&json!({
        "opennebula": {"existingSecret": "mine"},
        "mariadb": {"auth": {"existingSecret": "mine-too"}},
    }));
    assert!(try_find(&objects, "NetworkPolicy", "opennebula-secrets").is_none());
    assert!(try_find(&objects, "NetworkPolicy", "opennebula").is_some());
}

#[test]
fn the_policies_follow_another_name_and_other_labels() {
    let over = json!({
        "nameOverride": "cloud",
        "podLabels": {"team": "a"},
        "commonLabels": {"cost": "b"},
        "mariadb": {"podLabels": {"team": "a"}},
    });
    let objects = render(&over);
    let wrong = wrong(&variants()[0].flows, &objects, &policies(&objects));
    assert!(wrong.is_empty(), "not so:\n{}", wrong.join("\n"));
}

/// Exceptions must be within their block, or the API server takes nothing of the policy.
#[test]
fn a_block_has_the_exceptions_that_are_within_it() {
    const V4: [&str; 3] = ["169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32"];
    const V6: [&str; 3] = ["fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"];
    let blocks = [
        "0.0.0.0/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "160.0.0.0/4",
        "96.0.0.0/3",
        "169.0.0.0/8",
        "169.254.0.0/15",
        "169.252.0.0/15",
        "169.254.0.0/16",
        "169.254.169.254/32",
        "168.63.0.0/16",
        "168.63.129.16/31",
        "168.63.129.16/32",
        "100.64.0.0/10",
        "100.100.100.201/32",
        "10.0.0.0/8",
        "192.0.2.0/24",
        "::/0",
        "8000::/1",
        "fc00::/7",
        "fd00::/8",
        "fd00:ec2::/32",
        "fd20:ce::/32",
        "fd20:cf::/32",
        "fe00::/9",
        "fe80::/9",
        "fe80::/10",
        "fe80::/64",
        "2000::/3",
        "2001:db8::/32",
        "2001:db8:1:2:3:4:5:6/128",
        "FD00::/8",
    ];
    let objects = render(&json!({"networkPolicy": {"web": blocks, "hypervisors": blocks}}));
    let front_end = find(&objects, "NetworkPolicy", "opennebula");
    policy::read(front_end.value()).unwrap_or_else(|error| panic!("{error}"));
    let rules: Vec<_> = front_end
        .list("/spec/egress")
        .iter()
        .filter(|rule| items(&rule["to"]).len() == blocks.len())
        .collect();
    assert_eq!(rules.len(), 2);
    for rule in rules {
        for (peer, block) in items(&rule["to"]).iter().zip(blocks) {
            let cidr = Cidr::parse(block).unwrap();
            let expected: Vec<_> = V4
                .iter()
                .chain(&V6)
                .filter(|part| Cidr::parse(part).unwrap().is_part_of(cidr))
                .map(|part| json!(part))
                .collect();
            assert_eq!(peer["ipBlock"]["cidr"], block);
            assert_eq!(items(&peer["ipBlock"]["except"]), expected, "{block}");
        }
    }
}

#[test]
fn the_documentation_shows_the_table() {
    let path = helm::repository().join("docs/network-flows.md");
    let text = fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (shown, tail) = rest.split_once(END).unwrap();
    let table = format!("\n{}", markdown::render(&variants()));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert!(
            shown == table,
            "docs/network-flows.md has another table of flows: run `UPDATE=1 cargo test -p chart-tests flows` and read the difference"
        );
    }
}
