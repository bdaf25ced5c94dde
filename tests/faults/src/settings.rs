//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Breaks what can break around a front-end, one fault after the other, and prints a table of what came of it.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Settings {
    /// The unpacked root file system of the front-end's image
    #[arg(long)]
    pub(crate) rootfs: PathBuf,

    /// Folder for what the faults write; it needs no room unless `--keep` is given
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.state/faults/work"))]
    pub(crate) work: PathBuf,

    /// Only the faults whose name contains this; can be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// Faults at a time
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,

    /// Factor on the fixed waits of a simulated OpenNebula; a real one has its own
    #[arg(long, default_value = "0.1")]
    pub(crate) time_scale: String,

    /// A file in the place of one of the image's, for a quick look at a change:
    /// `usr/local/bin/onepod=target/debug/onepod`; can be given more than once
    #[arg(long, value_name = "PLACE=FILE")]
    pub(crate) replace: Vec<String>,

    /// Leaves volume, database and logs of each fault below `--work`
    #[arg(long)]
    pub(crate) keep: bool,

    /// Prints the faults with what must come of them, and ends
    #[arg(long)]
    pub(crate) list: bool,

    /// Writes the table to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// What the program calls itself with.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Verb {
    /// One fault, in namespaces that are there already
    #[command(hide = true)]
    Inside {
        /// Its name
        fault: String,
    },
}
