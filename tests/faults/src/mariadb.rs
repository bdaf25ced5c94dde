//! A real MariaDB for one fault: data directory of its own, the default port in the fault's own network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::process::{self, Running};
use crate::wait::{Look, until};

/// Where it is reached.
pub const PORT: u16 = 3306;
/// The database and the user that the front-end gets.
pub const NAME: &str = "opennebula";
/// The front-end's user.
pub const USER: &str = "oneadmin";
/// A server that has not answered by then never will.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes an empty data directory that each fault copies; does nothing when it is there.
pub fn template(dir: &Path) -> Result<()> {
    let whole = dir.join("whole");
    if whole.exists() {
        return Ok(());
    }
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    process::run(
        "mariadb-install-db",
        &[
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--user=root",
            "--innodb-log-file-size=4M",
            &format!("--datadir={}", dir.join("data").display()),
        ],
    )
    .context("the suite needs a real MariaDB: apt-get install --no-install-recommends mariadb-server")?;
    fs::write(&whole, "").with_context(|| whole.display().to_string())
}

/// A server's data, and the server when it runs.
#[derive(Debug)]
pub struct Database {
    dir: PathBuf,
    server: Option<Running>,
}

impl Database {
    /// Copies the template; starts nothing.
    pub fn install(dir: &Path, template: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let from = template.join("data");
        process::run(
            "cp",
            &["-a", &from.display().to_string(), &dir.display().to_string()],
        )?;
        Ok(Self {
            dir: dir.to_owned(),
            server: None,
        })
    }

    /// Starts the server and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        let path = |name: &str| self.dir.join(name).display().to_string();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))?;
        let mut command = Command::new("mariadbd");
        command
            .args([
                "--no-defaults",
                "--user=root",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
            ])
            .args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M"])
            .arg(format!("--port={PORT}"))
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--socket={}", path("socket")))
            .arg(format!("--pid-file={}", path("pid")))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.server = Some(Running::start(&mut command)?);
        until("MariaDB", PATIENCE, || {
            Ok(match self.query("SELECT 1") {
                Ok(_) => Look::Seen(()),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })
    }

    /// Makes the database and gives the front-end's user this password; the user is made when it is missing.
    pub fn grant(&self, password: &str) -> Result<()> {
        self.query(&format!(
            "CREATE DATABASE IF NOT EXISTS {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
             CREATE USER IF NOT EXISTS '{USER}'@'%';
             SET PASSWORD FOR '{USER}'@'%' = PASSWORD('{password}');
             GRANT ALL ON {NAME}.* TO '{USER}'@'%';"
        ))?;
        Ok(())
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        self.server = None;
        // The data directory holds what was committed; a socket without a server must not be taken for one.
        let _ = fs::remove_file(self.dir.join("socket"));
    }

    /// Stops the server in its tracks: connections stay open, and nothing answers.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let server = self.server.as_ref().context("MariaDB does not run")?;
        process::signal(server.pid(), signal)
    }

    /// Runs statements as the server's administrator, over standard input: rows as lines, columns by tabs.
    pub fn query(&self, statements: &str) -> Result<String> {
        let socket = format!("--socket={}", self.dir.join("socket").display());
        process::feed(
            Command::new("mariadb").args([
                "--no-defaults",
                "--batch",
                "--skip-column-names",
                "--user=root",
                &socket,
            ]),
            statements,
        )
    }

    /// What the server itself logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}
