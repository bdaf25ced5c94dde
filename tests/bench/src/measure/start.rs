//! The whole front-end: container start to a ready API, and stop, beside oned alone with everything prepared by hand.

use std::collections::BTreeMap;

use anyhow::Result;

use super::Bench;
use super::stand::{Args, Stand, figure, inside};
use crate::stats::median;
use crate::table::{Line, Table, say};

const TIMES: usize = 3;
/// What oned alone runs: its configuration and credentials are there already.
const BY_HAND: &str = "cp -R /var/lib/one/.prepared/. /etc/one/ && mkdir -p /run/lock/one /run/one/ssh-socks && \
                       exec /usr/bin/oned -f >/var/log/one/oned.out 2>&1";
/// The line of onepod's log that says how many calls its credentials needed.
const CALLS: &str = " call";

/// Start, stop and calls, or nothing without an image.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let Some(rootfs) = &bench.rootfs else {
        say("bench: no --rootfs, so that starts of the image are left out");
        return Ok(Vec::new());
    };
    Ok(tables(&inside("starts", rootfs, 1)?))
}

fn tables(figures: &BTreeMap<String, Vec<f64>>) -> Vec<Table> {
    let of = |name: &str| figures.get(name).map(|sample| median(sample)).unwrap_or_default();
    let pair = |title: &str, name: &str, goal: &str| {
        let (ours, alone) = (of(&format!("{name}-onepod")), of(&format!("{name}-alone")));
        Table {
            title: title.to_owned(),
            method: format!(
                "From runc's start to the first authenticated call that succeeds; median of {TIMES}. Simulated OpenNebula."
            ),
            unit: "s",
            goal: Some(goal.to_owned()),
            lines: vec![
                Line::new("onepod", ours, format!("{:+.3} s", ours - alone)),
                Line::new(
                    "oned alone",
                    alone,
                    "configuration and credentials prepared by hand",
                ),
            ],
        }
    };
    vec![
        pair(
            "Container start to a ready API, existing database",
            "existing",
            "≤ oned alone + 0.15 s",
        ),
        pair(
            "Container start to a ready API, fresh database",
            "fresh",
            "≤ oned alone + 0.5 s",
        ),
        Table {
            title: "Stop".to_owned(),
            method: format!(
                "From SIGTERM to the end of the container; median of {TIMES}. onepod stops the servers first and then oned."
            ),
            unit: "s",
            goal: Some("≤ the longest chain of the services' own stops + 0.1 s".to_owned()),
            lines: vec![
                Line::new(
                    "onepod",
                    of("stop-onepod"),
                    format!(
                        "longest chain {:.3} s: the slowest server, then oned",
                        of("chain")
                    ),
                ),
                Line::new("oned alone", of("stop-alone"), ""),
            ],
        },
        Table {
            title: "Calls that settle the credentials of a start where nothing changed".to_owned(),
            method: "As onepod's log says.".to_owned(),
            unit: "calls",
            goal: Some("≤ 5".to_owned()),
            lines: vec![Line::new("onepod", of("calls"), "")],
        },
    ]
}

/// The part inside the namespaces: prints figures.
pub(crate) fn starts(args: &Args) -> Result<()> {
    let mut stand = Stand::new(args)?;
    let by_onepod = stand.pod.command.clone();
    let by_hand = ["/bin/sh", "-c", BY_HAND].map(str::to_owned).to_vec();
    // The first start makes the configuration and the credentials that oned alone finds prepared.
    stand.once(&by_onepod, |_, _| ())?;
    stand.keep_configuration()?;
    for _ in 0..TIMES {
        let text = stand.once(&by_onepod, |start, stop| start_and_stop("onepod", start, stop))?;
        if let Some(calls) = calls(&text) {
            figure("calls", calls.into());
        }
        if let Some(seconds) = chain(&text) {
            figure("chain", seconds);
        }
        stand.once(&by_hand, |start, stop| start_and_stop("alone", start, stop))?;
    }
    for _ in 0..TIMES {
        stand.forget()?;
        stand.pod.new_volume()?;
        stand.once(&by_onepod, |start, _| figure("fresh-onepod", start))?;
        stand.keep_configuration()?;
        stand.forget()?;
        stand.forget_service_files()?;
        stand.once(&by_hand, |start, _| figure("fresh-alone", start))?;
    }
    Ok(())
}

fn start_and_stop(who: &str, start: f64, stop: f64) {
    figure(&format!("existing-{who}"), start);
    figure(&format!("stop-{who}"), stop);
}

/// `…, 2 calls` of the credentials' line.
fn calls(log: &str) -> Option<u32> {
    log.lines()
        .filter(|line| line.contains("credentials: "))
        .find_map(|line| {
            let (before, _) = line.split_once(CALLS)?;
            before.rsplit(' ').next()?.parse().ok()
        })
}

/// The longest way through the services' own stops, in seconds: the slowest that ends before oned, and oned.
fn chain(log: &str) -> Option<f64> {
    let mut began = BTreeMap::new();
    let mut took = BTreeMap::new();
    for line in log.lines() {
        let Some((head, text)) = line.split_once(" onepod  ") else {
            continue;
        };
        let (Some(at), Some((name, rest))) = (second_of_day(head), text.split_once(": ")) else {
            continue;
        };
        if rest == "stopping" {
            began.insert(name, at);
        } else if rest.starts_with("ended") || rest.starts_with("exit") || rest.starts_with("killed") {
            took.extend(began.remove(name).map(|begin| (name, at - begin)));
        }
    }
    let oned = took.remove("oned")?;
    Some(took.into_values().fold(0.0, f64::max) + oned)
}

/// The seconds since midnight of a line that begins with an RFC 3339 time.
fn second_of_day(head: &str) -> Option<f64> {
    let time = head.split_once('T')?.1.split_once('Z')?.0;
    time.split(':')
        .try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_the_slowest_server_and_oned() {
        let log = "2026-11-23T10:00:00.000Z INFO  onepod  fireedge: stopping\n\
                   2026-11-23T10:00:00.000Z INFO  onepod  oneflow: stopping\n\
                   2026-11-23T10:00:01.000Z INFO  onepod  fireedge: exit code 0 after 9.0 s\n\
                   2026-11-23T10:00:02.000Z INFO  onepod  oneflow: exit code 0 after 9.0 s\n\
                   2026-11-23T10:00:02.000Z INFO  onepod  oned: stopping\n\
                   2026-11-23T10:00:08.250Z INFO  onepod  oned: exit code 0 after 15.0 s\n";
        assert_eq!(
            chain(log).map(|seconds| seconds.to_string()),
            Some("8.25".to_owned())
        );
    }

    #[test]
    fn the_number_of_calls_is_read() {
        assert_eq!(
            calls("12 INFO onepod  credentials: nothing to change, 2 calls\n"),
            Some(2)
        );
    }
}
