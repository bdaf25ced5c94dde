//! All checks, one after the other; then the table, and the report. What is checked is not known here.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use faults::report::{Report, Row};
use faults::{apart, namespaces};

use crate::check::{self, Check, Run};
use crate::context::Context;
use crate::progress::say;
use crate::settings::Settings;

/// A check that has not ended by then is ended: far beyond what any takes.
const LONGEST: Duration = Duration::from_mins(15);

/// Whether all checks passed.
pub(crate) fn run(settings: &Settings) -> Result<bool> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "namespaces and containers need root, and so do some files of the image"
    );
    let wanted = |check: &&Check| {
        settings.only.is_empty() || settings.only.iter().any(|part| check.name.contains(part))
    };
    let checks: Vec<&Check> = check::ALL.iter().filter(wanted).collect();
    ensure!(
        !checks.is_empty(),
        "no check has {} in its name",
        settings.only.join(" or ")
    );
    let context = Context::new(settings)?;
    fs::create_dir_all(&settings.work).with_context(|| settings.work.display().to_string())?;
    let mut report = Report {
        part: "check",
        rows: Vec::new(),
    };
    for check in &checks {
        let row = row(check, &context, settings);
        say(&row.to_string());
        report.rows.push(row);
    }
    if let Some(path) = &settings.report {
        fs::write(path, written(&report, &checks, settings)).with_context(|| path.display().to_string())?;
    }
    say(&format!("\n{report}"));
    Ok(report.passed())
}

fn row(check: &Check, context: &Context, settings: &Settings) -> Row {
    let start = Instant::now();
    let seen = match &check.run {
        Run::Unpacked(run) => run(context),
        Run::Started(..) => {
            let _ = fs::remove_file(gathered(settings, check.name));
            let seen = apart::attempt(&settings.work, check.name, &arguments(settings), LONGEST);
            namespaces::remove_control_groups();
            seen
        }
    };
    Row {
        name: check.name,
        expected: check.expected,
        seen: seen.map_err(|error| format!("{error:#}")),
        took: start.elapsed(),
    }
}

/// Where a check leaves what it gathered for the report.
pub(crate) fn gathered(settings: &Settings, check: &str) -> PathBuf {
    settings.work.join(format!("{check}.md"))
}

fn written(report: &Report, checks: &[&Check], settings: &Settings) -> String {
    let mut text = format!("# The image of OpenNebula {}\n\n{report}\n", settings.release);
    for check in checks {
        if let Ok(more) = fs::read_to_string(gathered(settings, check.name)) {
            let _ = write!(text, "\n{more}");
        }
    }
    text
}

fn arguments(settings: &Settings) -> Vec<OsString> {
    vec![
        "--rootfs".into(),
        settings.rootfs.clone().into_os_string(),
        "--config".into(),
        settings.config.clone().into_os_string(),
        "--release".into(),
        settings.release.to_string().into(),
        "--work".into(),
        settings.work.clone().into_os_string(),
    ]
}
