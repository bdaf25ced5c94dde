//! One pod's wait for the database: for whom it waits, when it may claim the lease, and that nobody else's session is at
//! work when it begins.

use std::collections::BTreeSet;
use std::time::Duration;

use mysql_async::Conn;
use tokio::time::{self, Instant};

use super::Holder;
use super::keep::Held;
use super::lease::{self, Lease, Row};
use super::named::{self, NamedLock};
use super::sessions::{self, Session};
use crate::board::Stage;
use crate::prepare::database::mysql::{self, Cause};
use crate::settings::MySql;

/// The time between two looks at a lease that another front-end has.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two looks at the sessions of others, which end within milliseconds as a rule.
const SESSIONS_INTERVAL: Duration = Duration::from_millis(200);

/// So long must no session of a former holder come back that did not give its lease back: longer than the time between two
/// of its renewals, by which it would notice.
const QUIET: Duration = Duration::from_secs(5);

/// A row that has not changed for this long by this front-end's own clock has no living holder, whatever the server's
/// clock says, which may have been set back.
const UNCHANGED: Duration = Duration::from_secs(2 * lease::DURATION.as_secs());

/// One pod's wait, over as many connections as it takes.
#[derive(Debug)]
pub(crate) struct Wait {
    lease: Lease,
    /// The row as it was first seen in its present state, and when that was.
    seen: Option<(Row, Instant)>,
}

/// Why the lease may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimable {
    /// Its last holder has ended for certain, or there was none.
    Free,
    /// Its last holder has not renewed it in time: it has stopped by itself, unless its clock stood still.
    Expired,
}

impl Wait {
    pub(crate) fn new(server: &MySql, identity: super::Identity) -> Self {
        Self {
            lease: Lease::new(server, identity),
            seen: None,
        }
    }

    /// Takes the lease on a connection, after whoever has it. Every error is one to try again after.
    pub(crate) async fn take(
        &mut self,
        connection: &mut Conn,
        server: &MySql,
        stage: &Stage,
    ) -> Result<Held, Cause> {
        let classified = |error: mysql_async::Error| mysql::classify(&error);
        self.lease.set_timeouts(connection).await.map_err(classified)?;
        let name = named::name(server);
        loop {
            let Some(row) = self.lease.read(connection).await.map_err(classified)? else {
                self.lease.prepare(connection).await.map_err(classified)?;
                continue;
            };
            let Some(how) = self.claimable(&row) else {
                stage.waiting(&describe(&row.holder, server));
                time::sleep(LOOK_INTERVAL).await;
                continue;
            };
            let lock = named::take(connection, &name).await.map_err(classified)?;
            if let NamedLock::HeldBy(number) = lock {
                // Its holder cannot renew the lease, and has not lost the database: a dump locks the tables.
                stage.waiting(&format!(
                    "connection {number} has the lock of database \"{}\" on {}:{}, although the lease of {} has expired; \
                     SELECT * FROM information_schema.processlist WHERE id = {number} says whose it is",
                    server.name(),
                    server.host(),
                    server.port(),
                    row.holder
                ));
                time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            let began = Instant::now();
            if !self.lease.claim(connection, &row).await.map_err(classified)? {
                named::release(connection, &name).await.map_err(classified)?;
                continue;
            }
            let several = named::is_one_of_several(connection).await.map_err(classified)?;
            let held = Held {
                lease: self.lease.clone(),
                named: (lock == NamedLock::Held && !several).then_some(name),
                renewed: began,
            };
            return self.until_alone(connection, held, &row, how, server, stage).await;
        }
    }

    fn claimable(&mut self, row: &Row) -> Option<Claimable> {
        let since = match &self.seen {
            Some((seen, since)) if seen == row => *since,
            _ => Instant::now(),
        };
        self.seen = Some((row.clone(), since));
        if row.is_new() || row.is_released() || row.is_of(self.lease.identity()) {
            Some(Claimable::Free)
        } else if row.expired || since.elapsed() >= UNCHANGED {
            Some(Claimable::Expired)
        } else {
            None
        }
    }

    /// Waits until no session of anybody else is at work in the database, and keeps the lease meanwhile.
    async fn until_alone(
        &mut self,
        connection: &mut Conn,
        mut held: Held,
        former: &Row,
        how: Claimable,
        server: &MySql,
        stage: &Stage,
    ) -> Result<Held, Cause> {
        let mut quiet_since = Instant::now();
        let quiet = match how {
            Claimable::Free => Duration::ZERO,
            Claimable::Expired => QUIET,
        };
        let mut ended = BTreeSet::new();
        loop {
            let all = sessions::others(connection, server)
                .await
                .map_err(|error| mysql::classify(&error))?;
            let (of_former, others): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|session| Some(&session.address) == former.holder.address.as_ref());
            for session in &of_former {
                // What such a session still sends must not reach the tables any more. Its own user may end it.
                if ended.insert(session.number) {
                    quiet_since = Instant::now();
                    sessions::end(connection, session.number).await;
                }
            }
            let working: Vec<&Session> = of_former
                .iter()
                .chain(others.iter().filter(|session| session.is_at_work()))
                .collect();
            match working.first() {
                Some(first) => stage.waiting(&format!(
                    "{} of others {} at work in database \"{}\" on {}:{}, the first of them {first}; two front-ends on one \
                     database destroy it. This one goes on when they have ended or been idle for {} s; give backups and \
                     other clients a database user of their own",
                    working.len(),
                    if working.len() == 1 { "session" } else { "sessions" },
                    server.name(),
                    server.host(),
                    server.port(),
                    sessions::IDLE.as_secs()
                )),
                None if quiet_since.elapsed() >= quiet => return Ok(held),
                None => {}
            }
            time::sleep(SESSIONS_INTERVAL).await;
            if held.renewed.elapsed() >= lease::RENEW_INTERVAL {
                held.renew(connection).await?;
            }
        }
    }
}

fn describe(holder: &Holder, server: &MySql) -> String {
    format!(
        "{holder} has database \"{}\" on {}:{}, and two front-ends on one database destroy it. This one goes on when that one \
         has ended, or has not renewed its lease for {} s; if there should be only one, look for another pod with the same \
         DB_HOST and DB_NAME",
        server.name(),
        server.host(),
        server.port(),
        lease::DURATION.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::lock::Identity;
    use crate::settings::{self, Database};

    fn row(beat: u64, expired: bool) -> Row {
        Row::for_tests(7, beat, "aa", "boot:1:2", expired)
    }

    fn wait(place: Option<&str>) -> Wait {
        let environment = [
            ("OPENNEBULA_HOSTNAME", "one"),
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "db"),
            ("DB_PASSWORD", "pw"),
        ];
        let settings =
            settings::settle(environment.map(|(name, value)| (name.into(), value.into()))).unwrap();
        let Database::MySql(server) = settings.database() else {
            panic!("no server")
        };
        Wait::new(
            server,
            Identity {
                pod: "one-0".to_owned(),
                since: "now".to_owned(),
                place: place.map(str::to_owned),
            },
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_claimed_when_it_has_expired_or_its_holder_has_ended() {
        assert_eq!(wait(None).claimable(&row(1, false)), None);
        assert_eq!(wait(None).claimable(&row(1, true)), Some(Claimable::Expired));
        assert_eq!(
            wait(Some("boot:1:2")).claimable(&row(1, false)),
            Some(Claimable::Free)
        );
        assert_eq!(wait(Some("boot:1:3")).claimable(&row(1, false)), None);
        let new = Row::for_tests(0, 0, "", "", true);
        assert_eq!(wait(None).claimable(&new), Some(Claimable::Free));
        let released = Row::for_tests(7, 3, "", "boot:9:9", true);
        assert_eq!(wait(None).claimable(&released), Some(Claimable::Free));
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_that_does_not_change_has_no_holder_even_if_the_servers_clock_was_set_back() {
        let mut wait = wait(None);
        assert_eq!(wait.claimable(&row(1, false)), None);
        time::advance(UNCHANGED / 2).await;
        assert_eq!(wait.claimable(&row(1, false)), None);
        assert_eq!(wait.claimable(&row(2, false)), None, "it was renewed");
        time::advance(UNCHANGED).await;
        assert_eq!(wait.claimable(&row(2, false)), Some(Claimable::Expired));
    }
}
