//! The message that the pod leaves behind where Kubernetes shows it, without secrets.
//!
//! It can quote a service's last lines, and whoever may list pods can read it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use crate::paths::Paths;
use crate::settings::{Database, Settings};

/// Where Kubernetes takes the last message of a container from.
const TERMINATION_LOG: &str = "dev/termination-log";

/// Shorter words are no secrets, and stand everywhere.
const SHORTEST: usize = 4;

/// Leaves the last message; elsewhere than in Kubernetes there is no such file, and none is made.
pub(super) fn leave(root: &Path, message: &str) {
    if let Ok(mut file) = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(root.join(TERMINATION_LOG))
    {
        let _ = file.write_all(message.as_bytes());
    }
}

/// The message without any secret of the settings or of the volume.
pub(super) fn without_secrets(message: &str, settings: Option<&Settings>, paths: &Paths) -> String {
    let mut secrets: Vec<String> = settings.map(of_settings).unwrap_or_default();
    secrets.extend(of_volume(paths));
    secrets.retain(|secret| secret.len() >= SHORTEST);
    // One may be part of another one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(message.to_owned(), |message, secret| {
        message.replace(secret.as_str(), "(secret)")
    })
}

fn of_settings(settings: &Settings) -> Vec<String> {
    let database = match settings.database() {
        Database::MySql(server) => Some(server.password()),
        Database::Sqlite => None,
    };
    let given = [
        settings.oneadmin_password(),
        settings.one_key(),
        settings.fireedge_key(),
        settings.serveradmin_secret(),
        database,
    ];
    given
        .into_iter()
        .flatten()
        .map(|secret| secret.expose().to_owned())
        .collect()
}

/// The lines of the credential files, and the passwords in them.
fn of_volume(paths: &Paths) -> Vec<String> {
    let Ok(entries) = fs::read_dir(paths.auth_dir()) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| match line.split_once(':') {
            Some((_, password)) => password.to_owned(),
            None => line,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn secrets_of_settings_and_volume_are_not_left_behind() {
        let root = TempDir::new().unwrap();
        let paths = Paths::new(root.path());
        fs::create_dir_all(paths.auth_dir()).unwrap();
        fs::write(paths.one_auth(), "oneadmin:kept:with colon\n").unwrap();
        fs::write(paths.fireedge_key(), "fireedge-key").unwrap();
        let environment = [
            ("OPENNEBULA_HOSTNAME", "one"),
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "db"),
            ("DB_PASSWORD", "hunter3 hunter3"),
            ("ONEADMIN_PASSWORD", "hunter2hunter2"),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let settings = crate::settings::settle(environment).unwrap();
        let message = "oned: ended; its last lines:\nlogin oneadmin:kept:with colon\nPASSWD = \"hunter3 hunter3\"\n\
                       or hunter2hunter2, fireedge-key";
        assert_eq!(
            without_secrets(message, Some(&settings), &paths),
            "oned: ended; its last lines:\nlogin oneadmin:(secret)\nPASSWD = \"(secret)\"\nor (secret), (secret)"
        );
    }

    #[test]
    fn a_message_is_only_left_where_there_is_a_file_for_it() {
        let root = TempDir::new().unwrap();
        leave(root.path(), "nobody reads this");
        assert!(!root.path().join("dev").exists());
        fs::create_dir(root.path().join("dev")).unwrap();
        fs::write(root.path().join(TERMINATION_LOG), "an earlier and longer one").unwrap();
        leave(root.path(), "the last");
        assert_eq!(
            fs::read_to_string(root.path().join(TERMINATION_LOG)).unwrap(),
            "the last"
        );
    }
}
