//! serveradmin's secret, with which OneFlow, OneGate, FireEdge and their kin act for the users who log in to them.
//!
//! Each has it in a file of its own, `serveradmin:SECRET`, and all of them hold the same. The database has the SHA-256 of
//! the secret, in hexadecimal digits, as password of user 1 with the driver `server_cipher` (7.0.2, `UserPool.cc` and
//! `authm_mad/remotes/server_cipher`): oneadmin can read it, so that no login is needed to see whether a file is right.

use std::fmt::Write as _;

use one_xmlrpc::User;
use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};

use super::{ReconcileError, Run};
use crate::paths::Paths;
use crate::prepare::credentials::login::{self, Login};
use crate::prepare::files;
use crate::settings::Secret;

/// The driver of a secret that services share.
const SERVER_CIPHER: &str = "server_cipher";

/// What oned makes at its first start in every release, and in those that have the service.
const FILES: [(&str, Option<&str>); 5] = [
    ("sunstone_auth", None),
    ("onegate_auth", None),
    ("oneflow_auth", None),
    ("oneform_auth", Some("usr/lib/one/oneform")),
    ("oneks_auth", Some("usr/lib/one/oneks")),
];

/// Services that read the secret once, at their start. FireEdge reads it for each login (7.0.2, `server/utils/server.js`),
/// and `OneForm` shares OneFlow's file (7.2.0, `src/form/config/environment.rb`).
const READ_AT_START: [&str; 4] = ["oneflow", "onegate", "oneform", "oneks"];

impl Run<'_> {
    /// Sees to it that serveradmin has the wanted secret and that every service's file has it.
    pub(super) async fn serveradmin(
        &mut self,
        oneadmin: &Login,
        user: Option<User>,
    ) -> Result<(), ReconcileError> {
        let Some(user) = user else {
            self.outcome.notes.push(
                "user 1, serveradmin, does not exist: nobody can log in to FireEdge, OneFlow and OneGate. Restore the \
                 database from a backup"
                    .to_owned(),
            );
            return Ok(());
        };
        if user.auth_driver != SERVER_CIPHER {
            self.outcome.notes.push(format!(
                "{} has the authentication driver {}, not {SERVER_CIPHER}: its secret is left alone",
                user.name, user.auth_driver
            ));
            return Ok(());
        }
        if !user.enabled {
            self.outcome.notes.push(format!(
                "{} is disabled: nobody can log in to FireEdge, OneFlow and OneGate. Run `oneuser enable {}`",
                user.name, user.id
            ));
        }
        let files = self.files(&user.name)?;
        let kept: Vec<&Login> = files.iter().filter_map(|(_, login)| login.as_ref()).collect();
        let in_force = |login: &&&Login| user.password.is(&sha256(login.password().expose()));
        let secret = match (
            self.settings.serveradmin_secret(),
            kept.iter().find(in_force).or(kept.first()),
        ) {
            (Some(given), _) => given.clone(),
            (None, Some(kept)) => kept.password().clone(),
            (None, None) => fresh()?,
        };
        let digest = sha256(secret.expose());
        let reset = !user.password.is(&digest);
        if reset {
            self.client(oneadmin)?
                .user_passwd(user.id, &digest)
                .await
                .map_err(ReconcileError::Call)?;
            let source = if self.settings.serveradmin_secret().is_some() {
                self.settings.origin("SERVERADMIN_SECRET")
            } else if kept.is_empty() {
                "a new one".to_owned()
            } else {
                format!("the one in {}", self.paths.auth_dir().display())
            };
            self.outcome.changed.push(format!(
                "the secret of {} is set in OpenNebula to {source}",
                user.name
            ));
        }
        let line = format!("{}:{}\n", user.name, secret.expose());
        let mut written = Vec::new();
        for (name, login) in files {
            if login.as_ref().is_some_and(|login| *login.password() == secret) {
                continue;
            }
            files::write(&self.paths.auth_dir().join(&name), line.as_bytes(), 0o600)?;
            written.push(name);
        }
        if !written.is_empty() {
            self.outcome.changed.push(format!(
                "{} in {} {} the secret of {}",
                written.join(", "),
                self.paths.auth_dir().display(),
                if written.len() == 1 { "has" } else { "have" },
                user.name
            ));
        }
        if reset || !written.is_empty() {
            self.outcome.restart.extend(READ_AT_START);
        }
        Ok(())
    }

    /// The services' files: those that must be there, and others that are serveradmin's. What each holds.
    fn files(&self, server: &str) -> Result<Vec<(String, Option<Login>)>, ReconcileError> {
        let directory = self.paths.auth_dir();
        let mut files = Vec::new();
        for name in needed(self.paths) {
            let held = login::read(&directory.join(name))?.filter(|login| login.name() == server);
            files.push((name.to_owned(), held));
        }
        for name in files::names(&directory)? {
            let other = name.ends_with("_auth")
                && name != "one_auth"
                && files.iter().all(|(known, _)| *known != name);
            if !other {
                continue;
            }
            // Whoever else has a file there keeps it.
            if let Some(login) = login::read(&directory.join(&name))?.filter(|login| login.name() == server) {
                files.push((name, Some(login)));
            }
        }
        Ok(files)
    }
}

/// The files that the installed services need.
fn needed(paths: &Paths) -> impl Iterator<Item = &'static str> {
    let root = paths.root().to_owned();
    FILES
        .into_iter()
        .filter(move |(_, service)| service.is_none_or(|service| root.join(service).exists()))
        .map(|(name, _)| name)
}

/// The SHA-256 of a text in hexadecimal digits.
fn sha256(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

/// 64 hexadecimal digits from the system's generator.
fn fresh() -> Result<Secret, ReconcileError> {
    let mut bytes = [0; 32];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(ReconcileError::Random)?;
    Ok(Secret::new(hexadecimal(&bytes)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
