//! What is measured, in which order, and the page that comes of it. One file per measurement.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::Run;
use crate::machine;
use crate::peers::Peer;
use crate::table::{Table, say};

mod edit;
pub(crate) mod idle;
mod logs;
mod probe;
mod restart;
pub(crate) mod stand;
pub(crate) mod start;
mod weight;

/// A measurement, with the name by which it can be chosen.
type Measurement = (&'static str, fn(&Bench) -> Result<Vec<Table>>);

const MEASUREMENTS: [Measurement; 7] = [
    ("weight", weight::measure),
    ("restart", restart::measure),
    ("start", start::measure),
    ("idle", idle::measure),
    ("probe", probe::measure),
    ("logs", logs::measure),
    ("edit", edit::measure),
];

/// What the measurements are made with.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Ours first.
    pub(crate) peers: Vec<Peer>,
    /// onepod's program.
    pub(crate) onepod: PathBuf,
    /// The unpacked image, for the measurements that need it.
    pub(crate) rootfs: Option<PathBuf>,
    /// How long the idle front-end is watched.
    pub(crate) minutes: u32,
}

/// Measures and returns the page.
pub(crate) fn all(run: &Run) -> Result<String> {
    let onepod = run
        .onepod
        .canonicalize()
        .with_context(|| format!("--onepod {}", run.onepod.display()))?;
    let bench = Bench {
        peers: Peer::all(&onepod),
        onepod,
        rootfs: run.rootfs.clone(),
        minutes: run.minutes,
    };
    let mut page = head();
    for (name, measure) in MEASUREMENTS {
        if run.only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        say(&format!("bench: {name}"));
        for table in measure(&bench).with_context(|| name.to_owned())? {
            write!(page, "\n{table}")?;
        }
    }
    Ok(page)
}

fn head() -> String {
    format!(
        "# Benchmarks\n\nWritten by `make bench`; every table comes of one run on one machine: {}. Compare the ratios, not the\n\
         figures: those hold for this machine alone. Ratios are to onepod's figure; above 1.00 the peer has more of what is\n\
         counted. supervisord, s6, runit and tini are those of Debian 12.\n",
        machine::described()
    )
}
