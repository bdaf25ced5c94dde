//! The passwords that may be oneadmin's: `one_auth`, and beside it `one_auth.pending` while it is not certain which one
//! the database knows.
//!
//! A password is changed in two places that no transaction holds together: first the database, then `one_auth`. What is
//! tried is therefore written down before the first step, so that a crash at any point leaves a file that names the
//! password in force. Deliberately absent: asking oned; that is `reconcile`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use one_xmlrpc::{Credentials, CredentialsError};

use crate::prepare::files::{self, FileError};
use crate::settings::Secret;

/// So many passwords are remembered beside the one in `one_auth`.
const REMEMBERED: usize = 4;

/// A user's name and password. `Debug` hides the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    name: String,
    password: Secret,
}

impl Login {
    /// A login of that name; nothing when a part is empty.
    pub(crate) fn new(name: &str, password: &str) -> Option<Self> {
        let login = Self {
            name: name.to_owned(),
            password: Secret::new(password),
        };
        (!name.is_empty() && !password.is_empty()).then_some(login)
    }

    /// The login of a line `name:password`, split at the first colon, as oned reads it.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, password) = line.trim_end().split_once(':')?;
        Self::new(name, password)
    }

    /// The user's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The user's password.
    pub(crate) fn password(&self) -> &Secret {
        &self.password
    }

    /// The same as the client of oned takes it.
    pub(crate) fn credentials(&self) -> Result<Credentials, CredentialsError> {
        Credentials::new(self.name.as_str(), self.password.expose())
    }

    fn line(&self) -> String {
        format!("{}:{}\n", self.name, self.password.expose())
    }
}

/// The login of a file such as `one_auth`: its first line. Nothing when there is no such file or no such line.
pub(crate) fn read(path: &Path) -> Result<Option<Login>, FileError> {
    let text = files::read_text(path)?;
    Ok(text.and_then(|text| Login::parse(text.lines().next()?)))
}

/// Every login that may be in force, the one in `one_auth` first.
pub(crate) fn candidates(one_auth: &Path) -> Result<Vec<Login>, FileError> {
    let mut all = Vec::from_iter(read(one_auth)?);
    all.extend(pending(one_auth)?);
    Ok(distinct(all))
}

/// Remembers logins, beside those that are remembered already, until [`settle`].
pub(crate) fn remember(one_auth: &Path, logins: &[Login]) -> Result<(), FileError> {
    let before = pending(one_auth)?;
    let all = distinct(logins.iter().cloned().chain(before.iter().cloned()));
    if all == before {
        return Ok(());
    }
    let text: String = all.iter().take(REMEMBERED).map(Login::line).collect();
    files::write(&pending_path(one_auth), text.as_bytes(), 0o600)
}

/// Writes the login that is certainly in force and forgets the others. Whether `one_auth` held another one.
pub(crate) fn settle(one_auth: &Path, login: &Login) -> Result<bool, FileError> {
    let changed = read(one_auth)?.as_ref() != Some(login);
    if changed {
        files::write(one_auth, login.line().as_bytes(), 0o600)?;
    }
    let path = pending_path(one_auth);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(files::failed("remove", &path)(error)),
        _ => Ok(changed),
    }
}

fn pending(one_auth: &Path) -> Result<Vec<Login>, FileError> {
    let text = files::read_text(&pending_path(one_auth))?.unwrap_or_default();
    Ok(text.lines().filter_map(Login::parse).collect())
}

fn pending_path(one_auth: &Path) -> PathBuf {
    one_auth.with_extension("pending")
}

fn distinct(logins: impl IntoIterator<Item = Login>) -> Vec<Login> {
    let mut all = Vec::new();
    for login in logins {
        if !all.contains(&login) {
            all.push(login);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use tempfile::TempDir;

    use super::*;

    fn login(password: &str) -> Login {
        Login::new("oneadmin", password).unwrap()
    }

    #[test]
    fn what_is_tried_is_remembered_until_one_is_certain() {
        let dir = TempDir::new().unwrap();
        let one_auth = dir.path().join("one_auth");
        assert_eq!(candidates(&one_auth).unwrap(), []);
        fs::write(&one_auth, "oneadmin:a:1 \nsecond:line\n").unwrap();
        remember(&one_auth, &[login("b")]).unwrap();
        remember(&one_auth, &[login("c"), login("b"), login("a:1")]).unwrap();
        let passwords: Vec<_> = candidates(&one_auth)
            .unwrap()
            .iter()
            .map(|login| login.password().expose().to_owned())
            .collect();
        assert_eq!(passwords, ["a:1", "c", "b"]);
        let pending = dir.path().join("one_auth.pending");
        assert_eq!(fs::metadata(&pending).unwrap().mode() & 0o777, 0o600);
        assert!(settle(&one_auth, &login("b")).unwrap());
        assert!(!settle(&one_auth, &login("b")).unwrap());
        assert_eq!(candidates(&one_auth).unwrap(), [login("b")]);
        assert!(!pending.exists());
        assert_eq!(fs::read_to_string(&one_auth).unwrap(), "oneadmin:b\n");
    }

    #[test]
    fn a_hundred_rotations_without_oned_do_not_fill_the_volume() {
        let dir = TempDir::new().unwrap();
        let one_auth = dir.path().join("one_auth");
        for number in 0..100 {
            remember(&one_auth, &[login(&format!("p{number}"))]).unwrap();
        }
        let remembered = candidates(&one_auth).unwrap();
        assert_eq!((remembered.len(), &remembered[0]), (REMEMBERED, &login("p99")));
    }

    #[test]
    fn debug_hides_the_password() {
        assert!(!format!("{:?}", login("hunter2")).contains("hunter2"));
    }
}
