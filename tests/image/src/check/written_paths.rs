//! Where a front-end writes, with a root that it could write to: the places that need a volume, and how much comes there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use faults::front_end::Root;
use faults::world::Kept;

use super::Seen;
use crate::context::Context;
use crate::findings::Findings;
use crate::rootfs::{self, Entry, Kind};
use crate::stand::{self, Stand};

/// The service that is started again.
const SERVICE: &str = "oneflow";
/// Places of the runtime's own, beside those of the pod.
const RUNTIME: [&str; 3] = ["/proc", "/dev", "/sys"];
/// Paths that stand for all of a row.
const EXAMPLES: usize = 3;

pub(super) fn run(context: &Context, stand: &mut Stand) -> Result<Seen> {
    stand.pod.root = Root::Writable;
    let before = rootfs::walk(stand.image.upper())?;
    ensure!(before.is_empty(), "the layer above the image is not empty");
    let mut container = stand.start()?;
    stand::services(&mut container, context.release)?;
    let (_, mounts) = container.exec(&["cat", "/proc/mounts"])?;
    ensure!(root_is_writable(&mounts), "the root cannot be written after all");
    let login = stand.login(&container)?;
    Kept::make(&login.session())?;
    let (code, said) = container.exec(&["onepod", "restart", SERVICE])?;
    ensure!(
        code == 0,
        "onepod restart {SERVICE}: exit code {code}: {}",
        said.trim()
    );
    container.stop()?;
    drop(container);

    let mut findings = Findings::default();
    let mounts: BTreeSet<String> = RUNTIME
        .into_iter()
        .map(str::to_owned)
        .chain(stand.pod.mounts())
        .collect();
    for path in outside(&rootfs::walk(stand.image.upper())?, &mounts) {
        findings.one_of("written outside of the mounts", path);
    }
    stand.needles.add_volume(&stand.pod.volume());
    let mut rows = Vec::new();
    for (here, there) in folders(stand) {
        rows.extend(table(&there, &rootfs::walk(&here)?));
    }
    let files: usize = rows.iter().map(|row| row.files).sum();
    let text = findings.or(format!(
        "nothing outside of the mounts; {files} files below them, listed in the report"
    ))?;
    Ok(Seen {
        text,
        gathered: markdown(&rows),
    })
}

/// The pod's folders, here and in the container.
fn folders(stand: &Stand) -> Vec<(PathBuf, String)> {
    let mut folders = stand.pod.writable();
    folders.retain(|(here, _)| here.is_dir());
    folders
}

/// Whether the first line of a container's mounts is a root that can be written.
fn root_is_writable(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        matches!(fields[..], [_, "/", _, options, ..] if options.split(',').any(|option| option == "rw"))
    })
}

/// What the layer above the image has beside empty mount points, which are the runtime's. A folder without anything in it
/// counts: something was made there and taken away again.
fn outside(upper: &[Entry], mounts: &BTreeSet<String>) -> Vec<String> {
    let has_more = |path: &str| {
        let start = format!("{path}/");
        upper.iter().any(|other| other.path.starts_with(&start))
    };
    upper
        .iter()
        .filter(|entry| {
            // A folder that holds what was written is not told a second time.
            let folder = entry.kind == Kind::Directory && has_more(&entry.path);
            let empty = entry.kind == Kind::Directory || entry.kind == Kind::File && entry.size == 0;
            !(folder || empty && mounts.contains(&entry.path))
        })
        .map(|entry| entry.path.clone())
        .collect()
}

/// What was written at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    path: String,
    files: usize,
    bytes: u64,
    examples: Vec<String>,
}

impl Row {
    fn new(path: String) -> Self {
        Self {
            path,
            files: 0,
            bytes: 0,
            examples: Vec::new(),
        }
    }
}

/// A row for each file and folder directly below a mount, with all that is in it; one of its own for a mount without any.
fn table(mount: &str, entries: &[Entry]) -> Vec<Row> {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for entry in entries {
        let inside = entry.path.trim_start_matches('/');
        let (first, rest) = inside.split_once('/').unwrap_or((inside, ""));
        let row = rows
            .entry(first)
            .or_insert_with(|| Row::new(format!("{mount}/{first}")));
        if entry.kind == Kind::Directory {
            continue;
        }
        row.files += 1;
        row.bytes += entry.size;
        if !rest.is_empty() && row.examples.len() < EXAMPLES {
            row.examples.push(rest.to_owned());
        }
    }
    if rows.is_empty() {
        rows.insert("", Row::new(mount.to_owned()));
    }
    rows.into_values().collect()
}

fn markdown(rows: &[Row]) -> String {
    let mut text = "## What a front-end writes\n\n\
        From nothing to ready, a user, a host and a VM, one service started again, and the end.\n\n\
        | path | files | bytes | for example |\n|---|--:|--:|---|\n"
        .to_owned();
    for Row {
        path,
        files,
        bytes,
        examples,
    } in rows
    {
        let examples = examples.join(", ").replace('|', "/");
        let _ = writeln!(text, "| {path} | {files} | {bytes} | {examples} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind, size: u64) -> Entry {
        Entry {
            path: path.to_owned(),
            kind,
            mode: 0o644,
            size,
        }
    }

    #[test]
    fn what_is_outside_is_told_and_mount_points_are_not() {
        let mounts = ["/etc/hosts", "/var/lib/one", "/run/secrets"]
            .map(str::to_owned)
            .into();
        let upper = [
            entry("/etc", Kind::Directory, 60),
            entry("/etc/hosts", Kind::File, 0),
            entry("/etc/passwd", Kind::File, 900),
            entry("/usr", Kind::Directory, 60),
            entry("/usr/gone", Kind::Other, 0),
            entry("/var", Kind::Directory, 60),
            entry("/var/lib", Kind::Directory, 60),
        ];
        assert_eq!(outside(&upper, &mounts), ["/etc/passwd", "/usr/gone", "/var/lib"]);
        let written = [entry("/etc/hosts", Kind::File, 5)];
        assert_eq!(outside(&written, &mounts), ["/etc/hosts"]);
    }

    #[test]
    fn a_row_has_all_that_is_in_a_folder() {
        let entries = [
            entry("/one.db", Kind::File, 100),
            entry("/remotes", Kind::Directory, 60),
            entry("/remotes/a", Kind::File, 1),
            entry("/remotes/b", Kind::File, 2),
            entry("/remotes/c", Kind::Link, 3),
            entry("/remotes/d/e", Kind::File, 4),
        ];
        assert_eq!(table("/tmp", &[]), [Row::new("/tmp".to_owned())]);
        assert_eq!(
            table("/run", &[entry("/one", Kind::Directory, 40)]),
            [Row::new("/run/one".to_owned())]
        );
        let rows = table("/var/lib/one", &entries);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].path, "/var/lib/one/remotes");
        assert_eq!((rows[1].files, rows[1].bytes), (4, 10));
        assert_eq!(rows[1].examples, ["a", "b", "c"]);
        assert!(markdown(&rows).ends_with(
            "| /var/lib/one/one.db | 1 | 100 |  |\n| /var/lib/one/remotes | 4 | 10 | a, b, c |\n"
        ));
    }

    #[test]
    fn a_root_s_options_tell() {
        assert!(root_is_writable(
            "overlay / overlay rw,relatime 0 0\nproc /proc proc rw 0 0\n"
        ));
        assert!(!root_is_writable(
            "overlay / overlay ro,relatime 0 0\nproc /proc proc rw 0 0\n"
        ));
    }
}
