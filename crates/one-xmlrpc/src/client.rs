//! The client: one method for each call.
//!
//! Deliberately absent: state. Every call opens its own connection and carries the credentials.

use std::fmt;
use std::time::Duration;

use crate::document;
use crate::wire::{self, Answer, Argument, Value};
use crate::{Credentials, Endpoint, Error, Host, RaftStatus, User, transport};

/// Time limit of a call unless [`Client::with_timeout`] sets another.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Size limit of an answer unless [`Client::with_response_limit`] sets another, in bytes. A host takes about 8 KiB in a
/// host pool.
pub const DEFAULT_RESPONSE_LIMIT: usize = 64 * 1024 * 1024;

/// Which user a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRef {
    /// Whoever calls; oned's `-1`.
    Caller,
    /// The user with this number.
    Id(i32),
}

/// A way to call oned at one endpoint as one user. Cheap to make; no connection is kept.
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint,
    credentials: Credentials,
    timeout: Duration,
    response_limit: usize,
}

impl Client {
    /// A client with the default limits.
    #[must_use]
    pub fn new(endpoint: Endpoint, credentials: Credentials) -> Self {
        Self {
            endpoint,
            credentials,
            timeout: DEFAULT_TIMEOUT,
            response_limit: DEFAULT_RESPONSE_LIMIT,
        }
    }

    /// Limits each call, from resolving the name to the answer's last byte.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Limits an answer's body, in bytes.
    #[must_use]
    pub fn with_response_limit(mut self, limit: usize) -> Self {
        self.response_limit = limit;
        self
    }

    /// Where this client calls.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// `one.system.version`: oned's release, such as `7.0.2`. It needs valid credentials and the database, as every
    /// call does.
    pub async fn system_version(&self) -> Result<String, Error> {
        self.call_for_text("one.system.version", &[]).await
    }

    /// `one.user.info`: a user's identity.
    pub async fn user_info(&self, user: UserRef) -> Result<User, Error> {
        let id = match user {
            UserRef::Caller => -1,
            UserRef::Id(id) => id,
        };
        let method = "one.user.info";
        let xml = self.call_for_text(method, &[Argument::Int(id)]).await?;
        document::user(&xml).map_err(|reason| Error::Malformed { method, reason })
    }

    /// `one.user.passwd`: another password for a user. oned hashes it for the driver `core`; every other driver keeps the
    /// text as it is, so that for `server_cipher` it must be the SHA-256 of the secret, as 64 hexadecimal digits
    /// (`User::set_password` in OpenNebula 7.0.2's `src/um/User.cc`).
    ///
    /// # Errors
    /// oned refuses empty passwords, white space, and more bytes than the driver takes, as [`Error::Action`].
    pub async fn user_passwd(&self, user: i32, password: &str) -> Result<(), Error> {
        let method = "one.user.passwd";
        match self
            .call(method, &[Argument::Int(user), Argument::Text(password)])
            .await?
        {
            Value::Int(changed) if changed == i64::from(user) => Ok(()),
            _ => Err(Error::Malformed {
                method,
                reason: "the value is not the user's number".to_owned(),
            }),
        }
    }

    /// `one.zone.raftstatus`: whether this oned is alone, leads its zone or follows. It is the state of the oned that
    /// answers; followers answer by themselves.
    pub async fn raft_status(&self) -> Result<RaftStatus, Error> {
        let method = "one.zone.raftstatus";
        let xml = self.call_for_text(method, &[]).await?;
        document::raft_status(&xml).map_err(|reason| Error::Malformed { method, reason })
    }

    /// `one.hostpool.info`: every host that the caller may see.
    pub async fn host_pool(&self) -> Result<Vec<Host>, Error> {
        let method = "one.hostpool.info";
        let xml = self.call_for_text(method, &[]).await?;
        document::host_pool(&xml).map_err(|reason| Error::Malformed { method, reason })
    }

    async fn call_for_text(&self, method: &'static str, arguments: &[Argument<'_>]) -> Result<String, Error> {
        match self.call(method, arguments).await? {
            Value::Text(text) => Ok(text),
            _ => Err(Error::Malformed {
                method,
                reason: "the value is not a string".to_owned(),
            }),
        }
    }

    async fn call(&self, method: &'static str, arguments: &[Argument<'_>]) -> Result<Value, Error> {
        let session = self.credentials.session();
        let mut all = vec![Argument::Text(&session)];
        all.extend_from_slice(arguments);
        let request = wire::request(method, &all);

        let body = transport::post(&self.endpoint, request, self.timeout, self.response_limit)
            .await
            .map_err(|source| Error::Transport {
                method,
                authority: self.endpoint.authority(),
                source,
            })?;
        let malformed = |reason| Error::Malformed { method, reason };
        let xml = std::str::from_utf8(&body).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
        match wire::answer(xml).map_err(malformed)? {
            Answer::Done(value) => Ok(value),
            Answer::Refused { message, code } => Err(Error::refused(method, &message, code)),
            Answer::Fault { message, code } => Err(Error::Fault {
                method,
                message,
                code,
            }),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("credentials", &self.credentials)
            .field("timeout", &self.timeout)
            .field("response_limit", &self.response_limit)
            .finish()
    }
}
