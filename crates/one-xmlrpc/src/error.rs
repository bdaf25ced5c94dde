//! Everything that can go wrong with a call, one variant per step that failed.
//!
//! Deliberately absent: advice on what to do; the caller knows where the endpoint and the password came from.

use crate::transport::TransportError;

/// Why a call gave no value.
///
/// The variants up to [`Error::Other`] are oned's own refusals: HTTP 200 with a false boolean, a message and a code
/// (`enum ErrorCode` in OpenNebula 7.0.2's `include/Request.h`). `message` is oned's text without the method's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Code 0x100: oned could not check who calls.
    ///
    /// **This is also what a lost database looks like.** oned looks the caller up in its database for every call, even
    /// for `one.system.version`; when that query fails it answers the same `User couldn't be authenticated`. So after
    /// a call that once succeeded this error means "the database is gone" at least as often as "the password changed".
    #[error("{method}: {message}")]
    Authentication {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x200: the caller is known and may not do this.
    #[error("{method}: {message}")]
    Authorization {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x400: there is no such object.
    #[error("{method}: {message}")]
    NoExists {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x800: the object's state does not allow this.
    #[error("{method}: {message}")]
    Action {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x1000: oned could not use a parameter.
    #[error("{method}: {message}")]
    Api {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x2000: oned failed; in a group of several, also while no leader is elected.
    #[error("{method}: {message}")]
    Internal {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x4000: the object could not be created.
    #[error("{method}: {message}")]
    Allocate {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x8000: someone has locked the object.
    #[error("{method}: {message}")]
    Locked {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// Code 0x10000: a follower did not take the log entry.
    #[error("{method}: {message}")]
    Replication {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
    },
    /// A code that 7.0.2 does not have.
    #[error("{method}: {message} (error code {code})")]
    Other {
        /// The method that was called.
        method: &'static str,
        /// oned's text.
        message: String,
        /// The code as sent.
        code: i64,
    },
    /// No HTTP answer with a body: the network, HTTP, or the time limit.
    #[error("{method}: no answer from http://{authority}: {source}")]
    Transport {
        /// The method that was called.
        method: &'static str,
        /// `host:port` of the endpoint.
        authority: String,
        /// The step that failed.
        source: TransportError,
    },
    /// The XML-RPC server refused the call before oned saw it, an unknown method for example.
    #[error("{method}: {message} (XML-RPC fault {code})")]
    Fault {
        /// The method that was called.
        method: &'static str,
        /// The server's text.
        message: String,
        /// XML-RPC's `faultCode`.
        code: i64,
    },
    /// The answer is not what oned sends: not XML, not XML-RPC, or without a value that must be there.
    #[error("{method}: the answer cannot be read: {reason}")]
    Malformed {
        /// The method that was called.
        method: &'static str,
        /// What is wrong with it. Never carries the answer itself, which may hold secrets.
        reason: String,
    },
}

impl Error {
    /// The error for oned's `code` and `message`.
    pub(crate) fn refused(method: &'static str, message: &str, code: i64) -> Self {
        let prefix = format!("[{method}]");
        let message = message
            .trim()
            .strip_prefix(&prefix)
            .unwrap_or(message)
            .trim()
            .to_owned();
        match code {
            0x100 => Self::Authentication { method, message },
            0x200 => Self::Authorization { method, message },
            0x400 => Self::NoExists { method, message },
            0x800 => Self::Action { method, message },
            0x1000 => Self::Api { method, message },
            0x2000 => Self::Internal { method, message },
            0x4000 => Self::Allocate { method, message },
            0x8000 => Self::Locked { method, message },
            0x10000 => Self::Replication { method, message },
            code => Self::Other {
                method,
                message,
                code,
            },
        }
    }

    /// True when nothing answered at the endpoint, so that trying again later can help without any change.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        matches!(self, Self::Transport { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_name_is_not_repeated() {
        let error = Error::refused(
            "one.user.info",
            "[one.user.info] User couldn't be authenticated, aborting call.",
            256,
        );
        assert!(matches!(error, Error::Authentication { .. }));
        assert_eq!(
            error.to_string(),
            "one.user.info: User couldn't be authenticated, aborting call."
        );
    }

    #[test]
    fn an_unknown_code_is_kept() {
        let error = Error::refused("one.user.info", "out of paper", 0x20000);
        assert_eq!(
            error.to_string(),
            "one.user.info: out of paper (error code 131072)"
        );
    }
}
