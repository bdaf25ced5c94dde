//! docs/maintainers/workflows.md: what of each step was executed without a forge. Here it is kept complete.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{File, jobs, title};

/// Steps without a row, and rows without a step.
pub(super) fn differences(places: &BTreeSet<String>, table: &str) -> Vec<String> {
    let rows = rows(table);
    let missing = places
        .difference(&rows)
        .map(|place| format!("add a row: {place}"));
    let superfluous = rows
        .difference(places)
        .map(|row| format!("no such step, remove it: {row}"));
    let all = missing.chain(superfluous);
    all.map(|what| format!("docs/maintainers/workflows.md: {what}"))
        .collect()
}

/// Each step as `title | file/job`.
pub(super) fn places(file: &File, value: &Value) -> Vec<String> {
    let path = file.path.replace(".github/", "").replace("workflows/", "");
    let name = path.trim_end_matches(".yml").trim_end_matches("/action");
    let place = |(job, _, steps): (&str, _, &[Value])| -> Vec<String> {
        let place = format!("{name}/{job}");
        let row = |step| format!("{} | {}", title(step), place.trim_end_matches('/'));
        steps.iter().map(row).collect()
    };
    jobs(value).flat_map(place).collect()
}

/// The rows `| title | file/job, file/job … | … |` as `places` gives them.
fn rows(table: &str) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for line in table.lines().filter_map(|line| line.strip_prefix("| ")) {
        if let [title, places, _, ..] = line.split(" | ").collect::<Vec<_>>()[..]
            && title != "step"
        {
            rows.extend(
                places
                    .split(", ")
                    .map(|place| format!("{title} | {place}").replace('`', "")),
            );
        }
    }
    rows
}
