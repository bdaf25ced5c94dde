//! Mounted Secrets under a running pod: what a file of a setting holds is read again, and what has changed takes effect.
//!
//! The kubelet swaps a whole mount at once and tells nobody, so the files are looked at every few seconds. A value that
//! is wrong, or that does not work yet, leaves the old state in force; it is said once and tried again for as long as it
//! is there. Deliberately absent: settings that are not secrets, which take a new pod.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep_until;

use super::{Reconciler, SOURCE};
use crate::board::{Board, Stage, StageView};
use crate::prepare::{credentials, database, render, ssh};
use crate::secrecy;
use crate::settings::{Database, Secret, Settings};
use crate::supervisor::beat;

/// Time between two looks at the files: 8.2 s.
const PERIOD: Duration = beat::BEAT.saturating_mul(2);

/// What is in force of the settings that a mounted Secret can change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Applied {
    fireedge_key: Option<Secret>,
    one_key: Option<Secret>,
    ssh: (Option<Secret>, Option<String>),
    database: Option<Secret>,
    logins: (Option<Secret>, Option<Secret>),
}

impl Applied {
    fn of(settings: &Settings) -> Self {
        Self {
            fireedge_key: settings.fireedge_key().cloned(),
            one_key: settings.one_key().cloned(),
            ssh: (
                settings.ssh_key().map(|key| key.pem().clone()),
                settings.known_hosts().map(str::to_owned),
            ),
            database: match settings.database() {
                Database::Sqlite => None,
                Database::MySql(server) => Some(server.password().clone()),
            },
            logins: (
                settings.oneadmin_password().cloned(),
                settings.serveradmin_secret().cloned(),
            ),
        }
    }
}

/// The watch over the files, with what it has said already.
#[derive(Debug)]
pub struct Watch {
    reconciler: Reconciler,
    applied: Applied,
    said: BTreeMap<&'static str, String>,
}

impl Watch {
    /// Begins with the settings of the reconciler as what is in force.
    #[must_use]
    pub fn new(reconciler: Reconciler) -> Self {
        let applied = Applied::of(&reconciler.settings());
        Self {
            reconciler,
            applied,
            said: BTreeMap::new(),
        }
    }

    /// Looks at the files until it is dropped. Without any it has nothing to do and ends.
    pub async fn run(mut self) {
        if self.reconciler.settings().secret_files().is_empty() {
            return;
        }
        loop {
            // Together with the probes: one wake-up for all.
            sleep_until(beat::next(PERIOD)).await;
            self.look().await;
        }
    }

    /// Looks once.
    pub async fn look(&mut self) {
        let before = self.reconciler.settings().clone();
        let fresh = match before.reread() {
            Ok(fresh) => fresh,
            Err(mistakes) => {
                let text =
                    format!("the mounted values are not used, the ones before stay in force: {mistakes}");
                self.say("settings", Err(text));
                return;
            }
        };
        self.say("settings", Ok(()));
        self.reconciler.shared.log.hide(secrecy::of_settings(&fresh));
        let wanted = Applied::of(&fresh);
        // In force are the new values, except for a password that the database does not know yet.
        *self.reconciler.settings() = fresh.clone().with_database(before.database().clone());

        if wanted.fireedge_key != self.applied.fireedge_key {
            let done = self.fireedge_key(&fresh);
            if self.say("FIREEDGE_KEY", done) {
                self.applied.fireedge_key = wanted.fireedge_key;
            }
        }
        if wanted.ssh != self.applied.ssh {
            let done = self.ssh(&fresh);
            if self.say("SSH_PRIVATE_KEY", done) {
                self.applied.ssh = wanted.ssh;
            }
        }
        if wanted.one_key != self.applied.one_key {
            let kept = self.one_key(&fresh);
            self.say("ONE_KEY", kept);
            self.applied.one_key = wanted.one_key;
        }
        if wanted.database != self.applied.database {
            let done = self.database(&fresh).await;
            if self.say("DB_PASSWORD", done) {
                *self.reconciler.settings() = fresh.clone();
                self.applied.database = wanted.database;
            }
        }
        if wanted.logins != self.applied.logins {
            let done = self.logins().await;
            if self.say("logins", done) {
                self.applied.logins = wanted.logins;
            }
        }
    }

    /// Says what went wrong, once for as long as it is the same. Whether all went well.
    fn say(&mut self, about: &'static str, result: Result<(), String>) -> bool {
        match result {
            Ok(()) => {
                self.said.remove(about);
                true
            }
            Err(text) => {
                if self.said.get(about) != Some(&text) {
                    tracing::error!("{SOURCE}: {text}");
                    self.reconciler.shared.board.error(SOURCE, &text);
                    self.said.insert(about, text);
                }
                false
            }
        }
    }

    fn fireedge_key(&self, fresh: &Settings) -> Result<(), String> {
        if fresh.fireedge_key().is_some() {
            let paths = &self.reconciler.shared.paths;
            self.stage("fireedge_key", |stage| {
                credentials::fireedge_key(fresh, paths, stage)
            })?;
            tracing::info!("{SOURCE}: FIREEDGE_KEY has changed: fireedge starts again with it");
            self.reconciler.restart(["fireedge"]);
        }
        Ok(())
    }

    fn ssh(&self, fresh: &Settings) -> Result<(), String> {
        let paths = &self.reconciler.shared.paths;
        let settled = ssh::settle(fresh, paths, &|note| {
            tracing::warn!("{SOURCE}: {note}");
            self.reconciler.shared.board.error(SOURCE, note);
        })
        .map_err(|error| error.to_string())?;
        tracing::info!(
            "{SOURCE}: SSH_PRIVATE_KEY or SSH_KNOWN_HOSTS has changed: the files in {} follow it",
            paths.ssh_dir().display()
        );
        if settled.new_key {
            // Anew, because it holds the old key too. The task that gives it the key comes after it.
            self.reconciler.restart(["ssh-agent"]);
        }
        Ok(())
    }

    /// The key is never replaced under a database that is in use.
    fn one_key(&self, fresh: &Settings) -> Result<(), String> {
        let path = self.reconciler.shared.paths.one_key();
        let kept = credentials::kept_one_key(&path).map_err(|error| error.to_string())?;
        match (kept, fresh.one_key()) {
            (Some(kept), Some(given)) if kept != *given => Err(format!(
                "{} has changed and is not used: {} encrypts attributes in the database, and no other key reads them. \
                 Set ONE_KEY back to the kept key",
                fresh.origin("ONE_KEY"),
                path.display()
            )),
            _ => Ok(()),
        }
    }

    async fn database(&self, fresh: &Settings) -> Result<(), String> {
        if let Err(cause) = database::reachable(fresh).await {
            return Err(format!(
                "{} has changed and is not used yet: {cause}. oned works on with the one before; change it at the server \
                 too",
                fresh.origin("DB_PASSWORD")
            ));
        }
        render::render(fresh, &self.reconciler.shared.paths).map_err(|error| error.to_string())?;
        tracing::info!("{SOURCE}: DB_PASSWORD has changed and works: oned starts again with it");
        self.reconciler.restart(["oned"]);
        Ok(())
    }

    async fn logins(&self) -> Result<(), String> {
        let settings = self.reconciler.settings().clone();
        let outcome = self
            .reconciler
            .reconcile(&settings)
            .await
            .map_err(|error| error.to_string())?;
        self.reconciler.restart(outcome.restart);
        Ok(())
    }

    /// What a stage does at the start, done again; what it tells goes to the board.
    fn stage<E: std::fmt::Display>(
        &self,
        name: &'static str,
        work: impl FnOnce(&Stage) -> Result<(), E>,
    ) -> Result<(), String> {
        let aside = Board::new();
        let result = work(&aside.stage(name)).map_err(|error| error.to_string());
        for note in aside.stages().iter().flat_map(|stage: &StageView| &stage.notes) {
            self.reconciler.shared.board.error(SOURCE, note);
        }
        result
    }
}
