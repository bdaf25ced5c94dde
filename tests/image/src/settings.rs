//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::release::Release;

/// Checks what must be true of every published image, and prints a table of what was seen.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Settings {
    /// The unpacked root file system of the image; it is only read
    #[arg(long, value_name = "DIR")]
    pub(crate) rootfs: PathBuf,

    /// The image's configuration as JSON, in Docker's form
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// The release of OpenNebula that the image is of, for example 7.2.0
    #[arg(long, value_name = "X.Y.Z")]
    pub(crate) release: Release,

    /// Folder for logs of the checks
    #[arg(long, value_name = "DIR", value_parser = |path: &str| std::path::absolute(path))]
    pub(crate) work: PathBuf,

    /// Writes the table, and what the checks gathered, to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Only the checks whose name contains this; can be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// What the program calls itself with.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Verb {
    /// One check, in namespaces that are there already
    #[command(hide = true)]
    Inside {
        /// Its name
        check: String,
    },
}
