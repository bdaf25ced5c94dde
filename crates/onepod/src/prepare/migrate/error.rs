//! Why a migration did not come to its end, with the next step of the operator.

use std::path::PathBuf;

use super::dump;
use crate::prepare::database::DatabaseError;
use crate::prepare::files::FileError;

/// After so many failures the same migration is not tried any more.
pub(super) const MOST_FAILURES: u32 = 3;

/// Why the database is not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A file of the volume could not be handled.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was restored is none to start with.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The dump would not fit.
    #[error(
        "{place} has schema {from}, and the migration to {to} needs {} on the volume for a dump, where {} are free. \
         Nothing was changed. Enlarge the volume, or make room in {directory}",
        dump::mebibytes(*needed),
        dump::mebibytes(*free)
    )]
    NoRoom {
        /// Which database.
        place: String,
        /// The schema that is there.
        from: String,
        /// The schema that is wanted.
        to: String,
        /// Estimate of what is needed, in bytes.
        needed: u64,
        /// What there is, in bytes.
        free: u64,
        /// Where dumps lie.
        directory: PathBuf,
    },
    /// There is no dump, so nothing was begun.
    #[error("{place} cannot be dumped before its migration, so nothing was changed: {cause}")]
    Dump {
        /// Which database.
        place: String,
        /// Why not.
        cause: String,
    },
    /// It failed, and everything is as before.
    #[error(
        "the migration of {place} from {from} to {to} has failed ({failures} of {MOST_FAILURES} times). The dump {dump} \
         was restored: the database is as before, and an image of a release with schema {from} works with it. {cause}"
    )]
    Failed {
        /// Which database.
        place: String,
        /// The schema before.
        from: String,
        /// The schema that is wanted.
        to: String,
        /// How often.
        failures: u32,
        /// The dump.
        dump: PathBuf,
        /// Why.
        cause: String,
    },
    /// It failed, and so did the way back.
    #[error(
        "{place} is half-migrated from {from} to {to}, and its dump {dump} cannot be restored: {cause}. The next start \
         tries it again; keep that file"
    )]
    NotRestored {
        /// Which database.
        place: String,
        /// The schema before.
        from: String,
        /// The schema that is wanted.
        to: String,
        /// The dump.
        dump: PathBuf,
        /// Why.
        cause: String,
    },
    /// It has failed often enough.
    #[error(
        "the migration of {place} from {from} to {to} has failed {failures} times and is not tried again; the database \
         is as before. Use an image of a release with schema {from}, or mend the cause and remove {marker}. The last \
         failure: {last}"
    )]
    GivenUp {
        /// Which database.
        place: String,
        /// The schema before.
        from: String,
        /// The schema that is wanted.
        to: String,
        /// How often.
        failures: u32,
        /// What to remove.
        marker: PathBuf,
        /// Why it failed last.
        last: String,
    },
    /// The settings name another database than the one that is half-migrated.
    #[error(
        "a migration of {begun} was cut off, its dump {dump} is not restored yet, and the settings now name {place}. Set \
         DB_BACKEND, DB_HOST, DB_PORT and DB_NAME back; or, if that database is of no use any more, remove {marker}"
    )]
    OtherDatabase {
        /// The database that is half-migrated.
        begun: String,
        /// The one of the settings.
        place: String,
        /// The dump.
        dump: PathBuf,
        /// What to remove.
        marker: PathBuf,
    },
    /// Another front-end may begin to use the database.
    #[error("{0}; the next start finishes what was begun")]
    LeaseLost(String),
}
