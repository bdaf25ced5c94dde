//! What a probe of the API's health costs, and how many calls many probes make.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::Bench;
use crate::net::{StandIn, free_address, get};
use crate::process::{Running, idle, largest_memory_kb, repeatedly, until};
use crate::stats::{median, percentile};
use crate::table::{Line, Table};

const PROBES: usize = 10_000;
const RUNS: u32 = 20;
/// onepod asks a service that is ready this often.
const PERIOD: Duration = Duration::from_secs(5);

/// A call in Ruby with Ruby's own XML-RPC library: the least that any of the vendor's commands does.
const RUBY: &str = "require 'xmlrpc/client'; \
    exit(XMLRPC::Client.new2(ARGV[0]).call('one.user.info', 'oneadmin:x', -1)[0] ? 0 : 1)";

/// A supervised oned that is only a stand-in, and onepod's endpoint that speaks of it.
struct Pod {
    oned: StandIn,
    listen: SocketAddr,
    _running: Running,
    _directory: TempDir,
}

/// Time, processor and memory of a probe; calls that reach oned.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let pod = Pod::start(&bench.onepod)?;
    let (times, calls) = pod.probe()?;
    let exec = || {
        let mut command = Command::new(&bench.onepod);
        command
            .args(["probe", "ready"])
            .env("ONEPOD_LISTEN", pod.listen.to_string());
        command
    };
    let ruby = || {
        let mut command = Command::new("ruby");
        command
            .args(["-e", RUBY])
            .arg(format!("http://{}/RPC2", pod.oned.address));
        command
    };
    let (exec_run, ruby_run) = (repeatedly(RUNS, exec)?, repeatedly(RUNS, ruby)?);
    let (exec_memory, ruby_memory) = (largest_memory_kb(&exec())?, largest_memory_kb(&ruby())?);
    Ok(vec![
        Table {
            title: "A probe of the API's health: time".to_owned(),
            method: format!(
                "From connecting to the whole answer, one after the other: {PROBES} of /readyz, {RUNS} of each program. \
                 The vendor's `oneuser show 0`, seen with OpenNebula 7.0.2 on another machine: 270 ms of processor time \
                 and 40 MiB each time."
            ),
            unit: "ms",
            goal: Some("p99 of /readyz ≤ 2 ms, no process".to_owned()),
            lines: vec![
                Line::new(
                    "onepod, GET /readyz",
                    percentile(&times, 99),
                    format!("p99; median {:.3}", median(&times)),
                ),
                Line::new(
                    "onepod probe ready",
                    exec_run.wall_ms,
                    "for exec probes and Docker's HEALTHCHECK",
                ),
                Line::new(
                    "Ruby, one XML-RPC call",
                    ruby_run.wall_ms,
                    "less than what oneuser does",
                ),
            ],
        },
        Table {
            title: "A probe of the API's health: processor time".to_owned(),
            method: format!("User and system, mean of {RUNS}. A probe by HTTP starts no process."),
            unit: "ms",
            goal: None,
            lines: vec![
                Line::new(
                    "onepod probe ready",
                    exec_run.cpu_ms,
                    format!("{exec_memory:.0} kB"),
                ),
                Line::new(
                    "Ruby, one XML-RPC call",
                    ruby_run.cpu_ms,
                    format!("{ruby_memory:.0} kB"),
                ),
            ],
        },
        Table {
            title: format!("Calls that reach oned in {} s", PERIOD.as_secs()),
            method: format!(
                "While {PROBES} probes arrived as fast as they were answered, over two periods at least."
            ),
            unit: "calls",
            goal: Some("≤ 1".to_owned()),
            lines: vec![Line::new(
                "onepod",
                calls,
                "a peer that runs oneuser for each probe makes one call each",
            )],
        },
    ])
}

impl Pod {
    fn start(onepod: &Path) -> Result<Self> {
        let oned = StandIn::start()?;
        let directory = TempDir::new().context("a directory")?;
        let auth = directory.path().join("var/lib/one/.one");
        fs::create_dir_all(&auth)?;
        fs::write(auth.join("one_auth"), "oneadmin:x\n")?;
        let services = directory.path().join("services.toml");
        fs::write(
            &services,
            format!(
                "[services.oned]\ncommand = [\"/bin/sleep\", \"1000000\"]\nessential = true\n\
                 readiness = {{ xmlrpc = \"http://{}/RPC2\" }}\n",
                oned.address
            ),
        )?;
        let listen = free_address()?;
        let mut command = Command::new(onepod);
        command
            .arg("supervise")
            .arg("--services")
            .arg(&services)
            .arg("--root")
            .arg(directory.path())
            .env("ONEPOD_LISTEN", listen.to_string());
        let running = Running::start(command)?;
        until("onepod is ready", || {
            matches!(get(listen, "/readyz"), Ok(200)).then_some(())
        })?;
        Ok(Self {
            oned,
            listen,
            _running: running,
            _directory: directory,
        })
    }

    /// Asks many times: milliseconds of each, and calls to oned in one period meanwhile.
    fn probe(&self) -> Result<(Vec<f64>, f64)> {
        let (before, began) = (self.oned.calls(), Instant::now());
        let mut times = Vec::with_capacity(PROBES);
        for _ in 0..PROBES {
            let asked = Instant::now();
            anyhow::ensure!(get(self.listen, "/readyz")? == 200, "not ready");
            times.push(asked.elapsed().as_secs_f64() * 1000.0);
        }
        // The calls are counted over two whole periods at least.
        idle((PERIOD * 2).saturating_sub(began.elapsed()));
        let periods = began.elapsed().as_secs_f64() / PERIOD.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let calls = (self.oned.calls() - before) as f64 / periods;
        Ok((times, calls))
    }
}
