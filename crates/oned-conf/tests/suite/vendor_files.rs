//! The vendor's own files, where the crate `fixtures` finds them.

use std::fs;
use std::path::PathBuf;

use oned_conf::Document;

use crate::oracle::{self, Content, Outcome};

/// `<release>/<file>` and its text, for each file of these names.
fn shared(names: &[&str]) -> Vec<(PathBuf, String)> {
    let releases = fixtures::releases();
    let paths = releases
        .iter()
        .flat_map(|(_, folder)| names.iter().map(|name| folder.join(name)));
    let files: Vec<_> = paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert_eq!(files.is_empty(), releases.is_empty(), "no release has {names:?}");
    files
}

#[test]
fn print_byte_identical_and_read_as_opennebula_reads_them() {
    for (path, text) in shared(&["oned.conf", "monitord.conf", "rank.conf"]) {
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(document.to_string(), text, "{}", path.display());
        let Outcome::Read {
            attributes,
            skipped: 0,
        } = oracle::read(&text)
        else {
            panic!("{}: OpenNebula would not read it", path.display());
        };
        assert!(!attributes.is_empty());
        oracle_agrees(&document, &attributes);
    }
}

/// `one_drs.conf` is YAML: OpenNebula's grammar refuses it, and so must this crate, or it would edit a file that
/// it misunderstands.
#[test]
fn one_drs_conf_is_not_of_this_grammar() {
    for (path, text) in shared(&["one_drs.conf"]) {
        assert_eq!(oracle::read(&text), Outcome::Refused, "{}", path.display());
        let error = Document::parse(&text).unwrap_err();
        assert_eq!(
            text.lines().nth(error.line() - 1),
            Some("DEFAULT_SCHED:"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn edits_of_the_largest_file_touch_one_line_each() {
    for (path, text) in shared(&["oned.conf"]) {
        let mut document = Document::parse(&text).unwrap();
        document.set_in("DB", "BACKEND", "mysql").unwrap();
        document
            .set_in_where("VM_MAD", "NAME", "lxc", "KEEP_SNAPSHOTS", "yes")
            .unwrap();
        document.set("HOSTNAME", "front-end").unwrap();
        let edited = document.to_string();
        let old: Vec<&str> = text.lines().collect();
        let changed: Vec<&str> = edited.lines().filter(|line| !old.contains(line)).collect();
        assert_eq!(
            changed,
            [
                "DB = [ BACKEND = \"mysql\",",
                "HOSTNAME = \"front-end\"",
                "    KEEP_SNAPSHOTS = \"yes\""
            ],
            "{}",
            path.display()
        );
        assert_eq!(edited.lines().count(), old.len() + 1);
        let hostname = edited
            .lines()
            .position(|line| line.starts_with("HOSTNAME"))
            .unwrap();
        assert_eq!(
            edited.lines().nth(hostname - 1),
            Some("# HOSTNAME = \"one-hostname\"")
        );
    }
}

/// The vendor ships the drivers for tests as comments.
#[test]
fn a_driver_is_added_to_the_vendors_files() {
    for (path, text) in shared(&["oned.conf", "monitord.conf"]) {
        let vector = if path.ends_with("oned.conf") {
            "VM_MAD"
        } else {
            "IM_MAD"
        };
        let mut document = Document::parse(&text).unwrap();
        assert_eq!(document.get_in_where(vector, "NAME", "dummy", "EXECUTABLE"), None);
        document
            .put_vector(vector, "NAME", "dummy", &[("EXECUTABLE", "one_dummy")])
            .unwrap();
        let added = format!("{vector} = [\n    NAME       = \"dummy\",\n    EXECUTABLE = \"one_dummy\"\n]\n");
        assert!(
            document.as_str().contains(&format!("]\n{added}")),
            "{}",
            path.display()
        );
        assert_eq!(document.as_str().replace(&added, ""), text, "{}", path.display());
    }
}

/// Asserts that the document's values are those that the oracle read.
pub(crate) fn oracle_agrees(document: &Document, attributes: &[(String, Content)]) {
    for (index, (name, content)) in attributes.iter().enumerate() {
        let first = attributes.iter().position(|(other, _)| other == name) == Some(index);
        match content {
            Content::Single(text) if first => {
                assert_eq!(document.get(name).as_deref(), Some(text.value.as_str()), "{name}");
            }
            Content::Vector(entries) if first => {
                for (key, text) in entries {
                    let found = document.get_in(name, key);
                    assert_eq!(found.as_deref(), Some(text.value.as_str()), "{name}/{key}");
                }
            }
            _ => {}
        }
        let singles: Vec<&str> = attributes
            .iter()
            .filter(|(other, _)| other == name)
            .filter_map(|(_, content)| match content {
                Content::Single(text) => Some(text.value.as_str()),
                Content::Vector(_) => None,
            })
            .collect();
        assert!(document.get_all(name).eq(singles.iter().copied()), "{name}");
    }
}
