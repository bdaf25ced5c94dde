//! What the kernel knows of processes: memory, context switches, families. Read from /proc; nothing is changed.

use std::fs;
use std::path::PathBuf;

/// What some processes cost together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// How many they are.
    pub(crate) processes: usize,
    /// Resident memory in kB, shared pages counted for each process.
    pub(crate) rss_kb: f64,
    /// The same with shared pages divided among those that share them.
    pub(crate) pss_kb: f64,
    /// How often they went to sleep by themselves: each is one wake-up before.
    pub(crate) sleeps: f64,
}

/// When a process began, in ticks since the machine started: with its number this is unique.
pub(crate) fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// A process and all its descendants, itself first.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut members = vec![pid];
    let mut next = 0;
    while let Some(member) = members.get(next).copied() {
        for thread in threads(member) {
            let children = fs::read_to_string(thread.join("children")).unwrap_or_default();
            members.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
        next += 1;
    }
    members
}

/// What the family costs without the services themselves, which run this program.
pub(crate) fn cost_of_supervision(pid: u32) -> Cost {
    let own = fs::read_link("/proc/self/exe").ok();
    let is_service = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok() == own;
    family(pid)
        .into_iter()
        .filter(|member| !is_service(*member))
        .map(cost_of_process)
        .fold(Cost::default(), |sum, cost| Cost {
            processes: sum.processes + cost.processes,
            rss_kb: sum.rss_kb + cost.rss_kb,
            pss_kb: sum.pss_kb + cost.pss_kb,
            sleeps: sum.sleeps + cost.sleeps,
        })
}

/// What one process costs.
pub(crate) fn cost_of_process(pid: u32) -> Cost {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    Cost {
        processes: 1,
        rss_kb: field(&rollup, "Rss:"),
        pss_kb: field(&rollup, "Pss:"),
        sleeps: sleeps(pid),
    }
}

fn sleeps(pid: u32) -> f64 {
    threads(pid)
        .into_iter()
        .map(|thread| {
            field(
                &fs::read_to_string(thread.join("status")).unwrap_or_default(),
                "voluntary_ctxt_switches:",
            )
        })
        .sum()
}

fn threads(pid: u32) -> Vec<PathBuf> {
    fs::read_dir(format!("/proc/{pid}/task"))
        .map(|tasks| tasks.flatten().map(|task| task.path()).collect())
        .unwrap_or_default()
}

fn field(text: &str, name: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
