//! All faults, some at a time, each in namespaces of its own; then the table.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use faults::process::Running;
use faults::wait::{Look, until};
use faults::{mariadb, namespaces};

use crate::fault::{self, Fault};
use crate::inside::{FAILED, SEEN};
use crate::progress::say;
use crate::report::{Report, Row};
use crate::settings::Settings;

/// A fault that has not ended by then is ended: far beyond what any takes.
const LONGEST: Duration = Duration::from_mins(2);

/// Whether all faults ended as they must.
pub(crate) fn run(settings: &Settings) -> Result<bool> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "namespaces and containers need root"
    );
    let wanted = |fault: &Fault| {
        settings.only.is_empty() || settings.only.iter().any(|part| fault.name.contains(part))
    };
    let faults: Vec<&Fault> = fault::ALL.iter().filter(|fault| wanted(fault)).collect();
    if faults.is_empty() {
        bail!("no fault has {} in its name", settings.only.join(" or "));
    }
    mariadb::template(&settings.work.join("mariadb"))?;
    let start = Instant::now();
    let left: Mutex<VecDeque<(usize, &Fault)>> = Mutex::new(faults.iter().copied().enumerate().collect());
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..settings.jobs.max(1) {
            scope.spawn(|| {
                while let Some((number, fault)) = take(&left) {
                    let row = row(fault, settings);
                    tell(&row);
                    rows.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((number, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(number, _)| *number);
    let report = Report {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    };
    say(&format!(
        "\n{} s, {} at a time\n\n{report}",
        start.elapsed().as_secs(),
        settings.jobs
    ));
    if let Some(path) = &settings.report {
        fs::write(path, format!("{report}\n")).with_context(|| path.display().to_string())?;
    }
    Ok(report.passed())
}

fn take<'a>(left: &Mutex<VecDeque<(usize, &'a Fault)>>) -> Option<(usize, &'a Fault)> {
    left.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn row(fault: &Fault, settings: &Settings) -> Row {
    let start = Instant::now();
    let seen = attempt(fault, settings).map_err(|error| format!("{error:#}"));
    namespaces::remove_control_groups();
    Row {
        fault: fault.name,
        expected: fault.expected,
        seen,
        took: start.elapsed(),
    }
}

fn tell(row: &Row) {
    let seconds = row.took.as_secs_f64();
    match &row.seen {
        Ok(seen) => say(&format!("{}: passed in {seconds:.1} s: {seen}", row.fault)),
        Err(why) => say(&format!("{}: FAILED after {seconds:.1} s: {why}", row.fault)),
    }
}

/// Tries one fault in namespaces of its own. Whatever it started ends with it: its PID 1 is killed when this thread or the
/// suite ends.
fn attempt(fault: &Fault, settings: &Settings) -> Result<String> {
    let log = settings.work.join(format!("{}.log", fault.name));
    fs::create_dir_all(&settings.work)?;
    let dir = settings.work.join(fault.name);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    }
    let file = File::create(&log).with_context(|| log.display().to_string())?;
    let mut command = namespaces::command();
    command
        .arg(std::env::current_exe()?)
        .args(arguments(settings))
        .args(["inside", fault.name])
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let mut inside = Running::start(&mut command)?;
    let limit = Instant::now();
    let ended = until("the end of the fault", LONGEST, || {
        Ok(inside.ended()?.map_or_else(
            || Look::NotYet(format!("{} s", limit.elapsed().as_secs())),
            Look::Seen,
        ))
    });
    inside.kill();
    let text = fs::read_to_string(&log).unwrap_or_default();
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    if let Some(seen) = last.strip_prefix(SEEN) {
        return Ok(seen.to_owned());
    }
    let code = ended?;
    match last.strip_prefix(FAILED) {
        Some(why) => bail!("{why} ({})", log.display()),
        None => bail!("it ended with {code}: {last} ({})", log.display()),
    }
}

fn arguments(settings: &Settings) -> Vec<std::ffi::OsString> {
    let mut arguments = vec![
        "--rootfs".into(),
        settings.rootfs.clone().into_os_string(),
        "--work".into(),
        settings.work.clone().into_os_string(),
        "--time-scale".into(),
        settings.time_scale.clone().into(),
    ];
    for replacement in &settings.replace {
        arguments.extend(["--replace".into(), replacement.into()]);
    }
    if settings.keep {
        arguments.push("--keep".into());
    }
    arguments
}
