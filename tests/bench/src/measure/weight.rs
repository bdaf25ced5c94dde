//! What PID 1 weighs: memory, processes, size, and how often it wakes up when nothing happens.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Bench;
use crate::peers::{Peer, Scene};
use crate::process::idle;
use crate::procfs::{Cost, cost_of_supervision};
use crate::table::{Line, Table};

const SERVICES: usize = 8;
/// Time for start-up work to be over.
const SETTLE: Duration = Duration::from_secs(10);
const WATCHED: Duration = Duration::from_mins(1);

/// Memory and wake-ups of each supervisor with eight silent services, and the size of our program.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    // All at once, so that each has the same minute.
    let scenes = bench
        .peers
        .iter()
        .map(|peer| {
            let scene = Scene::of_idle_services(SERVICES)?;
            let (running, _) = scene.start(peer)?;
            Ok((peer, scene, running))
        })
        .collect::<Result<Vec<_>>>()?;
    idle(SETTLE);
    let costs = || -> Vec<Cost> {
        scenes
            .iter()
            .map(|(_, _, running)| cost_of_supervision(running.pid()))
            .collect()
    };
    let before = costs();
    idle(WATCHED);
    let after = costs();
    let mut memory = Vec::new();
    let mut wakes = Vec::new();
    for (((peer, _, _), before), after) in scenes.iter().zip(before).zip(after) {
        memory.push(Line::new(
            peer.name(),
            after.rss_kb,
            format!(
                "{} processes, {:.0} kB when shared pages are divided{}",
                after.processes,
                after.pss_kb,
                what_else(peer)
            ),
        ));
        let rate = (after.sleeps - before.sleeps) / WATCHED.as_secs_f64();
        wakes.push(Line::new(peer.name(), rate, ""));
    }
    let size = fs::metadata(&bench.onepod)
        .with_context(|| bench.onepod.display().to_string())?
        .len();
    #[expect(clippy::cast_precision_loss, reason = "a file of some megabytes")]
    let mib = size as f64 / (1024.0 * 1024.0);
    Ok(vec![
        Table {
            title: format!("Memory of supervision, {SERVICES} services"),
            method: format!(
                "Resident memory of all processes that are not services, {} s after the start, services silent.",
                (SETTLE + WATCHED).as_secs()
            ),
            unit: "kB",
            goal: Some("≤ 8,192 kB".to_owned()),
            lines: memory,
        },
        Table {
            title: format!("Wake-ups a second, {SERVICES} silent services"),
            method: format!(
                "Voluntary context switches of all threads of the same processes, over {} s.",
                WATCHED.as_secs()
            ),
            unit: "1/s",
            goal: Some("≤ 1".to_owned()),
            lines: wakes,
        },
        Table {
            title: "Size of the program".to_owned(),
            method: "Stripped, as the image has it.".to_owned(),
            unit: "MiB",
            goal: Some("≤ 12 MiB".to_owned()),
            lines: vec![Line::new("onepod", mib, "")],
        },
    ])
}

fn what_else(peer: &Peer) -> &'static str {
    match peer {
        Peer::Onepod(_) => "; with probes, endpoint and log stream",
        Peer::Supervisord => "; with log stream",
        Peer::S6 | Peer::Runit => "; starts and restarts alone",
        Peer::TiniAndShell => "; starts alone",
    }
}
