//! A real MariaDB on loopback, in a directory of its own.
#![expect(
    clippy::disallowed_methods,
    reason = "a test starts the server and is its only parent"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::front_end::{Daemon, free_port, until};

pub(crate) const USER: &str = "oneadmin";
pub(crate) const PASSWORD: &str = "Dbpassword1";

/// The server's data and address; the process is started and stopped by the test.
pub(crate) struct MariaDb {
    directory: tempfile::TempDir,
    pub(crate) port: u16,
}

fn program(name: &str) -> &'static str {
    let found = [
        "/usr/sbin/mariadbd",
        "/usr/bin/mariadb-install-db",
        "/usr/bin/mariadb",
    ]
    .into_iter()
    .find(|path| path.ends_with(name) && Path::new(path).exists());
    found.unwrap_or_else(|| panic!("{name} is missing: apt-get install mariadb-server (make test does)"))
}

impl MariaDb {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        // Two servers that share /tmp take each other's temporary tables.
        fs::create_dir(directory.path().join("tmp")).unwrap();
        let installed = Command::new(program("mariadb-install-db"))
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--tmpdir={}", directory.path().join("tmp").display()))
            .arg(format!("--user={}", user()))
            .output()
            .unwrap();
        assert!(
            installed.status.success(),
            "{}",
            String::from_utf8_lossy(&installed.stderr)
        );
        Self {
            directory,
            port: free_port(),
        }
    }

    /// Starts the server and waits until the user can log in.
    pub(crate) fn start(&self) -> Daemon {
        let root = self.directory.path();
        let init = root.join("init.sql");
        let grants = format!(
            "CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
        );
        fs::write(&init, grants).unwrap();
        let log = fs::File::create(root.join("log")).unwrap();
        let child = Command::new(program("mariadbd"))
            .arg("--no-defaults")
            .arg(format!("--user={}", user()))
            .arg(format!("--datadir={}", root.join("data").display()))
            .arg(format!("--tmpdir={}", root.join("tmp").display()))
            .arg(format!("--socket={}", root.join("socket").display()))
            .arg(format!("--port={}", self.port))
            .arg(format!("--init-file={}", init.display()))
            .args([
                "--bind-address=127.0.0.1",
                "--innodb-buffer-pool-size=16M",
                "--performance-schema=OFF",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Daemon { child };
        until("MariaDB answers", || self.try_sql("SELECT 1").is_some());
        server
    }

    /// The output of a statement; `None` when it failed.
    pub(crate) fn try_sql(&self, sql: &str) -> Option<String> {
        let done = Command::new(program("mariadb"))
            .args([
                "--no-defaults",
                "-h",
                "127.0.0.1",
                "-u",
                USER,
                "-N",
                "-B",
                "-e",
                sql,
            ])
            .arg(format!("-P{}", self.port))
            .env("MYSQL_PWD", PASSWORD)
            .output()
            .unwrap();
        done.status
            .success()
            .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|| panic!("{sql} failed"))
    }

    /// The DB vector of oned.conf.
    pub(crate) fn vector(&self, password: &str) -> String {
        format!(
            "DB = [ BACKEND = \"mysql\", SERVER = \"127.0.0.1\", PORT = {}, USER = \"{USER}\",\n  PASSWD = \"{password}\", DB_NAME = \"opennebula\", CONNECTIONS = 25, COMPARE_BINARY = \"no\" ]",
            self.port
        )
    }
}

/// mariadbd refuses to be root without being told.
fn user() -> String {
    std::env::var("USER")
        .ok()
        .filter(|u| !u.is_empty())
        .unwrap_or_else(|| "root".to_owned())
}
