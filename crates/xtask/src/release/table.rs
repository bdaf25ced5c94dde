//! What was found, for people: a row for each line, and below them what needs a sentence. Prints nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::plan::{Planned, Proposed, Source, shown};
use crate::versions::{Architecture, Entry, packages_of};

const TITLES: [&str; 6] = ["line", "before", "now", "packages", "architectures", "verdict"];

/// The table with its remarks, without the last line's end.
pub(crate) fn table(planned: &[Planned], proposed: &[Proposed]) -> String {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(planned.iter().map(of_a_line));
    rows.extend(proposed.iter().map(of_a_proposal));
    let mut text = columns(&rows);
    for remark in remarks(planned, proposed) {
        let _ = write!(text, "\n{remark}");
    }
    text.trim_end().to_owned()
}

/// Rows as lines, each column as wide as its widest cell.
pub(crate) fn columns<const COUNT: usize>(rows: &[[String; COUNT]]) -> String {
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max();
            let _ = write!(line, "{cell:width$}  ", width = width.unwrap_or(0));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn of_a_line(planned: &Planned) -> [String; 6] {
    [
        planned.line.to_string(),
        release(&planned.before),
        release(&planned.after),
        planned.after.packages().map_or(0, BTreeMap::len).to_string(),
        list(planned.after.architectures()),
        planned.verdict.to_string(),
    ]
}

fn of_a_proposal(proposed: &Proposed) -> [String; 6] {
    let unknown = || "?".to_owned();
    let found = proposed.found.as_ref().ok();
    [
        proposed.line.to_string(),
        "-".to_owned(),
        found.map_or_else(unknown, |offer| offer.version.to_string()),
        found.map_or_else(unknown, |offer| offer.packages.len().to_string()),
        found.map_or_else(unknown, |offer| list(&offer.architectures)),
        "new line".to_owned(),
    ]
}

fn release(entry: &Entry) -> String {
    match entry.packages() {
        Some(_) => entry.version().to_string(),
        None => format!("{} (not confirmed)", entry.version()),
    }
}

fn remarks(planned: &[Planned], proposed: &[Proposed]) -> Vec<String> {
    let mut remarks = Vec::new();
    for one in planned {
        let gone: BTreeSet<Architecture> = one
            .before
            .architectures()
            .difference(one.after.architectures())
            .copied()
            .collect();
        if !gone.is_empty() {
            remarks.push(format!(
                "{}: {} has no packages for {}, which the release before has",
                one.line,
                one.after.version(),
                list(&gone)
            ));
        }
        let packages = one.after.packages();
        let absent: Vec<&str> = packages_of(one.line)
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| packages.is_some_and(|packages| !packages.contains_key(*name)))
            .collect();
        if !absent.is_empty() {
            remarks.push(format!(
                "{}: {} has no {}; its image is built without",
                one.line,
                one.after.version(),
                absent.join(", ")
            ));
        }
        if one.source == Source::Release {
            remarks.push(format!(
                "{}: read in the repository of {}, for there is none of the line; a newer release would not be seen",
                one.line,
                one.before.version()
            ));
        }
        if !one.left_out.is_empty() {
            remarks.push(format!("{}: left out {}", one.line, shown(&one.left_out)));
        }
    }
    for one in proposed {
        remarks.push(format!(
            "{}: a line that is not built; whoever wants it adds it to versions.json by hand",
            one.line
        ));
        if let Err(reason) = &one.found {
            remarks.push(format!("{}: cannot be built yet: {reason}", one.line));
        }
    }
    remarks
}

fn list(architectures: &BTreeSet<Architecture>) -> String {
    let names: Vec<String> = architectures.iter().map(ToString::to_string).collect();
    names.join(", ")
}
