//! oneadmin's password: which one the database knows, and the change to the one that is wanted.
//!
//! The order makes a crash harmless: what is tried is written to `one_auth.pending`, then the database is changed, then
//! `one_auth` is written. Whichever step was the last, the next run finds the password in force among those two files.

use one_xmlrpc::{Error, User, UserRef};

use super::{ReconcileError, Run};
use crate::prepare::credentials::login::{self, Login};

/// The number of the first user, which oned makes of `one_auth`.
const ONEADMIN: i32 = 0;

/// The name of the user of one's own services; see `UserPool::SERVER_NAME` in OpenNebula 7.0.2's `src/um/UserPool.cc`.
const SERVERADMIN: i32 = 1;

/// The driver whose passwords are in the database.
const CORE: &str = "core";

impl Run<'_> {
    /// Sees to it that oneadmin has the wanted password and that `one_auth` says so. Gives the login that works, and
    /// serveradmin as oned describes it; nothing where that user does not exist.
    pub(super) async fn oneadmin(&mut self) -> Result<(Login, Option<User>), ReconcileError> {
        let one_auth = self.paths.one_auth();
        let known = login::candidates(&one_auth)?;
        let name = known.first().map_or("oneadmin", Login::name);
        let wanted = self
            .settings
            .oneadmin_password()
            .and_then(|password| Login::new(name, password.expose()));
        // The wanted one first: when nothing has changed, the first call is the only one.
        let mut candidates: Vec<Login> = wanted.iter().cloned().collect();
        candidates.extend(known.into_iter().filter(|login| Some(login) != wanted.as_ref()));

        let mut found = None;
        for candidate in &candidates {
            // What every login is asked for anyway.
            match self.client(candidate)?.user_info(UserRef::Id(SERVERADMIN)).await {
                Ok(serveradmin) => found = Some((candidate.clone(), Some(serveradmin))),
                Err(Error::NoExists { .. }) => found = Some((candidate.clone(), None)),
                Err(Error::Authentication { .. }) => continue,
                Err(error) => return Err(ReconcileError::Call(error)),
            }
            break;
        }
        let Some((works, serveradmin)) = found else {
            return Err(self.refused(&candidates).await);
        };
        let settled = match wanted {
            Some(wanted) if wanted != works => self.change(&works, wanted).await?,
            _ => works,
        };
        if login::settle(&one_auth, &settled)? {
            self.outcome
                .changed
                .push(format!("{} has oneadmin's password", one_auth.display()));
            // It reads the file once, at its start; the drivers that oned starts read it for each action.
            self.outcome.restart.insert("onehem");
        }
        Ok((settled, serveradmin))
    }

    /// Changes the password with the login that works; gives the login that works afterwards.
    async fn change(&mut self, works: &Login, wanted: Login) -> Result<Login, ReconcileError> {
        let user = self
            .client(works)?
            .user_info(UserRef::Caller)
            .await
            .map_err(ReconcileError::Call)?;
        let one_auth = self.paths.one_auth();
        if user.id != ONEADMIN || user.auth_driver != CORE {
            self.outcome.notes.push(format!(
                "ONEADMIN_PASSWORD is not set in OpenNebula: {} is the login of user {} ({}) with the authentication \
                 driver {}, and only the password of user 0 with the driver core is kept there. Remove \
                 ONEADMIN_PASSWORD, or set it to the password in that file",
                one_auth.display(),
                user.id,
                user.name,
                user.auth_driver
            ));
            return Ok(works.clone());
        }
        login::remember(&one_auth, &[wanted.clone(), works.clone()])?;
        match self
            .client(works)?
            .user_passwd(ONEADMIN, wanted.password().expose())
            .await
        {
            Ok(()) => {}
            Err(source @ (Error::Action { .. } | Error::Api { .. })) => {
                return Err(ReconcileError::NotTaken {
                    setting: self.settings.origin("ONEADMIN_PASSWORD"),
                    source,
                });
            }
            Err(error) => return Err(ReconcileError::Call(error)),
        }
        self.outcome.changed.push(format!(
            "oneadmin's password is changed to that of {}",
            self.settings.origin("ONEADMIN_PASSWORD")
        ));
        Ok(wanted)
    }
}
