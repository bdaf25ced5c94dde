//! The text against the rules of OpenMetrics 1.0, read by a parser that knows nothing of the one who wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::board::{
    Board, DatabaseView, RemoteDifference, RemoteKind, RemotesReport, ServiceView, TimerState, TimerView,
};
use crate::health::liveness::EventLoop;
use crate::health::usage::{CpuCounters, UsageCache};
use crate::log::{Format, Log, Severity};
use crate::reaper::Reaper;

fn sources(board: &Board) -> Sources {
    let nowhere = File::options().write(true).open("/dev/null").unwrap();
    let log = Log::start(Format::Text, nowhere.into()).unwrap();
    log.line("oned", Severity::Info, b"a line");
    Sources {
        board: board.clone(),
        reaper: Reaper::default(),
        log,
        release: "/nowhere/release".into(),
        started_at: "2026-11-23T14:00:00.25Z".parse().unwrap(),
        cpu: CpuCounters::default(),
        usage: UsageCache::default(),
        event_loop: EventLoop::default(),
    }
}

/// A board on which everything is written that a board can have.
fn full_board() -> Board {
    let board = Board::new();
    board.stage("settle").done();
    board.stage("layout").note("a \"note\"");
    board.set_phase(Phase::Running);
    let service = |name: &str, state, pid| ServiceView {
        name: name.to_owned(),
        state,
        pid,
        restarts: 3,
        ..ServiceView::default()
    };
    // The group of this test counts as the service.
    let own = u32::try_from(rustix::process::getpgrp().as_raw_nonzero().get()).unwrap();
    board.set_services(
        vec![
            service("oned", ServiceState::Starting, Some(own)),
            service("odd\"\\\nname", ServiceState::Backoff, None),
        ],
        false,
    );
    board.set_services(
        vec![
            service("oned", ServiceState::Ready, Some(own)),
            service("odd\"\\\nname", ServiceState::Off, None),
        ],
        true,
    );
    for (milliseconds, ready) in [(0, true), (3, true), (100, true), (3100, false)] {
        board.probed("oned", Duration::from_millis(milliseconds), ready);
    }
    board.set_timer(TimerView {
        name: "showback".to_owned(),
        state: TimerState::Waiting,
        schedule: "daily at 00:00".to_owned(),
        next: None,
        last: Some(Timestamp::UNIX_EPOCH),
        last_result: None,
        runs: 2,
        failures: 1,
    });
    board.set_database(DatabaseView {
        backend: "mysql".to_owned(),
        lock: DatabaseLock::Held,
        dumps: 2,
        ..DatabaseView::default()
    });
    board.set_remotes(RemotesReport {
        differences: vec![RemoteDifference {
            path: "etc/vmm/kvm/kvmrc".to_owned(),
            kind: RemoteKind::Changed,
            note: None,
        }],
        ..RemotesReport::default()
    });
    board
}

/// The samples of a text that keeps the rules; panics with the rule that it breaks.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut family = "";
    let mut found = BTreeMap::new();
    for line in body.lines() {
        assert!(!line.is_empty(), "an empty line");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
            assert!(!types.contains_key(name), "{name} is told in two places");
            family = name;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(name, family, "type and help belong together");
            assert!(types.insert(name, kind).is_none());
        } else {
            assert!(!line.starts_with('#'), "{line}");
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let name = series.split('{').next().unwrap_or_default();
            let suffix = name.strip_prefix(family).expect("a sample below its own family");
            let allowed: &[&str] = match *types.get(family).expect("a type before the first sample") {
                "counter" => &["_total"],
                "gauge" => &[""],
                "info" => &["_info"],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => panic!("unknown type {other}"),
            };
            assert!(allowed.contains(&suffix), "{line}");
            labels(series);
            let value = value.parse().expect("a number");
            assert!(
                found.insert(series.to_owned(), value).is_none(),
                "{series} stands there twice"
            );
        }
    }
    found
}

/// Checks the labels of a series: name="value", escaped, each once. Their names.
fn labels(series: &str) -> BTreeSet<&str> {
    let Some((_, rest)) = series.split_once('{') else {
        return BTreeSet::new();
    };
    let mut rest = rest.strip_suffix('}').expect("a closing brace");
    let mut seen = BTreeSet::new();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a label's value");
        assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        assert!(seen.insert(name), "{name} twice");
        let mut escaped = false;
        let end = value.find(|char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        });
        rest = value.get(end.expect("a closing quote") + 1..).unwrap_or_default();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    seen
}

#[test]
fn everything_that_the_board_has_keeps_the_rules() {
    let text = render(&sources(&full_board())).unwrap();
    let samples = samples(&text);
    let value = |series: &str| {
        *samples
            .get(series)
            .unwrap_or_else(|| panic!("no {series} in\n{text}"))
    };
    for (series, wanted) in [
        ("onepod_start_time_seconds", 1_795_442_400.25),
        ("onepod_phase{phase=\"running\"}", 1.0),
        ("onepod_ready", 1.0),
        ("onepod_service_state{service=\"oned\",state=\"ready\"}", 1.0),
        ("onepod_service_state{service=\"oned\",state=\"backoff\"}", 0.0),
        (
            "onepod_service_state{service=\"odd\\\"\\\\\\nname\",state=\"off\"}",
            1.0,
        ),
        ("onepod_service_restarts_total{service=\"oned\"}", 3.0),
        ("onepod_probe_seconds_bucket{le=\"0.001\",service=\"oned\"}", 1.0),
        ("onepod_probe_seconds_bucket{le=\"0.005\",service=\"oned\"}", 2.0),
        ("onepod_probe_seconds_bucket{le=\"3.0\",service=\"oned\"}", 3.0),
        ("onepod_probe_seconds_bucket{le=\"+Inf\",service=\"oned\"}", 4.0),
        ("onepod_probe_seconds_count{service=\"oned\"}", 4.0),
        ("onepod_probe_failures_total{service=\"oned\"}", 1.0),
        ("onepod_timer_runs_total{timer=\"showback\"}", 2.0),
        ("onepod_timer_failures_total{timer=\"showback\"}", 1.0),
        ("onepod_database_lock_held", 1.0),
        ("onepod_database_dumps", 2.0),
        ("onepod_remotes_differences", 1.0),
        ("onepod_stage_notes{stage=\"layout\"}", 1.0),
        ("onepod_log_lines_dropped_total", 0.0),
        ("onepod_log_records_total{service=\"oned\"}", 1.0),
        ("onepod_orphans_reaped_total", 0.0),
    ] {
        assert!(
            (value(series) - wanted).abs() < 1e-6,
            "{series}: {}, not {wanted}",
            value(series)
        );
    }
    for series in [
        "onepod_service_memory_bytes{service=\"oned\"}",
        "onepod_service_processes{service=\"oned\"}",
        "process_resident_memory_bytes",
    ] {
        assert!(value(series) > 0.0, "{series}");
    }
    assert!(text.contains(&format!(
        "onepod_build_info{{version=\"{}\",release=\"unknown\"}} 1\n",
        env!("CARGO_PKG_VERSION")
    )));
}

#[test]
fn a_pod_that_has_only_begun_has_numbers_too() {
    let text = render(&sources(&Board::new())).unwrap();
    assert_eq!(
        samples(&text).get("onepod_phase{phase=\"preparing\"}"),
        Some(&1.0)
    );
}

/// Names and labels in docs/metrics.md are those that there are. The alerts and the dashboard of the chart are held against
/// that page.
#[test]
fn the_documentation_names_every_series_with_its_labels_and_no_other() {
    let text = render(&sources(&full_board())).unwrap();
    let told: BTreeSet<(&str, BTreeSet<&str>)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, _)| {
            let name = series.split('{').next().unwrap_or_default();
            let mut labels = labels(series);
            // Of a histogram the page has the name and the type.
            let bucket = labels
                .remove("le")
                .then(|| name.strip_suffix("_bucket"))
                .flatten();
            let histogram = ["_sum", "_count"]
                .into_iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            (bucket.or(histogram).unwrap_or(name), labels)
        })
        .collect();
    let documented: BTreeSet<(&str, BTreeSet<&str>)> = include_str!("../../../../../docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(|series| {
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.trim_end_matches('}').split(',');
            (name, labels.filter(|label| !label.is_empty()).collect())
        })
        .collect();
    assert_eq!(told, documented);
}
