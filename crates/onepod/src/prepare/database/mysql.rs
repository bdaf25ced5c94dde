//! One attempt to work with a database server, and what stands in its way.
//!
//! An attempt logs in with oned's own name and password and reads one row, which is what oned does first. The database
//! itself may be missing: oned makes it. No TLS: a user that requires it looks like one with a wrong password.

use std::io::ErrorKind;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, IoError, OptsBuilder};
use tokio::{net, time};

use super::Oneadmin;
use crate::settings::MySql;

/// How long one attempt may take, from looking up the name to the row.
const LIMIT: Duration = Duration::from_secs(5);

/// Error numbers of the server (MariaDB's documentation, "MariaDB Error Code Reference").
mod code {
    pub(super) const TOO_MANY_CONNECTIONS: u16 = 1040;
    pub(super) const NO_RIGHT_ON_DATABASE: u16 = 1044;
    pub(super) const LOGIN_REFUSED: u16 = 1045;
    pub(super) const NO_SUCH_DATABASE: u16 = 1049;
    pub(super) const HOST_BLOCKED: u16 = 1129;
    pub(super) const HOST_NOT_ALLOWED: u16 = 1130;
    pub(super) const NO_RIGHT_ON_TABLE: u16 = 1142;
    pub(super) const NO_SUCH_TABLE: u16 = 1146;
    /// What `MySQL` 8 says for a login that is refused by a rule instead of a password.
    pub(super) const LOGIN_REFUSED_BY_PLUGIN: u16 = 1698;
}

/// Why oned could not work with its database now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// The name cannot be resolved.
    HostUnknown(String),
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// Wrong user or password.
    Login,
    /// The login works, the database is closed to the user.
    NoRight,
    /// The server does not talk to this address.
    HostNotAllowed,
    /// Anything else, in the words of the server or the system.
    Other(String),
}

impl Cause {
    /// One line for the operator, with the settings to look at and never the password.
    pub(super) fn describe(&self, server: &MySql) -> String {
        let (host, port, user, name) = (server.host(), server.port(), server.user(), server.name());
        match self {
            Self::HostUnknown(error) => {
                format!("database {host}:{port}: the host name is unknown ({error}); check DB_HOST")
            }
            Self::Refused => {
                format!(
                    "database {host}:{port}: connection refused; not started yet, or check DB_HOST and DB_PORT"
                )
            }
            Self::TimedOut => format!(
                "database {host}:{port}: no answer within {} s; check DB_HOST, DB_PORT and network policies",
                LIMIT.as_secs()
            ),
            Self::Login => format!(
                "database {host}:{port}: wrong user or password for \"{user}\"; check DB_USER and DB_PASSWORD, and that \
                 the user requires no TLS"
            ),
            Self::NoRight => format!(
                "database {host}:{port}: user \"{user}\" has no rights on database \"{name}\"; GRANT ALL on it, \
                 or check DB_USER and DB_NAME"
            ),
            Self::HostNotAllowed => format!(
                "database {host}:{port}: the server does not accept \"{user}\" from this pod's address; create \
                 the user for '%' or for the pod network, and flush blocked hosts"
            ),
            Self::Other(error) => format!("database {host}:{port}: {error}"),
        }
    }
}

/// Logs in and looks for user 0.
pub(super) async fn attempt(server: &MySql) -> Result<Oneadmin, Cause> {
    time::timeout(LIMIT, look(server))
        .await
        .unwrap_or(Err(Cause::TimedOut))
}

async fn look(server: &MySql) -> Result<Oneadmin, Cause> {
    let addresses: Vec<_> = net::lookup_host((server.host(), server.port()))
        .await
        .map_err(|error| Cause::HostUnknown(error.to_string()))?
        .map(|address| address.ip())
        .collect();
    let options = OptsBuilder::default()
        .ip_or_hostname(server.host())
        .resolved_ips(Some(addresses))
        .tcp_port(server.port())
        .prefer_socket(false)
        .user(Some(server.user()))
        .pass(Some(server.password().expose()))
        .stmt_cache_size(0);
    let mut connection = match Conn::new(options).await {
        Ok(connection) => connection,
        // The server is there; what oned's own library speaks and this one does not is no reason to wait for ever.
        Err(Error::Driver(DriverError::UnknownAuthPlugin { name })) => {
            return Ok(Oneadmin::Unknown(format!(
                "user \"{}\" logs in by the plugin {name}, which onepod does not speak",
                server.user()
            )));
        }
        Err(error) => return Err(classify(&error)),
    };
    // The name is an identifier without quotes in it: settings take no other.
    let question = format!("SELECT oid FROM `{}`.user_pool WHERE oid = 0", server.name());
    let answer = connection.query_first::<i64, _>(question).await;
    // The server forgets the session either way; this only says goodbye.
    let _ = connection.disconnect().await;
    match answer {
        Ok(Some(_)) => Ok(Oneadmin::Present),
        Ok(None) => Ok(Oneadmin::Missing),
        Err(Error::Server(error)) if matches!(error.code, code::NO_SUCH_TABLE | code::NO_SUCH_DATABASE) => {
            Ok(Oneadmin::Missing)
        }
        Err(error) => Err(classify(&error)),
    }
}

fn classify(error: &Error) -> Cause {
    match error {
        Error::Server(server) => match server.code {
            code::LOGIN_REFUSED | code::LOGIN_REFUSED_BY_PLUGIN => Cause::Login,
            code::NO_RIGHT_ON_DATABASE | code::NO_RIGHT_ON_TABLE => Cause::NoRight,
            code::HOST_NOT_ALLOWED | code::HOST_BLOCKED => Cause::HostNotAllowed,
            code::TOO_MANY_CONNECTIONS => Cause::Other("the server has too many connections".to_owned()),
            code => Cause::Other(format!("the server says: {} (error {code})", server.message)),
        },
        Error::Io(IoError::Io(io)) => match io.kind() {
            ErrorKind::ConnectionRefused => Cause::Refused,
            ErrorKind::TimedOut => Cause::TimedOut,
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                Cause::Other(
                    "the server closed the connection; it is starting, or it is no MariaDB".to_owned(),
                )
            }
            _ => Cause::Other(io.to_string()),
        },
        other => Cause::Other(other.to_string()),
    }
}
