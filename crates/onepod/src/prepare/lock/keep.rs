//! The connection that has the lock of the server, kept for the whole life of the pod.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

use super::server::{ANSWER, Asked, ask, ask_for_little_patience, sign_of_life};
use super::{Holder, Identity};
use crate::board::{Board, DatabaseLock};
use crate::prepare::database::mysql::{self, Login};
use crate::prepare::database::{jittered, pause};
use crate::settings::MySql;

/// The pause between two signs of life; with the second that one takes it is a statement every 15 s.
const KEEP_ALIVE: Duration = Duration::from_secs(14);

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
                let asked = match ask_for_little_patience(&mut connection).await {
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
