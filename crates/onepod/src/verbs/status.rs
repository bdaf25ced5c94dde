//! `onepod status`: what the running pod is doing, as a table or as JSON.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::probe::url;
use super::{complain, say};
use crate::board::ServiceState;
use crate::format::{mebibytes, span};
use crate::http;

/// Time for the whole question.
const LIMIT: Duration = Duration::from_secs(5);

/// Arguments of `onepod status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the pod's answer as JSON
    #[arg(long)]
    pub json: bool,
    /// Where the pod answers, as in `ONEPOD_LISTEN`
    #[arg(long, env = "ONEPOD_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
}

/// Asks and prints; exits with 1 when there is no answer.
pub async fn run(args: Args) -> ExitCode {
    let answer = match http::get(&url(args.listen, "/status"), LIMIT).await {
        Ok(answer) => answer,
        Err(error) => {
            complain(&format!("{error}; is `onepod run` at work in this container?"));
            return ExitCode::FAILURE;
        }
    };
    if args.json {
        say(&answer.body);
        say("\n");
        return ExitCode::SUCCESS;
    }
    match serde_json::from_str(&answer.body) {
        Ok(status) => {
            say(&table(&status, Timestamp::now()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("the pod's answer cannot be read: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, Deserialize)]
struct Status {
    onepod: String,
    release: Option<String>,
    phase: String,
    ready: bool,
    reasons: Vec<String>,
    started_at: Timestamp,
    orphans_reaped: u64,
    log_lines_dropped: u64,
    stages: Vec<Stage>,
    services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
struct Stage {
    name: String,
    state: String,
    seconds: f64,
    cause: Option<String>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    state: ServiceState,
    pid: Option<u32>,
    since: Timestamp,
    restarts: u32,
    memory_kib: Option<u64>,
    cause: Option<String>,
    last_exit: Option<String>,
}

fn table(status: &Status, now: Timestamp) -> String {
    let mut out = String::new();
    let release = status.release.as_deref().unwrap_or("of unknown release");
    let ready = if status.ready { "ready" } else { "not ready" };
    // Writing to a String does not fail, here and below.
    let _ = writeln!(
        out,
        "OpenNebula {release}, onepod {}: {}, {ready}; up {}",
        status.onepod,
        status.phase,
        span(now.duration_since(status.started_at))
    );
    for reason in &status.reasons {
        let _ = writeln!(out, "  {reason}");
    }
    out.push('\n');
    out += &columns(
        ["SERVICE", "STATE", "SINCE", "RESTARTS", "PID", "MEMORY", "REMARK"],
        status.services.iter().map(|service| {
            let remark = service.cause.clone().or_else(|| service.last_exit.clone());
            [
                service.name.clone(),
                service.state.name().to_owned(),
                span(now.duration_since(service.since)),
                service.restarts.to_string(),
                service.pid.map_or_else(dash, |pid| pid.to_string()),
                service.memory_kib.map_or_else(dash, mebibytes),
                remark.unwrap_or_else(dash),
            ]
        }),
    );
    out.push('\n');
    out += &columns(
        ["STAGE", "STATE", "TIME", "CAUSE"],
        status.stages.iter().map(|stage| {
            let cause = stage
                .cause
                .clone()
                .or_else(|| (!stage.notes.is_empty()).then(|| stage.notes.join("; ")));
            [
                stage.name.clone(),
                stage.state.clone(),
                format!("{:.3} s", stage.seconds),
                cause.unwrap_or_else(dash),
            ]
        }),
    );
    let _ = writeln!(
        out,
        "\norphans reaped: {}; log lines dropped: {}",
        status.orphans_reaped, status.log_lines_dropped
    );
    out
}

fn dash() -> String {
    "-".to_owned()
}

/// An aligned table; the last column is as wide as it is.
fn columns<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    rows.iter().fold(String::new(), |out, row| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        out + cells.join("  ").trim_end() + "\n"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let status = serde_json::from_value(serde_json::json!({
            "onepod": "0.3.0", "release": "7.0.0", "phase": "running", "ready": false,
            "reasons": ["oned: backoff: exit code 255"], "started_at": "2026-11-23T14:00:00Z",
            "orphans_reaped": 3, "log_lines_dropped": 0,
            "stages": [{"name": "layout", "state": "done", "seconds": 0.25, "cause": null}],
            "services": [
                {"name": "ssh-agent", "state": "ready", "pid": 12, "since": "2026-11-23T14:00:01Z", "restarts": 0,
                 "memory_kib": 3000, "essential": false, "last_exit": null, "cause": null},
                {"name": "oned", "state": "backoff", "pid": null, "since": "2026-11-23T14:01:01Z", "restarts": 2,
                 "memory_kib": null, "essential": true, "last_exit": "exit code 255 after 0.043 s", "cause": null}
            ]
        }))
        .unwrap();
        insta::assert_snapshot!(table(&status, "2026-11-23T15:02:03Z".parse().unwrap()), @r"
        OpenNebula 7.0.0, onepod 0.3.0: running, not ready; up 1h2m
          oned: backoff: exit code 255

        SERVICE    STATE    SINCE  RESTARTS  PID  MEMORY  REMARK
        ssh-agent  ready    1h2m   0         12   3 MiB   -
        oned       backoff  1h1m   2         -    -       exit code 255 after 0.043 s

        STAGE   STATE  TIME     CAUSE
        layout  done   0.250 s  -

        orphans reaped: 3; log lines dropped: 0
        ");
    }
}
