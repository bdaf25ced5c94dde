//! What the supervisors run while they are measured: a service that says when it began and then does nothing, and one
//! that writes lines.

use std::io::{BufWriter, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::process::monotonic_ns;

/// Arguments of the service.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name
    #[arg(long)]
    name: String,
    /// The socket that wants to know when it began
    #[arg(long)]
    socket: PathBuf,
    /// The file that it makes when it is ready
    #[arg(long)]
    ready: PathBuf,
}

/// Arguments of the writer.
#[derive(Debug, clap::Args)]
pub(crate) struct LinesArgs {
    /// How many lines
    #[arg(long)]
    count: u64,
    /// The file that it makes when it begins
    #[arg(long)]
    ready: PathBuf,
}

/// Says `name pid nanoseconds` and stays until it is ended.
pub(crate) fn stay(args: &Args) -> anyhow::Result<()> {
    let began = monotonic_ns();
    let socket = UnixDatagram::unbound().context("a socket")?;
    let news = format!("{} {} {began}", args.name, std::process::id());
    socket
        .send_to(news.as_bytes(), &args.socket)
        .with_context(|| args.socket.display().to_string())?;
    std::fs::write(&args.ready, "").with_context(|| args.ready.display().to_string())?;
    loop {
        std::thread::park();
    }
}

/// Writes lines of 100 bytes and stays.
pub(crate) fn write_lines(args: &LinesArgs) -> anyhow::Result<()> {
    std::fs::write(&args.ready, "").with_context(|| args.ready.display().to_string())?;
    let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    for number in 0..args.count {
        writeln!(out, "{number:0>12} {:-<86}", "a line of the usual length")?;
    }
    out.flush()?;
    loop {
        std::thread::park();
    }
}
