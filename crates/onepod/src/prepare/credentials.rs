//! Stage credentials: the files in `/var/lib/one/.one`, so that oned bootstraps once and never refuses to.
//!
//! Before oned's first start there are `one_auth` and `one_key`, and never a service's `*_auth`: oned makes those itself,
//! with a secret that only it knows, and gives up when one of them exists while the database has no users (7.0.2,
//! `src/um/UserPool.cc`). Afterwards the database knows the passwords, and whatever disagrees with it is healed through
//! oned's API once oned is up, by `reconcile`. Nothing is deleted: what is in the way is moved aside and named.

use std::path::Path;

use rand::TryRng as _;
use rand::rngs::SysRng;

use self::login::Login;
use super::database::Oneadmin;
use super::files::{self, FileError};
use crate::board::Stage;
use crate::paths::Paths;
use crate::settings::{Secret, Settings};

pub(crate) mod login;

/// Length of a generated password.
const PASSWORD_LENGTH: usize = 32;

/// Why the credentials are not settled.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file could not be read, written or moved.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database has users, and nothing says oneadmin's password.
    #[error(
        "{path} {fault}, and {database}: a generated password would be wrong. Set ONEADMIN_PASSWORD to oneadmin's \
         present password, or restore the file"
    )]
    PasswordUnknown {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: &'static str,
        /// What is known about the database.
        database: String,
    },
    /// The database is in use, and the key of its encrypted attributes is nowhere.
    #[error(
        "{path} does not exist, and {database}: oned would make a new key without a word, and never read again what the \
         old one encrypted (passwords of datastores, hosts and clusters, for example). Set ONE_KEY to the old key, or \
         restore the file. If the key is lost for good, set ONE_KEY to a new one (openssl rand -hex 32), and enter those \
         attributes again"
    )]
    KeyUnknown {
        /// The file.
        path: String,
        /// What is known about the database.
        database: String,
    },
    /// The system gives no random numbers.
    #[error("cannot generate oneadmin's password: {0}")]
    Random(#[source] rand::rngs::SysError),
}

/// Settles the credentials. The `stage` hears what the operator should know.
pub(crate) fn settle(
    settings: &Settings,
    paths: &Paths,
    oneadmin: &Oneadmin,
    stage: &Stage,
) -> Result<(), CredentialsError> {
    if let Oneadmin::Unknown(reason) = oneadmin {
        stage.note(&format!(
            "could not find out whether the database has users ({reason}); taken as if it had, nothing is moved"
        ));
    }
    one_auth(settings, paths, oneadmin, stage)?;
    one_key(settings, paths, oneadmin, stage)?;
    fireedge_key(settings, paths, stage)?;
    service_files(paths, oneadmin, stage)
}

/// `one_auth`: kept where it is usable, else from the setting, else generated for a database without users.
fn one_auth(
    settings: &Settings,
    paths: &Paths,
    oneadmin: &Oneadmin,
    stage: &Stage,
) -> Result<(), CredentialsError> {
    let path = paths.one_auth();
    let kept = files::read_text(&path)?;
    // The one in one_auth, else one that a start before this one had tried.
    let candidates = login::candidates(&path)?;
    let usable = login::read(&path)?;
    if let Some(usable) = &usable {
        files::close(&path, 0o600)?;
        if let Some(given) = settings.oneadmin_password()
            && given != usable.password()
            && let Some(wanted) = Login::new(usable.name(), given.expose())
        {
            login::remember(&path, &[wanted])?;
            tracing::info!(
                "credentials: ONEADMIN_PASSWORD is another one than in {}; it is set in OpenNebula when oned is up",
                path.display()
            );
        }
        return Ok(());
    }
    let fault = if kept.is_some() {
        "holds no line name:password"
    } else {
        "does not exist"
    };
    let remembered = candidates.first().map(Login::password);
    let password = match (settings.oneadmin_password().or(remembered), users(oneadmin)) {
        (Some(known), _) => known.clone(),
        (None, None) => generate_password()?,
        (None, Some(database)) => {
            return Err(CredentialsError::PasswordUnknown {
                path: path.display().to_string(),
                fault,
                database,
            });
        }
    };
    if kept.is_some_and(|text| !text.trim().is_empty()) {
        let aside = files::set_aside(&paths.auth_dir(), &["one_auth".to_owned()])?;
        stage.note(&format!(
            "{} held no line name:password; moved to {}",
            path.display(),
            aside.display()
        ));
    }
    files::write(
        &path,
        format!("oneadmin:{}\n", password.expose()).as_bytes(),
        0o600,
    )?;
    if settings.oneadmin_password().is_none() && remembered.is_none() {
        tracing::info!(
            "credentials: generated oneadmin's password, it is in {}; `onepod status --credentials` prints it",
            path.display()
        );
    }
    Ok(())
}

/// What is to be said of a database that has users or may have; nothing of one that has none.
fn users(oneadmin: &Oneadmin) -> Option<String> {
    match oneadmin {
        Oneadmin::Missing => None,
        Oneadmin::Present => Some("the database has its users".to_owned()),
        Oneadmin::Unknown(reason) => Some(format!("the database may have users ({reason})")),
    }
}

/// `one_key`: kept where it exists, else from the setting, else left to oned.
fn one_key(
    settings: &Settings,
    paths: &Paths,
    oneadmin: &Oneadmin,
    stage: &Stage,
) -> Result<(), CredentialsError> {
    let path = paths.one_key();
    let kept = files::read_text(&path)?;
    if kept.as_deref().is_some_and(|text| text.trim().is_empty()) {
        // oned would take the empty text for the key.
        let aside = files::set_aside(&paths.auth_dir(), &["one_key".to_owned()])?;
        stage.note(&format!(
            "{} was empty; moved to {}",
            path.display(),
            aside.display()
        ));
    }
    let kept = kept.as_deref().map(str::trim).filter(|key| !key.is_empty());
    match (kept, settings.one_key()) {
        (Some(kept), given) => {
            files::close(&path, 0o600)?;
            if given.is_some_and(|given| given.expose() != kept) {
                stage.note(&format!(
                    "{} differs from {}, which is kept: it encrypts attributes in the database, and no other key \
                     reads them. Set ONE_KEY to the kept key",
                    settings.origin("ONE_KEY"),
                    path.display()
                ));
            }
        }
        (None, Some(given)) => {
            files::write(&path, format!("{}\n", given.expose()).as_bytes(), 0o600)?;
            if *oneadmin == Oneadmin::Present {
                tracing::info!(
                    "credentials: {} did not exist and is ONE_KEY now; attributes that were encrypted with another key \
                     cannot be read with it",
                    path.display()
                );
            }
        }
        (None, None) => {
            if let Some(database) = users(oneadmin) {
                return Err(CredentialsError::KeyUnknown {
                    path: path.display().to_string(),
                    database,
                });
            }
        }
    }
    Ok(())
}

/// The key in the file, if there is one.
pub(crate) fn kept_one_key(path: &Path) -> Result<Option<Secret>, FileError> {
    let text = files::read_text(path)?;
    let key = text.as_deref().map(str::trim).filter(|key| !key.is_empty());
    Ok(key.map(Secret::new))
}

/// `fireedge_key`: from the setting, else kept or left to `FireEdge`. It lives in sessions only, so a new one costs a
/// login and nothing else. `FireEdge` reads the whole file, hence no line feed.
pub(crate) fn fireedge_key(
    settings: &Settings,
    paths: &Paths,
    stage: &Stage,
) -> Result<(), CredentialsError> {
    let path = paths.fireedge_key();
    let kept = files::read(&path)?;
    if kept.is_some() {
        // FireEdge itself makes it readable for everyone.
        files::close(&path, 0o600)?;
    }
    let Some(given) = settings.fireedge_key().map(Secret::expose) else {
        return Ok(());
    };
    match kept {
        Some(kept) if kept == given.as_bytes() => return Ok(()),
        Some(_) => {
            let aside = files::set_aside(&paths.auth_dir(), &["fireedge_key".to_owned()])?;
            stage.note(&format!(
                "FIREEDGE_KEY is another one than before: users log in again; the old key was moved to {}",
                aside.display()
            ));
        }
        None => {}
    }
    files::write(&path, given.as_bytes(), 0o600)?;
    Ok(())
}

/// The services' `*_auth`: in the way before the first start. What is missing after it, `reconcile` writes.
fn service_files(paths: &Paths, oneadmin: &Oneadmin, stage: &Stage) -> Result<(), CredentialsError> {
    let directory = paths.auth_dir();
    let mut present = files::names(&directory)?;
    present.retain(|name| name.ends_with("_auth") && name != "one_auth");
    for name in &present {
        files::close(&directory.join(name), 0o600)?;
    }
    if *oneadmin == Oneadmin::Missing && !present.is_empty() {
        let aside = files::set_aside(&directory, &present)?;
        stage.note(&format!(
            "the database has no users yet, and oned refuses its first start while {} exist; moved to {}. If this \
             OpenNebula was in use before, stop here and check DB_BACKEND, DB_HOST and DB_NAME",
            present.join(", "),
            aside.display()
        ));
    }
    Ok(())
}

/// 32 letters and digits from the system's generator.
fn generate_password() -> Result<Secret, CredentialsError> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut password = String::with_capacity(PASSWORD_LENGTH);
    while password.len() < PASSWORD_LENGTH {
        let mut byte = [0];
        SysRng
            .try_fill_bytes(&mut byte)
            .map_err(CredentialsError::Random)?;
        // Six bits choose among 64; the two that have no letter are drawn again, so that each letter is as likely.
        password.extend(LETTERS.get(usize::from(byte[0] & 0x3f)).copied().map(char::from));
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests;
