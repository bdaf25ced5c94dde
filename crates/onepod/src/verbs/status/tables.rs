//! The tables of `onepod status`: which there are and what stands in them. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::table::{Cell, Colour, Table, cell, coloured, harmless, paint, wrap};
use super::terminal::View;
use crate::board::status::{Phase, Status, with_line};
use crate::board::{DatabaseLock, ServiceState, ServiceView, StageState, TimerState, UnitKind};
use crate::format::{count, mebibytes, seconds, span};

/// So many of the last errors are shown; `--json` has all that the pod keeps.
const ERRORS: usize = 5;

/// Everything.
pub(super) fn all(status: &Status, now: Timestamp, view: View) -> String {
    let parts = [
        headline(status, now, view),
        services(status, now, view),
        tasks(status, now, view),
        timers(status, now, view),
        stages(status, view),
        database(status, view),
        remotes(status, view),
        errors(status, now, view),
        counts(status),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn headline(status: &Status, now: Timestamp, view: View) -> String {
    let release = status.release.as_deref().unwrap_or("of unknown release");
    let (words, colour) = match (status.phase, status.ready) {
        (Phase::Running, true) => ("ready", Colour::Good),
        (Phase::Running, false) => ("not ready", Colour::Bad),
        (Phase::Preparing, _) => ("preparing", Colour::Busy),
        (Phase::Stopping, _) => ("stopping", Colour::Warn),
    };
    let mut out = format!(
        "{}: {}; onepod {}, up {}\n",
        paint(&format!("OpenNebula {}", harmless(release)), Colour::Head, view),
        paint(words, colour, view),
        harmless(&status.onepod),
        span(now.duration_since(status.started_at)),
    );
    for reason in &status.reasons {
        out += &indented(&harmless(reason), colour, view);
    }
    out
}

/// A paragraph that is moved to the right.
fn indented(text: &str, colour: Colour, view: View) -> String {
    let width = view
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(2).max(8));
    wrap(text, width).iter().fold(String::new(), |out, line| {
        out + "  " + &paint(line, colour, view) + "\n"
    })
}

fn is_task(status: &Status, name: &str) -> bool {
    status
        .plan
        .iter()
        .any(|unit| unit.name == name && unit.kind == UnitKind::Task)
}

fn state(state: ServiceState) -> Cell {
    let colour = match state {
        ServiceState::Ready | ServiceState::Done => Colour::Good,
        ServiceState::Starting | ServiceState::Running => Colour::Busy,
        ServiceState::Waiting | ServiceState::Stopping => Colour::Warn,
        ServiceState::Unready | ServiceState::Backoff | ServiceState::Failed => Colour::Bad,
        ServiceState::Stopped | ServiceState::Standby | ServiceState::Off | ServiceState::Absent => {
            Colour::Dim
        }
    };
    coloured(state.name(), colour)
}

fn remark(service: &ServiceView) -> Cell {
    match (service.cause_with_line(), &service.last_exit) {
        (Some(cause), _) => cell(cause),
        (None, Some(exit)) => coloured(format!("last run: {exit}"), Colour::Dim),
        (None, None) => cell(""),
    }
}

fn optional(value: Option<String>) -> Cell {
    cell(value.unwrap_or_default())
}

fn services(status: &Status, now: Timestamp, view: View) -> String {
    let head = [
        "SERVICE", "STATE", "SINCE", "RESTARTS", "MEMORY", "CPU", "PID", "REMARK",
    ];
    let mut table = Table::new(head, &[6, 5, 2, 4]);
    for service in status
        .services
        .iter()
        .filter(|service| !is_task(status, &service.name))
    {
        let restarts = service.restarts.to_string();
        table.push([
            cell(&service.name),
            state(service.state),
            cell(span(now.duration_since(service.since))),
            coloured(
                restarts,
                if service.restarts > 0 {
                    Colour::Warn
                } else {
                    Colour::Plain
                },
            ),
            optional(service.memory_kib.map(mebibytes)),
            optional(service.cpu_seconds.map(|seconds| format!("{seconds:.1} s"))),
            optional(service.pid.map(|pid| pid.to_string())),
            remark(service),
        ]);
    }
    text(&table, view)
}

fn tasks(status: &Status, now: Timestamp, view: View) -> String {
    let mut table = Table::new(["TASK", "STATE", "SINCE", "FAILURES", "REMARK"], &[2]);
    for task in status
        .services
        .iter()
        .filter(|service| is_task(status, &service.name))
    {
        table.push([
            cell(&task.name),
            state(task.state),
            cell(span(now.duration_since(task.since))),
            cell(task.restarts.to_string()),
            remark(task),
        ]);
    }
    text(&table, view)
}

fn timers(status: &Status, now: Timestamp, view: View) -> String {
    let head = ["TIMER", "NEXT RUN", "SCHEDULE", "RUNS", "FAILED", "LAST RUN"];
    let mut table = Table::new(head, &[2, 3]);
    for timer in &status.timers {
        let next = match (timer.state, timer.next) {
            (TimerState::Waiting, Some(next)) => cell(format!("in {}", span(next.duration_since(now)))),
            (TimerState::Running, _) => coloured("running", Colour::Busy),
            (state, _) => coloured(state.name(), Colour::Dim),
        };
        let last = timer.last.map(|last| {
            let ago = span(now.duration_since(last));
            format!("{ago} ago: {}", timer.outcome())
        });
        table.push([
            cell(&timer.name),
            next,
            cell(&timer.schedule),
            cell(timer.runs.to_string()),
            coloured(
                timer.failures.to_string(),
                if timer.failures > 0 {
                    Colour::Warn
                } else {
                    Colour::Plain
                },
            ),
            optional(last),
        ]);
    }
    text(&table, view)
}

fn stages(status: &Status, view: View) -> String {
    let mut table = Table::new(["STAGE", "STATE", "TIME", "REMARK"], &[]);
    for stage in &status.stages {
        let colour = match stage.state {
            StageState::Done => Colour::Good,
            StageState::Running => Colour::Busy,
            StageState::Waiting => Colour::Warn,
            StageState::Failed => Colour::Bad,
        };
        let remarks: Vec<&str> = stage
            .cause
            .iter()
            .chain(&stage.notes)
            .map(String::as_str)
            .collect();
        table.push([
            cell(&stage.name),
            coloured(stage.state.name(), colour),
            cell(seconds(stage.seconds)),
            coloured(remarks.join("; "), Colour::Warn),
        ]);
    }
    text(&table, view)
}

fn text<const N: usize>(table: &Table<N>, view: View) -> String {
    if table.is_empty() {
        String::new()
    } else {
        table.text(view)
    }
}

fn database(status: &Status, view: View) -> String {
    let Some(database) = &status.database else {
        return String::new();
    };
    let (lock, colour) = match database.lock {
        DatabaseLock::Held => ("held by this front-end", Colour::Good),
        DatabaseLock::Lost => ("lost", Colour::Bad),
        DatabaseLock::Unknown => ("not known yet", Colour::Warn),
    };
    let version = database
        .version
        .iter()
        .fold(String::new(), |_, version| format!(" ({version})"));
    let schema = database.schema.as_deref().unwrap_or("made by oned");
    let mut out = paint("DATABASE", Colour::Head, view) + "\n";
    // Writing to a String does not fail.
    let _ = writeln!(
        out,
        "  {}: {}",
        harmless(&database.backend),
        harmless(&format!("{}{version}", database.server))
    );
    let _ = writeln!(
        out,
        "  schema {}; lock {}; {}",
        harmless(&format!("{schema} ({} at the start)", database.class)),
        paint(lock, colour, view),
        count(
            usize::try_from(database.dumps).unwrap_or(usize::MAX),
            "dump kept",
            "dumps kept"
        ),
    );
    out
}

fn remotes(status: &Status, view: View) -> String {
    let Some(remotes) = status
        .remotes
        .as_ref()
        .filter(|remotes| !remotes.differences.is_empty())
    else {
        return String::new();
    };
    let mut table = Table::new(["REMOTES", "KIND", "REMARK"], &[]);
    for difference in &remotes.differences {
        table.push([
            cell(&difference.path),
            cell(difference.kind.name()),
            cell(difference.note.as_deref().unwrap_or_default()),
        ]);
    }
    table.text(view)
}

fn errors(status: &Status, now: Timestamp, view: View) -> String {
    let mut table = Table::new(["LAST ERRORS", "FROM", "TIMES", "WHAT"], &[2]);
    for error in status.errors.iter().rev().take(ERRORS) {
        table.push([
            cell(format!("{} ago", span(now.duration_since(error.time)))),
            cell(&error.source),
            cell(error.times.to_string()),
            cell(with_line(&error.text, error.last_line.as_deref())),
        ]);
    }
    text(&table, view)
}

fn counts(status: &Status) -> String {
    format!(
        "orphans reaped: {}; log lines dropped: {}\n",
        status.orphans_reaped, status.log_lines_dropped
    )
}
