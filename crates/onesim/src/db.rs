//! The real database behind the simulated daemon: sqlite or MySQL/MariaDB, with OpenNebula's tables.
//!
//! One connection does the work; a lost one is opened again by the next query, as the real daemon does. The
//! rest of the configured pool is only held, because a server counts connections.
//! Values travel as text in both directions; the columns' types convert.

use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, Params, Row, Value};

/// Where the database is.
#[derive(Clone)]
pub(crate) struct MysqlAddress {
    /// `SERVER`; `localhost` means the unix socket.
    pub(crate) server: String,
    /// `PORT`; 0 means 3306.
    pub(crate) port: u16,
    /// `USER`
    pub(crate) user: String,
    /// `PASSWD`
    pub(crate) password: String,
    /// `DB_NAME`
    pub(crate) name: String,
}

impl fmt::Debug for MysqlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.server, self.port, self.name)
    }
}

/// Why a query failed, in the words of the client library.
#[derive(Debug)]
pub(crate) struct DbError(pub(crate) String);

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row of text columns; NULL is an empty text.
pub(crate) type TextRow = Vec<String>;

/// An open database.
#[derive(Debug)]
pub(crate) enum Db {
    /// /var/lib/one/one.db
    Sqlite(Mutex<rusqlite::Connection>),
    /// A `MySQL` or MariaDB server.
    Mysql(Mutex<MysqlLink>),
}

impl Db {
    /// Opens (and creates) the sqlite file.
    pub(crate) fn sqlite(path: &Path, timeout_ms: u64) -> Result<Self, DbError> {
        let connection = rusqlite::Connection::open(path)
            .and_then(|c| c.busy_timeout(Duration::from_millis(timeout_ms)).map(|()| c))
            .map_err(|_| DbError("Could not open database.".to_owned()))?;
        Ok(Self::Sqlite(Mutex::new(connection)))
    }

    /// Connects, creates the database when it is missing and the user may, and uses it: as oned does,
    /// with `held` more connections that stay idle.
    pub(crate) fn mysql(address: MysqlAddress, held: usize) -> Result<Self, DbError> {
        let mut link = MysqlLink::new(address)?;
        link.connect()?;
        let create = format!("CREATE DATABASE IF NOT EXISTS `{}`", link.address.name);
        link.run(&create, &[])
            .map_err(|e| DbError(format!("Could not create the database: {e}")))?;
        for _ in 0..held {
            let another = link.open()?;
            link.held.push(another);
        }
        Self::using(link)
    }

    /// Connects to a database that exists: as onedb does.
    pub(crate) fn existing_mysql(address: MysqlAddress) -> Result<Self, DbError> {
        let mut link = MysqlLink::new(address)?;
        link.connect()?;
        Self::using(link)
    }

    fn using(mut link: MysqlLink) -> Result<Self, DbError> {
        let select = format!("USE `{}`", link.address.name);
        link.run(&select, &[])
            .map_err(|e| DbError(format!("Could not connect to database: {e}")))?;
        Ok(Self::Mysql(Mutex::new(link)))
    }

    /// Version of the server, for the log; empty for sqlite.
    pub(crate) fn server_version(&self) -> String {
        match self {
            Self::Sqlite(_) => String::new(),
            Self::Mysql(_) => self
                .query("SELECT VERSION()", &[])
                .ok()
                .and_then(|rows| rows.into_iter().next())
                .and_then(|row| row.into_iter().next())
                .unwrap_or_default(),
        }
    }

    /// Whether it is a `MySQL` server.
    pub(crate) fn is_mysql(&self) -> bool {
        matches!(self, Self::Mysql(_))
    }

    /// Runs one statement with `?` parameters and returns its rows.
    pub(crate) fn query(&self, sql: &str, parameters: &[&str]) -> Result<Vec<TextRow>, DbError> {
        match self {
            Self::Sqlite(connection) => {
                let connection = connection.lock().map_err(|_| DbError("poisoned".to_owned()))?;
                sqlite_query(&connection, sql, parameters).map_err(|e| DbError(e.to_string()))
            }
            Self::Mysql(link) => {
                let mut link = link.lock().map_err(|_| DbError("poisoned".to_owned()))?;
                link.query_reconnecting(sql, parameters)
            }
        }
    }

    /// Runs one statement for its effect.
    pub(crate) fn run(&self, sql: &str, parameters: &[&str]) -> Result<(), DbError> {
        self.query(sql, parameters).map(|_| ())
    }
}

fn sqlite_query(
    connection: &rusqlite::Connection,
    sql: &str,
    parameters: &[&str],
) -> Result<Vec<TextRow>, rusqlite::Error> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let mut texts = Vec::with_capacity(columns);
        for column in 0..columns {
            texts.push(match row.get_ref(column)? {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(i) => i.to_string(),
                rusqlite::types::ValueRef::Real(f) => f.to_string(),
                rusqlite::types::ValueRef::Text(t) | rusqlite::types::ValueRef::Blob(t) => {
                    String::from_utf8_lossy(t).into_owned()
                }
            });
        }
        out.push(texts);
    }
    Ok(out)
}

/// A connection that is opened again when it was lost.
pub(crate) struct MysqlLink {
    address: MysqlAddress,
    runtime: tokio::runtime::Runtime,
    connection: Option<Conn>,
    /// Never used, only there.
    held: Vec<Conn>,
}

impl fmt::Debug for MysqlLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MysqlLink({:?})", self.address)
    }
}

const CONNECT_SECONDS: u64 = 10;
const QUERY_SECONDS: u64 = 30;

impl MysqlLink {
    fn new(address: MysqlAddress) -> Result<Self, DbError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| DbError(e.to_string()))?;
        Ok(Self {
            address,
            runtime,
            connection: None,
            held: Vec::new(),
        })
    }

    fn connect(&mut self) -> Result<(), DbError> {
        self.connection = Some(self.open()?);
        Ok(())
    }

    fn open(&self) -> Result<Conn, DbError> {
        let address = &self.address;
        let port = if address.port == 0 { 3306 } else { address.port };
        let mut options = OptsBuilder::default()
            .ip_or_hostname(address.server.clone())
            .tcp_port(port)
            .user(Some(address.user.clone()))
            .pass(Some(address.password.clone()))
            .prefer_socket(false);
        if address.server == "localhost" {
            options = options.socket(Some("/run/mysqld/mysqld.sock"));
        }
        let opened = self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(CONNECT_SECONDS), Conn::new(options)).await
        });
        match opened {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(DbError(self.describe(&error))),
            Err(_) => Err(DbError(format!(
                "Can't connect to server on '{}' (110)",
                address.server
            ))),
        }
    }

    /// The client library's words for the cause: refused, unknown host, wrong password.
    fn describe(&self, error: &mysql_async::Error) -> String {
        let server = &self.address.server;
        match error {
            mysql_async::Error::Server(e) => e.message.clone(),
            mysql_async::Error::Io(mysql_async::IoError::Io(io)) => match io.raw_os_error() {
                Some(code) if server == "localhost" => {
                    format!("Can't connect to local server through socket '/run/mysqld/mysqld.sock' ({code})")
                }
                Some(code) => format!("Can't connect to server on '{server}' ({code})"),
                None => format!("Unknown server host '{server}' (-2)"),
            },
            other => other.to_string(),
        }
    }

    fn query_reconnecting(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<TextRow>, DbError> {
        if self.connection.is_some() {
            match self.run(sql, parameters) {
                Err(_) if self.connection.is_none() => {}
                done => return done,
            }
        }
        self.connect()?;
        let select = format!("USE `{}`", self.address.name);
        self.run(&select, &[])?;
        self.run(sql, parameters)
    }

    fn run(&mut self, sql: &str, parameters: &[&str]) -> Result<Vec<TextRow>, DbError> {
        let Some(mut connection) = self.connection.take() else {
            return Err(DbError("MySQL server has gone away".to_owned()));
        };
        let values: Vec<Value> = parameters
            .iter()
            .map(|p| Value::Bytes(p.as_bytes().to_vec()))
            .collect();
        let work = async {
            if values.is_empty() {
                connection.query::<Row, _>(sql).await
            } else {
                connection
                    .exec::<Row, _, _>(sql, Params::Positional(values))
                    .await
            }
        };
        let outcome = self
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(QUERY_SECONDS), work).await });
        match outcome {
            Ok(Ok(rows)) => {
                self.connection = Some(connection);
                Ok(rows.into_iter().map(texts_of).collect())
            }
            Ok(Err(error)) => {
                // An error that the server reports leaves the connection usable, unless it is going down.
                if let mysql_async::Error::Server(e) = &error
                    && e.code != 1053
                    && e.code != 1927
                {
                    self.connection = Some(connection);
                }
                Err(DbError(self.describe(&error)))
            }
            Err(_) => Err(DbError("Lost connection to server during query".to_owned())),
        }
    }
}

fn texts_of(row: Row) -> TextRow {
    row.unwrap()
        .into_iter()
        .map(|value| match value {
            Value::NULL => String::new(),
            Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Value::Int(i) => i.to_string(),
            Value::UInt(u) => u.to_string(),
            Value::Float(f) => f.to_string(),
            Value::Double(d) => d.to_string(),
            other => other.as_sql(true),
        })
        .collect()
}
