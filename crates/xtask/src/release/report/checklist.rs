//! What of this repository a change asks to look at, and whether it is there already: a name that our file has is known,
//! by a search for the text. A person judges; this only saves the search.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Difference, units};
use crate::versions::packages_of;

pub(super) const SERVICES: &str = "image/services.toml";
pub(super) const PACKAGES: &str = "image/packages";
pub(super) const VERSIONS: &str = "versions.json";
pub(super) const INSTALLED: &str = "crates/xtask/src/versions.rs";
pub(super) const ONED: &str = "crates/onepod/src/settings/vendor/oned.rs";
pub(super) const SCHEDULING: &str = "crates/onepod/src/settings/vendor/scheduling.rs";
pub(super) const SERVERS: &str = "crates/onepod/src/settings/vendor/servers.rs";
pub(super) const REFERENCE: &str = "docs/configuration.md";
pub(super) const VALUES: &str = "charts/opennebula/values.yaml";
pub(super) const DOCKERFILE: &str = "image/Dockerfile";
pub(super) const CREDENTIALS: &str = "crates/onepod/src/reconcile/serveradmin.rs";
pub(super) const MIGRATION: &str = "crates/onepod/src/prepare/migrate.rs";
pub(super) const LAYOUT: &str = "crates/onepod/src/prepare/layout.rs";
pub(super) const REMOTES: &str = "crates/onepod/src/prepare/remotes.rs";
pub(super) const SIMULATOR: &str = "crates/onesim/src/package/contents.rs";

/// Every file that an item names.
pub(crate) const FILES: [&str; 15] = [
    VERSIONS,
    SERVICES,
    PACKAGES,
    INSTALLED,
    ONED,
    SCHEDULING,
    SERVERS,
    REFERENCE,
    VALUES,
    DOCKERFILE,
    CREDENTIALS,
    MIGRATION,
    LAYOUT,
    REMOTES,
    SIMULATOR,
];

/// Items that are shown; the rest is counted.
const MOST: usize = 80;

/// The texts of our files.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    /// By their paths in the checkout.
    texts: BTreeMap<&'static str, String>,
}

impl Ours {
    /// Reads every file of [`FILES`] by `read`.
    pub(crate) fn read<E>(read: impl Fn(&str) -> Result<String, E>) -> Result<Self, E> {
        let mut ours = Self::default();
        for path in FILES {
            ours.texts.insert(path, read(path)?);
        }
        Ok(ours)
    }

    fn has(&self, path: &str, text: &str) -> bool {
        self.texts.get(path).is_some_and(|ours| ours.contains(text))
    }
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    /// False first: what is to be done stands at the top.
    pub(super) known: bool,
    pub(super) file: &'static str,
    pub(super) text: String,
}

/// All items, those that ask for something first.
pub(super) fn of(difference: &Difference, ours: &Ours) -> BTreeSet<Item> {
    let mut items = BTreeSet::new();
    let mut add = |file: &'static str, known: bool, text: String| {
        items.insert(Item { known, file, text });
    };
    packages(difference, ours, &mut add);
    services(difference, ours, &mut add);
    keys(difference, ours, &mut add);
    if difference
        .schema
        .as_ref()
        .is_some_and(|changes| !changes.is_empty())
    {
        add(
            MIGRATION,
            false,
            "the database has another schema: try the upgrade of a dump of the old release, and the way back"
                .to_owned(),
        );
    }
    for change in difference
        .credentials
        .iter()
        .filter(|change| change.before.is_none())
    {
        let known = ours.has(CREDENTIALS, &format!("\"{}\"", change.place));
        add(
            CREDENTIALS,
            known,
            format!(
                "`{}` is a file of credentials that `{}` insists on",
                change.place, change.key
            ),
        );
    }
    for folder in &difference.files {
        if folder.name.starts_with("usr/lib/tmpfiles.d") {
            add(
                LAYOUT,
                false,
                "the directories that systemd-tmpfiles would make changed".to_owned(),
            );
        }
        if folder.name.starts_with("var/lib/one/remotes/etc") {
            add(
                REMOTES,
                true,
                "defaults below remotes/etc changed: users' own changes are merged three ways".to_owned(),
            );
        }
    }
    items
}

fn packages(difference: &Difference, ours: &Ours, add: &mut impl FnMut(&'static str, bool, String)) {
    let installed = packages_of(difference.line());
    for change in difference
        .packages
        .iter()
        .flatten()
        .filter(|change| change.before.is_none())
    {
        let name = &change.place;
        let known = installed.iter().any(|(known, _)| known == name);
        add(
            INSTALLED,
            known,
            format!("`{name}` is a new package; whether it is installed of this line"),
        );
        if known {
            add(
                PACKAGES,
                ours.has(PACKAGES, &format!("{name}?")) || ours.has(PACKAGES, &format!("{name} ")),
                format!("`{name}` with its reason"),
            );
        }
    }
    for change in difference.dependencies.iter().flatten() {
        let Some((field, name)) = change.key.split_once(": ") else {
            continue;
        };
        if !field.contains("Depends") || name.starts_with("opennebula") {
            continue;
        }
        match (&change.before, &change.now) {
            (None, Some(_)) => add(
                PACKAGES,
                ours.has(PACKAGES, &format!(" {name} ")),
                format!(
                    "`{}` asks for `{name}`; what it brings, and whether anything of it is to be taken out",
                    change.place
                ),
            ),
            (Some(_), Some(condition)) => add(
                VERSIONS,
                false,
                format!(
                    "`{}` asks for `{name}` {condition}; whether the base image has it",
                    change.place
                ),
            ),
            _ => {}
        }
    }
}

fn services(difference: &Difference, ours: &Ours, add: &mut impl FnMut(&'static str, bool, String)) {
    for change in &difference.units {
        let unit = &change.place;
        match (change.key.as_str(), &change.before, &change.now) {
            ("ExecStart", None, Some(command)) => {
                let known = ours.has(SERVICES, &program(command));
                add(
                    SERVICES,
                    known,
                    format!("`{unit}` is new: its command, user, order and readiness"),
                );
                add(
                    VALUES,
                    false,
                    format!("`{unit}` is new: whether it needs a port, a Service, a switch"),
                );
                add(
                    SIMULATOR,
                    ours.has(SIMULATOR, &stem(unit)),
                    format!("`{unit}` is new: its simulated package"),
                );
            }
            ("ExecStart", Some(_), None) => {
                add(
                    SERVICES,
                    false,
                    format!("`{unit}` has no command any more: whether its service is gone"),
                );
            }
            ("ExecStart", Some(_), Some(command)) => {
                add(
                    SERVICES,
                    ours.has(SERVICES, &program(command)),
                    format!("the command of `{unit}`"),
                );
            }
            (
                "User"
                | "Group"
                | "Environment"
                | "EnvironmentFile"
                | "AmbientCapabilities"
                | "OnCalendar"
                | "OnUnitActiveSec",
                before,
                now,
            ) if before.is_some() && now.is_some() => {
                add(SERVICES, false, format!("`{}` of `{unit}`", change.key));
            }
            (key, before, now) if key.starts_with("Exec") && (before.is_some() || now.is_some()) => {
                add(
                    SERVICES,
                    false,
                    format!("`{key}` of `{unit}`: what a start has to do itself"),
                );
            }
            _ => {}
        }
    }
}

/// The file that a command runs: a script rather than its interpreter.
fn program(command: &str) -> String {
    let mut words = command
        .split(units::JOINT)
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let path = words.rfind(|word| word.starts_with('/'));
    path.unwrap_or(command).to_owned()
}

/// The name that a service's package has too: `opennebula-ks` of `opennebula-ks.service`.
fn stem(unit: &str) -> String {
    unit.split('.').next().unwrap_or(unit).to_owned()
}

fn keys(difference: &Difference, ours: &Ours, add: &mut impl FnMut(&'static str, bool, String)) {
    for change in &difference.settings {
        let place = change.place.as_str();
        let Some(file) = file(place) else { continue };
        // Entries of the vendor's lists are taken as they are.
        if change.key.ends_with(']') {
            continue;
        }
        if let Some(parts) = of_driver(&change.key) {
            if change.before.is_none() {
                driver(place, file, parts, ours, add);
            }
            continue;
        }
        let known = ours.has(file, &format!("\"{}\"", change.key));
        let text = |what: &str| format!("`{place}`: {what}");
        match (&change.before, &change.now) {
            (None, _) => add(file, known, text(&format!("new key `{}`", change.key))),
            (_, None) => add(
                file,
                false,
                text(&format!("`{}` is gone: until which release", change.key)),
            ),
            _ if known => add(file, false, text(&format!("another default of `{}`", change.key))),
            _ => {}
        }
        if is_port(change) && change.now.is_some() {
            let what = format!("`{}` names a port: probes, Services, NetworkPolicy", change.key);
            add(VALUES, false, text(&what));
            add(
                DOCKERFILE,
                false,
                text(&format!("`{}` names a port: EXPOSE", change.key)),
            );
        }
    }
    if !difference.settings.is_empty() {
        add(
            REFERENCE,
            false,
            "is generated: made anew after the files above were changed".to_owned(),
        );
    }
}

/// The parts of `TM_MAD_CONF[NAME=ceph]/SHARED`.
fn of_driver(key: &str) -> Option<(&str, &str, &str)> {
    let (family, rest) = key.split_once("[NAME=")?;
    let (name, key) = rest.split_once("]/")?;
    Some((family, name, key))
}

/// A new setting of a driver. Ours know the keys for all drivers of a family at once; a new driver is passed on.
fn driver(
    place: &str,
    file: &'static str,
    (family, name, key): (&str, &str, &str),
    ours: &Ours,
    add: &mut impl FnMut(&'static str, bool, String),
) {
    if key == "NAME" {
        add(
            file,
            true,
            format!("`{place}`: new driver `{family}[NAME={name}]`"),
        );
        return;
    }
    let general = format!("{family}[NAME]/{key}");
    let known = ours.has(file, &format!("\"{general}\""));
    add(file, known, format!("`{place}`: new key `{general}` of a driver"));
}

/// Where we know the keys of a file; none where we pass all of them on.
fn file(place: &str) -> Option<&'static str> {
    match place {
        "oned.conf" => Some(ONED),
        "monitord.conf" | "schedulers/rank.conf" | "schedulers/one_drs.conf" => Some(SCHEDULING),
        "guacd" | "defaultrc" | "hmrc" => Some(SERVICES),
        place if place.ends_with("-server.conf") => Some(SERVERS),
        _ => None,
    }
}

fn is_port(change: &Change) -> bool {
    let last = change
        .key
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    last == "port" || last.ends_with("_port")
}

/// The items as a list in Markdown with boxes.
pub(super) fn shown(items: &BTreeSet<Item>) -> String {
    let mut lines = Vec::new();
    for file in FILES {
        for item in items.iter().filter(|item| item.file == file) {
            let (mark, known) = if item.known {
                ("x", " (named there already)")
            } else {
                (" ", "")
            };
            lines.push(format!("- [{mark}] `{file}`: {}{known}", item.text));
        }
    }
    if lines.is_empty() {
        return "Nothing that this repository names.".to_owned();
    }
    let all = lines.len();
    lines.truncate(MOST);
    format!("{}{}", lines.join("\n"), super::more(all, MOST))
}
