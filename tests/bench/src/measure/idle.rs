//! The whole front-end left alone: memory and wake-ups of PID 1 while the kubelet's probes come as the chart sets them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::Bench;
use super::stand::{Args, Stand, figure, inside};
use crate::process::idle;
use crate::procfs::{Cost, cost_of_process};
use crate::stats::percentile;
use crate::table::{Line, Table, say};

/// How often the kubelet asks by default.
const PERIOD: Duration = Duration::from_secs(10);
/// Time for the start to be over.
const SETTLE: Duration = Duration::from_secs(30);

/// Memory and wake-ups, or nothing without an image.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let Some(rootfs) = &bench.rootfs else {
        say("bench: no --rootfs, so that the idle front-end is left out");
        return Ok(Vec::new());
    };
    let figures = inside("idle", rootfs, bench.minutes)?;
    let of = |name: &str| figures.get(name).map(Vec::as_slice).unwrap_or_default();
    let (rss, wakes) = (of("rss"), of("wakes"));
    let method = format!(
        "All services of the simulated OpenNebula, a real MariaDB, /livez and /readyz every {} s; {} minutes.",
        PERIOD.as_secs(),
        wakes.len()
    );
    let first = rss.first().copied().unwrap_or_default();
    let last = rss.last().copied().unwrap_or_default();
    Ok(vec![
        Table {
            title: "The front-end left alone: memory of PID 1".to_owned(),
            method: method.clone(),
            unit: "kB",
            goal: Some("≤ 8,192 kB".to_owned()),
            lines: vec![Line::new(
                "onepod",
                last,
                format!("at the end; {first:.0} kB half a minute after the start"),
            )],
        },
        Table {
            title: "The front-end left alone: wake-ups of PID 1 a second".to_owned(),
            method,
            unit: "1/s",
            goal: Some("≤ 1 without probes and log lines".to_owned()),
            lines: vec![Line::new(
                "onepod",
                percentile(wakes, 50),
                format!(
                    "median minute; {:.2} to {:.2}",
                    percentile(wakes, 0),
                    percentile(wakes, 100)
                ),
            )],
        },
    ])
}

/// The part inside the namespaces: prints figures.
pub(crate) fn watch(args: &Args) -> Result<()> {
    let mut stand = Stand::new(args)?;
    let (mut container, _) = stand.start()?;
    container.started()?;
    idle(SETTLE);
    let pid = container.pid()?;
    let mut before = cost_of_process(pid);
    figure("rss", before.rss_kb);
    for _ in 0..args.minutes {
        let began = Instant::now();
        while began.elapsed() < Duration::from_mins(1) {
            for path in ["/livez", "/readyz"] {
                let (status, body) = container.get(path).context(path)?;
                ensure!(status == 200, "{path}: {status} {body}");
            }
            idle(PERIOD);
        }
        let now: Cost = cost_of_process(pid);
        figure("rss", now.rss_kb);
        figure(
            "wakes",
            (now.sleeps - before.sleeps) / began.elapsed().as_secs_f64(),
        );
        before = now;
    }
    container.stop()
}
