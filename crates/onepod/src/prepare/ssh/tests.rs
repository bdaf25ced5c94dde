//! Scenarios of SSH files: what is on the volume, what is given, what comes out.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::prepare::scratch::Scratch;
use crate::settings;

/// A volume with an empty `.ssh`.
struct Volume {
    root: Scratch,
}

impl Volume {
    fn new() -> Self {
        let root = Scratch::new();
        let paths = &root.paths;
        for directory in [paths.ssh_dir(), paths.own_data(), paths.run_onepod()] {
            files::private_directory(&directory).unwrap();
        }
        fs::create_dir_all(paths.passwd().parent().unwrap()).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        fs::write(
            paths.passwd(),
            format!("nobody:x:65534:65534::/:/bin/sh\noneadmin:x:{uid}:0::/:/bin/sh\n"),
        )
        .unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.paths.ssh_dir().join(name)
    }

    fn with(self, name: &str, content: &str) -> Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    fn settle(&self, given: Option<&SshKey>) -> Settled {
        match given {
            Some(key) => self.settle_with(&[("SSH_PRIVATE_KEY", key.pem().expose())]),
            None => self.settle_with(&[]),
        }
    }

    fn settle_with(&self, given: &[(&str, &str)]) -> Settled {
        let pairs = [("OPENNEBULA_HOSTNAME", "opennebula")];
        let pairs = pairs.iter().chain(given);
        let settings =
            settings::settle(pairs.map(|(name, value)| (OsString::from(name), OsString::from(value))));
        let stage = self.root.board.stage("ssh");
        settle(&settings.unwrap(), &self.root.paths, &|text| stage.note(text)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().mode() & 0o7777
    }

    fn names(&self) -> Vec<String> {
        files::names(&self.root.paths.ssh_dir()).unwrap()
    }

    fn notes(&self) -> String {
        self.root.notes()
    }
}

/// A key in the format of OpenSSL, which OpenSSH reads and which is not looked into here. No real key.
const OLD_FORMAT: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJB\n-----END RSA PRIVATE KEY-----\n";

#[test]
fn without_any_key_one_is_made_once() {
    let volume = Volume::new();
    assert!(volume.settle(None).new_key);
    assert_eq!(
        volume.names(),
        [
            "authorized_keys",
            "id_ed25519",
            "id_ed25519.pub",
            "known_hosts",
            "ssh_host_ed25519_key",
            "ssh_host_ed25519_key.pub"
        ]
    );
    assert_eq!(
        (volume.mode("id_ed25519"), volume.mode("authorized_keys")),
        (0o600, 0o600)
    );
    assert_eq!(volume.text("authorized_keys"), volume.text("id_ed25519.pub"));
    let before = (volume.text("id_ed25519"), volume.text("authorized_keys"));
    assert!(!volume.settle(None).new_key);
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

// RSA and ECDSA keys of frontends that are older than ed25519 keep working.
#[test]
fn given_keys_of_every_kind_get_their_public_half() {
    for (kind, name) in [
        ("rsa", "id_rsa"),
        ("ecdsa", "id_ecdsa"),
        ("ed25519", "id_ed25519"),
    ] {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("key");
        let made = keygen(&[
            "-q",
            "-t",
            kind,
            "-N",
            "",
            "-C",
            "me@there",
            "-f",
            path.to_str().unwrap(),
        ]);
        assert!(made, "ssh-keygen -t {kind}");
        let public = fs::read_to_string(path.with_added_extension("pub")).unwrap();
        let key = SshKey::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let volume = Volume::new();
        assert!(volume.settle(Some(&key)).new_key);
        assert_eq!(volume.text(&format!("{name}.pub")), public);
        assert_eq!(volume.text("authorized_keys"), public);
        assert_eq!(volume.text(name), fs::read_to_string(&path).unwrap());
    }
}

// Half of the keys on the curve of 521 bits have a secret number that begins with zeros, which OpenSSH leaves out.
#[test]
fn keys_with_a_short_secret_number_are_read() {
    let dir = TempDir::new().unwrap();
    let mut short = 0;
    for number in 0..24 {
        let path = dir.path().join(number.to_string());
        let to = path.to_str().unwrap();
        assert!(keygen(&[
            "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-C", "me", "-f", to
        ]));
        let text = fs::read_to_string(&path).unwrap();
        if ::ssh_key::PrivateKey::from_openssh(&text).is_err() {
            short += 1;
        }
        let key = SshKey::parse(&text).unwrap();
        let public = fs::read_to_string(path.with_added_extension("pub")).unwrap();
        assert_eq!(key.public(), public.trim_end());
        assert_eq!(key.pem().expose(), text);
        assert_eq!(key.file_name(), "id_ecdsa");
    }
    assert!(short > 0, "of 24 keys none was short: nothing was shown");
}

#[expect(clippy::disallowed_methods, reason = "tests have no reaper of their own")]
fn keygen(arguments: &[&str]) -> bool {
    std::process::Command::new("ssh-keygen")
        .args(arguments)
        .status()
        .unwrap()
        .success()
}

#[test]
fn the_packages_client_configuration_follows_the_release_until_it_is_changed() {
    let volume = Volume::new();
    let recommended = volume.root.paths.vendor_ssh_config();
    fs::create_dir_all(recommended.parent().unwrap()).unwrap();
    fs::write(&recommended, "Host *\n  ControlMaster no\n").unwrap();
    volume.settle(None);
    assert_eq!(
        (volume.text("config").as_str(), volume.mode("config")),
        ("Host *\n  ControlMaster no\n", 0o600)
    );
    fs::write(&recommended, "Host *\n  ControlPersist 70s\n").unwrap();
    volume.settle(None);
    assert_eq!(volume.text("config"), "Host *\n  ControlPersist 70s\n");
    let volume = volume.with("config", "Host *\n  Port 2222\n");
    volume.settle(None);
    assert_eq!(
        (volume.text("config").as_str(), volume.notes().as_str()),
        ("Host *\n  Port 2222\n", "")
    );
    // The release changes it as well.
    fs::write(&recommended, "Host *\n  ControlPersist 90s\n").unwrap();
    volume.settle(None);
    assert_eq!(volume.text("config"), "Host *\n  Port 2222\n");
    assert!(
        volume.notes().contains("share/one/ssh/etc/config"),
        "{}",
        volume.notes()
    );
}

// Volumes of versions that did not remember what they had brought.
#[test]
fn a_client_configuration_of_unknown_origin_stays() {
    let volume = Volume::new().with("config", "Host *\n  Port 2222\n");
    let recommended = volume.root.paths.vendor_ssh_config();
    fs::create_dir_all(recommended.parent().unwrap()).unwrap();
    fs::write(&recommended, "Host *\n").unwrap();
    volume.settle(None);
    assert_eq!(volume.text("config"), "Host *\n  Port 2222\n");
}

#[test]
fn the_host_key_is_made_once_and_known_to_the_client() {
    let volume = Volume::new();
    volume.settle(None);
    let (key, public) = (
        volume.text("ssh_host_ed25519_key"),
        volume.text("ssh_host_ed25519_key.pub"),
    );
    assert_eq!(volume.mode("ssh_host_ed25519_key"), 0o600);
    assert!(
        volume
            .text("known_hosts")
            .contains(&format!("opennebula {public}"))
    );
    volume.settle(None);
    assert_eq!(volume.text("ssh_host_ed25519_key"), key);
}

#[test]
fn pinned_host_keys_take_the_place_of_learned_ones_and_the_others_stay() {
    let [old, new, other] = [(); 3].map(|()| SshKey::generate().unwrap().identity().to_owned());
    let learned = format!("kvm1 {old}\nkvm2 {other}\n");
    let volume = Volume::new().with("known_hosts", &learned);
    volume.settle_with(&[("SSH_KNOWN_HOSTS", &format!("kvm1 {new}"))]);
    let text = volume.text("known_hosts");
    assert!(
        text.contains(&format!("kvm1 {new}\n")) && text.contains(&format!("kvm2 {other}\n")),
        "{text}"
    );
    assert!(!text.contains(&old), "{text}");
    assert!(volume.notes().contains("kvm1"), "{}", volume.notes());
    let aside = fs::read_dir(volume.root.paths.replaced())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(
        fs::read_to_string(aside.path().join("ssh/known_hosts")).unwrap(),
        learned
    );
    volume.settle(None);
    assert!(
        !volume.text("known_hosts").contains("kvm1"),
        "{}",
        volume.text("known_hosts")
    );
}

#[test]
fn the_server_is_for_keys_of_its_own_user_only() {
    let volume = Volume::new();
    volume.settle(None);
    let text = fs::read_to_string(volume.root.paths.sshd_config()).unwrap();
    for line in [
        "AllowUsers oneadmin",
        "PasswordAuthentication no",
        "AllowTcpForwarding no",
        "UsePAM no",
        "Port 2222",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
    fs::write(volume.root.paths.passwd(), "root:x:99999:0::/root:/bin/sh\n").unwrap();
    volume.settle(None);
    assert!(volume.notes().contains("has no entry in"), "{}", volume.notes());
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
