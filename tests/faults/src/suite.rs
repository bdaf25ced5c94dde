//! All faults, some at a time, each in namespaces of its own; then the table.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use faults::front_end::OpenNebula;
use faults::report::{Report, Row};
use faults::{apart, mariadb, namespaces, wait};

use crate::fault::{self, Fault};
use crate::progress::say;
use crate::settings::Settings;

/// A fault that has not ended by then is ended: far beyond what any takes for its usual number of rounds.
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
    let factor = OpenNebula::of(&settings.rootfs).limit_factor();
    wait::widen_limits(factor);
    say(&format!(
        "{:?} OpenNebula, limits {factor} times as wide as a simulated one's",
        OpenNebula::of(&settings.rootfs)
    ));
    mariadb::template(&settings.work.join("mariadb"))?;
    let start = Instant::now();
    let left: Mutex<VecDeque<(usize, &Fault)>> = Mutex::new(faults.iter().copied().enumerate().collect());
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..settings.jobs.max(1) {
            scope.spawn(|| {
                while let Some((number, fault)) = take(&left) {
                    let row = row(fault, settings);
                    say(&row.to_string());
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
        part: "fault",
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
    let seen = apart::attempt(
        &settings.work,
        fault.name,
        &arguments(settings),
        LONGEST * fault.rounds(),
    )
    .map_err(|error| format!("{error:#}"));
    namespaces::remove_control_groups();
    Row {
        name: fault.name,
        expected: fault.expected,
        seen,
        took: start.elapsed(),
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
