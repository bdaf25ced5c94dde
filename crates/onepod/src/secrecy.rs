//! Which texts are secrets now: those of the settings and those of the volume. For [`Log::hide`](crate::log::Log::hide).
//!
//! Only files that are known to hold credentials count: what somebody else leaves beside them would be hidden too, and the
//! log could be made unreadable. Deliberately absent: where secrets are looked for.

use std::path::Path;

use crate::log::hidden::is_distinctive;
use crate::paths::Paths;
use crate::regular;
use crate::settings::{Database, Secret, Settings};

/// The files of OpenNebula's services below `~oneadmin/.one`, of every release: a line `NAME:SECRET`.
const AUTH_FILES: [&str; 7] = [
    "one_auth",
    "one_auth.pending",
    "sunstone_auth",
    "oneflow_auth",
    "onegate_auth",
    "oneform_auth",
    "oneks_auth",
];

/// Names of private keys below `~oneadmin/.ssh`.
const SSH_KEYS: [&str; 4] = ["id_ed25519", "id_ecdsa", "id_rsa", "ssh_host_ed25519_key"];

/// The longest file of credentials that is read, in bytes.
const FILE_LIMIT: u64 = 64 * 1024;

/// Passwords and keys that the settings give.
#[must_use]
pub fn of_settings(settings: &Settings) -> Vec<String> {
    let given = given(settings).map(|(_, secret)| secret.expose().to_owned());
    let key = settings.ssh_key().map(|key| key_lines(key.pem().expose()));
    given.chain(key.into_iter().flatten()).collect()
}

/// Settings whose secret cannot be told from other text, and is therefore not hidden.
#[must_use]
pub fn not_hidden(settings: &Settings) -> Vec<&'static str> {
    given(settings)
        .filter(|(_, secret)| !is_distinctive(secret.expose()))
        .map(|(name, _)| name)
        .collect()
}

fn given(settings: &Settings) -> impl Iterator<Item = (&'static str, &Secret)> {
    let database = match settings.database() {
        Database::MySql(server) => Some(server.password()),
        Database::Sqlite => None,
    };
    [
        ("ONEADMIN_PASSWORD", settings.oneadmin_password()),
        ("ONE_KEY", settings.one_key()),
        ("FIREEDGE_KEY", settings.fireedge_key()),
        ("SERVERADMIN_SECRET", settings.serveradmin_secret()),
        ("DB_PASSWORD", database),
    ]
    .into_iter()
    .filter_map(|(name, secret)| Some((name, secret?)))
}

/// Passwords and keys in the files on the volume. A file that is missing, or cannot be read, has none.
#[must_use]
pub fn of_volume(paths: &Paths) -> Vec<String> {
    let text = |path: &Path| regular::read_text(path, FILE_LIMIT).unwrap_or_default();
    let mut secrets = Vec::new();
    for name in AUTH_FILES {
        let text = text(&paths.auth_dir().join(name));
        let passwords = text.lines().filter_map(|line| line.split_once(':'));
        secrets.extend(passwords.map(|(_, password)| password.to_owned()));
    }
    for path in [paths.one_key(), paths.fireedge_key()] {
        secrets.extend(text(&path).lines().next().map(str::to_owned));
    }
    for name in SSH_KEYS {
        secrets.extend(key_lines(&text(&paths.ssh_dir().join(name))));
    }
    secrets
}

/// The lines of a private key between its first and its last, which are the same in every key.
fn key_lines(pem: &str) -> Vec<String> {
    pem.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::settings::SshKey;

    #[test]
    fn secrets_of_settings_and_volume_are_known() {
        let root = TempDir::new().unwrap();
        let paths = Paths::new(root.path());
        for directory in [paths.auth_dir(), paths.ssh_dir()] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(paths.one_auth(), "oneadmin:kept:with colon\n").unwrap();
        fs::write(paths.fireedge_key(), "fireedge-key").unwrap();
        let key = SshKey::generate().unwrap();
        fs::write(paths.ssh_dir().join("id_ed25519"), key.pem().expose()).unwrap();
        // None of ours: it would hide a word that every start logs.
        fs::write(paths.auth_dir().join("mode"), "mode: ready after\n").unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            paths.auth_dir().join("oneks_auth"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let kept = of_volume(&paths);
        assert_eq!(kept[..2], ["kept:with colon", "fireedge-key"]);
        assert_eq!(kept[2..], key_lines(key.pem().expose()));
        assert!(
            kept.len() > 5 && !kept.iter().any(|line| line.contains("-----")),
            "{}",
            kept.len()
        );

        let environment = [
            ("OPENNEBULA_HOSTNAME", "one"),
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "db"),
            ("DB_PASSWORD", "hunter3 hunter3"),
            ("ONEADMIN_PASSWORD", "opennebula"),
            ("SSH_PRIVATE_KEY", key.pem().expose()),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let settings = crate::settings::settle(environment).unwrap();
        let given = of_settings(&settings);
        assert_eq!(given[..2], ["opennebula", "hunter3 hunter3"]);
        assert_eq!(given[2..], kept[2..]);
        assert_eq!(not_hidden(&settings), ["ONEADMIN_PASSWORD"]);
    }
}
