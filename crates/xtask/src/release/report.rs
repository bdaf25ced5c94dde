//! What changed between two releases' packages, for the pull request that adopts the newer one: dependencies, units,
//! default configuration, schema of the database, files of credentials, files; and what of ours it asks to look at. Pure.
//!
//! Configuration is compared key by key, never by lines: comments and order are no changes. Values of keys that hold
//! secrets are never shown, others are cut short, long lists end with a count. The vendor's texts are not in it.

mod checklist;
mod contents;
mod settings;
mod units;

use std::collections::{BTreeMap, BTreeSet};

use crate::versions::{Line, Version};

use super::markdown;

pub(crate) use checklist::Ours;
pub(crate) use contents::{Contents, File, Package, is_read, place};

/// Rows of a table; the rest is counted.
const ROWS: usize = 40;
/// Characters of a value; the rest is counted.
const VALUE: usize = 70;
/// A forge takes a body of 65536 bytes.
const LONGEST: usize = 60_000;

/// One key, directive, package or file that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    /// The file or unit that it is in.
    pub(crate) place: String,
    pub(crate) key: String,
    /// None when it is new.
    pub(crate) before: Option<String>,
    /// None when it is gone.
    pub(crate) now: Option<String>,
}

/// Everything that is not as it was.
#[derive(Debug)]
pub(crate) struct Difference {
    old: Version,
    new: Version,
    /// None where a side has no packages' metadata: a folder of files alone.
    pub(crate) packages: Option<Vec<Change>>,
    pub(crate) dependencies: Option<Vec<Change>>,
    pub(crate) units: Vec<Change>,
    pub(crate) settings: Vec<Change>,
    /// None where a side does not say which schema it needs.
    pub(crate) schema: Option<Vec<Change>>,
    pub(crate) migrators: Vec<String>,
    pub(crate) credentials: Vec<Change>,
    /// Files of configuration that could not be read as such on one of the sides.
    pub(crate) unread: Vec<String>,
    pub(crate) files: Vec<Folder>,
}

/// Files of one folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) name: String,
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) changed: Vec<String>,
}

/// Compares two releases.
pub(crate) fn compare(old: (Version, &Contents), new: (Version, &Contents)) -> Difference {
    let (before, now) = (old.1, new.1);
    let of_packages = |what: fn(&Contents) -> BTreeMap<String, BTreeMap<String, String>>| {
        let both = !before.packages.is_empty() && !now.packages.is_empty();
        both.then(|| nested(&what(before), &what(now)))
    };
    let (settings, unread) = settings::compare(before, now);
    let schema = before.schema().zip(now.schema()).map(|(before, now)| {
        let one = |schema: BTreeMap<String, String>| BTreeMap::from([("schema".to_owned(), schema)]);
        nested(&one(before), &one(now))
    });
    Difference {
        old: old.0,
        new: new.0,
        packages: of_packages(Contents::versions),
        dependencies: of_packages(Contents::dependencies),
        units: nested(&units::of(before), &units::of(now)),
        settings,
        schema,
        migrators: now.migrators().difference(&before.migrators()).cloned().collect(),
        credentials: nested(&units::credentials(before), &units::credentials(now)),
        unread,
        files: folders(before, now),
    }
}

/// What is not the same in maps of maps: place, key, value.
fn nested(
    before: &BTreeMap<String, BTreeMap<String, String>>,
    now: &BTreeMap<String, BTreeMap<String, String>>,
) -> Vec<Change> {
    let none = BTreeMap::new();
    let places: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let mut changes = Vec::new();
    for place in places {
        let (before, now) = (
            before.get(place).unwrap_or(&none),
            now.get(place).unwrap_or(&none),
        );
        let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        for key in keys {
            if before.get(key) != now.get(key) {
                changes.push(Change {
                    place: place.clone(),
                    key: key.clone(),
                    before: before.get(key).cloned(),
                    now: now.get(key).cloned(),
                });
            }
        }
    }
    changes
}

fn folders(before: &Contents, now: &Contents) -> Vec<Folder> {
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    let paths: BTreeSet<&String> = before.files.keys().chain(now.files.keys()).collect();
    for path in paths {
        let (before, now) = (before.files.get(path), now.files.get(path));
        if before.map(File::mark) == now.map(File::mark) {
            continue;
        }
        let (name, rest) = contents::folder(path);
        let folder = folders.entry(name.to_owned()).or_default();
        name.clone_into(&mut folder.name);
        match (before, now) {
            (None, _) => folder.added.push(rest.to_owned()),
            (_, None) => folder.removed.push(rest.to_owned()),
            _ => folder.changed.push(rest.to_owned()),
        }
    }
    folders.into_values().collect()
}

impl Difference {
    fn line(&self) -> Line {
        self.new.line()
    }

    /// The report, in Markdown, without the last line's end. `ours` tells what this repository knows already.
    pub(crate) fn report(&self, ours: &Ours) -> String {
        let mut parts = vec![
            format!(
                "# OpenNebula {} → {}: what changed in its packages",
                self.old, self.new
            ),
            self.summary(),
            "## What to look at here".to_owned(),
            checklist::shown(&checklist::of(self, ours)),
        ];
        let optional = |changes: Option<&Vec<Change>>, titles, what: &str| match changes {
            Some(changes) => changed(changes, titles),
            None => format!("Not compared: {what}."),
        };
        let no_packages = "one of the sides is a folder of files without the packages' metadata";
        parts.push("## Packages".to_owned());
        parts.push(optional(
            self.packages.as_ref(),
            ["package", "field"],
            no_packages,
        ));
        parts.push("## Dependencies".to_owned());
        parts.push(optional(
            self.dependencies.as_ref(),
            ["package", "field and name"],
            no_packages,
        ));
        parts.push("## Services and their units".to_owned());
        parts.push(changed(&self.units, ["unit", "directive"]));
        parts.push("## Default configuration".to_owned());
        parts.push(by_place(&self.settings));
        if !self.unread.is_empty() {
            parts.push(format!(
                "Changed, and compared as a whole only: {}.",
                few(&self.unread)
            ));
        }
        parts.push("## Schema of the database".to_owned());
        parts.push(optional(
            self.schema.as_ref(),
            ["what", "which"],
            "one of the sides has no /usr/lib/one/ruby/onedb that says which schema it needs",
        ));
        if !self.migrators.is_empty() {
            parts.push(format!("New steps of onedb: {}.", few(&self.migrators)));
        }
        parts.push("## Files of credentials".to_owned());
        parts.push(changed(&self.credentials, ["file", "asked for by"]));
        parts.push("## Files".to_owned());
        parts.push(files(&self.files));
        cut(parts.join("\n\n"))
    }

    fn summary(&self) -> String {
        let sum = |changes: &[Change]| {
            let count =
                |kind: fn(&Change) -> bool| changes.iter().filter(|change| kind(change)).count().to_string();
            [
                count(|change| change.before.is_none()),
                count(|change| change.now.is_none()),
                count(|change| change.before.is_some() && change.now.is_some()),
            ]
        };
        let unknown = || ["?", "?", "?"].map(str::to_owned);
        let optional = |changes: Option<&Vec<Change>>| changes.map_or_else(unknown, |changes| sum(changes));
        let files = |kind: fn(&Folder) -> &Vec<String>| {
            self.files
                .iter()
                .map(|folder| kind(folder).len())
                .sum::<usize>()
                .to_string()
        };
        let rows = [
            ("packages", optional(self.packages.as_ref())),
            ("dependencies", optional(self.dependencies.as_ref())),
            ("directives of units", sum(&self.units)),
            ("keys of the default configuration", sum(&self.settings)),
            ("schema of the database", optional(self.schema.as_ref())),
            ("files of credentials", sum(&self.credentials)),
            (
                "files",
                [
                    files(|folder| &folder.added),
                    files(|folder| &folder.removed),
                    files(|folder| &folder.changed),
                ],
            ),
        ]
        .map(|(what, [added, removed, changed])| [what.to_owned(), added, removed, changed]);
        markdown::table(["what", "added", "removed", "changed"], &rows)
    }
}

/// A table of changes, the first rows of it.
fn changed(changes: &[Change], titles: [&str; 2]) -> String {
    if changes.is_empty() {
        return "Nothing.".to_owned();
    }
    let rows: Vec<[String; 4]> = changes
        .iter()
        .take(ROWS)
        .map(|change| {
            [
                markdown::code(&change.place),
                markdown::code(&change.key),
                shown(change, change.before.as_deref()),
                shown(change, change.now.as_deref()),
            ]
        })
        .collect();
    let table = markdown::table([titles[0], titles[1], "before", "now"], &rows);
    format!("{table}{}", more(changes.len(), ROWS))
}

/// A table for each file.
fn by_place(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "Nothing.".to_owned();
    }
    let places: BTreeSet<&String> = changes.iter().map(|change| &change.place).collect();
    let tables: Vec<String> = places
        .into_iter()
        .map(|place| {
            let of_place: Vec<&Change> = changes.iter().filter(|change| change.place == *place).collect();
            let rows: Vec<[String; 3]> = of_place
                .iter()
                .take(ROWS)
                .map(|change| {
                    [
                        markdown::code(&change.key),
                        shown(change, change.before.as_deref()),
                        shown(change, change.now.as_deref()),
                    ]
                })
                .collect();
            let table = markdown::table(["key", "before", "now"], &rows);
            format!(
                "### {}\n\n{table}{}",
                markdown::code(place),
                more(of_place.len(), ROWS)
            )
        })
        .collect();
    tables.join("\n\n")
}

fn files(folders: &[Folder]) -> String {
    if folders.is_empty() {
        return "Nothing.".to_owned();
    }
    let rows: Vec<[String; 5]> = folders
        .iter()
        .take(ROWS)
        .map(|folder| {
            let named: Vec<String> = [("+", &folder.added), ("−", &folder.removed)]
                .iter()
                .flat_map(|(sign, names)| names.iter().map(move |name| format!("{sign}{name}")))
                .collect();
            [
                markdown::code(&folder.name),
                folder.added.len().to_string(),
                folder.removed.len().to_string(),
                folder.changed.len().to_string(),
                few(&named),
            ]
        })
        .collect();
    let table = markdown::table(["folder", "added", "removed", "changed", "which"], &rows);
    format!("{table}{}", more(folders.len(), ROWS))
}

/// A value for the eye: never a secret, and never long. Of a long list of words only what the other side lacks.
fn shown(change: &Change, value: Option<&str>) -> String {
    let Some(value) = value else {
        return "–".to_owned();
    };
    if value.is_empty() {
        return "(empty)".to_owned();
    }
    if settings::is_secret(&change.key) && !settings::is_switch(value) {
        return "(secret)".to_owned();
    }
    let count = value.chars().count();
    if count <= VALUE {
        return markdown::code(value);
    }
    if let (Some(before), Some(now)) = (&change.before, &change.now) {
        let other = if value == before { now } else { before };
        let own = lacking(value, other);
        if value.contains(',') || value.contains(units::JOINT) {
            return if own.is_empty() {
                "a long list".to_owned()
            } else {
                format!("a long list with {}", few(&own))
            };
        }
    }
    let start: String = value.chars().take(VALUE).collect();
    format!("{} and {} characters more", markdown::code(&start), count - VALUE)
}

/// The elements of a list that another one has not, each cut short.
fn lacking(list: &str, other: &str) -> Vec<String> {
    let elements = |text: &str| -> Vec<String> {
        let all = text
            .split(units::JOINT)
            .flat_map(|part| part.split(','))
            .map(str::trim);
        all.filter(|element| !element.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let known = elements(other);
    let own = elements(list)
        .into_iter()
        .filter(|element| !known.contains(element));
    own.map(|element| element.chars().take(VALUE).collect()).collect()
}

/// The first of many names.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| markdown::code(name))
        .collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn more(all: usize, shown: usize) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        more => format!("\n\n… and {more} more."),
    }
}

/// No longer than a forge takes it. What to look at stands at the top.
fn cut(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let mut end = LONGEST;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text[..end].rfind('\n').unwrap_or(end);
    format!(
        "{}\n\n… and {} bytes more: run `cargo xtask release report` for all of it.",
        &text[..end],
        text.len() - end
    )
}

#[cfg(test)]
mod tests;
