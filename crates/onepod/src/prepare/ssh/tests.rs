//! Scenarios of SSH files: what is on the volume, what is given, what comes out.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::board::Board;
use crate::settings;

/// A volume with an empty `.ssh`.
struct Volume {
    _dir: TempDir,
    paths: Paths,
    board: Board,
}

impl Volume {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        files::private_directory(&paths.ssh_dir()).unwrap();
        Self {
            _dir: dir,
            paths,
            board: Board::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.paths.ssh_dir().join(name)
    }

    fn with(self, name: &str, content: &str) -> Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    fn settle(&self, given: Option<&SshKey>) {
        let pairs = given.map(|key| {
            (
                OsString::from("SSH_PRIVATE_KEY"),
                OsString::from(key.pem().expose()),
            )
        });
        let settings = settings::settle(pairs).unwrap();
        let stage = self.board.stage("ssh");
        settle(&settings, &self.paths, &stage).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().mode() & 0o7777
    }

    fn names(&self) -> Vec<String> {
        files::names(&self.paths.ssh_dir()).unwrap()
    }

    fn notes(&self) -> String {
        self.board
            .stages()
            .into_iter()
            .flat_map(|stage| stage.notes)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A key in the format of OpenSSL, which OpenSSH reads and which is not looked into here. No real key.
const OLD_FORMAT: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJB\n-----END RSA PRIVATE KEY-----\n";

#[test]
fn without_any_key_one_is_made_once() {
    let volume = Volume::new();
    volume.settle(None);
    assert_eq!(
        volume.names(),
        ["authorized_keys", "id_ed25519", "id_ed25519.pub"]
    );
    assert_eq!(
        (volume.mode("id_ed25519"), volume.mode("authorized_keys")),
        (0o600, 0o600)
    );
    assert_eq!(volume.text("authorized_keys"), volume.text("id_ed25519.pub"));
    let before = (volume.text("id_ed25519"), volume.text("authorized_keys"));
    volume.settle(None);
    assert_eq!(
        (volume.text("id_ed25519"), volume.text("authorized_keys")),
        before
    );
    assert_eq!(volume.notes(), "");
}

// The earlier image mounted the value and never read it.
#[test]
fn a_given_key_is_the_one_in_use() {
    let (volume, key) = (Volume::new(), SshKey::generate().unwrap());
    volume.settle(Some(&key));
    assert_eq!(volume.text("id_ed25519"), key.pem().expose());
    assert_eq!(volume.text("id_ed25519.pub"), format!("{}\n", key.public()));
    volume.settle(Some(&key));
    assert_eq!(volume.notes(), "");
}

#[test]
fn another_given_key_replaces_the_kept_one_and_hosts_with_the_old_still_get_in() {
    let (volume, old, new) = (
        Volume::new(),
        SshKey::generate().unwrap(),
        SshKey::generate().unwrap(),
    );
    volume.settle(Some(&old));
    volume.settle(Some(&new));
    assert_eq!(volume.text("id_ed25519"), new.pem().expose());
    assert_eq!(volume.text("id_ed25519.pub"), format!("{}\n", new.public()));
    assert_eq!(
        volume.text("authorized_keys"),
        format!("{}\n{}\n", old.public(), new.public())
    );
    let stale = volume
        .names()
        .into_iter()
        .find(|name| name.starts_with("stale-"))
        .unwrap();
    assert_eq!(volume.text(&format!("{stale}/id_ed25519")), old.pem().expose());
    assert!(
        volume.notes().contains("SSH_PRIVATE_KEY") && volume.notes().contains(&stale),
        "{}",
        volume.notes()
    );
    assert!(!volume.notes().contains("BEGIN"), "{}", volume.notes());
}

#[test]
fn a_kept_key_of_another_kind_stays_and_no_new_one_is_made() {
    let volume = Volume::new().with("id_rsa", OLD_FORMAT);
    volume.settle(None);
    assert_eq!(volume.text("id_rsa"), OLD_FORMAT);
    assert!(
        !volume.names().contains(&"id_ed25519".to_owned()),
        "{:?}",
        volume.names()
    );
    let key = SshKey::generate().unwrap();
    volume.settle(Some(&key));
    assert_eq!(volume.text("id_rsa"), OLD_FORMAT);
    assert_eq!(volume.text("id_ed25519"), key.pem().expose());
}

#[test]
fn a_lost_public_half_comes_back_and_a_foreign_one_is_corrected() {
    let (key, other) = (SshKey::generate().unwrap(), SshKey::generate().unwrap());
    let volume = Volume::new().with("id_ed25519", key.pem().expose());
    volume.settle(None);
    assert_eq!(volume.text("id_ed25519.pub"), format!("{}\n", key.public()));
    let volume = volume.with("id_ed25519.pub", other.public());
    volume.settle(None);
    assert_eq!(volume.text("id_ed25519.pub"), format!("{}\n", key.public()));
}

#[test]
fn a_public_half_with_the_administrators_comment_stays() {
    let key = SshKey::generate().unwrap();
    let own = format!("{} front-end in Kyiv\n", key.identity());
    let volume = Volume::new()
        .with("id_ed25519", key.pem().expose())
        .with("id_ed25519.pub", &own);
    volume.settle(None);
    assert_eq!(volume.text("id_ed25519.pub"), own);
}

#[test]
fn authorized_keys_only_grows() {
    let key = SshKey::generate().unwrap();
    let own = "# hosts\nssh-ed25519 AAAAtheirs host1"; // no line feed at the end
    let volume = Volume::new().with("authorized_keys", own);
    volume.settle(Some(&key));
    assert_eq!(
        volume.text("authorized_keys"),
        format!("{own}\n{}\n", key.public())
    );
    // A line with options is the same key; one that is commented out is none.
    let limited = format!("restrict,command=\"true\" {} limited\n", key.identity());
    let volume = volume.with("authorized_keys", &limited);
    volume.settle(Some(&key));
    assert_eq!(volume.text("authorized_keys"), limited);
    let disabled = format!("# {}\n", key.public());
    let volume = volume.with("authorized_keys", &disabled);
    volume.settle(Some(&key));
    assert_eq!(
        volume.text("authorized_keys"),
        format!("{disabled}{}\n", key.public())
    );
}

#[test]
fn the_packages_client_configuration_arrives_once() {
    let volume = Volume::new();
    let recommended = volume.paths.vendor_ssh_config();
    fs::create_dir_all(recommended.parent().unwrap()).unwrap();
    fs::write(&recommended, "Host *\n  ControlMaster no\n").unwrap();
    volume.settle(None);
    assert_eq!(
        (volume.text("config").as_str(), volume.mode("config")),
        ("Host *\n  ControlMaster no\n", 0o600)
    );
    let volume = volume.with("config", "Host *\n  Port 2222\n");
    volume.settle(None);
    assert_eq!(volume.text("config"), "Host *\n  Port 2222\n");
}

#[test]
fn what_fsgroup_opened_to_the_group_is_closed_again() {
    let (volume, key) = (Volume::new(), SshKey::generate().unwrap());
    volume.settle(Some(&key));
    for name in ["id_ed25519", "authorized_keys"] {
        fs::set_permissions(volume.path(name), Permissions::from_mode(0o660)).unwrap();
    }
    volume.settle(None);
    assert_eq!(
        (volume.mode("id_ed25519"), volume.mode("authorized_keys")),
        (0o600, 0o600)
    );
}
