//! Which texts are secrets now: those of the settings and those of the volume. For [`Log::hide`](crate::log::Log::hide).
//!
//! Deliberately absent: where they are looked for.

use std::fs;

use crate::paths::Paths;
use crate::settings::{Database, Settings};

/// Passwords and keys that the settings give. The SSH key is no line that a program would quote.
#[must_use]
pub fn of_settings(settings: &Settings) -> Vec<String> {
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

/// Passwords and keys in the files below `~oneadmin/.one`; those that cannot be read are none.
#[must_use]
pub fn of_volume(paths: &Paths) -> Vec<String> {
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
    fn secrets_of_settings_and_volume_are_known() {
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
        assert_eq!(of_settings(&settings), ["hunter2hunter2", "hunter3 hunter3"]);
        let mut kept = of_volume(&paths);
        kept.sort_unstable();
        assert_eq!(kept, ["fireedge-key", "kept:with colon"]);
    }
}
