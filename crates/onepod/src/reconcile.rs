//! Makes files, Secret and database agree on who may log in to OpenNebula, through oned's API once oned is up.
//!
//! The database knows the passwords; the files in `~oneadmin/.one` and the mounted Secret say what they should be. Where
//! they differ, the database is brought to what is wanted and the files to what the database has then: oneadmin's
//! password ([`oneadmin`]) and the secret that the services share ([`serveradmin`]). When nothing has changed that takes
//! one call. Deliberately absent: the files that oned needs before its start, which are the stage credentials.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use one_xmlrpc::{Client, Endpoint};

use crate::board::{Board, ServiceState};
use crate::log::Log;
use crate::paths::Paths;
use crate::prepare::credentials::login::Login;
use crate::prepare::{FileError, database};
use crate::secrecy;
use crate::settings::Settings;
use crate::supervisor::handle::Handle;

mod oneadmin;
mod serveradmin;
pub mod watch;

/// Under this name errors stand on the board and in the log.
const SOURCE: &str = "credentials";

/// Why files, Secret and database do not agree.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// oned knows none of the passwords.
    #[error(
        "oned accepts neither {tried}: oneadmin's password was changed in OpenNebula. Set ONEADMIN_PASSWORD to it, or \
         change it back there"
    )]
    Refused {
        /// Where the passwords that were tried came from.
        tried: String,
    },
    /// oned refuses every password, because it has no database.
    #[error("oned has lost its database, and so refuses every password; {cause}")]
    NoDatabase {
        /// What is wrong with the database.
        cause: String,
    },
    /// A password cannot be sent to oned.
    #[error("oneadmin's password cannot be used: {0}")]
    Unusable(#[source] one_xmlrpc::CredentialsError),
    /// oned does not take the new password.
    #[error("oned does not take {setting}: {source}. Set another one")]
    NotTaken {
        /// The setting and where it came from.
        setting: String,
        /// oned's words.
        source: one_xmlrpc::Error,
    },
    /// A call failed.
    #[error("{0}")]
    Call(#[source] one_xmlrpc::Error),
    /// The system gives no random numbers.
    #[error("cannot make a secret for serveradmin: {0}")]
    Random(#[source] rand::rngs::SysError),
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was changed, one clause each.
    pub changed: Vec<String>,
    /// What the operator should know.
    pub notes: Vec<String>,
    /// Services that work with what was before, because they read it at their start.
    pub restart: BTreeSet<&'static str>,
    /// Calls that were made to oned.
    pub calls: u32,
}

/// Brings files, Secret and database together. Clones work on the same ones; one run at a time.
#[derive(Debug, Clone)]
pub struct Reconciler {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    paths: Paths,
    board: Board,
    handle: Handle,
    endpoint: Endpoint,
    /// Which is told what to hide.
    log: Log,
    /// The settings as they were read last.
    settings: Mutex<Settings>,
    turn: tokio::sync::Mutex<()>,
}

impl Reconciler {
    /// For the oned at `endpoint`.
    #[must_use]
    pub fn new(
        settings: Settings,
        paths: Paths,
        board: Board,
        handle: Handle,
        endpoint: Endpoint,
        log: Log,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                paths,
                board,
                handle,
                endpoint,
                log,
                settings: Mutex::new(settings),
                turn: tokio::sync::Mutex::new(()),
            }),
        }
    }

    /// The settings as they were read last.
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.shared
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The task `credentials`: reconciles, says what was done, and has services that read the old secrets at their start
    /// start again.
    pub async fn run(&self) -> Result<(), String> {
        let settings = self.settings().clone();
        let outcome = self
            .reconcile(&settings)
            .await
            .map_err(|error| error.to_string())?;
        tracing::info!(
            "{SOURCE}: {}, {} {} to oned",
            if outcome.changed.is_empty() {
                "nothing to change"
            } else {
                "reconciled"
            },
            outcome.calls,
            if outcome.calls == 1 { "call" } else { "calls" }
        );
        self.restart(outcome.restart);
        Ok(())
    }

    /// One reconciliation with these settings, told to the log and the board.
    async fn reconcile(&self, settings: &Settings) -> Result<Outcome, ReconcileError> {
        let _turn = self.shared.turn.lock().await;
        let outcome = reconcile(settings, &self.shared.paths, &self.shared.endpoint).await;
        self.shared.log.hide(secrecy::of_volume(&self.shared.paths));
        let outcome = outcome?;
        for change in &outcome.changed {
            tracing::info!("{SOURCE}: {change}");
        }
        for note in &outcome.notes {
            tracing::warn!("{SOURCE}: {note}");
            self.shared.board.error(SOURCE, note);
        }
        Ok(outcome)
    }

    /// Has services start again, each on its own: the answer of one that stops slowly shall not hold up another.
    fn restart(&self, names: impl IntoIterator<Item = &'static str>) {
        let services = self.shared.board.services();
        for name in names {
            // One that is off, absent or not started yet reads what is new at its start.
            let runs = services.iter().any(|service| {
                service.name == name && (service.pid.is_some() || service.state == ServiceState::Backoff)
            });
            if !runs {
                continue;
            }
            let handle = self.shared.handle.clone();
            tokio::spawn(async move {
                if let Err(error) = handle.restart(name).await {
                    tracing::debug!("{SOURCE}: {name} is not restarted: {error}");
                }
            });
        }
    }
}

/// One reconciliation: nothing else than files and calls.
///
/// # Errors
/// The first step that failed. What was done until then stays, and the next run goes on from there.
pub async fn reconcile(
    settings: &Settings,
    paths: &Paths,
    endpoint: &Endpoint,
) -> Result<Outcome, ReconcileError> {
    let mut run = Run {
        settings,
        paths,
        endpoint,
        outcome: Outcome::default(),
    };
    let (login, serveradmin) = run.oneadmin().await?;
    run.serveradmin(&login, serveradmin).await?;
    Ok(run.outcome)
}

/// One reconciliation under way.
struct Run<'a> {
    settings: &'a Settings,
    paths: &'a Paths,
    endpoint: &'a Endpoint,
    outcome: Outcome,
}

impl Run<'_> {
    fn client(&mut self, login: &Login) -> Result<Client, ReconcileError> {
        let credentials = login.credentials().map_err(ReconcileError::Unusable)?;
        self.outcome.calls += 1;
        Ok(Client::new(self.endpoint.clone(), credentials))
    }

    /// Why oned refuses every password: without its database it can look up none.
    async fn refused(&self, candidates: &[Login]) -> ReconcileError {
        if let Err(cause) = database::reachable(self.settings).await {
            return ReconcileError::NoDatabase { cause };
        }
        let file = format!("the password in {}", self.paths.one_auth().display());
        let given = self.settings.oneadmin_password();
        let tried = match given {
            Some(given) if candidates.iter().any(|login| login.password() != given) => {
                format!("{} nor {file}", self.settings.origin("ONEADMIN_PASSWORD"))
            }
            Some(_) => format!(
                "{} nor any other that is known here",
                self.settings.origin("ONEADMIN_PASSWORD")
            ),
            None => format!("{file} nor any other that is known here"),
        };
        ReconcileError::Refused { tried }
    }
}

#[cfg(test)]
mod tests;
