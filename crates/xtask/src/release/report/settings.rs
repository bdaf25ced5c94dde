//! Default configuration, key by key: `OpenNebula`'s own grammar by `oned-conf`, YAML by its structure, shell's
//! assignments. A text that is none of them is compared as a whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use oned_conf::{Content, Document};
use serde_json::Value;

use super::{Change, Contents, nested};

const FOLDER: &str = "etc/one/";
/// Files of `OpenNebula`'s own grammar.
const ATTRIBUTES: [&str; 3] = ["oned.conf", "monitord.conf", "schedulers/rank.conf"];
/// Files of assignments, which the shell reads.
const ASSIGNMENTS: [&str; 3] = ["defaultrc", "hmrc", "guacd"];
/// The key that tells vectors of one name, or maps of a list, apart.
const NAMES: [&str; 4] = ["NAME", ":name", "name", "id"];
/// Parts of names of keys that hold what nobody else may know.
const SECRETS: [&str; 6] = ["pass", "secret", "token", "credential", "private", "_key"];

/// The changed keys of all files, and the files that could not be read by keys and changed.
pub(super) fn compare(before: &Contents, now: &Contents) -> (Vec<Change>, Vec<String>) {
    let mut trees = [BTreeMap::new(), BTreeMap::new()];
    let mut unread = BTreeSet::new();
    for (contents, tree) in [before, now].into_iter().zip(&mut trees) {
        for (name, text) in contents.texts(FOLDER) {
            match keys(name, text) {
                Some(keys) => {
                    tree.insert(name.to_owned(), keys);
                }
                None => {
                    unread.insert(name.to_owned());
                }
            }
        }
    }
    for name in &unread {
        // Half of a comparison is none.
        trees[0].remove(name);
        trees[1].remove(name);
    }
    let path = |name: &String| format!("{FOLDER}{name}");
    let mark =
        |contents: &Contents, name: &String| contents.files.get(&path(name)).map(|file| file.digest.clone());
    unread.retain(|name| mark(before, name) != mark(now, name));
    let [before, now] = trees;
    (nested(&before, &now), unread.into_iter().collect())
}

/// Whether a key holds what nobody else may know, by its name.
pub(super) fn is_secret(key: &str) -> bool {
    let last = key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase();
    SECRETS.iter().any(|part| last.contains(part))
}

/// Whether a value only says yes or no, which is no secret whatever the key is called.
pub(super) fn is_switch(value: &str) -> bool {
    ["yes", "no", "true", "false"].contains(&value.to_ascii_lowercase().as_str())
}

/// A file's keys with their values; none when it is not read by keys.
fn keys(name: &str, text: &str) -> Option<BTreeMap<String, String>> {
    if ATTRIBUTES.contains(&name) {
        return Document::parse(text).ok().map(|document| attributes(&document));
    }
    if ASSIGNMENTS.contains(&name) {
        return Some(assignments(text));
    }
    let value: Value = serde_saphyr::from_str(text).ok()?;
    let mut found = BTreeMap::new();
    match value {
        Value::Object(_) | Value::Array(_) => flatten("", &value, &mut found),
        // A file of comments.
        Value::Null => {}
        _ => return None,
    }
    Some(found)
}

/// Names are upper-cased and the first of a name wins, as oned reads them. Of `…_ATTR` each value counts, and vectors
/// of one name are told apart by their NAME.
fn attributes(document: &Document) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut add = |key: String, value: Cow<'_, str>| {
        found.entry(key).or_insert_with(|| value.into_owned());
    };
    for (name, content) in document.attributes() {
        let name = name.to_ascii_uppercase();
        match content {
            Content::Single(value) if name.ends_with("_ATTR") => {
                add(format!("{name}[{value}]"), "listed".into());
            }
            Content::Single(value) => add(name, value),
            Content::Vector(entries) => {
                let own = entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(NAMES[0]));
                let place = own.map_or_else(
                    || name.clone(),
                    |(_, value)| format!("{name}[{}={value}]", NAMES[0]),
                );
                for (key, value) in entries {
                    add(format!("{place}/{}", key.to_ascii_uppercase()), value);
                }
            }
        }
    }
    found
}

/// Paths with slashes, without the colons of Ruby's symbols; an element of a list by its name or by its value.
fn flatten(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |key: &str| {
        let key = key.trim_start_matches(':');
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}/{key}")
        }
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&below(key), value, found);
            }
        }
        Value::Array(list) => {
            for (number, value) in list.iter().enumerate() {
                let name = NAMES.iter().find_map(|name| value.get(name)?.as_str());
                match (value, name) {
                    (Value::Object(_), Some(name)) => flatten(&format!("{path}[{name}]"), value, found),
                    (Value::Object(_) | Value::Array(_), _) => {
                        flatten(&format!("{path}[{number}]"), value, found);
                    }
                    _ => {
                        found.insert(format!("{path}[{}]", plain(value)), "listed".to_owned());
                    }
                }
            }
        }
        _ => {
            found.insert(path.to_owned(), plain(value));
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn assignments(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.trim_start_matches("export ").split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_told_apart_and_lists_are_compared_by_what_is_in_them() {
        let text = "port = 1\nPORT = 2\nVM_MAD = [ NAME = \"a\", X = \"1\" ]\nVM_MAD = [ X = \"2\", Name = \"b\" ]\nDB = [ BACKEND = \"x\" ]\n\
                    VM_RESTRICTED_ATTR = \"A/B\"\nVM_RESTRICTED_ATTR = \"C\"\n";
        let found = keys("oned.conf", text).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            shown,
            [
                "DB/BACKEND=x",
                "PORT=1",
                "VM_MAD[NAME=a]/NAME=a",
                "VM_MAD[NAME=a]/X=1",
                "VM_MAD[NAME=b]/NAME=b",
                "VM_MAD[NAME=b]/X=2",
                "VM_RESTRICTED_ATTR[A/B]=listed",
                "VM_RESTRICTED_ATTR[C]=listed"
            ]
        );
    }

    #[test]
    fn yaml_is_read_by_structure() {
        let text = ":server:\n  :port: 1\n:list: [a, 2]\n:drivers:\n  - {:name: x, :y: true}\n  - [1]\n";
        let found = keys("x-server.conf", text).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            shown,
            [
                "drivers[1][1]=listed",
                "drivers[x]/name=x",
                "drivers[x]/y=true",
                "list[2]=listed",
                "list[a]=listed",
                "server/port=1"
            ]
        );
        assert_eq!(keys("x.conf", "# nothing\n").unwrap().len(), 0);
        assert_eq!(keys("x.conf", "just words\n"), None);
        assert_eq!(keys("oned.conf", "A = [\n"), None);
    }

    #[test]
    fn assignments_are_read_without_quotes() {
        let found = keys("guacd", "# A=1\nOPTS=\"-b 0.0.0.0\"\nexport B=\n").unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [
                ("B".to_owned(), String::new()),
                ("OPTS".to_owned(), "-b 0.0.0.0".to_owned())
            ]
        );
    }

    #[test]
    fn secrets_are_known_by_the_names_of_their_keys() {
        for key in [
            "DB/PASSWD",
            "auth/private",
            "x/sunstone_key",
            "api_token",
            "PASSWORD",
            "opensearch/credentials",
        ] {
            assert!(is_secret(key), "{key}");
        }
        assert!(!is_secret("DB/BACKEND"));
        assert!(!is_secret("passwords/port"));
    }
}
