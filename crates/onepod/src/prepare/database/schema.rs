//! What a database is to this image: its tables and schema versions judged, by the law of the vendor's `onedb version`.
//!
//! Pure: whoever asks the server or the file fills in [`Contents`].

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::bootstrap::{self, Inventory, Mark};
use crate::prepare::lock::LEASE_TABLE;

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
    /// How far the bootstrap has come, where this program saw its beginning.
    pub(crate) mark: Option<Mark>,
    /// What is there of a bootstrap and of users.
    pub(crate) inventory: Inventory,
    /// Character sets, where the backend has them.
    pub(crate) charsets: Charsets,
}

/// Whether a table is onepod's own, and none of OpenNebula's.
pub(crate) fn is_own_table(name: &str) -> bool {
    name == bootstrap::TABLE || name == LEASE_TABLE
}

/// Character sets of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Charsets {
    /// What new tables get.
    pub(crate) default: Option<String>,
    /// Those of OpenNebula's tables, each with the first table that has it.
    pub(crate) tables: BTreeMap<String, String>,
}

/// Character sets that keep every name. `utf8` is how older servers call `utf8mb3`.
pub(crate) const UNICODE: [&str; 2] = ["utf8mb4", "utf8mb3"];

impl Charsets {
    /// The character set of a collation: its name up to the first underscore.
    pub(crate) fn of_collation(collation: &str) -> String {
        match collation.split('_').next().unwrap_or_default() {
            "utf8" => "utf8mb3",
            other => other,
        }
        .to_owned()
    }

    /// Whether oned would refuse them or lose letters: it works with one character set, the default's, and compares it
    /// with that of one table (7.0.2, `src/sql/MySqlDB.cc`).
    pub(crate) fn are_wrong(&self) -> bool {
        let Some(default) = &self.default else {
            return false;
        };
        let mut all = self.tables.keys().chain([default]);
        all.clone().any(|charset| !UNICODE.contains(&charset.as_str()))
            || all.any(|charset| charset != default)
    }
}

/// What a database is to this image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// No table: oned bootstraps.
    Empty,
    /// OpenNebula's tables without something that its bootstrap makes.
    Incomplete {
        /// What is missing.
        missing: Vec<String>,
        /// This program has seen its beginning on an empty database, and nothing of a user is in it.
        repeatable: bool,
        /// Something of a user that is in it.
        of_a_user: Option<String>,
    },
    /// Character sets that differ, or that lose letters.
    Charset(Charsets),
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
        if let Some(incomplete) = incomplete(contents) {
            return incomplete;
        }
        if contents.charsets.are_wrong() {
            return Self::Charset(contents.charsets.clone());
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
            Self::Incomplete { .. } => "incomplete",
            Self::Charset(_) => "wrong charset",
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

/// Whether the bootstrap did not come to its end.
fn incomplete(contents: &Contents) -> Option<Class> {
    let inventory = &contents.inventory;
    let (missing, of_a_user) = match contents.mark {
        Some(Mark::Complete) => return None,
        Some(Mark::Begun) => (inventory.missing(), inventory.of_a_user()),
        // Users may have deleted what can be deleted.
        None => (inventory.missing_for_good(), inventory.of_a_user()),
    };
    if missing.is_empty() {
        return None;
    }
    Some(Class::Incomplete {
        repeatable: contents.mark == Some(Mark::Begun) && of_a_user.is_none(),
        missing,
        of_a_user,
    })
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

    fn contents(tables: &[&str], in_use: bool, versions: Option<(&str, &str)>) -> Contents {
        let mut inventory = Inventory::default();
        if in_use {
            for table in ["user_pool", "group_pool", "cluster_pool", "zone_pool"] {
                inventory.answer(bootstrap::Question::Ids(table.to_owned()), vec![0]);
            }
        }
        Contents {
            tables: tables.iter().map(|&table| table.to_owned()).collect(),
            oneadmin: in_use,
            shared: versions.map(|(shared, _)| shared.to_owned()),
            local: versions.map(|(_, local)| local.to_owned()),
            inventory,
            ..Contents::default()
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
        assert!(matches!(
            class(&["logdb"], false),
            Class::Incomplete {
                repeatable: false,
                ..
            }
        ));
        assert_eq!(class(&["user_pool", "acl"], true), Class::Unversioned);
        assert_eq!(
            class(&["wp_posts", "wp_users"], false),
            Class::Foreign(vec!["wp_posts".to_owned(), "wp_users".to_owned()])
        );
    }

    #[test]
    fn only_a_bootstrap_that_began_here_is_repeated() {
        let judged = |mark, user: bool| {
            let mut contents = contents(&["logdb", "vm_pool"], false, None);
            contents.mark = mark;
            if user {
                contents
                    .inventory
                    .answer(bootstrap::Question::Ids("vm_pool".to_owned()), vec![0]);
            }
            match Class::of(&contents, None) {
                Class::Incomplete { repeatable, .. } => Some(repeatable),
                _ => None,
            }
        };
        assert_eq!(judged(Some(Mark::Begun), false), Some(true));
        assert_eq!(judged(Some(Mark::Begun), true), Some(false));
        assert_eq!(judged(None, false), Some(false));
        assert_eq!(
            judged(Some(Mark::Complete), false),
            None,
            "users may delete what they like"
        );
    }

    #[test]
    fn one_character_set_for_all_that_keeps_every_letter() {
        let wrong = |default: &str, tables: &[&str]| {
            Charsets {
                default: Some(default.to_owned()),
                tables: tables
                    .iter()
                    .map(|&charset| (charset.to_owned(), "vm_pool".to_owned()))
                    .collect(),
            }
            .are_wrong()
        };
        assert!(!wrong("utf8mb4", &["utf8mb4"]));
        assert!(!wrong("utf8mb3", &["utf8mb3"]));
        assert!(wrong("utf8mb4", &["utf8mb3"]));
        assert!(wrong("utf8mb4", &["utf8mb3", "utf8mb4"]));
        assert!(wrong("latin1", &["latin1"]));
        assert!(!Charsets::default().are_wrong(), "sqlite");
        assert_eq!(Charsets::of_collation("utf8_general_ci"), "utf8mb3");
        assert_eq!(Charsets::of_collation("utf8mb4_uca1400_ai_ci"), "utf8mb4");
    }

    #[test]
    fn messages_show_five_tables() {
        let tables: Vec<String> = ('a'..='h').map(String::from).collect();
        assert_eq!(some_of(&tables), "a, b, c, d, e and 3 more");
        assert_eq!(some_of(tables.get(..2).unwrap()), "a, b");
    }
}
