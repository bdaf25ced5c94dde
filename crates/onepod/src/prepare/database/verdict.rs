//! Which databases a front-end refuses to start with, and what is said to the operator then.

use super::schema::{self, Class, Version};
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
        Class::Empty
        | Class::HalfBootstrapped
        | Class::Current(_)
        | Class::Unverified(_)
        | Class::Unknown(_) => Ok(()),
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
