//! Renews the lease for the whole life of the pod, and says when this front-end may no longer write.

use std::time::Duration;

use mysql_async::{Conn, Error};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{self, Instant};

use super::lease::{FENCE_AFTER, Lease, RENEW_INTERVAL, Renewal};
use super::named::{self, NamedLock};
use crate::board::{Board, DatabaseLock};
use crate::prepare::database::mysql::{self, Cause, Login};
use crate::prepare::database::{jittered, pause};
use crate::settings::MySql;

/// How the lease stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The database is this front-end's.
    Held,
    /// The last renewal is so long ago that another front-end may claim it soon: nothing may write any more. The sentence
    /// says why.
    Fenced(String),
    /// Another front-end has claimed it, as the sentence says.
    Taken(String),
}

/// A lease that was claimed or renewed.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) lease: Lease,
    /// The named lock that this connection has, where it is the whole server's.
    pub(super) named: Option<String>,
    /// Before the last renewal that succeeded was sent.
    pub(super) renewed: Instant,
}

impl Held {
    /// Renews it while this front-end still waits for others.
    pub(super) async fn renew(&mut self, connection: &mut Conn) -> Result<(), Cause> {
        let began = Instant::now();
        match self.lease.renew(connection, self.named.as_deref()).await {
            Ok(Renewal::Done | Renewal::NamedLock) => {
                self.renewed = began;
                Ok(())
            }
            Ok(Renewal::Missing) => Err(Cause::Other("the row of the lease was removed".to_owned())),
            Ok(Renewal::Taken(holder)) => Err(Cause::Other(format!("{holder} has claimed the lease"))),
            Err(error) => Err(mysql::classify(&error)),
        }
    }
}

/// Keeps the lease until it is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    task: JoinHandle<()>,
    standing: watch::Receiver<Standing>,
    lease: Lease,
    server: MySql,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    /// Begins to renew the lease that was claimed on this connection.
    pub(crate) fn start(connection: Conn, held: Held, server: MySql, board: Board) -> Self {
        let (tell, standing) = watch::channel(Standing::Held);
        let lease = held.lease.clone();
        let work = Work {
            place: format!(
                "database \"{}\" on {}:{}",
                server.name(),
                server.host(),
                server.port()
            ),
            held,
            server: server.clone(),
            board,
            tell,
        };
        Self {
            task: tokio::spawn(work.run(connection)),
            standing,
            lease,
            server,
        }
    }

    /// How the lease stands, and every change of that.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Gives the lease back. Only once nothing of this front-end writes any more.
    pub(crate) async fn release(self) {
        self.task.abort();
        let server = self.server.clone().with_password_read_again();
        // Without it the next front-end waits for the end of the lease: that is all.
        if let Ok(Login::In(mut connection)) = mysql::log_in(&server).await {
            let _ = self.lease.release(&mut connection).await;
            let _ = connection.disconnect().await;
        }
    }
}

struct Work {
    place: String,
    held: Held,
    server: MySql,
    board: Board,
    tell: watch::Sender<Standing>,
}

impl Work {
    async fn run(mut self, mut connection: Conn) {
        loop {
            let cause = match self.until_lost(&mut connection).await {
                Lost::Connection(cause) => cause,
                Lost::Taken(sentence) => return self.taken(sentence),
            };
            drop(connection);
            let text = format!("cannot renew the lease of {}: {cause}; trying again", self.place);
            tracing::warn!("database: {text}");
            self.board.error("database", &text);
            self.board
                .lose_database(&format!("cannot renew the lease of {}: {cause}", self.place));
            match self.regain(&cause).await {
                Ok(fresh) => {
                    tracing::info!("database: the lease of {} is renewed again", self.place);
                    self.board.set_database_lock(DatabaseLock::Held);
                    self.tell.send_if_modified(|standing| {
                        std::mem::replace(standing, Standing::Held) != Standing::Held
                    });
                    connection = fresh;
                }
                Err(sentence) => return self.taken(sentence),
            }
        }
    }

    fn taken(&self, sentence: String) {
        self.board.error("database", &sentence);
        self.tell.send_replace(Standing::Taken(sentence));
    }

    /// Renews until that fails.
    async fn until_lost(&mut self, connection: &mut Conn) -> Lost {
        loop {
            // A service in trouble may have lost the database: whoever asks for readiness wants to know.
            drop(time::timeout(RENEW_INTERVAL, self.board.doubt()).await);
            // This process may have been frozen in between.
            self.fence_when_due("this process stood still");
            if let Err(lost) = self.renew_once(connection).await {
                return lost;
            }
        }
    }

    /// One renewal, before the time of the last one is over.
    async fn renew_once(&mut self, connection: &mut Conn) -> Result<(), Lost> {
        let began = Instant::now();
        let renewal = time::timeout_at(self.answer_due(), async {
            let renewal = self
                .held
                .lease
                .renew(connection, self.held.named.as_deref())
                .await?;
            if matches!(renewal, Renewal::Missing) {
                return self.claim_again(connection).await;
            }
            Ok(renewal)
        });
        match renewal.await {
            Ok(Ok(Renewal::Done | Renewal::NamedLock)) => {
                self.held.renewed = began;
                Ok(())
            }
            Ok(Ok(Renewal::Missing)) => Err(Lost::Connection("the row of the lease was removed".to_owned())),
            Ok(Ok(Renewal::Taken(holder))) => Err(Lost::Taken(format!(
                "{holder} has claimed {} while this front-end could not renew its lease; two front-ends on one database \
                 destroy it, so this one ends",
                self.place
            ))),
            Ok(Err(error)) => Err(Lost::Connection(mysql::classify(&error).describe(&self.server))),
            Err(_) => Err(Lost::Connection("the server does not answer".to_owned())),
        }
    }

    /// When the server must have answered, so that the fence is not late; a second where it has fallen already.
    fn answer_due(&self) -> Instant {
        (self.held.renewed + FENCE_AFTER).max(Instant::now() + Duration::from_secs(1))
    }

    /// The row was dropped, or a dump without it was restored: it is made and claimed as it was before.
    async fn claim_again(&self, connection: &mut Conn) -> Result<Renewal, Error> {
        let lease = &self.held.lease;
        lease.prepare(connection).await?;
        let Some(row) = lease.read(connection).await? else {
            return Ok(Renewal::Missing);
        };
        Ok(if lease.claim(connection, &row).await? {
            Renewal::Done
        } else {
            Renewal::Missing
        })
    }

    /// Says that nothing may write any more, once the last renewal is too long ago.
    fn fence_when_due(&self, cause: &str) {
        if self.held.renewed.elapsed() < FENCE_AFTER {
            return;
        }
        self.tell.send_if_modified(|standing| {
            let held = *standing == Standing::Held;
            if held {
                *standing = Standing::Fenced(format!(
                    "the lease of {} could not be renewed for {} s ({cause})",
                    self.place,
                    FENCE_AFTER.as_secs()
                ));
            }
            held
        });
    }

    /// Renews the lease on a new connection, or says who has it now.
    async fn regain(&mut self, cause: &str) -> Result<Conn, String> {
        let mut attempts = 0;
        let mut told = cause.to_owned();
        loop {
            let cause = match self.connect(&told).await {
                // A link may freeze between the login and any statement after it.
                Ok(mut connection) => {
                    match time::timeout_at(self.answer_due(), self.enter(&mut connection)).await {
                        Ok(Ok(())) => return Ok(connection),
                        Ok(Err(Lost::Taken(sentence))) => return Err(sentence),
                        Ok(Err(Lost::Connection(cause))) => cause,
                        Err(_) => "the server does not answer".to_owned(),
                    }
                }
                Err(cause) => cause,
            };
            if told != cause {
                tracing::warn!("database: {cause}");
                self.board.lose_database(&cause);
                told = cause;
            }
            self.fence_when_due(&told);
            time::sleep(jittered(pause(attempts)).min(Duration::from_secs(1))).await;
            self.fence_when_due(&told);
            attempts = attempts.saturating_add(1);
            self.server = self.server.clone().with_password_read_again();
        }
    }

    /// Logs in. The fence does not wait for a login that hangs.
    async fn connect(&self, told: &str) -> Result<Conn, String> {
        let mut login = std::pin::pin!(mysql::log_in(&self.server));
        let due = self.held.renewed + FENCE_AFTER;
        let login = if let Ok(login) = time::timeout_at(due, &mut login).await {
            login
        } else {
            self.fence_when_due(told);
            login.await
        };
        match login {
            Ok(Login::In(connection)) => Ok(*connection),
            Ok(Login::Other(reason)) => Err(reason),
            Err(cause) => Err(cause.describe(&self.server)),
        }
    }

    /// Renews the lease on a new connection, and takes the named lock if it is free: the old connection may have it still.
    async fn enter(&mut self, connection: &mut Conn) -> Result<(), Lost> {
        let lost = |error: Error| Lost::Connection(mysql::classify(&error).describe(&self.server));
        self.held.lease.set_timeouts(connection).await.map_err(lost)?;
        let name = named::name(&self.server);
        let lock = named::take(connection, &name).await.map_err(lost)?;
        let several = named::is_one_of_several(connection).await.map_err(lost)?;
        self.held.named = (lock == NamedLock::Held && !several).then_some(name);
        self.renew_once(connection).await
    }
}

/// Why renewing has ended.
enum Lost {
    /// The connection, or the server, for this reason.
    Connection(String),
    /// Another front-end has claimed the lease, as the sentence says.
    Taken(String),
}
