//! What is asked of a database server, and what stands in its way.
//!
//! The login is oned's own. The database itself may be missing: oned makes it. No TLS: a user that requires it looks like
//! one with a wrong password.

use std::io::ErrorKind;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, IoError, OptsBuilder};
use tokio::{net, time};

use super::bootstrap::{self, Inventory, Mark};
use super::schema::{Charsets, Contents, is_own_table};
use crate::settings::MySql;

/// How long the server may take for a login or a small question.
const LIMIT: Duration = Duration::from_secs(5);

/// How long it may take to list the tables: `information_schema` is slow where there are thousands.
const LOOK_LIMIT: Duration = Duration::from_secs(30);

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
pub(crate) enum Cause {
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
    pub(crate) fn describe(&self, server: &MySql) -> String {
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

/// What came of a login.
pub(crate) enum Login {
    /// It worked.
    In(Box<Conn>),
    /// The server is there and wants a way to log in that this library does not speak, though oned's may.
    Other(String),
}

/// Logs in.
pub(crate) async fn log_in(server: &MySql) -> Result<Login, Cause> {
    within(LIMIT, async {
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
        match Conn::new(options).await {
            Ok(connection) => Ok(Login::In(Box::new(connection))),
            // What oned's own library speaks and this one does not is no reason to wait for ever.
            Err(Error::Driver(DriverError::UnknownAuthPlugin { name })) => Ok(Login::Other(format!(
                "user \"{}\" logs in by the plugin {name}, which onepod does not speak",
                server.user()
            ))),
            Err(error) => Err(classify(&error)),
        }
    })
    .await
}

/// Whether the user may read OpenNebula's tables. The database itself may be missing: oned makes it.
pub(crate) async fn rights(connection: &mut Conn, server: &MySql) -> Result<(), Cause> {
    within(LIMIT, oneadmin(connection, server)).await.map(drop)
}

/// Whether user 0 is there.
async fn oneadmin(connection: &mut Conn, server: &MySql) -> Result<bool, Cause> {
    // The name is an identifier without quotes in it: settings take no other.
    let question = format!("SELECT oid FROM `{}`.user_pool WHERE oid = 0", server.name());
    match connection.query_first::<i64, _>(question).await {
        Ok(answer) => Ok(answer.is_some()),
        Err(Error::Server(error)) if matches!(error.code, code::NO_SUCH_TABLE | code::NO_SUCH_DATABASE) => {
            Ok(false)
        }
        Err(error) => Err(classify(&error)),
    }
}

/// What is in the database.
pub(crate) async fn look(connection: &mut Conn, server: &MySql) -> Result<Contents, Cause> {
    let name = server.name();
    within(LOOK_LIMIT, async {
        let mut contents = Contents {
            oneadmin: oneadmin(connection, server).await?,
            ..Contents::default()
        };
        let tables = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{name}' ORDER BY table_name"
        );
        let mut tables: Vec<String> = connection.query(tables).await.map_err(|error| classify(&error))?;
        if tables.iter().any(|table| table == bootstrap::TABLE) {
            contents.mark = mark(connection, name).await?;
        }
        tables.retain(|table| !is_own_table(table));
        contents.tables = tables;
        contents.charsets = charsets(connection, name).await?;
        if contents.mark != Some(Mark::Complete) {
            contents.inventory = inventory(connection, &contents.tables, name).await?;
        }
        for (table, version) in [
            ("db_versioning", &mut contents.shared),
            ("local_db_versioning", &mut contents.local),
        ] {
            if contents.tables.iter().any(|there| there == table) {
                let newest = format!("SELECT version FROM `{name}`.{table} ORDER BY oid DESC LIMIT 1");
                *version = connection
                    .query_first(newest)
                    .await
                    .map_err(|error| classify(&error))?;
            }
        }
        let bytes = format!(
            "SELECT CAST(COALESCE(SUM(data_length), 0) AS UNSIGNED) FROM information_schema.tables \
             WHERE table_schema = '{name}'"
        );
        contents.bytes = connection
            .query_first(bytes)
            .await
            .map_err(|error| classify(&error))?
            .unwrap_or_default();
        Ok(contents)
    })
    .await
}

async fn mark(connection: &mut Conn, name: &str) -> Result<Option<Mark>, Cause> {
    let question = format!("SELECT state FROM `{name}`.{} WHERE id = 1", bootstrap::TABLE);
    let word: Option<String> = connection
        .query_first(question)
        .await
        .map_err(|error| classify(&error))?;
    Ok(word.as_deref().and_then(Mark::from_word))
}

async fn inventory(connection: &mut Conn, tables: &[String], name: &str) -> Result<Inventory, Cause> {
    let prefix = format!("`{name}`.");
    let mut inventory = Inventory::default();
    for (question, sql) in Inventory::questions(tables, &prefix) {
        let ids = connection.query(sql).await.map_err(|error| classify(&error))?;
        inventory.answer(question, ids);
    }
    if let Some(sql) = Inventory::last_ids_question(tables, &prefix) {
        inventory.set_last_ids(connection.query(sql).await.map_err(|error| classify(&error))?);
    }
    Ok(inventory)
}

async fn charsets(connection: &mut Conn, name: &str) -> Result<Charsets, Cause> {
    let default = format!(
        "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = '{name}'"
    );
    let default: Option<String> = connection
        .query_first(default)
        .await
        .map_err(|error| classify(&error))?;
    let tables = format!(
        "SELECT table_name, table_collation FROM information_schema.tables WHERE table_schema = '{name}' AND table_collation \
         IS NOT NULL ORDER BY table_name DESC"
    );
    let tables: Vec<(String, String)> = connection.query(tables).await.map_err(|error| classify(&error))?;
    Ok(Charsets {
        default: default.map(|default| Charsets::of_collation(&default)),
        tables: tables
            .into_iter()
            .filter(|(table, _)| !is_own_table(table))
            .map(|(table, collation)| (Charsets::of_collation(&collation), table))
            .collect(),
    })
}

/// Writes how far the bootstrap has come.
pub(crate) async fn set_mark(connection: &mut Conn, server: &MySql, mark: Mark) -> Result<(), Cause> {
    within(LIMIT, async {
        for statement in mark.statements(&format!("`{}`.", server.name())) {
            connection
                .query_drop(statement)
                .await
                .map_err(|error| classify(&error))?;
        }
        Ok(())
    })
    .await
}

/// Removes OpenNebula's tables, and none of onepod's own.
pub(crate) async fn empty(connection: &mut Conn, server: &MySql, tables: &[String]) -> Result<(), Cause> {
    within(LOOK_LIMIT, async {
        for table in tables {
            connection
                .query_drop(format!(
                    "DROP TABLE IF EXISTS `{}`.`{}`",
                    server.name(),
                    table.replace('`', "``")
                ))
                .await
                .map_err(|error| classify(&error))?;
        }
        Ok(())
    })
    .await
}

/// Gives new tables a character set that keeps every letter.
pub(crate) async fn use_unicode(connection: &mut Conn, server: &MySql) -> Result<(), Cause> {
    within(LIMIT, async {
        connection
            .query_drop(format!(
                "ALTER DATABASE `{}` CHARACTER SET utf8mb4",
                server.name()
            ))
            .await
            .map_err(|error| classify(&error))
    })
    .await
}

/// The server's name and version, such as `MariaDB 11.4.5`.
pub(crate) async fn version(connection: &mut Conn) -> Option<String> {
    let text: String = within(LIMIT, async {
        connection
            .query_first("SELECT VERSION()")
            .await
            .map_err(|error| classify(&error))
    })
    .await
    .ok()??;
    let number = text.split('-').next().unwrap_or_default();
    let product = if text.contains("MariaDB") {
        "MariaDB"
    } else {
        "MySQL"
    };
    Some(format!("{product} {number}"))
}

/// Other databases of the server that hold OpenNebula's tables, as far as the user sees them.
pub(crate) async fn elsewhere(connection: &mut Conn, server: &MySql) -> Vec<String> {
    let question = format!(
        "SELECT DISTINCT table_schema FROM information_schema.tables \
         WHERE table_name = 'local_db_versioning' AND table_schema <> '{}'",
        server.name()
    );
    within(LIMIT, async {
        connection.query(question).await.map_err(|error| classify(&error))
    })
    .await
    .unwrap_or_default()
}

/// Makes the database if it is missing: a restore that was cut off may have dropped it and not made it again.
pub(crate) async fn make(connection: &mut Conn, server: &MySql) -> Result<(), Cause> {
    within(LIMIT, async {
        connection
            .query_drop(format!("CREATE DATABASE IF NOT EXISTS `{}`", server.name()))
            .await
            .map_err(|error| classify(&error))
    })
    .await
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
    time::timeout(limit, work).await.unwrap_or(Err(Cause::TimedOut))
}

pub(crate) fn classify(error: &Error) -> Cause {
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
