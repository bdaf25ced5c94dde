//! Who calls: a user's name and password, sent as the first parameter of every call.
//!
//! Deliberately absent: reading files (the caller knows where they are) and any way to print the password.

use std::fmt;

/// A user's name and password. Their `Debug` shows the name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

/// Why a name and password, or the text of an auth file, cannot be used. Never carries the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// No first line, or an empty one.
    #[error("the first line is empty; it should be user:password")]
    Empty,
    /// The first line has no colon.
    #[error("the first line has no colon; it should be user:password")]
    NoColon,
    /// Nothing before the colon.
    #[error("the user's name is empty")]
    NoUser,
    /// Nothing after the colon.
    #[error("the password is empty")]
    NoPassword,
    /// oned splits the pair at its first colon, so that a name with one is read as another name.
    #[error("the user's name contains a colon, which separates name and password")]
    ColonInUser,
    /// A character that XML 1.0 has no way to write.
    #[error("{field} contains the character U+{code:04X}, which XML cannot carry")]
    Inexpressible {
        /// `the user's name` or `the password`.
        field: &'static str,
        /// The character's code point.
        code: u32,
    },
}

impl Credentials {
    /// Takes a name and a password as they are.
    ///
    /// # Errors
    /// When one is empty, the name has a colon, or either holds a character that XML cannot carry.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, CredentialsError> {
        let credentials = Self {
            user: user.into(),
            password: password.into(),
        };
        if credentials.user.is_empty() {
            return Err(CredentialsError::NoUser);
        }
        if credentials.password.is_empty() {
            return Err(CredentialsError::NoPassword);
        }
        if credentials.user.contains(':') {
            return Err(CredentialsError::ColonInUser);
        }
        for (field, text) in [
            ("the user's name", &credentials.user),
            ("the password", &credentials.password),
        ] {
            if let Some(character) = crate::xml::inexpressible(text) {
                return Err(CredentialsError::Inexpressible {
                    field,
                    code: u32::from(character),
                });
            }
        }
        Ok(credentials)
    }

    /// Reads the text of a file such as `~oneadmin/.one/one_auth`: its first line, split at the first colon.
    ///
    /// White space at the line's end is not part of the password: oned accepts no password with any
    /// (`INVALID_PASS_CHARS` in OpenNebula's `include/User.h`).
    ///
    /// # Errors
    /// When the line is missing or is not `user:password`.
    pub fn from_auth_file(text: &str) -> Result<Self, CredentialsError> {
        let line = text.lines().next().unwrap_or_default().trim_end();
        if line.is_empty() {
            return Err(CredentialsError::Empty);
        }
        let (user, password) = line.split_once(':').ok_or(CredentialsError::NoColon)?;
        Self::new(user, password)
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What oned calls the session: `user:password`.
    pub(crate) fn session(&self) -> String {
        format!("{}:{}", self.user, self.password)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("password", &"redacted")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auth_file_is_its_first_line_split_at_the_first_colon() {
        let read = |text| Credentials::from_auth_file(text).map(|c| c.session());
        assert_eq!(read("oneadmin:s3cret\n"), Ok("oneadmin:s3cret".to_owned()));
        assert_eq!(
            read("oneadmin:a:b \r\nsecond:line\n"),
            Ok("oneadmin:a:b".to_owned())
        );
        assert_eq!(read(""), Err(CredentialsError::Empty));
        assert_eq!(read("\noneadmin:x"), Err(CredentialsError::Empty));
        assert_eq!(read("oneadmin"), Err(CredentialsError::NoColon));
        assert_eq!(read(":x"), Err(CredentialsError::NoUser));
        assert_eq!(read("oneadmin:\n"), Err(CredentialsError::NoPassword));
    }

    #[test]
    fn what_oned_or_xml_would_read_differently_is_refused() {
        assert_eq!(Credentials::new("a:b", "c"), Err(CredentialsError::ColonInUser));
        let refused = Credentials::new("oneadmin", "a\u{7}b").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the password contains the character U+0007, which XML cannot carry"
        );
    }

    #[test]
    fn the_password_is_never_printed() {
        let credentials = Credentials::new("oneadmin", "s3cret").unwrap();
        assert_eq!(
            format!("{credentials:?}"),
            r#"Credentials { user: "oneadmin", password: "redacted" }"#
        );
    }
}
