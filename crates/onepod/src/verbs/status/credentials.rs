//! `onepod status --credentials`: oneadmin's name and password, from the volume. The pod's own status knows no secret, so
//! that this asks nobody and works whether or not the pod runs.

use std::fmt::Write as _;

use crate::paths::Paths;
use crate::prepare::credentials::login::{self, Login};
use crate::prepare::files::FileError;

/// Why there is no password to print.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    /// The file cannot be read.
    #[error("{0}; run it as the user that the pod runs as, oneadmin (uid 9869)")]
    File(#[from] FileError),
    /// There is no file yet, or no login in it.
    #[error(
        "{0} has no line name:password yet: the start makes it before oned runs, and `onepod status` says how far the \
         start has come"
    )]
    None(String),
}

/// The login that holds, for people.
pub(super) fn shown(paths: &Paths) -> Result<String, CredentialsError> {
    let path = paths.one_auth();
    let all = login::candidates(&path)?;
    let Some((first, others)) = all.split_first() else {
        return Err(CredentialsError::None(path.display().to_string()));
    };
    let mut text = table(first);
    for other in others {
        // Between the change in the database and the one in the file, nobody can tell which one holds.
        let _ = write!(
            text,
            "\nor, while a change of the password is under way:\n{}",
            table(other)
        );
    }
    Ok(text)
}

fn table(login: &Login) -> String {
    format!(
        "user      {}\npassword  {}\n",
        login.name(),
        login.password().expose()
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_login_that_holds_and_one_that_is_tried() {
        let dir = TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        let error = shown(&paths).unwrap_err().to_string();
        assert!(
            error.contains("one_auth") && error.contains("onepod status"),
            "{error}"
        );
        fs::create_dir_all(paths.auth_dir()).unwrap();
        fs::write(paths.one_auth(), "oneadmin:first:half\n").unwrap();
        assert_eq!(
            shown(&paths).unwrap(),
            "user      oneadmin\npassword  first:half\n"
        );
        fs::write(paths.one_auth().with_extension("pending"), "oneadmin:second\n").unwrap();
        insta::assert_snapshot!(shown(&paths).unwrap(), @r"
        user      oneadmin
        password  first:half

        or, while a change of the password is under way:
        user      oneadmin
        password  second
        ");
    }
}
