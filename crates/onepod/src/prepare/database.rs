//! Stage database: waits until oned could work with its database, and looks whether OpenNebula has users there.
//!
//! It changes nothing in the database and creates none: that is oned's. Waiting has no end of its own; the pod's
//! startup probe and the operator have.

use std::time::Duration;

use tokio::time;

use crate::board::Stage;
use crate::paths::Paths;
use crate::settings::{Database, Settings};

mod mysql;
mod sqlite;

/// The first pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether user 0 is in the database: oned bootstraps when it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Oneadmin {
    /// Certainly not: the next start of oned is its first.
    Missing,
    /// Yes: users and passwords are what the database says.
    Present,
    /// Could not be found out, for this reason.
    Unknown(String),
}

/// What the stage found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The settings with the password that worked.
    pub(crate) settings: Settings,
    /// Whether user 0 is there.
    pub(crate) oneadmin: Oneadmin,
    /// Keeps other front-ends away.
    pub(crate) guard: Guard,
}

/// Keeps other front-ends away from the database for as long as it lives.
#[derive(Debug, Default)]
pub struct Guard {}

impl Guard {
    /// Resolves with a sentence that names the other front-end when one has taken the database while this one had lost
    /// it: this one must end then.
    pub async fn taken(&self) -> String {
        std::future::pending().await
    }
}

/// Waits for the database.
pub(crate) async fn wait(settings: Settings, paths: &Paths, stage: &Stage) -> Found {
    match settings.database().clone() {
        Database::Sqlite => Found {
            settings,
            oneadmin: sqlite::oneadmin(&paths.sqlite()),
            guard: Guard::default(),
        },
        Database::MySql(mut server) => {
            if server.password().expose().contains(' ') {
                stage.note(
                    "DB_PASSWORD has a blank: oned works with it, and onedb does not, which upgrades and checks the \
                     database. Take a password without blanks",
                );
            }
            let mut attempts = 0;
            let oneadmin = loop {
                match mysql::attempt(&server).await {
                    Ok(oneadmin) => break oneadmin,
                    Err(cause) => stage.waiting(&cause.describe(&server)),
                }
                time::sleep(jittered(pause(attempts))).await;
                attempts = attempts.saturating_add(1);
                server = server.with_password_read_again();
            };
            Found {
                settings: settings.with_database(Database::MySql(server)),
                oneadmin,
                guard: Guard::default(),
            }
        }
    }
}

/// Whether the settings' user and password are accepted by the database now. The error is the cause for people.
pub(crate) async fn reachable(settings: &Settings) -> Result<(), String> {
    match settings.database() {
        Database::Sqlite => Ok(()),
        Database::MySql(server) => match mysql::attempt(server).await {
            Ok(_) => Ok(()),
            Err(cause) => Err(cause.describe(server)),
        },
    }
}

/// The pause after the attempt of that number, counted from 0.
fn pause(attempt: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(LONGEST_PAUSE)
}

/// A fifth more or less, so that pods that wait for the same server do not come all at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.8..1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let pauses: Vec<_> = (0..7).map(|attempt| pause(attempt).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(1)).as_secs_f64();
            assert!((0.8..1.2).contains(&pause), "{pause}");
        }
    }
}
