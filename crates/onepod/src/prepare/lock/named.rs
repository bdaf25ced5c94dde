//! The named lock of the database server (`GET_LOCK`), beside the lease: it belongs to a connection, and no `LOCK TABLES`
//! of a dump holds it up. On a cluster of several servers it exists on one of them alone, which is why it never replaces
//! the lease.

use std::fmt::Write as _;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use sha2::{Digest as _, Sha256};

use crate::settings::MySql;

/// What came of asking for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedLock {
    /// This connection has it.
    Held,
    /// The connection of this number has it.
    HeldBy(u64),
    /// Nobody has it any more: it moved between two questions.
    Free,
    /// The server, or a proxy before it, does not know named locks.
    Unavailable,
}

/// The lock's name: at most 64 characters, where case does not count (`MySQL`), and names are the whole server's.
pub(super) fn name(server: &MySql) -> String {
    let database = server.name();
    let digest = Sha256::digest(database.as_bytes());
    let mut name = format!("onepod.{}.", database.chars().take(40).collect::<String>());
    for byte in digest.iter().take(6) {
        // Writing to a text cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Asks for it, without waiting.
pub(super) async fn take(connection: &mut Conn, name: &str) -> mysql_async::Result<NamedLock> {
    let got: Option<Option<i64>> = match connection
        .query_first(format!("SELECT GET_LOCK('{name}', 0)"))
        .await
    {
        Ok(got) => got,
        // The session goes on after an error of a statement; an error of the session shows with its next statement.
        Err(Error::Server(_)) => return Ok(NamedLock::Unavailable),
        Err(error) => return Err(error),
    };
    if got.flatten() == Some(1) {
        return Ok(NamedLock::Held);
    }
    let number: Option<Option<u64>> = connection
        .query_first(format!("SELECT IS_USED_LOCK('{name}')"))
        .await?;
    Ok(number.flatten().map_or(NamedLock::Free, NamedLock::HeldBy))
}

/// Gives it back.
pub(super) async fn release(connection: &mut Conn, name: &str) -> mysql_async::Result<()> {
    connection.query_drop(format!("DO RELEASE_LOCK('{name}')")).await
}

/// Whether this connection has it.
pub(super) async fn is_ours(connection: &mut Conn, name: &str) -> mysql_async::Result<bool> {
    let ours: Option<Option<bool>> = connection
        .query_first(format!("SELECT IS_USED_LOCK('{name}') = CONNECTION_ID()"))
        .await?;
    Ok(ours.flatten() == Some(true))
}

/// Whether the server is one of several that take writes, so that the lock on this one says nothing of the others.
pub(super) async fn is_one_of_several(connection: &mut Conn) -> mysql_async::Result<bool> {
    let variables: Vec<(String, String)> = connection
        .query("SHOW GLOBAL VARIABLES WHERE variable_name IN ('wsrep_on', 'group_replication_group_name')")
        .await?;
    Ok(variables
        .iter()
        .any(|(_, value)| !value.is_empty() && !value.eq_ignore_ascii_case("off")))
}
