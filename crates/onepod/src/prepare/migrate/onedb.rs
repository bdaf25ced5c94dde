//! The vendor's `onedb`, called so that no secret is in an argument or an environment, and any password works.
//!
//! It gets the address by arguments and the password by a small Ruby file that `RUBYOPT` loads into it (`preload.rb`). That
//! file and what it reads lie in a private directory below `/run/onepod`, which goes with the value.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::paths::Paths;
use crate::prepare::Tools;
use crate::prepare::files::{self, FileError};
use crate::prepare::tool::{self, Ended, Tool, ToolError};
use crate::reaper::Exit;
use crate::settings::{Database, MySql, Settings};

/// What onedb is given for the password, and would show in its messages. It is none.
const STAND_IN: &str = "see-onepod";

/// A dump, a migration or a restore may take this long.
const LONG: Duration = Duration::from_hours(6);

/// What onedb says of a failed upgrade that it was told to make no backup for. The dump of onepod is restored all the same, so
/// that this would say the contrary of what happens.
const NO_BACKUP: &str = "No backup has been restored";

/// A look at the versions may take this long.
const SHORT: Duration = Duration::from_mins(2);

/// The tool with everything that it needs to log in.
#[derive(Debug)]
pub(super) struct Onedb<'a> {
    paths: &'a Paths,
    tools: &'a Tools,
    address: Vec<OsString>,
    directory: PathBuf,
}

impl Drop for Onedb<'_> {
    fn drop(&mut self) {
        // It lies in memory or in an emptyDir; the password in it is also in oned.conf.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl<'a> Onedb<'a> {
    /// Writes what the tool needs.
    pub(super) fn new(settings: &Settings, paths: &'a Paths, tools: &'a Tools) -> Result<Self, FileError> {
        let directory = paths.run_onepod().join("onedb");
        files::private_directory(&directory)?;
        let onedb = Self {
            paths,
            tools,
            address: address(settings, paths),
            directory,
        };
        let file = |name: &str, text: &str| files::write(&onedb.directory.join(name), text.as_bytes(), 0o600);
        file("preload.rb", include_str!("preload.rb"))?;
        if let Database::MySql(server) = settings.database() {
            file("password", server.password().expose())?;
            file("login.cnf", &options(server))?;
        }
        // onedb asks oned whether it runs, and gives up without any credentials; they need not be right.
        file("one_auth", "oneadmin:none\n")?;
        Ok(onedb)
    }

    /// Dumps the database.
    pub(super) async fn backup(&self, file: &Path) -> Result<(), ToolError> {
        self.run(vec!["backup".into(), file.into()], LONG)
            .await?
            .success()
    }

    /// Puts a dump in the place of the database.
    pub(super) async fn restore(&self, file: &Path) -> Result<(), ToolError> {
        self.run(vec!["restore".into(), file.into(), "-f".into()], LONG)
            .await?
            .success()
    }

    /// Migrates, without a dump of its own.
    pub(super) async fn upgrade(&self) -> Result<(), ToolError> {
        self.run(vec!["upgrade".into(), "-v".into(), "--no-backup".into()], LONG)
            .await?
            .success()
    }

    /// Whether the schema is this release's, in the tool's own opinion.
    pub(super) async fn current(&self) -> Result<bool, ToolError> {
        let ended = self.run(vec!["version".into(), "-v".into()], SHORT).await?;
        Ok(ended.exit == Exit::Code(0))
    }

    async fn run(&self, mut arguments: Vec<OsString>, limit: Duration) -> Result<Ended, ToolError> {
        arguments.extend(self.address.iter().cloned());
        let mut preload = OsString::from("-r");
        preload.push(self.directory.join("preload.rb"));
        let mut environment = vec![("HOME", self.paths.data().into_os_string()), ("RUBYOPT", preload)];
        if !self.paths.one_auth().exists() {
            environment.push(("ONE_AUTH", self.directory.join("one_auth").into_os_string()));
        }
        let mut ended = tool::run(
            self.tools,
            Tool {
                name: "onedb",
                program: self.paths.root().join("usr/bin/onedb"),
                arguments,
                environment,
                limit,
            },
        )
        .await?;
        ended.lines.retain(|line| !line.contains(NO_BACKUP));
        Ok(ended)
    }
}

/// The database by onedb's options; with them it does not read oned.conf.
fn address(settings: &Settings, paths: &Paths) -> Vec<OsString> {
    match settings.database() {
        Database::Sqlite => vec!["-s".into(), paths.sqlite().into_os_string()],
        Database::MySql(server) => [
            "-t",
            "mysql",
            "-S",
            server.host(),
            "-P",
            &server.port().to_string(),
            "-u",
            server.user(),
            "-d",
            server.name(),
            "-p",
            STAND_IN,
        ]
        .iter()
        .map(OsString::from)
        .collect(),
    }
}

/// An option file of the client programs.
fn options(server: &MySql) -> String {
    format!(
        "[client]\nprotocol=tcp\nhost={}\nport={}\nuser={}\npassword={}\n",
        quoted(server.host()),
        server.port(),
        quoted(server.user()),
        quoted(server.password().expose())
    )
}

/// A value as an option file carries it (`MariaDB` documentation, "Configuring MariaDB with Option Files"): in quotes, and
/// with backslashes before quotes and backslashes. Line breaks are none of a setting's characters.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_file_carries_every_character() {
        assert_eq!(quoted("a b#c"), "\"a b#c\"");
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
