//! What changed between two releases' packages, for the pull request that adopts the newer one: which of our files have to
//! follow, which files changed, and the changed texts (packages, units, default configuration, schema). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use similar::TextDiff;

use super::markdown;
use super::unpack::{Contents, PACKAGES};
use crate::versions::Version;

/// What GitHub takes as a body is 65,536 characters; bytes are never fewer.
const MAX_BYTES: usize = 60_000;
/// Names of a folder that are shown; the others are counted.
const MAX_NAMES: usize = 6;

/// Changed files, by a part of their path, and which of our files follow them, why.
const FOLLOWING: [(&str, &str, &str); 14] = [
    (
        "packages/",
        "crates/xtask/src/versions.rs",
        "a package that is new or gone: whether it is installed of this line",
    ),
    (
        "packages/",
        "image/packages",
        "what a new dependency brings, and whether anything of it is taken out",
    ),
    (
        ".service",
        "image/services.toml",
        "command, user, order and environment of the unit",
    ),
    (".timer", "image/services.toml", "the schedule of the unit"),
    (
        ".service",
        "charts/opennebula/values.yaml",
        "whether a new unit needs a port, a Service, a switch",
    ),
    (
        ".service",
        "crates/onesim/src/package/contents.rs",
        "the simulated package of a new unit",
    ),
    (
        ".service",
        "crates/onepod/src/reconcile/serveradmin.rs",
        "files of credentials that the unit asserts",
    ),
    (
        "etc/one/oned.conf",
        "crates/onepod/src/settings/vendor/oned.rs",
        "keys that are new, gone or have another default",
    ),
    (
        "etc/one/monitord.conf",
        "crates/onepod/src/settings/vendor/scheduling.rs",
        "the same",
    ),
    (
        "etc/one/schedulers/",
        "crates/onepod/src/settings/vendor/scheduling.rs",
        "the same",
    ),
    (
        "-server.conf",
        "crates/onepod/src/settings/vendor/servers.rs",
        "the same; ports also in image/Dockerfile and values.yaml",
    ),
    (
        "usr/lib/one/ruby/onedb/",
        "crates/onepod/src/prepare/migrate.rs",
        "the schema: try the upgrade of a dump, and the way back",
    ),
    (
        "usr/lib/tmpfiles.d/",
        "crates/onepod/src/prepare/layout.rs",
        "directories that systemd-tmpfiles would make",
    ),
    (
        "etc/one/",
        "docs/configuration.md",
        "is generated from the tables above",
    ),
];

/// A file that is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Removed,
    Changed,
}

/// The report, in Markdown, without the last line's end. `ours` reads a file of this repository.
pub(crate) fn report(
    (old, before): (Version, &Contents),
    (new, now): (Version, &Contents),
    ours: &dyn Fn(&str) -> String,
) -> String {
    let changes = changes(before, now);
    let parts = [
        format!("# OpenNebula {old} → {new}: what changed in its packages"),
        format!(
            "## What has to follow here\n\n{}",
            checklist(&changes, before, now, ours)
        ),
        format!("## Files\n\n{}", folders(&changes)),
        format!("## Texts, without comments\n\n{}", texts(&changes, before, now)),
    ];
    cut(parts.join("\n\n"))
}

fn changes<'a>(before: &'a Contents, now: &'a Contents) -> BTreeMap<&'a str, Change> {
    let paths: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = paths.into_iter().filter_map(|path| {
        let change = match (before.get(path), now.get(path)) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            // Of a text the statements count, and not the comments.
            (Some(before), Some(now)) if before.text.is_some() && before.text == now.text => return None,
            (Some(before), Some(now)) if before.digest == now.digest => return None,
            _ => Change::Changed,
        };
        Some((path.as_str(), change))
    });
    changed.collect()
}

/// Our files that follow, each with the files that ask for it, and the keys that are new there and not named in ours.
fn checklist(
    changes: &BTreeMap<&str, Change>,
    before: &Contents,
    now: &Contents,
    ours: &dyn Fn(&str) -> String,
) -> String {
    let mut items = Vec::new();
    for (part, file, why) in FOLLOWING {
        let asking: Vec<&str> = changes
            .keys()
            .copied()
            .filter(|path| path.contains(part))
            .collect();
        if asking.is_empty() {
            continue;
        }
        let text = |contents: &Contents, path: &str| {
            contents
                .get(path)
                .and_then(|file| file.text.clone())
                .unwrap_or_default()
        };
        let own = ours(file);
        let unnamed: BTreeSet<String> = asking
            .iter()
            .flat_map(|path| {
                let known = keys(&text(before, path));
                keys(&text(now, path))
                    .into_iter()
                    .filter(move |key| !known.contains(key))
            })
            .filter(|key| !own.contains(key))
            .collect();
        let names: Vec<&str> = asking
            .iter()
            .map(|path| path.rsplit('/').next().unwrap_or(path))
            .collect();
        let mut item = format!("- [ ] `{file}`: {why} ({})", few(&names));
        if file.contains("/settings/") && !unnamed.is_empty() {
            let unnamed: Vec<&str> = unnamed.iter().map(String::as_str).collect();
            let _ = write!(item, "; not named there: {}", few(&unnamed));
        }
        items.push(item);
    }
    if items.is_empty() {
        return "Nothing.".to_owned();
    }
    items.join("\n")
}

/// The names of assignments, of attributes and of YAML's keys: what stands before `=` or `:` and is a name.
fn keys(text: &str) -> BTreeSet<String> {
    let is_name = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    text.split(['\n', ',', '[', '{'])
        .filter_map(|part| {
            part.trim()
                .trim_start_matches([':', '-', ' '])
                .split_once(['=', ':'])
        })
        .map(|(name, _)| name.trim().trim_matches('"').to_owned())
        .filter(|name| is_name(name))
        .collect()
}

/// How many files changed in each folder, and the names of those that are new or gone.
fn folders(changes: &BTreeMap<&str, Change>) -> String {
    let mut folders: BTreeMap<&str, ([usize; 3], Vec<String>)> = BTreeMap::new();
    for (path, change) in changes {
        let depth = if path.contains("/gems") || path.contains("/fireedge/") {
            4
        } else {
            5
        };
        let end = path.match_indices('/').take(depth).last().map_or(0, |(at, _)| at);
        let (counts, names) = folders.entry(&path[..end]).or_default();
        let name = path[end..].trim_start_matches('/');
        match change {
            Change::Added => names.push(format!("+{name}")),
            Change::Removed => names.push(format!("−{name}")),
            Change::Changed => {}
        }
        counts[*change as usize] += 1;
    }
    if folders.is_empty() {
        return "Nothing.".to_owned();
    }
    let rows: Vec<[String; 5]> = folders
        .into_iter()
        .map(|(parent, (counts, names))| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let [added, removed, modified] = counts.map(|count| count.to_string());
            [markdown::code(parent), added, removed, modified, few(&names)]
        })
        .collect();
    markdown::table(["folder", "added", "removed", "changed", "which"], &rows)
}

/// A unified diff of every changed text.
fn texts(changes: &BTreeMap<&str, Change>, before: &Contents, now: &Contents) -> String {
    let mut diffs = String::new();
    for path in changes.keys() {
        let of = |contents: &Contents| contents.get(*path).map(|file| file.text.clone());
        let (old, new) = (of(before), of(now));
        // One side has no such file, or both have a text.
        let (Some(old), Some(new)) = (
            old.unwrap_or_else(|| Some(String::new())),
            new.unwrap_or_else(|| Some(String::new())),
        ) else {
            continue;
        };
        let name = path.trim_start_matches(PACKAGES);
        let diff = TextDiff::from_lines(&old, &new);
        let _ = write!(
            diffs,
            "{}",
            diff.unified_diff().context_radius(1).header(name, name)
        );
    }
    if diffs.is_empty() {
        return "Nothing.".to_owned();
    }
    format!("```diff\n{}\n```", diffs.trim_end())
}

/// The first of many names.
fn few(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| markdown::code(name))
        .collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// At most as long as a forge takes it. What has to follow stands at the top.
fn cut(text: String) -> String {
    if text.len() <= MAX_BYTES {
        return text;
    }
    let end = text.floor_char_boundary(MAX_BYTES);
    let end = text[..end].rfind('\n').unwrap_or(end);
    let left = text.len() - end;
    format!(
        "{}\n```\n\n… and {left} bytes more: run `cargo xtask release report` for all of it.",
        &text[..end]
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use insta::assert_snapshot;

    use super::*;
    use crate::release::unpack;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    fn told(old: &[(&str, &str)], new: &[(&str, &str)]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let contents = |name: &str, files: &[(&str, &str)]| {
            write(&dir.path().join(name), files);
            unpack::read(&dir.path().join(name)).unwrap()
        };
        let (old, new) = (contents("old", old), contents("new", new));
        report(
            ("7.0.0".parse().unwrap(), &old),
            ("7.2.0".parse().unwrap(), &new),
            &|_| String::new(),
        )
    }

    #[test]
    fn texts_are_compared_without_comments_and_ours_are_named() {
        let control = |version: &str, depends: &str| {
            format!(
                "Package: opennebula\nVersion: {version}\nMaintainer: x\nDepends: {depends}\nDescription: x\n y\n"
            )
        };
        let report = told(
            &[
                (
                    "a/DEBIAN/control",
                    &control(
                        "7.0.0-1",
                        "ruby, libc6 (>= 2.38),\n opennebula-common (= 7.0.0-1)",
                    ),
                ),
                (
                    "a/etc/one/oned.conf",
                    "# one\nPORT = 2633\n\nDB = [ BACKEND = \"mysql\" ]\n",
                ),
                ("a/etc/one/same.conf", "# one\nA = 1\n"),
                (
                    "a/usr/lib/one/ruby/onedb/database_schema.rb",
                    "LATEST_DB_VERSION = '7.0.0'\n",
                ),
                ("a/usr/lib/one/a.rb", "1"),
            ],
            &[
                (
                    "a/DEBIAN/control",
                    &control("7.2.0-1", "libc6 (>= 2.39), opennebula-common (= 7.2.0-1), ruby"),
                ),
                (
                    "a/etc/one/oned.conf",
                    "# two\nPORT = 2633\nGRPC_PORT = 2634\n\nDB = [ BACKEND = \"mysql\" ]\n",
                ),
                ("a/etc/one/same.conf", "# two\n\nA = 1\n"),
                (
                    "a/usr/lib/one/ruby/onedb/database_schema.rb",
                    "LATEST_DB_VERSION = '7.2.0'\n",
                ),
                ("a/usr/lib/one/a.rb", "2"),
                (
                    "a/lib/systemd/system/opennebula-x.service",
                    "[Service]\nUser=oneadmin\nExecStart=/usr/bin/x\n",
                ),
            ],
        );
        assert_snapshot!(report, @r#"
        # OpenNebula 7.0.0 → 7.2.0: what changed in its packages

        ## What has to follow here

        - [ ] `crates/xtask/src/versions.rs`: a package that is new or gone: whether it is installed of this line (`opennebula`)
        - [ ] `image/packages`: what a new dependency brings, and whether anything of it is taken out (`opennebula`)
        - [ ] `image/services.toml`: command, user, order and environment of the unit (`opennebula-x.service`)
        - [ ] `charts/opennebula/values.yaml`: whether a new unit needs a port, a Service, a switch (`opennebula-x.service`)
        - [ ] `crates/onesim/src/package/contents.rs`: the simulated package of a new unit (`opennebula-x.service`)
        - [ ] `crates/onepod/src/reconcile/serveradmin.rs`: files of credentials that the unit asserts (`opennebula-x.service`)
        - [ ] `crates/onepod/src/settings/vendor/oned.rs`: keys that are new, gone or have another default (`oned.conf`); not named there: `GRPC_PORT`
        - [ ] `crates/onepod/src/prepare/migrate.rs`: the schema: try the upgrade of a dump, and the way back (`database_schema.rb`)
        - [ ] `docs/configuration.md`: is generated from the tables above (`oned.conf`)

        ## Files

        | folder                   | added | removed | changed | which                   |
        | ------------------------ | ----- | ------- | ------- | ----------------------- |
        | `etc/one`                | 0     | 0       | 1       |                         |
        | `packages`               | 0     | 0       | 1       |                         |
        | `usr/lib/one`            | 0     | 0       | 1       |                         |
        | `usr/lib/one/ruby/onedb` | 0     | 0       | 1       |                         |
        | `usr/lib/systemd/system` | 1     | 0       | 0       | `+opennebula-x.service` |

        ## Texts, without comments

        ```diff
        --- etc/one/oned.conf
        +++ etc/one/oned.conf
        @@ -1,2 +1,3 @@
         PORT = 2633
        +GRPC_PORT = 2634
         DB = [ BACKEND = "mysql" ]
        --- opennebula
        +++ opennebula
        @@ -1,3 +1,3 @@
        -Version: 7.0.0-1
        -Depends: libc6 (>= 2.38)
        +Version: 7.2.0-1
        +Depends: libc6 (>= 2.39)
         Depends: opennebula-common
        --- usr/lib/one/ruby/onedb/database_schema.rb
        +++ usr/lib/one/ruby/onedb/database_schema.rb
        @@ -1 +1 @@
        -LATEST_DB_VERSION = '7.0.0'
        +LATEST_DB_VERSION = '7.2.0'
        --- usr/lib/systemd/system/opennebula-x.service
        +++ usr/lib/systemd/system/opennebula-x.service
        @@ -0,0 +1,3 @@
        +[Service]
        +User=oneadmin
        +ExecStart=/usr/bin/x
        ```
        "#);
    }

    #[test]
    fn keys_are_names_before_an_equals_sign_or_a_colon() {
        let text = "A = 1\nDB = [ BACKEND = \"x\",\n  PASSWD = \"a:b\" ]\n:server:\n  :port: 1\n- {name: x}\nhttp://x\n";
        let found: Vec<String> = keys(text).into_iter().collect();
        assert_eq!(
            found,
            ["A", "BACKEND", "DB", "PASSWD", "http", "name", "port", "server"]
        );
    }

    #[test]
    fn the_same_is_nothing() {
        let files = [("etc/one/oned.conf", "PORT = 2633\n")];
        assert_eq!(told(&files, &files).matches("\n\nNothing.").count(), 3);
    }

    #[test]
    fn a_report_that_github_would_refuse_is_cut() {
        let keys = (0..3000).fold(String::new(), |keys, key| {
            keys + &format!("KEY_{key} = {}\n", "v".repeat(40))
        });
        let report = told(
            &[("etc/one/oned.conf", "A = 1\n")],
            &[("etc/one/oned.conf", &keys)],
        );
        assert!(
            report.len() < 65_536 && report.contains("bytes more"),
            "{}",
            report.len()
        );
    }

    #[test]
    fn every_file_that_follows_is_in_the_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (_, ours, _) in FOLLOWING {
            assert!(root.join(ours).is_file(), "{ours}");
        }
    }
}
