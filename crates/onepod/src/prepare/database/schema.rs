//! What a database is to this image: its tables and schema versions judged, by the law of the vendor's `onedb version`.
//!
//! Pure: whoever asks the server or the file fills in [`Contents`].

use std::cmp::Ordering;
use std::fmt;

/// Tables that only OpenNebula's bootstrap makes; one of them is the first that it makes, whichever way it goes
/// (7.0.2 to 7.4.0, `src/nebula/SystemDB.cc` and `src/onedb/database_schema.rb`).
const OWN: [&str; 6] = [
    "logdb",
    "pool_control",
    "system_attributes",
    "local_db_versioning",
    "db_versioning",
    "user_pool",
];

/// How many names of tables a message shows.
const SHOWN: usize = 5;

/// A version of the schema such as `7.0.0`, ordered by its numbers.
#[derive(Debug, Clone)]
pub(crate) struct Version(String);

impl Version {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its numbers; zeros at the end do not count, as in Ruby's `Gem::Version`.
    fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self
            .0
            .split('.')
            .map(|part| part.parse().unwrap_or_default())
            .collect();
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        numbers
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(&other.numbers())
    }
}

/// The two versions of a database: of the tables that a federation shares, and of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) shared: Version,
    pub(crate) local: Version,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shared == self.local {
            write!(f, "{}", self.local)
        } else {
            write!(f, "{} (shared tables {})", self.local, self.shared)
        }
    }
}

/// What was found in a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// Names of all tables.
    pub(crate) tables: Vec<String>,
    /// Whether user 0 is there.
    pub(crate) oneadmin: bool,
    /// The newest row of `db_versioning`.
    pub(crate) shared: Option<String>,
    /// The newest row of `local_db_versioning`.
    pub(crate) local: Option<String>,
    /// Bytes that the data takes.
    pub(crate) bytes: u64,
}

/// What a database is to this image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// No table: oned bootstraps.
    Empty,
    /// OpenNebula's tables without user 0: a first start that did not come to its end. oned repeats it.
    HalfBootstrapped,
    /// As this image needs it.
    Current(Versions),
    /// To be migrated.
    Older {
        /// What is there.
        found: Versions,
        /// What this image needs.
        needed: Versions,
    },
    /// Of a later release.
    Newer {
        /// What is there.
        found: Versions,
        /// What this image needs.
        needed: Versions,
    },
    /// Somebody else's: these tables.
    Foreign(Vec<String>),
    /// OpenNebula's users without a version: oned would bootstrap over them.
    Unversioned,
    /// OpenNebula's, and nobody can say what this image needs.
    Unverified(Versions),
    /// Could not be found out, for this reason.
    Unknown(String),
}

impl Class {
    /// Judges what was found by what the image needs.
    pub(crate) fn of(contents: &Contents, needed: Option<&Versions>) -> Self {
        if contents.tables.is_empty() {
            return Self::Empty;
        }
        if !contents.tables.iter().any(|table| OWN.contains(&table.as_str())) {
            return Self::Foreign(contents.tables.clone());
        }
        if !contents.oneadmin {
            return Self::HalfBootstrapped;
        }
        let (Some(shared), Some(local)) = (&contents.shared, &contents.local) else {
            return Self::Unversioned;
        };
        let found = Versions {
            shared: Version::new(shared),
            local: Version::new(local),
        };
        let Some(needed) = needed.cloned() else {
            return Self::Unverified(found);
        };
        // onedb's order: one older part is enough for an upgrade (7.0.2, src/onedb/onedb.rb, update_available).
        if found.shared < needed.shared || found.local < needed.local {
            Self::Older { found, needed }
        } else if found == needed {
            Self::Current(found)
        } else {
            Self::Newer { found, needed }
        }
    }

    /// Its name in `/status`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::HalfBootstrapped => "half-bootstrapped",
            Self::Current(_) => "current",
            Self::Older { .. } => "older",
            Self::Newer { .. } => "newer",
            Self::Foreign(_) => "foreign",
            Self::Unversioned => "unversioned",
            Self::Unverified(_) | Self::Unknown(_) => "unknown",
        }
    }

    /// The version that is there, where there is one.
    pub(crate) fn schema(&self) -> Option<String> {
        match self {
            Self::Current(found)
            | Self::Unverified(found)
            | Self::Older { found, .. }
            | Self::Newer { found, .. } => Some(found.to_string()),
            _ => None,
        }
    }
}

/// Some of the names, for a message.
pub(crate) fn some_of(tables: &[String]) -> String {
    let shown = tables
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match tables.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(shared: &str, local: &str) -> Versions {
        Versions {
            shared: Version::new(shared),
            local: Version::new(local),
        }
    }

    fn contents(tables: &[&str], oneadmin: bool, versions: Option<(&str, &str)>) -> Contents {
        Contents {
            tables: tables.iter().map(|&table| table.to_owned()).collect(),
            oneadmin,
            shared: versions.map(|(shared, _)| shared.to_owned()),
            local: versions.map(|(_, local)| local.to_owned()),
            bytes: 0,
        }
    }

    fn class(shared: &str, local: &str) -> Class {
        let needed = versions("7.2.0", "7.2.0");
        Class::of(
            &contents(&["user_pool"], true, Some((shared, local))),
            Some(&needed),
        )
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        for (smaller, larger) in [("6.10.0", "7.0.0"), ("6.8.0", "6.10.0"), ("7.0.0", "7.0.1")] {
            assert!(
                Version::new(smaller) < Version::new(larger),
                "{smaller} < {larger}"
            );
        }
        assert_eq!(Version::new("7.0"), Version::new("7.0.0"));
    }

    #[test]
    fn one_older_part_is_enough_to_migrate() {
        let name = |shared, local| class(shared, local).name();
        assert_eq!(name("7.2.0", "7.2.0"), "current");
        assert_eq!(name("7.0.0", "7.0.0"), "older");
        assert_eq!(name("7.0.0", "7.2.0"), "older");
        assert_eq!(name("7.4.0", "7.0.0"), "older");
        assert_eq!(name("7.4.0", "7.2.0"), "newer");
        assert_eq!(name("7.4.0", "7.4.0"), "newer");
    }

    #[test]
    fn tables_tell_whose_the_database_is() {
        let class = |tables: &[&str], oneadmin| Class::of(&contents(tables, oneadmin, None), None);
        assert_eq!(class(&[], false), Class::Empty);
        assert_eq!(class(&["logdb"], false), Class::HalfBootstrapped);
        assert_eq!(class(&["user_pool", "acl"], true), Class::Unversioned);
        assert_eq!(
            class(&["wp_posts", "wp_users"], false),
            Class::Foreign(vec!["wp_posts".to_owned(), "wp_users".to_owned()])
        );
    }

    #[test]
    fn messages_show_five_tables() {
        let tables: Vec<String> = ('a'..='h').map(String::from).collect();
        assert_eq!(some_of(&tables), "a, b, c, d, e and 3 more");
        assert_eq!(some_of(tables.get(..2).unwrap()), "a, b");
    }
}
