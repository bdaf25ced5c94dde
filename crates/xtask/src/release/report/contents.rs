//! What a release's packages hold, as far as two releases are compared by it. Reading them is the verb's affair.

use std::collections::{BTreeMap, BTreeSet};

/// Places of the source that packages have elsewhere, so that a folder of the source's files can be compared too.
const MOVED: [(&str, &str); 10] = [
    ("share/pkgs/services/systemd/", "usr/lib/systemd/system/"),
    ("share/pkgs/tmpfiles/", "usr/lib/tmpfiles.d/"),
    ("share/pkgs/logrotate/", "etc/logrotate.d/"),
    ("share/pkgs/sudoers/", "etc/sudoers.d/"),
    ("lib/systemd/system/", "usr/lib/systemd/system/"),
    ("lib/tmpfiles.d/", "usr/lib/tmpfiles.d/"),
    ("rank.conf", "etc/one/schedulers/rank.conf"),
    ("one_drs.conf", "etc/one/schedulers/one_drs.conf"),
    (
        "sunstone-server.conf",
        "etc/one/fireedge/sunstone/sunstone-server.conf",
    ),
    (
        "remotes-config.yaml",
        "etc/one/fireedge/sunstone/remotes-config.yaml",
    ),
];
/// Folders whose texts are looked into.
const READ: [&str; 4] = [
    "etc/one/",
    "usr/lib/systemd/system/",
    "usr/lib/tmpfiles.d/",
    "usr/lib/one/ruby/onedb/",
];
const ONEDB: &str = "usr/lib/one/ruby/onedb/";
/// Fields of a package's control file that name others.
const RELATIONS: [&str; 4] = ["Pre-Depends", "Depends", "Recommends", "Conflicts"];

/// All packages of a release.
#[derive(Debug, Default, Clone)]
pub(crate) struct Contents {
    /// By their names; empty where there are files alone.
    pub(crate) packages: BTreeMap<String, Package>,
    /// By their paths in the installed system, without the first slash.
    pub(crate) files: BTreeMap<String, File>,
}

/// A package's control file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) version: String,
    /// Its fields, by their names in lower case.
    pub(crate) fields: BTreeMap<String, String>,
}

/// A file: whether it is the same as another, and its text where that is looked into.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) digest: String,
    /// Permission bits, with setuid and setgid.
    pub(crate) mode: u32,
    pub(crate) text: Option<String>,
}

impl File {
    /// What two files must have in common to be the same.
    pub(super) fn mark(&self) -> (&str, u32) {
        (&self.digest, self.mode)
    }
}

/// Where a file lies once it is installed, by its path in an unpacked package or in the source.
pub(crate) fn place(path: &str) -> String {
    for (from, to) in MOVED {
        if from.ends_with('/') {
            if let Some(rest) = path.strip_prefix(from) {
                return format!("{to}{rest}");
            }
        } else if path == from {
            return to.to_owned();
        }
    }
    if path.contains('/') {
        return path.to_owned();
    }
    // What lies at the top of a folder of the source's files is configuration; no package puts anything there.
    format!("etc/one/{path}")
}

/// Whether the file's text is looked into.
pub(crate) fn is_read(place: &str) -> bool {
    READ.iter().any(|folder| place.starts_with(folder))
}

/// The folder under which a path is counted, and the rest. Deep trees are counted where they begin.
pub(super) fn folder(path: &str) -> (&str, &str) {
    let depth = if path.starts_with("usr/share/one/gems/") || path.starts_with("usr/lib/one/fireedge/") {
        4
    } else {
        5
    };
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).take(depth).collect();
    slashes
        .last()
        .map_or(("", path), |at| (&path[..*at], &path[at + 1..]))
}

impl Contents {
    /// Each package's version.
    pub(super) fn versions(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let one = |package: &Package| BTreeMap::from([("version".to_owned(), package.version.clone())]);
        self.packages
            .iter()
            .map(|(name, package)| (name.clone(), one(package)))
            .collect()
    }

    /// Each package's dependencies by field and name, with the versions that they ask for. What the release's packages
    /// ask of each other changes with every release, and is left out of it.
    pub(super) fn dependencies(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.packages
            .iter()
            .map(|(name, package)| {
                let mut found = BTreeMap::new();
                for field in RELATIONS {
                    let value = package
                        .fields
                        .get(&field.to_ascii_lowercase())
                        .map_or("", String::as_str);
                    for relation in value
                        .split(',')
                        .map(str::trim)
                        .filter(|relation| !relation.is_empty())
                    {
                        let (other, condition) = relation.split_once([' ', '(']).unwrap_or((relation, ""));
                        let condition = if other.starts_with("opennebula") || condition.is_empty() {
                            "any"
                        } else {
                            relation[other.len()..].trim()
                        };
                        found.insert(format!("{field}: {other}"), condition.to_owned());
                    }
                }
                (name.clone(), found)
            })
            .collect()
    }

    /// The schemas that the release needs, by onedb's constants; none where onedb is not there.
    pub(super) fn schema(&self) -> Option<BTreeMap<String, String>> {
        const CONSTANTS: [(&str, &str); 2] = [
            ("LATEST_DB_VERSION", "shared"),
            ("LATEST_LOCAL_DB_VERSION", "local"),
        ];
        let mut found = BTreeMap::new();
        for (_, text) in self.texts(ONEDB) {
            for line in text.lines() {
                let Some((name, value)) = line.split_once('=') else {
                    continue;
                };
                let value = value.trim();
                let quoted = value
                    .strip_prefix(['\'', '"'])
                    .and_then(|rest| rest.split(['\'', '"']).next());
                if let Some((_, kind)) = CONSTANTS.iter().find(|(constant, _)| name.trim() == *constant)
                    && let Some(version) = quoted
                {
                    found.insert((*kind).to_owned(), version.to_owned());
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// The steps that onedb can take: `shared/7.0.0_to_7.2.0`.
    pub(super) fn migrators(&self) -> BTreeSet<String> {
        self.files
            .keys()
            .filter_map(|path| path.strip_prefix(ONEDB)?.strip_suffix(".rb"))
            .filter(|name| name.contains("_to_"))
            .map(str::to_owned)
            .collect()
    }

    /// The texts of a folder that are looked into, by their paths below it.
    pub(super) fn texts(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(move |(path, file)| Some((path.strip_prefix(folder)?, file.text.as_deref()?)))
    }
}
