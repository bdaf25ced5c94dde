//! The sessions of others in OpenNebula's database: an oned at work is seen by them, whoever started it.

use std::fmt;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use crate::settings::MySql;

/// A session that has not sent a statement for this long is taken for one that a dead machine has left, or a person has
/// forgotten. oned with nothing to do asks its database every 15 s or more often (`MANAGER_TIMER`).
pub(super) const IDLE: Duration = Duration::from_mins(1);

/// A session of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) number: u64,
    user: String,
    /// The client's address as the server sees it, without its port.
    pub(super) address: String,
    /// It waits for its client's next statement.
    sleeps: bool,
    /// Since when it does what it does.
    seconds: u64,
}

impl Session {
    /// Whether its client is alive and uses the database, as far as can be told.
    pub(super) fn is_at_work(&self) -> bool {
        !self.sleeps || self.seconds < IDLE.as_secs()
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} of {}@{}", self.number, self.user, self.address)
    }
}

/// Sessions of other connections with OpenNebula's database as their own. Without the right PROCESS a user sees those of
/// its own name, and oned's are among them.
pub(super) async fn others(connection: &mut Conn, server: &MySql) -> mysql_async::Result<Vec<Session>> {
    type Columns = (u64, String, String, String, i64);
    let rows: Vec<Columns> = connection
        .query(format!(
            "SELECT id, user, host, command, CAST(COALESCE(time, 0) AS SIGNED) FROM information_schema.processlist WHERE db = \
             '{}' AND id <> CONNECTION_ID() AND command NOT IN ('Killed', 'Daemon', 'Binlog Dump') ORDER BY id",
            server.name()
        ))
        .await?;
    Ok(rows
        .into_iter()
        .map(|(number, user, host, command, seconds)| Session {
            number,
            user,
            address: host
                .rsplit_once(':')
                .map_or(host.clone(), |(address, _)| address.to_owned()),
            sleeps: command == "Sleep",
            seconds: seconds.try_into().unwrap_or_default(),
        })
        .collect())
}

/// Ends a session. One that has gone already, or is another user's, is seen with the next look.
pub(super) async fn end(connection: &mut Conn, number: u64) {
    let _ = connection.query_drop(format!("KILL {number}")).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_at_work_until_it_was_silent_for_a_minute() {
        let session = |sleeps, seconds| Session {
            number: 7,
            user: "one".to_owned(),
            address: "10.0.0.7".to_owned(),
            sleeps,
            seconds,
        };
        assert!(session(true, 14).is_at_work());
        assert!(!session(true, 60).is_at_work());
        assert!(session(false, 3600).is_at_work(), "a long statement");
        assert_eq!(session(true, 0).to_string(), "number 7 of one@10.0.0.7");
    }
}
