//! The objects for Prometheus Operator and Grafana: they find what they name, and carry the release's alerts.
//!
//! What the alerts and the dashboard ask for is in `alerts.rs`.

use std::collections::BTreeMap;

use chart_tests::object::Object;
use chart_tests::promql;
use serde_json::{Value, json};

use crate::alerts::{alerts, promtool_passes};
use crate::{find, front_end, items, refuses, render, try_find};

/// Everything of this file switched on.
fn monitored() -> Value {
    json!({"metrics": {
        "serviceMonitor": {"enabled": true},
        "prometheusRule": {"enabled": true},
        "dashboard": {"enabled": true},
    }})
}

fn rules(objects: &[Object], name: &str) -> BTreeMap<String, Value> {
    find(objects, "PrometheusRule", name)
        .list("/spec/groups")
        .iter()
        .flat_map(|group| items(&group["rules"]))
        .map(|rule| (rule["alert"].as_str().unwrap().to_owned(), rule.clone()))
        .collect()
}

#[test]
fn without_the_operator_there_is_a_service_and_nothing_more() {
    let objects = render(&json!({}));
    let kinds = ["ServiceMonitor", "PodMonitor", "PrometheusRule"];
    assert!(!objects.iter().any(|object| kinds.contains(&object.kind())));
    assert!(try_find(&objects, "ConfigMap", "opennebula-dashboard").is_none());
    let service = find(&objects, "Service", "opennebula-metrics");
    assert_eq!(service.text("/spec/type"), "ClusterIP");
    assert_eq!(service.at("/spec/publishNotReadyAddresses"), true);
    let off = render(&json!({"metrics": {"enabled": false}}));
    assert!(try_find(&off, "Service", "opennebula-metrics").is_none());
}

#[test]
fn the_service_monitor_finds_the_service_and_the_service_the_pod() {
    let mut values = monitored();
    values["metrics"]["serviceMonitor"] = json!({
        "enabled": true, "namespace": "monitoring", "labels": {"release": "kps"}, "scrapeTimeout": "9s",
        "relabelings": [{"targetLabel": "zone", "replacement": "a"}],
        "metricRelabelings": [{"action": "drop", "regex": "x"}],
    });
    let objects = render(&values);
    let monitor = find(&objects, "ServiceMonitor", "default-opennebula");
    assert_eq!(monitor.text("/metadata/namespace"), "monitoring");
    assert_eq!(monitor.text("/metadata/labels/release"), "kps");
    assert_eq!(
        monitor.at("/spec/namespaceSelector"),
        &json!({"matchNames": ["default"]})
    );
    let wanted = monitor.at("/spec/selector/matchLabels").as_object().unwrap();
    let found: Vec<&str> = objects
        .iter()
        .filter(|object| {
            object.kind() == "Service"
                && wanted
                    .iter()
                    .all(|(label, value)| &object.at("/metadata/labels")[label] == value)
        })
        .map(Object::name)
        .collect();
    assert_eq!(found, ["opennebula-metrics"]);
    let endpoint = monitor.at("/spec/endpoints/0");
    assert_eq!(endpoint["scrapeTimeout"], "9s");
    assert_eq!(endpoint["interval"], "30s");
    assert_eq!(
        endpoint["relabelings"],
        json!([{"action": "labeldrop", "regex": "service"}, {"targetLabel": "zone", "replacement": "a"}])
    );
    assert_eq!(
        endpoint["metricRelabelings"],
        json!([{"action": "drop", "regex": "x"}])
    );

    let service = find(&objects, "Service", "opennebula-metrics");
    assert_eq!(service.at("/spec/ports/0/name"), &endpoint["port"]);
    assert!(
        items(&front_end(&objects)["ports"])
            .iter()
            .any(|port| port["name"] == service.text("/spec/ports/0/targetPort")
                && port["containerPort"] == 8080)
    );
    let pods = find(&objects, "StatefulSet", "opennebula")
        .at("/spec/template/metadata/labels")
        .clone();
    for (label, value) in service.at("/spec/selector").as_object().unwrap() {
        assert_eq!(&pods[label], value);
    }
}

#[test]
fn the_pod_monitors_find_the_pods() {
    let objects = render(&json!({
        "metrics": {"enabled": false, "podMonitor": {"enabled": true, "labels": {"a": "b"}}},
        "mariadb": {"metrics": {"enabled": true, "podMonitor": {"enabled": true, "labels": {"a": "b"}}}},
    }));
    for (name, relabelings) in [
        ("opennebula", json!([{"action": "labeldrop", "regex": "service"}])),
        ("opennebula-mariadb", Value::Null),
    ] {
        let monitor = find(&objects, "PodMonitor", name);
        assert_eq!(monitor.text("/metadata/labels/a"), "b");
        let endpoint = monitor.at("/spec/podMetricsEndpoints/0");
        assert_eq!(endpoint["relabelings"], relabelings, "{name}");
        let set = find(&objects, "StatefulSet", name);
        for (label, value) in monitor.at("/spec/selector/matchLabels").as_object().unwrap() {
            assert_eq!(&set.at("/spec/template/metadata/labels")[label], value, "{name}");
        }
        let ports: Vec<&Value> = items(&set.pod().unwrap()["containers"])
            .iter()
            .flat_map(|container| items(&container["ports"]))
            .map(|port| &port["name"])
            .collect();
        assert!(ports.contains(&&endpoint["port"]), "{name}: {ports:?}");
    }
}

#[test]
fn alerts_are_those_of_the_release_and_lead_to_their_pages() {
    let mut values = monitored();
    values["fullnameOverride"] = json!("cloud");
    values["mariadb"] = json!({"metrics": {"enabled": true}});
    values["metrics"]["prometheusRule"] = json!({
        "enabled": true, "alertLabels": {"team": "cloud", "severity": "none"}, "disabled": ["OpenNebulaApiSlow"],
        "runbookUrl": "https://wiki.example.org/runbooks/",
        "additionalGroups": [{"name": "mine", "rules": [{"alert": "Mine", "expr": "vector(1)"}]}],
    });
    let objects = render(&values);
    let mut found = rules(&objects, "cloud");
    assert_eq!(found.remove("Mine").unwrap()["expr"], "vector(1)");
    let expected: Vec<String> = alerts()
        .into_keys()
        .filter(|name| name != "OpenNebulaApiSlow")
        .collect();
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected);
    for (name, rule) in &found {
        assert_eq!(rule["labels"]["team"], "cloud", "{name}");
        assert_ne!(rule["labels"]["severity"], "none", "{name}");
        assert_eq!(
            rule["annotations"]["runbook_url"],
            format!("https://wiki.example.org/runbooks/{name}.md")
        );
        let whole = rule.to_string();
        for marker in ["NAMESPACE", "FULLNAME", "DATABASE", "CLAIMS"] {
            assert!(!whole.contains(marker), "{name}: {whole}");
        }
        for selector in promql::read(rule["expr"].as_str().unwrap()).unwrap().selectors {
            // Nodes are in no namespace.
            if selector.metric == "kube_node_status_condition" {
                continue;
            }
            let expected = match selector.metric.split('_').next().unwrap() {
                "kubelet" => ("persistentvolumeclaim", "cloud-data|opennebula-mariadb-data"),
                "mysql" => ("pod", "opennebula-mariadb-[0-9]+"),
                "kube" => ("pod", "(cloud|opennebula-mariadb)-[0-9]+"),
                _ => ("pod", "cloud-[0-9]+"),
            };
            let kept = |label: &str| {
                let mut all = selector.matchers.iter().filter(|matcher| matcher.0 == label);
                all.next().map(|matcher| matcher.2.clone())
            };
            assert_eq!(kept("namespace").as_deref(), Some("default"), "{name}");
            assert_eq!(kept(expected.0).as_deref(), Some(expected.1), "{name}");
        }
    }
}

#[test]
fn alerts_without_a_subject_are_left_out() {
    let named = |values: &Value| {
        rules(&render(values), "opennebula")
            .into_keys()
            .collect::<Vec<_>>()
    };
    let with = |more: Value| {
        let mut values = monitored();
        for (name, value) in more.as_object().unwrap() {
            values[name] = value.clone();
        }
        values
    };
    let has = |names: &[String], part: &str| names.iter().any(|name| name.contains(part));
    let usual = named(&monitored());
    assert!(has(&usual, "Volume") && !has(&usual, "DatabaseDown"), "{usual:?}");
    let mut outside = crate::database::external();
    outside["persistence"] = json!({"enabled": false});
    let none = named(&with(outside));
    assert!(!has(&none, "Volume") && !has(&none, "DatabaseDown"), "{none:?}");

    let claimed = with(json!({
        "persistence": {"existingClaim": "images"}, "mariadb": {"persistence": {"existingClaim": "tables"}},
    }));
    let claimed = rules(&render(&claimed), "opennebula")["OpenNebulaVolumeFull"].to_string();
    assert!(claimed.contains("images|tables"), "{claimed}");
    let operated = with(json!({"mariadb": {"enabled": false}, "mariadbOperator": {"enabled": true}}));
    let operated = rules(&render(&operated), "opennebula")["OpenNebulaVolumeFull"].to_string();
    assert!(
        operated.contains("opennebula-data|(storage|galera)-opennebula-db-[0-9]+"),
        "{operated}"
    );
}

#[test]
fn a_name_that_is_no_alert_cannot_be_disabled() {
    let mut values = monitored();
    values["metrics"]["prometheusRule"]["disabled"] = json!(["OpenNebulaAbsent", "OpenNebulaSlow"]);
    let all: Vec<String> = alerts().into_keys().collect();
    let mut words = vec!["metrics.prometheusRule.disabled", "\"OpenNebulaSlow\""];
    words.extend(all.iter().map(String::as_str));
    refuses(&values, &words);
}

#[test]
fn dashboards_of_two_releases_stay_apart() {
    let boards: Vec<(String, Value)> = ["opennebula", "other"]
        .into_iter()
        .map(|name| {
            let mut values = monitored();
            values["fullnameOverride"] = json!(name);
            let objects = render(&values);
            let map = find(&objects, "ConfigMap", &format!("{name}-dashboard"));
            assert_eq!(map.text("/metadata/labels/grafana_dashboard"), "1");
            let data = map.at("/data").as_object().unwrap();
            let (file, board) = data.iter().next().unwrap();
            (
                file.clone(),
                serde_json::from_str(board.as_str().unwrap()).unwrap(),
            )
        })
        .collect();
    let [(first_file, first), (second_file, second)] = boards.as_slice() else {
        panic!("two boards")
    };
    assert_ne!(first_file, second_file);
    assert_ne!(first["uid"], second["uid"]);
    assert_ne!(first["title"], second["title"]);
    assert!(
        first["uid"].as_str().unwrap().len() <= 40,
        "Grafana takes no longer one"
    );
    assert_eq!(first["templating"]["list"][1]["current"]["value"], "default");
    assert_eq!(first["templating"]["list"][2]["current"]["value"], "opennebula-0");
    for marker in ["NAMESPACE", "FULLNAME", "UID", "RUNBOOKS"] {
        assert!(!first.to_string().contains(marker), "{marker}");
    }
}

#[test]
fn prometheus_takes_the_rules_as_they_are_rendered() {
    let mut values = monitored();
    values["mariadb"] = json!({"metrics": {"enabled": true}});
    let objects = render(&values);
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    let groups = find(&objects, "PrometheusRule", "opennebula")
        .at("/spec")
        .to_string();
    std::io::Write::write_all(&mut file, groups.as_bytes()).unwrap();
    promtool_passes(&["check", "rules", &file.path().display().to_string()]);
}
