//! A real MariaDB for one test: its own data directory, its own port on the loopback, gone with the test.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use tempfile::TempDir;

use crate::pod::Process;

const INSTALL: &str =
    "these tests need a real MariaDB: apt-get install --no-install-recommends mariadb-server";

/// A server that is installed and not running.
pub(crate) struct Server {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
}

/// A server that runs until it is dropped.
pub(crate) struct Running {
    _process: Process,
}

impl Server {
    /// Makes the data directory and picks a port.
    pub(crate) async fn install() -> Self {
        let program = ["/usr/bin/mariadb-install-db", "/usr/sbin/mariadbd"];
        assert!(
            program.iter().all(|program| Path::new(program).exists()),
            "{INSTALL}"
        );
        let dir = TempDir::new().unwrap();
        // Two servers that share /tmp take each other's temporary tables.
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let mut command = Command::new("/usr/bin/mariadb-install-db");
        command
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--user=root",
            ])
            .arg(format!("--datadir={}", dir.path().join("data").display()))
            .arg(format!("--tmpdir={}", dir.path().join("tmp").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let (mut process, _) = Process::start(&mut command);
        let code = soon("the data directory", async || process.exit()).await;
        assert_eq!(code, 0, "mariadb-install-db");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Self { dir, port }
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(&self) -> Running {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let mut command = Command::new("/usr/sbin/mariadbd");
        command
            .args([
                "--no-defaults",
                "--user=root",
                "--bind-address=127.0.0.1",
                "--innodb-buffer-pool-size=8M",
                // Its own default is latin1 before 11.6.
                "--character-set-server=utf8mb4",
            ])
            .arg(format!("--port={}", self.port))
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--tmpdir={}", path("tmp")))
            .arg(format!("--socket={}", path("socket")))
            .arg(format!("--pid-file={}", path("pid")))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let (process, _) = Process::start(&mut command);
        soon("MariaDB", async || self.connect().await.ok()).await;
        Running { _process: process }
    }

    /// Logs in as its administrator.
    pub(crate) async fn connect(&self) -> mysql_async::Result<Conn> {
        let socket = self.dir.path().join("socket").display().to_string();
        Conn::new(OptsBuilder::default().socket(Some(socket)).user(Some("root"))).await
    }

    /// Runs statements as the server's administrator.
    pub(crate) async fn administer(&self, statements: &[&str]) {
        let mut connection = self.connect().await.unwrap();
        for statement in statements {
            connection.query_drop(*statement).await.unwrap();
        }
        connection.disconnect().await.unwrap();
    }
}

impl Server {
    /// Runs statements in one database.
    pub(crate) async fn fill(&self, database: &str, statements: &[String]) {
        let choose = format!("USE {database}");
        let statements: Vec<&str> = std::iter::once(choose.as_str())
            .chain(statements.iter().map(String::as_str))
            .collect();
        self.administer(&statements).await;
    }

    /// The rows of a question, as its administrator.
    pub(crate) async fn ask<T: mysql_async::prelude::FromRow + Send + 'static>(
        &self,
        question: &str,
    ) -> Vec<T> {
        let mut connection = self.connect().await.unwrap();
        let rows = connection.query(question).await.unwrap();
        connection.disconnect().await.unwrap();
        rows
    }
}

/// Asks until a condition is true, leaving the event loop its turns; fails with `what` when it never is.
pub(crate) async fn soon<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + crate::pod::PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
