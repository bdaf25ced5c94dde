//! The benchmarks: onepod beside supervisord, s6, runit and a plain shell, all measured in one run on one machine.
//!
//! ```text
//! make bench                                   all of it; rewrites docs/benchmarks.md
//! cargo run -p bench -- run --onepod PROGRAM   without the rows that need the image
//! ```
//!
//! Each row says what was measured, of whom, how often, and the ratio to onepod's figure. Absolute figures hold for one
//! machine; the ratios are what is compared between runs. It judges nothing: figures that must hold are tests elsewhere.

mod machine;
mod measure;
mod net;
mod peers;
mod process;
mod procfs;
mod service;
mod stats;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

/// Measures onepod and its peers.
#[derive(Debug, Parser)]
enum Verb {
    /// Measure, and write the tables
    Run(Run),
    /// What the supervisors run while they are measured
    #[command(hide = true)]
    Service(service::Args),
    /// Writes lines as fast as it can, then stays
    #[command(hide = true)]
    Lines(service::LinesArgs),
    /// Starts and stops of the image, in namespaces of their own
    #[command(hide = true)]
    Starts(measure::stand::Args),
    /// The image left alone, in namespaces of its own
    #[command(hide = true)]
    Idle(measure::stand::Args),
}

/// What to measure with.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The stripped program as the image has it
    #[arg(long)]
    onepod: PathBuf,
    /// The unpacked image of the front-end (`cargo xtask faults` unpacks it)
    #[arg(long)]
    rootfs: Option<PathBuf>,
    /// How long the idle front-end is watched
    #[arg(long, default_value_t = 5)]
    minutes: u32,
    /// Where the tables go; on standard output they are in any case
    #[arg(long)]
    report: Option<PathBuf>,
    /// Only measurements whose name has this in it
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    let outcome = match Verb::parse() {
        Verb::Run(run) => measure(&run),
        Verb::Service(args) => service::stay(&args),
        Verb::Lines(args) => service::write_lines(&args),
        Verb::Starts(args) => measure::start::starts(&args),
        Verb::Idle(args) => measure::idle::watch(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            table::say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(run: &Run) -> anyhow::Result<()> {
    let text = measure::all(run)?;
    table::say(&text);
    if let Some(path) = &run.report {
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
