//! Lines per second through PID 1, beside the same lines written straight to the same pipe.

use std::io::Read as _;
use std::process::{ChildStdout, Command};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Bench;
use crate::peers::{Peer, Scene};
use crate::process::Running;
use crate::table::{Line, Table};

const WRITERS: usize = 4;
const LINES: u64 = 500_000;
/// supervisord would need minutes for as many.
const LINES_OF_SUPERVISORD: u64 = 10_000;
/// So long without a byte is the end.
const SILENCE: Timespec = Timespec {
    tv_sec: 3,
    tv_nsec: 0,
};
/// Bytes of one line as the writers write it.
const LENGTH: f64 = 100.0;

/// Lines that a reader of the standard output got each second.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let mut lines = Vec::new();
    for peer in bench
        .peers
        .iter()
        .filter(|peer| matches!(peer, Peer::Onepod(_) | Peer::Supervisord))
    {
        let count = match peer {
            Peer::Supervisord => LINES_OF_SUPERVISORD,
            _ => LINES,
        };
        let scene = Scene::of_writers(WRITERS, count)?;
        let (running, stdout) = Running::start_piped(peer.command(&scene)?)?;
        let got = read(stdout, count).with_context(|| peer.name())?;
        drop(running);
        lines.push(Line::new(peer.name(), got.rate, got.remark));
    }
    let scene = Scene::of_writers(WRITERS, LINES)?;
    let (running, stdout) = Running::start_piped(straight(&scene)?)?;
    let got = read(stdout, LINES).context("straight")?;
    drop(running);
    lines.push(Line::new(
        "straight to the pipe",
        got.rate,
        "what s6, runit and tini do: whole lines of several writers are not kept apart",
    ));
    Ok(vec![Table {
        title: "Lines of logs a second".to_owned(),
        method: format!(
            "{WRITERS} services write {LINES} lines of {LENGTH:.0} bytes each ({LINES_OF_SUPERVISORD} with supervisord); counted until the \
             reader of standard output has all."
        ),
        unit: "lines/s",
        goal: Some("≥ 500,000".to_owned()),
        lines,
    }])
}

fn straight(scene: &Scene) -> Result<Command> {
    Peer::TiniAndShell.command(scene)
}

/// What the reader got.
struct Got {
    /// Lines a second, from the first byte to the last.
    rate: f64,
    /// For the table.
    remark: String,
}

/// Reads until every line is there, or nothing has come for a while: a supervisor that never lets a service wait drops
/// lines when its reader is slower.
fn read(mut stdout: ChildStdout, count: u64) -> Result<Got> {
    let wanted = count * WRITERS as u64;
    let mut buffer = vec![0; 256 * 1024];
    let mut times: Option<(Instant, Instant)> = None;
    let (mut lines, mut bytes) = (0_u64, 0_u64);
    while lines < wanted && (times.is_none() || more(&stdout)?) {
        let length = stdout.read(&mut buffer)?;
        anyhow::ensure!(length > 0, "the output ended after {lines} of {wanted} lines");
        let now = Instant::now();
        times = Some((times.map_or(now, |(first, _)| first), now));
        let chunk = buffer.get(..length).unwrap_or_default();
        bytes += length as u64;
        lines += chunk.split(|byte| *byte == b'\n').count() as u64 - 1;
    }
    let (first, last) = times.context("nothing was written")?;
    let missing = wanted.saturating_sub(lines);
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let (all, length) = (lines as f64, bytes as f64 / lines.max(1) as f64);
    Ok(Got {
        rate: all / (last - first).as_secs_f64(),
        remark: if missing == 0 {
            format!("{length:.0} bytes a line")
        } else {
            format!("{length:.0} bytes a line; {missing} lines dropped and counted, the reader was slower")
        },
    })
}

/// Whether more comes before it counts as the end.
fn more(stdout: &ChildStdout) -> Result<bool> {
    let mut one = [PollFd::new(stdout, PollFlags::IN)];
    Ok(poll(&mut one, Some(&SILENCE))? > 0)
}
