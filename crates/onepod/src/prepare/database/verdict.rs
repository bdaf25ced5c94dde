//! Which databases a front-end refuses to start with, and what is said to the operator then.

use super::schema::{self, Charsets, Class, Version};
use super::{installed, place};
use crate::paths::Paths;
use crate::prepare::files;
use crate::settings::{Database, Settings};

/// Why the front-end does not start with this database, although it can be reached.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It belongs to a later release.
    #[error(
        "{place} has schema {found}, and this image works with {needed}: no OpenNebula goes back to an older schema. \
         Use an image of a release with schema {found}, or restore a dump of schema {needed}{dumps}"
    )]
    Newer {
        /// Which database.
        place: String,
        /// The schema that is there.
        found: String,
        /// The schema that the image needs.
        needed: String,
        /// Where dumps lie, if there are any.
        dumps: String,
    },
    /// It holds somebody else's tables.
    #[error("{place} is not OpenNebula's: it has {tables}. Nothing was changed. {next}")]
    Foreign {
        /// Which database.
        place: String,
        /// Some of the tables.
        tables: String,
        /// What to do.
        next: String,
    },
    /// OpenNebula's users without the tables that tell the schema.
    #[error(
        "{place} has OpenNebula's users and no rows in db_versioning and local_db_versioning, so oned would bootstrap \
         over them. It is damaged, or a restore was not finished: restore a dump"
    )]
    Unversioned {
        /// Which database.
        place: String,
    },
    /// Its bootstrap did not come to its end, and it is not ours to repeat it.
    #[error(
        "{place} has OpenNebula's tables, and its first start did not come to its end: there is no {missing}. Nothing was \
         changed, because {because}. {next}"
    )]
    Incomplete {
        /// Which database.
        place: String,
        /// What is missing.
        missing: String,
        /// Why it is not emptied.
        because: String,
        /// What to do.
        next: String,
    },
    /// The bootstrap cannot be begun or repeated now.
    #[error("{place}: {cause}")]
    Bootstrap {
        /// Which database.
        place: String,
        /// Why not.
        cause: String,
    },
    /// oned would refuse its character sets, or lose letters with them.
    #[error(
        "{place} has the default character set {default} and tables with {tables}: oned works with one character set, which \
         must be utf8mb4 or utf8mb3. Nothing was changed. {next}"
    )]
    Charset {
        /// Which database.
        place: String,
        /// Of new tables.
        default: String,
        /// Those of tables, with an example each.
        tables: String,
        /// What to do.
        next: String,
    },
    /// No migrator is installed for a part of the way.
    #[error(
        "{place} has schema {found}, this image needs {needed}, and it has no migrator from {gap}. Nothing was \
         changed. Start an image of a release in between first, and this one afterwards"
    )]
    NoMigrator {
        /// Which database.
        place: String,
        /// The schema that is there.
        found: String,
        /// The schema that the image needs.
        needed: String,
        /// Where the migrators end.
        gap: String,
    },
}

/// Refuses a database with which no retry helps.
pub(crate) fn admit(class: &Class, settings: &Settings, paths: &Paths) -> Result<(), DatabaseError> {
    let place = place(settings, paths);
    match class {
        Class::Newer { found, needed } => Err(DatabaseError::Newer {
            place,
            found: found.to_string(),
            needed: needed.to_string(),
            dumps: dumps(paths),
        }),
        Class::Foreign(tables) => Err(DatabaseError::Foreign {
            place,
            tables: schema::some_of(tables),
            next: match settings.database() {
                Database::Sqlite => "Move the file away, or give this front-end another volume",
                Database::MySql(_) => "Check DB_NAME and DB_HOST; oned makes the database if there is none",
            }
            .to_owned(),
        }),
        Class::Unversioned => Err(DatabaseError::Unversioned { place }),
        Class::Older { found, needed } => match installed::gap(paths, found, needed) {
            Some(gap) => Err(DatabaseError::NoMigrator {
                place,
                found: found.to_string(),
                needed: needed.to_string(),
                gap: Version::to_string(&gap),
            }),
            None => Ok(()),
        },
        Class::Incomplete {
            repeatable: false,
            missing,
            of_a_user,
        } => Err(DatabaseError::Incomplete {
            next: match settings.database() {
                Database::Sqlite => format!(
                    "If nothing in it is of use, move {} away, and the next start makes a new one; otherwise restore a dump",
                    paths.sqlite().display()
                ),
                Database::MySql(server) => format!(
                    "If nothing in it is of use, DROP DATABASE `{0}`; and the next start makes a new one; otherwise restore a \
                     dump",
                    server.name()
                ),
            },
            place,
            missing: missing.join(", no "),
            because: of_a_user.as_ref().map_or_else(
                || "it was not empty when this front-end first saw it".to_owned(),
                |object| format!("it holds what no first start makes ({object})"),
            ),
        }),
        Class::Charset(charsets) => Err(wrong_charset(charsets, place, settings)),
        Class::Empty
        | Class::Incomplete { repeatable: true, .. }
        | Class::Current(_)
        | Class::Unverified(_)
        | Class::Unknown(_) => Ok(()),
    }
}

fn wrong_charset(charsets: &Charsets, place: String, settings: &Settings) -> DatabaseError {
    let name = match settings.database() {
        Database::Sqlite => "",
        Database::MySql(server) => server.name(),
    };
    let only = match charsets.tables.keys().collect::<Vec<_>>()[..] {
        [only] if schema::UNICODE.contains(&only.as_str()) => Some(only),
        _ => None,
    };
    DatabaseError::Charset {
        place,
        default: charsets.default.clone().unwrap_or_default(),
        tables: charsets
            .tables
            .iter()
            .map(|(charset, table)| format!("{charset} ({table})"))
            .collect::<Vec<_>>()
            .join(", "),
        next: match only {
            // What a dump of a utf8mb3 database gives, restored into a database of today.
            Some(only) => format!(
                "ALTER DATABASE `{name}` CHARACTER SET {only}; makes the default that of the tables, and loses nothing"
            ),
            None => format!(
                "Dump it, and convert each table (ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4) and the default (ALTER \
                 DATABASE `{name}` CHARACTER SET utf8mb4); docs/databases.md has the commands"
            ),
        },
    }
}

fn dumps(paths: &Paths) -> String {
    let kept = files::names(&paths.dumps()).unwrap_or_default();
    if kept.is_empty() {
        String::new()
    } else {
        format!(" (there are {} in {})", kept.len(), paths.dumps().display())
    }
}
