//! The whole front-end: container start to a ready API, and stop, beside oned alone with everything prepared by hand.
//!
//! In namespaces of its own, with the image's root file system, a real MariaDB and the simulated OpenNebula, whose waits
//! are as long as the real one's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use faults::api::{self, Value};
use faults::front_end::{Console, Container, Image, Pod};
use faults::mariadb::{self, Database};
use faults::process::Running;
use faults::wait::{Look, until};
use faults::{namespaces, world};
use rustix::process::Signal;

use super::Bench;
use crate::process::monotonic_ns;
use crate::stats::median;
use crate::table::{Line, Table, say};

const TIMES: usize = 3;
/// The longest that a start or a stop may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(1);
/// What oned alone runs: its configuration and credentials are there already.
const BY_HAND: &str = "cp -R /var/lib/one/.prepared/. /etc/one/ && mkdir -p /run/lock/one /run/one/ssh-socks && \
                       exec /usr/bin/oned -f >/var/log/one/oned.out 2>&1";
/// The line of onepod's log that says how many calls its credentials needed.
const CALLS: &str = " calls";

/// Where the image and the working files are.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The unpacked image
    #[arg(long)]
    rootfs: PathBuf,
    /// A directory for what lasts no longer than the measurement
    #[arg(long)]
    work: PathBuf,
}

/// Start, stop and calls, or nothing without an image.
pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    let Some(rootfs) = &bench.rootfs else {
        say("bench: no --rootfs, so that starts of the image are left out");
        return Ok(Vec::new());
    };
    let work = tempfile::tempdir().context("a directory")?;
    mariadb::template(&work.path().join("mariadb"))?;
    let log = work.path().join("figures");
    let file = fs::File::create(&log)?;
    let mut command = namespaces::command();
    command
        .arg(std::env::current_exe()?)
        .arg("starts")
        .arg("--rootfs")
        .arg(rootfs)
        .arg("--work")
        .arg(work.path())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let mut inside = Running::start(&mut command)?;
    let code = until("the end of the measurement", PATIENCE * 10, || {
        Ok(inside
            .ended()?
            .map_or_else(|| Look::NotYet(String::new()), Look::Seen))
    })?;
    namespaces::remove_control_groups();
    let said = fs::read_to_string(&log)?;
    ensure!(code == 0, "the measurement ended with {code}: {said}");
    Ok(tables(&figures(&said)))
}

/// Lines `figure NAME VALUE` in order, other lines left out.
fn figures(said: &str) -> BTreeMap<String, Vec<f64>> {
    let mut figures: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["figure", name, value] = words[..]
            && let Ok(value) = value.parse()
        {
            figures.entry(name.to_owned()).or_default().push(value);
        }
    }
    figures
}

fn tables(figures: &BTreeMap<String, Vec<f64>>) -> Vec<Table> {
    let of = |name: &str| figures.get(name).map(|sample| median(sample)).unwrap_or_default();
    let pair = |title: &str, name: &str, goal: &str| {
        let (ours, alone) = (of(&format!("{name}-onepod")), of(&format!("{name}-alone")));
        Table {
            title: title.to_owned(),
            method: format!(
                "From runc's start to the first authenticated call that succeeds; median of {TIMES}. Simulated OpenNebula."
            ),
            unit: "s",
            goal: Some(goal.to_owned()),
            lines: vec![
                Line::new("onepod", ours, format!("{:+.3} s", ours - alone)),
                Line::new(
                    "oned alone",
                    alone,
                    "configuration and credentials prepared by hand",
                ),
            ],
        }
    };
    vec![
        pair(
            "Container start to a ready API, existing database",
            "existing",
            "≤ oned alone + 0.15 s",
        ),
        pair(
            "Container start to a ready API, fresh database",
            "fresh",
            "≤ oned alone + 0.5 s",
        ),
        Table {
            title: "Stop".to_owned(),
            method: format!(
                "From SIGTERM to the end of the container; median of {TIMES}. onepod stops the servers first and then oned."
            ),
            unit: "s",
            goal: Some("≤ the longest chain of the services' own stops + 0.1 s".to_owned()),
            lines: vec![
                Line::new(
                    "onepod",
                    of("stop-onepod"),
                    format!(
                        "longest chain {:.3} s: the slowest server, then oned",
                        of("chain")
                    ),
                ),
                Line::new("oned alone", of("stop-alone"), ""),
            ],
        },
        Table {
            title: "Calls that settle the credentials of a start where nothing changed".to_owned(),
            method: "As onepod's log says.".to_owned(),
            unit: "calls",
            goal: Some("≤ 5".to_owned()),
            lines: vec![Line::new("onepod", of("calls"), "")],
        },
    ]
}

/// The part inside the namespaces: prints figures.
pub(crate) fn inside(args: &Args) -> Result<()> {
    let dir = args.work.join("inside");
    fs::create_dir_all(&dir)?;
    namespaces::memory(&dir, "size=2g,mode=755")?;
    namespaces::loopback()?;
    let image = Image::mount(&args.rootfs, &dir.join("image"))?;
    image.scale_time("1.0")?;
    let mut database = Database::install(&dir.join("mariadb"), &args.work.join("mariadb"))?;
    database.start()?;
    let (oneadmin, password) = (world::word(24), world::word(24));
    database.grant(&password)?;
    let secret = BTreeMap::from([
        ("oneadmin-password".to_owned(), oneadmin.clone()),
        ("one-key".to_owned(), world::hexadecimal(64)),
        ("fireedge-key".to_owned(), world::word(32)),
        ("serveradmin-secret".to_owned(), world::hexadecimal(64)),
    ]);
    let mut stand = Stand {
        pod: Pod::new(&dir.join("opennebula"), secret, &password)?,
        session: format!("oneadmin:{oneadmin}"),
        database,
        image,
    };
    let by_onepod = stand.pod.command.clone();
    let by_hand = ["/bin/sh", "-c", BY_HAND].map(str::to_owned).to_vec();
    // The first start makes the configuration and the credentials that oned alone finds prepared.
    stand.once(&by_onepod, |_, _| ())?;
    stand.keep_configuration()?;
    for _ in 0..TIMES {
        let text = stand.once(&by_onepod, |start, stop| start_and_stop("onepod", start, stop))?;
        if let Some(calls) = calls(&text) {
            figure("calls", calls.into());
        }
        if let Some(seconds) = chain(&text) {
            figure("chain", seconds);
        }
        stand.once(&by_hand, |start, stop| start_and_stop("alone", start, stop))?;
    }
    for _ in 0..TIMES {
        stand.forget()?;
        stand.pod.new_volume()?;
        stand.once(&by_onepod, |start, _| figure("fresh-onepod", start))?;
        stand.keep_configuration()?;
        stand.forget()?;
        stand.forget_service_files()?;
        stand.once(&by_hand, |start, _| figure("fresh-alone", start))?;
    }
    Ok(())
}

fn figure(name: &str, value: f64) {
    say(&format!("figure {name} {value}"));
}

fn start_and_stop(who: &str, start: f64, stop: f64) {
    figure(&format!("existing-{who}"), start);
    figure(&format!("stop-{who}"), stop);
}

/// What the front-end stands on.
struct Stand {
    pod: Pod,
    session: String,
    database: Database,
    image: Image,
}

impl Stand {
    /// One start and one stop of a new pod on the volume; what the container wrote.
    fn once(&mut self, command: &[String], report: impl FnOnce(f64, f64)) -> Result<String> {
        self.pod.empty()?;
        self.pod.command = command.to_vec();
        let began = Instant::now();
        let mut container = Container::start(self.image.root(), &mut self.pod, Console::File)?;
        until("a ready API", PATIENCE, || {
            if let Some(code) = container.ended()? {
                anyhow::bail!("it ended with {code}: {}", container.written());
            }
            let answer = api::call(
                ([127, 0, 0, 1], 2633).into(),
                &self.session,
                "one.user.info",
                &[Value::Int(-1)],
            );
            Ok(match answer {
                Ok(_) => Look::Seen(()),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })?;
        let start = began.elapsed().as_secs_f64();
        if command.iter().any(|word| word.ends_with("onepod")) {
            container.started()?;
        }
        let asked = monotonic_ns();
        container.signal(Signal::TERM)?;
        let code = container.end()?;
        #[expect(clippy::cast_precision_loss, reason = "some seconds")]
        let stop = (monotonic_ns() - asked) as f64 / 1e9;
        ensure!(code == 0, "it ended with {code}: {}", container.written());
        report(start, stop);
        Ok(container.written())
    }

    /// Copies what was rendered into /etc/one to the volume.
    fn keep_configuration(&self) -> Result<()> {
        let from = self.pod.path("etc").join(".");
        let to = self.pod.volume().join(".prepared");
        faults::process::run("cp", &["-a", &shown(&from), &shown(&to)])?;
        faults::process::run("chown", &["-R", "9869:9869", &shown(&to)])?;
        Ok(())
    }

    /// Removes the database.
    fn forget(&self) -> Result<()> {
        let statement = format!("DROP DATABASE IF EXISTS {}", mariadb::NAME);
        self.database.query(&statement).map(|_| ())
    }

    /// Removes what oned refuses to see at its first start.
    fn forget_service_files(&self) -> Result<()> {
        for entry in fs::read_dir(self.pod.volume().join(".one"))? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.ends_with("_auth") && name != "one_auth" {
                fs::remove_file(&path).with_context(|| shown(&path))?;
            }
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `…, 2 calls` of the credentials' line.
fn calls(log: &str) -> Option<u32> {
    log.lines()
        .filter(|line| line.contains("credentials: "))
        .find_map(|line| {
            let (before, _) = line.split_once(CALLS)?;
            before.rsplit(' ').next()?.parse().ok()
        })
}

/// The longest way through the services' own stops, in seconds: the slowest that ends before oned, and oned.
fn chain(log: &str) -> Option<f64> {
    let mut began = BTreeMap::new();
    let mut took = BTreeMap::new();
    for line in log.lines() {
        let Some((head, text)) = line.split_once(" onepod  ") else {
            continue;
        };
        let (Some(at), Some((name, rest))) = (second_of_day(head), text.split_once(": ")) else {
            continue;
        };
        if rest == "stopping" {
            began.insert(name, at);
        } else if rest.starts_with("ended") || rest.starts_with("exit") || rest.starts_with("killed") {
            took.extend(began.remove(name).map(|begin| (name, at - begin)));
        }
    }
    let oned = took.remove("oned")?;
    Some(took.into_values().fold(0.0, f64::max) + oned)
}

/// The seconds since midnight of a line that begins with an RFC 3339 time.
fn second_of_day(head: &str) -> Option<f64> {
    let time = head.split_once('T')?.1.split_once('Z')?.0;
    time.split(':')
        .try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_the_slowest_server_and_oned() {
        let log = "2026-11-23T10:00:00.000Z INFO  onepod  fireedge: stopping\n\
                   2026-11-23T10:00:00.000Z INFO  onepod  oneflow: stopping\n\
                   2026-11-23T10:00:01.000Z INFO  onepod  fireedge: exit code 0 after 9.0 s\n\
                   2026-11-23T10:00:02.000Z INFO  onepod  oneflow: exit code 0 after 9.0 s\n\
                   2026-11-23T10:00:02.000Z INFO  onepod  oned: stopping\n\
                   2026-11-23T10:00:08.250Z INFO  onepod  oned: exit code 0 after 15.0 s\n";
        assert_eq!(
            chain(log).map(|seconds| seconds.to_string()),
            Some("8.25".to_owned())
        );
    }

    #[test]
    fn figures_and_calls_are_read() {
        let read = figures("bench: x\nfigure stop 1.5\nfigure stop 2.5\n");
        assert_eq!(read.get("stop").map(Vec::len), Some(2));
        assert_eq!(
            calls("12 INFO onepod  credentials: nothing to change, 2 calls\n"),
            Some(2)
        );
    }
}
