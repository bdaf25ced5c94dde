//! The lease: one row in OpenNebula's database that says which front-end may use it, and until when.
//!
//! ```text
//! renewed every 3 s ────┐
//! 0 s   last renewal    ▼                                        10 s              15 s
//! ├───────────────────────────────────────────────────────────────┤─────────────────┤
//!       the holder works                                          it has killed     anybody else may
//!                                                                 its oned          claim the row
//! ```
//!
//! The holder measures its 10 s on its own monotonic clock from *before* it sent the renewal that succeeded last; the 15 s
//! are the server's, from when it executed that renewal. So the holder has stopped writing at least 5 s before anybody
//! else may begin, whatever its own clock and the network do. Every change of the row is a compare-and-swap, which a
//! Galera cluster certifies on all of its nodes; a named lock (`GET_LOCK`) exists on one node alone.
//!
//! Out of scope: who waits and for whom (`wait`), and what is done when the lease is lost (`keep`).

use std::fmt::Write as _;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};

use super::{Holder, Identity};
use crate::settings::MySql;

/// How long a renewal is valid, by the server's clock.
pub(super) const DURATION: Duration = Duration::from_secs(15);

/// The time between two renewals.
pub(super) const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// So long after the last renewal that succeeded, the holder must have stopped everything that writes to the database.
pub(super) const FENCE_AFTER: Duration = Duration::from_secs(10);

/// A connection that has sent nothing for this long is ended by the server, with its named lock: longer than the time
/// between two renewals and shorter than [`DURATION`], so that a machine that went without a word holds up nobody longer
/// than its lease does. In seconds.
const SESSION_TIMEOUT: u32 = 12;

/// How long a statement of the lease waits for a lock of somebody else (`LOCK TABLES` of a dump, for example), in seconds.
const LOCK_WAIT: u32 = 1;

/// Error numbers of the server ("MariaDB Error Code Reference").
mod code {
    pub(super) const NO_SUCH_DATABASE: u16 = 1049;
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
    pub(super) const LOCK_WAIT_TIMEOUT: u16 = 1205;
}

/// The row as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// How often the lease has changed hands.
    generation: u64,
    /// How often its holder has renewed it.
    beat: u64,
    /// The random word of its holder; empty once it was released.
    token: String,
    /// Which lock of which volume on which running machine the holder had, see [`Identity::place`].
    place: String,
    /// Whether its time is over by the server's clock.
    pub(super) expired: bool,
    /// The holder, for people.
    pub(super) holder: Holder,
}

impl Row {
    /// Nobody has ever had it.
    pub(super) fn is_new(&self) -> bool {
        self.generation == 0
    }

    /// Its last holder has given it back after its services had stopped.
    pub(super) fn is_released(&self) -> bool {
        self.token.is_empty() && !self.is_new()
    }

    /// Whether its holder has ended for certain: it had the same lock of the same volume on this running machine, and this
    /// front-end has that lock now.
    pub(super) fn is_of(&self, identity: &Identity) -> bool {
        identity
            .place
            .as_ref()
            .is_some_and(|place| !place.is_empty() && *place == self.place)
    }
}

/// What came of a renewal.
#[derive(Debug)]
pub(super) enum Renewal {
    /// The row says that the database is this front-end's.
    Done,
    /// The row could not be written, because tables are locked or the database is being restored. The named lock on this
    /// very connection keeps others away all the same.
    NamedLock,
    /// The row is not there: somebody has dropped it, or restored a dump without it.
    Missing,
    /// Another front-end has claimed it.
    Taken(Holder),
}

/// The lease in one database, with the words by which this front-end is known there.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    database: String,
    token: String,
    identity: Identity,
}

impl Lease {
    pub(super) fn new(server: &MySql, identity: Identity) -> Self {
        let mut token = String::with_capacity(32);
        for byte in rand::random::<[u8; 16]>() {
            // Writing to a text cannot fail.
            let _ = write!(token, "{byte:02x}");
        }
        Self {
            database: server.name().to_owned(),
            token,
            identity,
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The table, quoted. A database's name has no quotes in it: settings take no such name.
    fn table(&self) -> String {
        format!("`{}`.{}", self.database, super::LEASE_TABLE)
    }

    /// Keeps the lease's statements from waiting for locks of others as long as the server would let them, and the session
    /// from outliving its client.
    pub(super) async fn set_timeouts(&self, connection: &mut Conn) -> mysql_async::Result<()> {
        connection
            .query_drop(format!(
                "SET SESSION lock_wait_timeout = {LOCK_WAIT}, innodb_lock_wait_timeout = {LOCK_WAIT}, wait_timeout = \
                 {SESSION_TIMEOUT}"
            ))
            .await
    }

    /// Makes table and row unless they are there, and the database for them, as oned would.
    pub(super) async fn prepare(&self, connection: &mut Conn) -> mysql_async::Result<()> {
        match self.make(connection).await {
            // Not asked for at once: it would wait for everybody who has locked a table.
            Err(Error::Server(error)) if error.code == code::NO_SUCH_DATABASE => {
                let database = format!("CREATE DATABASE IF NOT EXISTS `{}`", self.database);
                connection.query_drop(database).await?;
                self.make(connection).await
            }
            made => made,
        }
    }

    async fn make(&self, connection: &mut Conn) -> mysql_async::Result<()> {
        let table = self.table();
        connection
            .query_drop(format!(
                "CREATE TABLE IF NOT EXISTS {table} (id TINYINT UNSIGNED NOT NULL PRIMARY KEY, generation BIGINT UNSIGNED NOT \
                 NULL, beat BIGINT UNSIGNED NOT NULL, token VARCHAR(32) NOT NULL, pod VARCHAR(64) NOT NULL, place VARCHAR(128) \
                 NOT NULL, address VARCHAR(255) NOT NULL, since VARCHAR(40) NOT NULL, valid_until DATETIME(6) NOT NULL) \
                 ENGINE=InnoDB"
            ))
            .await?;
        connection
            .query_drop(format!(
                "INSERT IGNORE INTO {table} VALUES (1, 0, 0, '', '', '', '', '', '2000-01-01')"
            ))
            .await
    }

    /// The row; none before [`Lease::prepare`], or when somebody has removed it since.
    pub(super) async fn read(&self, connection: &mut Conn) -> mysql_async::Result<Option<Row>> {
        type Columns = (u64, u64, String, String, String, String, String, bool);
        let columns: mysql_async::Result<Option<Columns>> = connection
            .query_first(format!(
                "SELECT generation, beat, token, pod, place, address, since, valid_until < UTC_TIMESTAMP(6) FROM {} WHERE \
                 id = 1",
                self.table()
            ))
            .await;
        let columns = match columns {
            Err(Error::Server(error))
                if matches!(error.code, code::NO_SUCH_TABLE | code::NO_SUCH_DATABASE) =>
            {
                None
            }
            columns => columns?,
        };
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(columns.map(
            |(generation, beat, token, pod, place, address, since, expired)| Row {
                generation,
                beat,
                token,
                place,
                expired,
                holder: Holder {
                    pod: known(pod),
                    address: known(address),
                    since: known(since),
                },
            },
        ))
    }

    /// Claims the row, provided that nobody has changed it since it was read. False when somebody has.
    pub(super) async fn claim(&self, connection: &mut Conn, seen: &Row) -> mysql_async::Result<bool> {
        let Identity { pod, since, place } = &self.identity;
        connection
            .query_drop(format!(
                "UPDATE {} SET generation = generation + 1, beat = 0, token = '{}', pod = '{pod}', place = '{}', \
                 address = SUBSTRING_INDEX(USER(), '@', -1), since = '{since}', valid_until = UTC_TIMESTAMP(6) + INTERVAL {} \
                 SECOND WHERE id = 1 AND generation = {} AND beat = {} AND token = '{}'",
                self.table(),
                self.token,
                place.as_deref().unwrap_or_default(),
                DURATION.as_secs(),
                seen.generation,
                seen.beat,
                // Only hexadecimal digits are ever written there; of anything else nothing is claimed.
                seen.token.chars().filter(char::is_ascii_hexdigit).collect::<String>(),
            ))
            .await?;
        Ok(connection.affected_rows() == 1)
    }

    /// Renews it. `named` tells whether this connection had the named lock, and that lock is the whole server's.
    pub(super) async fn renew(
        &self,
        connection: &mut Conn,
        named: Option<&str>,
    ) -> mysql_async::Result<Renewal> {
        let renewed = connection
            .query_drop(format!(
                "UPDATE {} SET beat = beat + 1, valid_until = UTC_TIMESTAMP(6) + INTERVAL {} SECOND WHERE id = 1 AND \
                 token = '{}'",
                self.table(),
                DURATION.as_secs(),
                self.token
            ))
            .await;
        match renewed {
            Ok(()) if connection.affected_rows() == 1 => Ok(Renewal::Done),
            Ok(()) => Ok(match self.read(connection).await? {
                None => Renewal::Missing,
                // A dump was restored, with the row of an earlier start on this volume, which has ended, or with none.
                Some(row) if row.is_new() || row.is_of(&self.identity) => Renewal::Missing,
                Some(row) => Renewal::Taken(row.holder),
            }),
            Err(Error::Server(error)) if error.code == code::NO_SUCH_TABLE => Ok(Renewal::Missing),
            // Tables are locked for a dump, or the database is dropped and about to be restored.
            Err(Error::Server(error))
                if matches!(error.code, code::LOCK_WAIT_TIMEOUT | code::NO_SUCH_DATABASE) =>
            {
                match named {
                    Some(name) if super::named::is_ours(connection, name).await? => Ok(Renewal::NamedLock),
                    _ => Err(Error::Server(error)),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Gives it back, so that the next front-end need not wait for its end. Only once nothing writes any more.
    pub(super) async fn release(&self, connection: &mut Conn) -> mysql_async::Result<()> {
        connection
            .query_drop(format!(
                "UPDATE {} SET token = '', valid_until = '2000-01-01' WHERE id = 1 AND token = '{}'",
                self.table(),
                self.token
            ))
            .await
    }
}

#[cfg(test)]
impl Row {
    pub(super) fn for_tests(generation: u64, beat: u64, token: &str, place: &str, expired: bool) -> Self {
        Self {
            generation,
            beat,
            token: token.to_owned(),
            place: place.to_owned(),
            expired,
            holder: Holder::default(),
        }
    }
}
