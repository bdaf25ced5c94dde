//! The page of a pod in which everything occurs, and of one that wants to break out of it.

use axum::http::HeaderValue;

use super::*;

const NOW: &str = "2026-11-23T17:02:45Z";

fn status() -> Status {
    serde_json::from_str(include_str!("../../../tests/data/status.json")).unwrap()
}

fn page(status: &Status) -> String {
    render(status, NOW.parse().unwrap(), None)
}

#[test]
fn everything_that_is_known_is_on_the_page() {
    let page = page(&status());
    for part in [
        "<h1>OpenNebula 7.4.0 <span class=\"pill good\">ready</span></h1>",
        "onepod 0.4.0 · up 3h2m",
        "<th scope=\"row\">fireedge</th><td><span class=\"pill good\">ready</span>",
        "<td colspan=\"8\">exit code 1 after 2.104 s</td>",
        "last run: killed by SIGKILL after 51.220 s",
        "held by this front-end",
        "7.2.0 (older at the start)",
        "MariaDB 11.8.3",
        "Files of 7.4.0, before this start of 7.2.0; 3 files differ from it.",
        "hooks/notify-team.sh",
        "in 6h57m</td>",
        "5s ago: exit code 0",
        "(5 times)",
        "12 orphans reaped; 0 log lines dropped",
        "remotes: etc/vmm/kvm/kvmrc is kept as you changed it",
        "<title id=\"graph-title\">Order of the start</title>",
        "<title id=\"timeline-title\">Timeline of the start</title>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Bytes that are sent to whoever looks.
    assert!(page.len() < 64 * 1024, "{}", page.len());
}

#[test]
fn what_services_wrote_is_for_the_control_socket_alone() {
    let status = status();
    let json = |status: &Status| serde_json::to_string(status).unwrap();
    let line = "Address already in use";
    assert!(json(&status).contains(line));
    assert!(!page(&status).contains(line));
    assert!(!json(&status.without_lines()).contains(line));
}

#[test]
fn the_page_is_well_formed_and_loads_nothing() {
    let page = page(&status());
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let name = tag.split(['>', ' ']).next().unwrap();
        if name == "!doctype" || name == "meta" || tag.split('>').next().unwrap().ends_with('/') {
            continue;
        }
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "in …<{tag}"),
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for loader in [
        "<script", "<link", "<img", "<iframe", "src=", "style=", "@import", "//",
    ] {
        let (_, body) = page.split_once("</title>").unwrap();
        assert!(!body.contains(loader), "{loader}");
    }
    let mut ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands there twice");
    for referred in page.split("aria-labelledby=\"").skip(1) {
        for id in referred.split('"').next().unwrap().split(' ') {
            assert!(ids.contains(&id), "no {id}");
        }
    }
}

/// Whatever a service, a database or a file calls itself, it remains text.
#[test]
fn nothing_breaks_out() {
    let evil = "\"'><script>alert(1)</script>&{";
    let json = include_str!("../../../tests/data/status.json");
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap();
    spoil(&mut value, evil);
    let page = page(&serde_json::from_value(value).unwrap());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("<script"), "it breaks out");
    let clean = self::page(&status());
    let quotes = |page: &str| page.split('<').count();
    assert_eq!(quotes(&page), quotes(&clean), "there are other tags than before");
}

/// Adds a text to every string that is not one of a fixed set or a time.
fn spoil(value: &mut serde_json::Value, evil: &str) {
    const FIXED: [&str; 10] = [
        "phase",
        "state",
        "kind",
        "lock",
        "since",
        "started_at",
        "time",
        "next",
        "last",
        "before",
    ];
    match value {
        serde_json::Value::String(text) => text.push_str(evil),
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| spoil(value, evil)),
        serde_json::Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| !FIXED.contains(&name.as_str()))
            .for_each(|(_, value)| spoil(value, evil)),
        _ => {}
    }
}

#[test]
fn a_pod_that_has_only_begun_has_a_page_too() {
    let mut status = status();
    status.phase = Phase::Preparing;
    status.ready = false;
    status.reasons = vec!["database: cannot connect".to_owned()];
    status.services.clear();
    status.plan.clear();
    status.timers.clear();
    status.errors.clear();
    (status.database, status.remotes, status.release) = (None, None, None);
    status.timeline.truncate(1);
    let page = page(&status);
    for part in [
        "preparing",
        "<li>database: cannot connect</li>",
        "of unknown release",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn only_who_names_html_gets_it() {
    let wants = |accept: &'static str| {
        let mut head = HeaderMap::new();
        head.insert(ACCEPT, HeaderValue::from_static(accept));
        wanted(&head)
    };
    assert!(wants(
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    ));
    assert!(wants("application/json, TEXT/HTML;q=0.5"));
    assert!(!wants("*/*") && !wants("application/json") && !wants("text/htmlx"));
    assert!(!wanted(&HeaderMap::new()));
}

#[test]
fn the_policy_names_the_style_that_is_on_the_page() {
    let answer = answer(&status(), Some(0));
    let policy = answer.headers()[CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(answer.headers()[REFRESH], "1");
}
