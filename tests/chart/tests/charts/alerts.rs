//! Alerts and dashboard as files: they ask for metrics that there are, are raised when they must be, and each alert has its
//! page. What the chart makes of them is in `monitoring.rs`.
//!
//! docs/metrics.md is taken at its word here: a test of onepod holds it against the endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use chart_tests::helm;
use chart_tests::promql::{self, Selector};
use chart_tests::promtool;
use serde_json::Value;

use crate::items;

/// Metrics that others export: name, labels, and who.
const FOREIGN: [(&str, &[&str], &str); 10] = [
    ("kube_pod_info", &["node"], "kube-state-metrics"),
    (
        "kube_node_status_condition",
        &["node", "condition", "status"],
        "kube-state-metrics",
    ),
    ("up", &[], "Prometheus itself, of each target"),
    (
        "kubelet_volume_stats_available_bytes",
        &["persistentvolumeclaim"],
        "kubelet",
    ),
    (
        "kubelet_volume_stats_capacity_bytes",
        &["persistentvolumeclaim"],
        "kubelet",
    ),
    (
        "kubelet_volume_stats_inodes",
        &["persistentvolumeclaim"],
        "kubelet",
    ),
    (
        "kubelet_volume_stats_inodes_free",
        &["persistentvolumeclaim"],
        "kubelet",
    ),
    ("mysql_up", &[], "mysqld_exporter, beside the dependency's server"),
    (
        "mysql_global_status_threads_connected",
        &[],
        "mysqld_exporter, --collect.global_status",
    ),
    (
        "mysql_global_variables_max_connections",
        &[],
        "mysqld_exporter, --collect.global_variables",
    ),
];

/// Metrics of what is in no namespace.
const OF_THE_CLUSTER: [&str; 1] = ["kube_node_status_condition"];

/// Labels that Prometheus Operator gives to every target.
const TARGET: [&str; 2] = ["namespace", "pod"];

/// Sections of a runbook, in this order.
const SECTIONS: [&str; 4] = ["Meaning", "Impact", "Diagnosis", "Mitigation"];

fn text(path: &str) -> String {
    fs::read_to_string(helm::repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every rule of the file, with its name.
pub(crate) fn alerts() -> BTreeMap<String, Value> {
    let file: Value = serde_saphyr::from_str(&text("charts/opennebula/files/alerts.yaml")).unwrap();
    let rules: Vec<Value> = items(&file["groups"])
        .iter()
        .flat_map(|group| items(&group["rules"]).to_vec())
        .collect();
    let named: BTreeMap<String, Value> = rules
        .iter()
        .map(|rule| (rule["alert"].as_str().unwrap().to_owned(), rule.clone()))
        .collect();
    assert_eq!(named.len(), rules.len(), "two alerts have one name");
    assert!(!named.is_empty());
    named
}

fn dashboard() -> Value {
    serde_json::from_str(&text("charts/opennebula/files/dashboard.json")).unwrap()
}

/// Every expression of the dashboard with the title of its panel. What Grafana fills in is filled in.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let mut found = Vec::new();
    let mut add = |title: &str, expression: &Value| {
        let expression = expression
            .as_str()
            .unwrap_or_else(|| panic!("{title}: no expression"));
        let filled = expression
            .replace("$__rate_interval", "5m")
            .replace("$__range", "6h");
        found.push((title.to_owned(), filled));
    };
    for panel in items(&dashboard["panels"]) {
        for target in items(&panel["targets"]) {
            add(panel["title"].as_str().unwrap(), &target["expr"]);
        }
    }
    for annotation in items(&dashboard["annotations"]["list"]) {
        add(annotation["name"].as_str().unwrap(), &annotation["expr"]);
    }
    found
}

/// Labels of every metric there is, by name: those of docs/metrics.md and the foreign ones.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = FOREIGN
        .iter()
        .map(|(name, labels, _)| {
            (
                (*name).to_owned(),
                labels.iter().copied().map(str::to_owned).collect(),
            )
        })
        .collect();
    for line in text("docs/metrics.md").lines() {
        let Some((series, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) else {
            continue;
        };
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels: BTreeSet<String> = labels
            .trim_end_matches('}')
            .split(',')
            .filter(|label| !label.is_empty())
            .map(str::to_owned)
            .collect();
        if rest.starts_with("histogram") {
            for suffix in ["_sum", "_count"] {
                found.insert(format!("{name}{suffix}"), labels.clone());
            }
            let bucket = labels.into_iter().chain(["le".to_owned()]).collect();
            found.insert(format!("{name}_bucket"), bucket);
        } else {
            found.insert(name.to_owned(), labels);
        }
    }
    assert!(
        found.contains_key("onepod_ready"),
        "docs/metrics.md has no table of metrics"
    );
    found
}

/// The words in backticks of the row of docs/metrics.md that begins so, after its first cell.
fn documented_values(row: &str) -> BTreeSet<String> {
    let page = text("docs/metrics.md");
    let line = page.lines().find(|line| line.starts_with(row)).unwrap();
    let told = line.splitn(4, '|').nth(3).unwrap();
    told.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The values that a label of onepod's metrics can have; none where they are not a fixed set.
fn values_of(label: &str) -> Option<BTreeSet<String>> {
    let services: Value = toml::from_str(&text("image/services.toml")).unwrap();
    let names = |kinds: &[&str]| {
        let named = kinds
            .iter()
            .flat_map(|kind| services[*kind].as_object().unwrap().keys());
        Some(named.cloned().collect())
    };
    match label {
        "state" => Some(documented_values("| `onepod_service_state{")),
        "phase" => Some(documented_values("| `onepod_phase{")),
        "stage" => Some(documented_values("| `onepod_stage_seconds{")),
        "service" => names(&["services", "tasks"]),
        "timer" => names(&["timers"]),
        _ => None,
    }
}

/// What is wrong with one selector.
fn mistakes(selector: &Selector, metrics: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let name = &selector.metric;
    let Some(labels) = metrics.get(name) else {
        return vec![format!(
            "{name} is in neither docs/metrics.md nor the list of foreign metrics"
        )];
    };
    let mut wrong = Vec::new();
    for (label, operator, value) in &selector.matchers {
        if TARGET.contains(&label.as_str()) {
            continue;
        }
        if !labels.contains(label) {
            wrong.push(format!("{name} has no label {label}"));
        }
        let Some(known) = values_of(label) else { continue };
        let wanted: Vec<&str> = if operator.ends_with('~') {
            value.split('|').collect()
        } else {
            vec![value]
        };
        for value in wanted {
            if !known.contains(value) {
                wrong.push(format!("{label} is never {value:?}; it is one of {known:?}"));
            }
        }
    }
    if !OF_THE_CLUSTER.contains(&name.as_str())
        && !selector
            .matchers
            .iter()
            .any(|(label, operator, _)| label == "namespace" && operator == "=")
    {
        wrong.push(format!("{name} is not kept to one namespace"));
    }
    wrong
}

#[test]
fn every_expression_asks_for_what_there_is() {
    let metrics = metrics();
    let rules = alerts()
        .into_iter()
        .map(|(name, rule)| (name, rule["expr"].as_str().unwrap().to_owned()));
    let mut wrong = Vec::new();
    for (name, expression) in rules.chain(queries()) {
        let asked = promql::read(&expression).unwrap_or_else(|error| panic!("{name}: {error}: {expression}"));
        assert!(!asked.selectors.is_empty(), "{name} asks for nothing");
        wrong.extend(
            asked
                .selectors
                .iter()
                .flat_map(|selector| mistakes(selector, &metrics))
                .map(|mistake| format!("{name}: {mistake}")),
        );
        let labels: BTreeSet<String> = asked
            .selectors
            .iter()
            .filter_map(|selector| metrics.get(&selector.metric))
            .flatten()
            .cloned()
            .chain(TARGET.map(str::to_owned))
            .collect();
        wrong.extend(
            asked
                .labels
                .difference(&labels)
                .map(|label| format!("{name}: nothing in it has the label {label}")),
        );
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_metric_that_is_renamed_is_noticed() {
    let mut metrics = metrics();
    let selector = |text: &str| promql::read(text).unwrap().selectors.remove(0);
    let good = selector("onepod_stage_seconds{namespace=\"n\", stage=~\"database|migrate\"}");
    assert_eq!(mistakes(&good, &metrics), Vec::<String>::new());
    for (text, word) in [
        (
            "onepod_phase{namespace=\"n\", phase=\"starting\"}",
            "never \"starting\"",
        ),
        (
            "onepod_ready{namespace=\"n\", service=\"oned\"}",
            "no label service",
        ),
        (
            "onepod_service_state{namespace=\"n\", service=\"nginx\"}",
            "never \"nginx\"",
        ),
        ("onepod_ready{pod=\"p\"}", "one namespace"),
    ] {
        let found = mistakes(&selector(text), &metrics);
        assert!(
            found.iter().any(|mistake| mistake.contains(word)),
            "{text}: {found:?}"
        );
    }
    metrics.remove("onepod_stage_seconds");
    assert_eq!(mistakes(&good, &metrics).len(), 1);
}

/// Alerts infer a stage at work from the stages that are done, so they need their names and their order.
#[test]
fn the_stages_that_the_documentation_names_are_those_of_the_start() {
    let source = text("crates/onepod/src/prepare.rs");
    let begun: Vec<&str> = source
        .split("board.stage(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(
        begun,
        [
            "layout",
            "remotes",
            "database",
            "render",
            "migrate",
            "credentials",
            "ssh"
        ]
    );
    let mut expected: BTreeSet<String> = begun.into_iter().map(str::to_owned).collect();
    expected.extend(["settle", "supervise"].map(str::to_owned));
    assert_eq!(values_of("stage").unwrap(), expected);
}

#[test]
fn every_alert_tells_where_and_what_to_do() {
    for (name, rule) in alerts() {
        assert!(name.starts_with("OpenNebula"), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(
            ["critical", "warning"].contains(&severity),
            "{name}: {severity:?}"
        );
        let said = ["summary", "description"]
            .map(|annotation| rule["annotations"][annotation].as_str().unwrap_or_default());
        assert!(
            !said[0].is_empty() && !said[0].ends_with('.'),
            "{name}: {}",
            said[0]
        );
        let said = said.concat();
        for (what, words) in [
            ("the namespace", ["$labels.namespace", "NAMESPACE"]),
            ("the pod or the volume", ["pod", "volume"]),
            ("the next step", ["\"kubectl ", "mariadb."]),
        ] {
            assert!(
                words.iter().any(|word| said.contains(word)),
                "{name} does not name {what}: {said}"
            );
        }
        // Labels that the expression drops would be empty in the text.
        let kept = promql::read(rule["expr"].as_str().unwrap()).unwrap().labels;
        for label in said.split("$labels.").skip(1) {
            let label: String = label.chars().take_while(char::is_ascii_alphanumeric).collect();
            assert!(
                kept.contains(&label),
                "{name}: the expression does not keep {label}"
            );
        }
    }
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let alerts = alerts();
    let folder = helm::repository().join("docs/runbooks");
    let pages: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected: BTreeSet<String> = alerts.keys().map(|name| format!("{name}.md")).collect();
    assert_eq!(pages, expected);
    let operations = text("docs/operations.md");
    let table = text("docs/metrics.md");
    for (name, rule) in alerts {
        let page = text(&format!("docs/runbooks/{name}.md"));
        assert_eq!(page.lines().next(), Some(format!("# {name}").as_str()));
        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(sections, SECTIONS, "{name}");
        for section in page.split("\n## ").skip(1) {
            assert!(
                section.lines().skip(1).any(|line| !line.is_empty()),
                "{name}: an empty section"
            );
        }
        // Verbs that the page uses are those that operators know.
        for rest in page.split("-- onepod ").skip(1) {
            let verb: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
            assert!(
                operations.contains(&format!("onepod {verb}")),
                "{name}: docs/operations.md knows no onepod {verb}"
            );
        }
        let severity = rule["labels"]["severity"].as_str().unwrap();
        let row = format!("| [`{name}`](runbooks/{name}.md) | {severity} |");
        assert!(table.contains(&row), "docs/metrics.md has no row {row}");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard = dashboard();
    let panels = items(&dashboard["panels"]);
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one number");
    for panel in panels {
        let place = &panel["gridPos"];
        let right = place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap();
        assert!(right <= 24, "{} is wider than the page", panel["title"]);
        assert!(
            panel["type"] == "row" || panel["datasource"]["uid"] == "${datasource}",
            "{} has a data source of its own",
            panel["title"]
        );
    }
    let variables: Vec<_> = items(&dashboard["templating"]["list"])
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(variables, ["datasource", "namespace", "pod"]);
}

/// Prometheus' own judgement, where it can be had.
pub(crate) fn promtool_passes(arguments: &[&str]) {
    let Some(program) = promtool::installed() else {
        println!(
            "left out: Prometheus itself judges the alerts where its promtool is installed (package prometheus)"
        );
        return;
    };
    promtool::run(&program, arguments).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn alerts_are_raised_when_they_must_be_and_not_before() {
    let cases: Value = serde_saphyr::from_str(&text("tests/chart/promtool/alerts.yaml")).unwrap();
    let asked: BTreeSet<(String, bool)> = items(&cases["tests"])
        .iter()
        .flat_map(|case| items(&case["alert_rule_test"]))
        .map(|asked| {
            let raised = !items(&asked["exp_alerts"]).is_empty();
            (asked["alertname"].as_str().unwrap().to_owned(), raised)
        })
        .collect();
    let expected: BTreeSet<(String, bool)> = alerts()
        .into_keys()
        .flat_map(|name| [(name.clone(), true), (name, false)])
        .collect();
    assert_eq!(
        asked, expected,
        "each alert has a case that raises it, and one that does not"
    );
    promtool_passes(&["test", "rules", "tests/chart/promtool/alerts.yaml"]);
}
