//! A service is killed: when does its successor run?

use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::Bench;
use crate::peers::{Began, Peer, Scene};
use crate::process::{idle, monotonic_ns, signal};
use crate::stats::{median, percentile};
use crate::table::{Line, Table};

const SERVICES: usize = 10;
/// A little more than the time after which onepod holds a service for healthy; the others need less.
const HEALTHY: Duration = Duration::from_secs(32);

/// The time from SIGKILL to the first line of the successor, medians of ten services killed one after the other.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let scenes = bench
        .peers
        .iter()
        .filter(|peer| peer.restarts())
        .map(|peer| {
            let scene = Scene::of_idle_services(SERVICES)?;
            let (running, began) = scene.start(peer)?;
            Ok((peer, scene, running, began))
        })
        .collect::<Result<Vec<_>>>()?;
    idle(HEALTHY);
    let mut lines = Vec::new();
    for (peer, scene, _running, began) in &scenes {
        let times = began
            .iter()
            .map(|service| successor_of(service, scene))
            .collect::<Result<Vec<f64>>>()
            .with_context(|| peer.name())?;
        lines.push(Line::new(
            peer.name(),
            median(&times),
            format!("{:.2} to {:.2}", percentile(&times, 0), percentile(&times, 100)),
        ));
    }
    if bench.peers.contains(&Peer::TiniAndShell) {
        lines.push(Line::without(Peer::TiniAndShell.name(), "starts nothing again"));
    }
    Ok(vec![Table {
        title: "A service is killed: its successor runs".to_owned(),
        method: format!(
            "From kill -9 to the first instruction of the successor's main; median of {SERVICES} services that had run for \
             {} s.",
            HEALTHY.as_secs()
        ),
        unit: "ms",
        goal: Some("no later than the fastest of them".to_owned()),
        lines,
    }])
}

/// Kills one service; milliseconds until it runs again.
fn successor_of(service: &Began, scene: &Scene) -> Result<f64> {
    let killed = monotonic_ns();
    signal(service.pid, Signal::KILL);
    let next = scene.next()?;
    anyhow::ensure!(
        next.name == service.name,
        "{} began instead of {}",
        next.name,
        service.name
    );
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a minute at most")]
    let ms = (next.at_ns - killed) as f64 / 1e6;
    Ok(ms)
}
