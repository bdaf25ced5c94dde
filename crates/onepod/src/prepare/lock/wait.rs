//! One pod's wait for the lock of the server: for whom it waits, and how it takes over.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use tokio::time::{self, Instant};

use super::Holder;
use super::server::{Asked, ask, ask_for_little_patience, ends_session, holder, lock_name};
use crate::board::Stage;
use crate::prepare::database::mysql::{self, Cause};
use crate::settings::MySql;

/// How long a lost holder may need to notice and to come back: one pause, one answer, one login, and some more.
const GRACE: Duration = Duration::from_secs(45);

/// How long the server holds a question for the lock, in seconds: short until the holder's name is known.
const ASK_SHORT: u32 = 1;
const ASK_LONG: u32 = 5;

/// One pod's wait for the lock, over as many connections as it takes.
#[derive(Debug, Default)]
pub(crate) struct Wait {
    /// Who had it when it was last seen, and when that was.
    seen: Option<(Holder, Instant)>,
    /// The connection was lost since then: then so was the holder's, perhaps.
    broken: bool,
}

impl Wait {
    /// The connection has broken.
    pub(crate) fn broken(&mut self) {
        self.broken = true;
    }

    /// Takes the lock on a connection, and waits for whoever has it. False where the server has no such locks.
    pub(crate) async fn take(
        &mut self,
        connection: &mut Conn,
        server: &MySql,
        stage: &Stage,
    ) -> Result<bool, Cause> {
        ask_for_little_patience(connection)
            .await
            .map_err(|error| mysql::classify(&error))?;
        if self.broken {
            self.let_the_holder_go_first(connection, server, stage).await?;
        }
        let mut seconds = 0;
        loop {
            match ask(connection, server, seconds).await {
                Ok(Asked::Got) => break,
                Ok(Asked::Held(holder)) => seconds = self.held(holder, server, stage),
                Err(Error::Server(error)) if !ends_session(error.code) => {
                    stage.note(&format!(
                        "the server has no named locks ({}): nothing keeps a second front-end from database \"{}\"",
                        error.message,
                        server.name()
                    ));
                    return Ok(false);
                }
                Err(error) => return Err(mysql::classify(&error)),
            }
        }
        if let Some((holder, _)) = self.seen.take() {
            until_gone(connection, server, &holder, stage).await?;
        }
        Ok(true)
    }

    /// Remembers and tells who has the lock; how long the next question may take, in seconds.
    fn held(&mut self, holder: Holder, server: &MySql, stage: &Stage) -> u32 {
        let known = self.seen.take().map(|(known, _)| known).unwrap_or_default();
        let known = merge(known, holder);
        stage.waiting(&describe(&known, server));
        let seconds = if known.pod.is_some() { ASK_LONG } else { ASK_SHORT };
        self.seen = Some((known, Instant::now()));
        self.broken = false;
        seconds
    }

    /// After a restart of the server the lock is free for all. Whoever had it still runs its oned, and needs a moment to
    /// notice and to take it again.
    async fn let_the_holder_go_first(
        &mut self,
        connection: &mut Conn,
        server: &MySql,
        stage: &Stage,
    ) -> Result<(), Cause> {
        let Some(until) = self.seen.as_ref().map(|(_, seen)| *seen + GRACE) else {
            return Ok(());
        };
        while Instant::now() < until {
            let holder = holder(connection, &lock_name(server.name()))
                .await
                .map_err(|error| mysql::classify(&error))?;
            if holder.connection.is_some() {
                self.held(holder, server, stage);
                return Ok(());
            }
            stage.waiting(&format!(
                "database \"{}\" was away, and the front-end that had it gets {} s to come back to it",
                server.name(),
                GRACE.as_secs()
            ));
            time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }
}

/// Waits until the former holder's oned has closed its connections, for as long as a lost one can last.
async fn until_gone(
    connection: &mut Conn,
    server: &MySql,
    former: &Holder,
    stage: &Stage,
) -> Result<(), Cause> {
    let Some(address) = &former.address else {
        return Ok(());
    };
    let name = server.name();
    let question = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{name}' AND id <> CONNECTION_ID() \
         AND host LIKE CONCAT(?, ':%')"
    );
    let until = Instant::now() + GRACE;
    while Instant::now() < until {
        let left: Option<u64> = connection
            .exec_first(&question, (address,))
            .await
            .map_err(|error| mysql::classify(&error))?;
        match left {
            None | Some(0) => return Ok(()),
            Some(left) => stage.waiting(&format!(
                "{former} has let go of database \"{name}\", and {left} of its connections are still open"
            )),
        }
        time::sleep(Duration::from_millis(500)).await;
    }
    stage.note(&format!(
        "connections of {former} to database \"{name}\" are still open after {} s; taken for those of a node that died",
        GRACE.as_secs()
    ));
    Ok(())
}

/// What was learned about the same holder before is kept: its name is visible for one second in fifteen.
fn merge(known: Holder, seen: Holder) -> Holder {
    if seen.connection.is_some() && known.connection == seen.connection && seen.pod.is_none() {
        Holder {
            pod: known.pod,
            since: known.since,
            ..seen
        }
    } else {
        seen
    }
}

fn describe(holder: &Holder, server: &MySql) -> String {
    format!(
        "{holder} has database \"{}\" on {}:{}, and two front-ends on one database destroy it. This one goes on when \
         that one has ended; if there should be only one, look for another pod with the same DB_HOST and DB_NAME",
        server.name(),
        server.host(),
        server.port()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_once_seen_is_kept_for_the_same_connection() {
        let named = Holder {
            pod: Some("one-0".to_owned()),
            since: Some("now".to_owned()),
            address: None,
            connection: Some(7),
        };
        let idle = |connection| Holder {
            connection: Some(connection),
            ..Holder::default()
        };
        assert_eq!(merge(named.clone(), idle(7)).pod.as_deref(), Some("one-0"));
        assert_eq!(merge(named, idle(8)).pod, None);
    }
}
