//! The named lock of the database server (`GET_LOCK`): asking for it, and finding out who has it.
//!
//! The lock ends with its connection. The session is given a short `wait_timeout`, so that a node that dies without a word
//! frees it within [`SESSION_TIMEOUT`] seconds; a small statement now and then keeps a living one. That statement takes a
//! second and carries the pod's name in a comment: another front-end reads it from the list of processes, where the same
//! database user sees it without any further right. Who waits and who keeps is in `wait` and `keep`.

use std::fmt::Write as _;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use sha2::{Digest as _, Sha256};
use tokio::time;

use super::{Holder, Identity};
use crate::settings::MySql;

/// Seconds after which the server gives up a session that says nothing.
const SESSION_TIMEOUT: u32 = 45;

/// How long the server may take for a sign of life.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// What came of asking for the lock.
pub(super) enum Asked {
    Got,
    Held(Holder),
}

/// The lock's name: at most 64 characters, where case does not count (`MySQL`), and names are the whole server's.
pub(super) fn lock_name(database: &str) -> String {
    let digest = Sha256::digest(database.as_bytes());
    let mut name = format!("onepod.{}.", database.chars().take(40).collect::<String>());
    for byte in digest.iter().take(6) {
        // Writing to a text cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Asks for the lock; the server holds the question for so many seconds while another one has it.
pub(super) async fn ask(connection: &mut Conn, server: &MySql, seconds: u32) -> mysql_async::Result<Asked> {
    let name = lock_name(server.name());
    let got: Option<Option<i64>> = time::timeout(
        ANSWER + Duration::from_secs(seconds.into()),
        connection.query_first(format!("SELECT GET_LOCK('{name}', {seconds})")),
    )
    .await
    .map_err(|_| timed_out())??;
    if got.flatten() == Some(1) {
        return Ok(Asked::Got);
    }
    holder(connection, &name).await.map(Asked::Held)
}

/// Who has the lock.
pub(super) async fn holder(connection: &mut Conn, name: &str) -> mysql_async::Result<Holder> {
    let number: Option<Option<u64>> = connection
        .query_first(format!("SELECT IS_USED_LOCK('{name}')"))
        .await?;
    let Some(number) = number.flatten() else {
        return Ok(Holder::default());
    };
    let row: Option<(String, Option<String>)> = connection
        .query_first(format!(
            "SELECT host, info FROM information_schema.processlist WHERE id = {number}"
        ))
        .await?;
    let (host, info) = row.unzip();
    let (pod, since) = info.flatten().as_deref().and_then(signature).unzip();
    Ok(Holder {
        pod,
        since,
        address: host.map(|host| {
            host.rsplit_once(':')
                .map_or(host.clone(), |(host, _)| host.to_owned())
        }),
        connection: Some(number),
    })
}

/// The sign of life, with the name of whoever gives it.
pub(super) fn sign_of_life(me: &Identity) -> String {
    format!("DO SLEEP(1) /* onepod {} since {} */", me.pod, me.since)
}

/// Pod and time out of a sign of life.
fn signature(statement: &str) -> Option<(String, String)> {
    let comment = statement.split_once("/* onepod ")?.1.split_once(" */")?.0;
    let (pod, since) = comment.split_once(" since ")?;
    Some((pod.to_owned(), since.to_owned()))
}

/// Errors after which the server takes no further statement on this connection (`MariaDB` error codes: shutdown,
/// connection killed, gone away, lost).
pub(super) fn ends_session(code: u16) -> bool {
    matches!(code, 1053 | 1152 | 1158..=1161 | 1927 | 2006 | 2013)
}

/// Gives a session the short life that frees the lock of a node that died without a word.
pub(super) async fn ask_for_little_patience(connection: &mut Conn) -> mysql_async::Result<()> {
    let session = format!("SET SESSION wait_timeout = {SESSION_TIMEOUT}");
    connection.query_drop(session).await
}

fn timed_out() -> Error {
    Error::Io(mysql_async::IoError::Io(std::io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_tells_who_gives_it() {
        let me = Identity {
            pod: "opennebula-0".to_owned(),
            since: "2026-11-23T17:52:29Z".to_owned(),
        };
        let (pod, since) = signature(&sign_of_life(&me)).unwrap();
        assert_eq!((pod, since), (me.pod, me.since));
        assert_eq!(signature("SELECT 1"), None);
    }

    #[test]
    fn names_of_locks_fit_and_differ_where_the_servers_case_does_not() {
        assert!(lock_name(&"x".repeat(64)).len() <= 64);
        assert_ne!(lock_name("one").to_lowercase(), lock_name("ONE").to_lowercase());
        assert!(lock_name("opennebula").starts_with("onepod.opennebula."));
    }
}
