//! The named lock of the database server (`GET_LOCK`), on a connection that is kept for the whole life of the pod.
//!
//! The lock ends with its connection. The session is given a short `wait_timeout`, so that a node that dies without a word
//! frees it within [`SESSION_TIMEOUT`]; a small statement every [`KEEP_ALIVE`] keeps a living one. That statement takes a
//! second and carries the pod's name in a comment: another front-end reads it from the list of processes, where the same
//! database user sees it without any further right.

use std::fmt::Write as _;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{self, Instant};

use super::{Holder, Identity};
use crate::board::{Board, DatabaseLock, Stage};
use crate::prepare::database::mysql::{self, Cause, Login};
use crate::prepare::database::{jittered, pause};
use crate::settings::MySql;

/// The pause between two signs of life; with the second that one takes it is a statement every 15 s.
const KEEP_ALIVE: Duration = Duration::from_secs(14);

/// Seconds after which the server gives up a session that says nothing.
const SESSION_TIMEOUT: u32 = 45;

/// How long the server may take for a sign of life.
const ANSWER: Duration = Duration::from_secs(10);

/// How long the server holds a question for the lock, in seconds: short until the holder's name is known.
const ASK_SHORT: u32 = 1;
const ASK_LONG: u32 = 5;

/// How long a lost holder may need to notice and to come back: one pause, one answer, one login, and some more.
const GRACE: Duration = Duration::from_secs(45);

/// What came of asking for the lock.
enum Asked {
    Got,
    Held(Holder),
}

/// The lock's name: at most 64 characters, where case does not count (`MySQL`), and names are the whole server's.
fn lock_name(database: &str) -> String {
    let digest = Sha256::digest(database.as_bytes());
    let mut name = format!("onepod.{}.", database.chars().take(40).collect::<String>());
    for byte in digest.iter().take(6) {
        // Writing to a text cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

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
        let session = format!("SET SESSION wait_timeout = {SESSION_TIMEOUT}");
        connection
            .query_drop(session)
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

async fn ask(connection: &mut Conn, server: &MySql, seconds: u32) -> mysql_async::Result<Asked> {
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

async fn holder(connection: &mut Conn, name: &str) -> mysql_async::Result<Holder> {
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
fn sign_of_life(me: &Identity) -> String {
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
fn ends_session(code: u16) -> bool {
    matches!(code, 1053 | 1152 | 1158..=1161 | 1927 | 2006 | 2013)
}

fn timed_out() -> Error {
    Error::Io(mysql_async::IoError::Io(std::io::ErrorKind::TimedOut.into()))
}

/// How the lock stands.
#[derive(Debug, Clone)]
enum Standing {
    Held,
    Lost,
    Taken(String),
}

/// Keeps the lock for as long as it lives.
#[derive(Debug)]
pub(crate) struct Keeper {
    task: JoinHandle<()>,
    standing: watch::Receiver<Standing>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    /// Begins to keep the lock that this connection has.
    pub(crate) fn start(connection: Conn, server: MySql, board: Board) -> Self {
        let (say, standing) = watch::channel(Standing::Held);
        let task = tokio::spawn(keep(connection, server, board, say));
        Self { task, standing }
    }

    /// Resolves with a sentence when another front-end has taken the database.
    pub(crate) async fn taken(&self) -> String {
        let mut standing = self.standing.clone();
        let taken = standing
            .wait_for(|standing| matches!(standing, Standing::Taken(_)))
            .await;
        match taken.as_deref() {
            Ok(Standing::Taken(sentence)) => sentence.clone(),
            _ => std::future::pending().await,
        }
    }
}

async fn keep(mut connection: Conn, mut server: MySql, board: Board, say: watch::Sender<Standing>) {
    let me = Identity::here();
    loop {
        let began = born(&mut connection).await;
        let number = connection.id();
        let cause = until_lost(&mut connection, &me, &board).await;
        let place = format!(
            "database \"{}\" on {}:{}",
            server.name(),
            server.host(),
            server.port()
        );
        let text = format!(
            "the connection that keeps other front-ends from {place} is lost ({cause}); trying to get it back"
        );
        tracing::warn!("database: {text}");
        board.error("database", &text);
        board.lose_database(&format!("the connection to {place} is lost ({cause})"));
        say.send_replace(Standing::Lost);
        drop(connection);
        match regain(&mut server, number, began, &board).await {
            Ok(fresh) => {
                tracing::info!("database: {place} is this front-end's again");
                board.set_database_lock(DatabaseLock::Held);
                say.send_replace(Standing::Held);
                connection = fresh;
            }
            Err(holder) => {
                let text = format!(
                    "{holder} has taken {place} while this front-end had lost its connection; two front-ends on one \
                     database destroy it, so this one ends"
                );
                board.error("database", &text);
                say.send_replace(Standing::Taken(text));
                return;
            }
        }
    }
}

/// Gives signs of life until there is no answer; why there is none.
async fn until_lost(connection: &mut Conn, me: &Identity, board: &Board) -> String {
    let sign = sign_of_life(me);
    loop {
        // A server that gives up a statement of one second is alive all the same.
        let answer = match time::timeout(ANSWER, connection.query_drop(&sign)).await {
            Ok(Err(Error::Server(_))) => time::timeout(ANSWER, connection.query_drop("DO 1")).await,
            answer => answer,
        };
        match answer {
            // A service in trouble may have lost the database: whoever asks for readiness wants to know.
            Ok(Ok(())) => drop(time::timeout(KEEP_ALIVE, board.doubt()).await),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("no answer within {} s", ANSWER.as_secs()),
        }
    }
}

/// When the server was started, in seconds of its clock: numbers of connections are unique between two starts.
async fn born(connection: &mut Conn) -> Option<i64> {
    let uptime: Option<(String, i64)> = connection
        .query_first("SHOW GLOBAL STATUS LIKE 'Uptime'")
        .await
        .ok()?;
    let now: Option<i64> = connection.query_first("SELECT UNIX_TIMESTAMP()").await.ok()?;
    Some(now? - uptime?.1)
}

/// Takes the lock again on a new connection, or says who has it now.
///
/// The server may still believe in the old connection, which then has the lock; a user may end connections of its own.
async fn regain(server: &mut MySql, old: u32, began: Option<i64>, board: &Board) -> Result<Conn, Holder> {
    let mut attempts = 0;
    let mut told = None;
    loop {
        let cause = match mysql::log_in(server).await {
            Ok(Login::In(mut connection)) => {
                let session = format!("SET SESSION wait_timeout = {SESSION_TIMEOUT}");
                let asked = match connection.query_drop(session).await {
                    Ok(()) => ask(&mut connection, server, 0).await,
                    Err(error) => Err(error),
                };
                match asked {
                    Ok(Asked::Got) => return Ok(*connection),
                    Ok(Asked::Held(holder)) if holder.connection == Some(old.into()) => {
                        let now = born(&mut connection).await;
                        let same = began.zip(now).is_none_or(|(then, now)| (then - now).abs() < 3);
                        if !same {
                            return Err(holder);
                        }
                        let _ = connection.query_drop(format!("KILL {old}")).await;
                        "the server still keeps the old connection".to_owned()
                    }
                    // Gone between two questions: asked again at once.
                    Ok(Asked::Held(holder)) if holder.connection.is_none() => {
                        "the lock has just moved".to_owned()
                    }
                    Ok(Asked::Held(holder)) => return Err(holder),
                    Err(error) => mysql::classify(&error).describe(server),
                }
            }
            Ok(Login::Other(reason)) => reason,
            Err(cause) => cause.describe(server),
        };
        if told.as_ref() != Some(&cause) {
            tracing::warn!("database: {cause}");
            board.lose_database(&cause);
            told = Some(cause);
        }
        time::sleep(jittered(pause(attempts))).await;
        attempts = attempts.saturating_add(1);
        *server = server.clone().with_password_read_again();
    }
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
