//! Scenarios of credentials: what is on the volume, what is given, what the database says, what comes out.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::prepare::scratch::Scratch;
use crate::settings;

const GIVEN: &str = "given-password";

/// A volume with an empty `.one`.
struct Volume {
    root: Scratch,
}

impl Volume {
    fn new() -> Self {
        let root = Scratch::new();
        let paths = &root.paths;
        files::private_directory(&paths.auth_dir()).unwrap();
        Self { root }
    }

    fn with(self, name: &str, content: &str) -> Self {
        fs::write(self.root.paths.auth_dir().join(name), content).unwrap();
        self
    }

    fn settle(&self, pairs: &[(&str, &str)], oneadmin: &Oneadmin) -> Result<(), CredentialsError> {
        let settings =
            settings::settle(pairs.iter().map(|(n, v)| (OsString::from(n), OsString::from(v)))).unwrap();
        let stage = self.root.board.stage("credentials");
        settle(&settings, &self.root.paths, oneadmin, &stage)
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.paths.auth_dir().join(name)).ok()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.root.paths.auth_dir().join(name))
            .unwrap()
            .mode()
            & 0o7777
    }

    fn names(&self) -> Vec<String> {
        files::names(&self.root.paths.auth_dir()).unwrap()
    }

    /// The names of files that were moved aside.
    fn aside(&self) -> Vec<String> {
        let directories = self.names().into_iter().filter(|name| name.starts_with("stale-"));
        directories
            .flat_map(|name| files::names(&self.root.paths.auth_dir().join(name)).unwrap())
            .collect()
    }

    /// What the operator was told.
    fn notes(&self) -> String {
        self.root.notes()
    }
}

#[test]
fn a_fresh_start_has_only_one_auth_with_a_generated_password() {
    let volume = Volume::new();
    volume.settle(&[], &Oneadmin::Missing).unwrap();
    let text = volume.text("one_auth").unwrap();
    let password = text
        .strip_prefix("oneadmin:")
        .unwrap()
        .strip_suffix('\n')
        .unwrap();
    assert_eq!(password.len(), 32);
    assert!(
        password.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{password}"
    );
    assert_eq!(
        (volume.names(), volume.mode("one_auth")),
        (vec!["one_auth".to_owned()], 0o600)
    );
    assert_eq!(volume.notes(), "");
}

#[test]
fn two_generated_passwords_differ() {
    assert_ne!(generate_password().unwrap(), generate_password().unwrap());
}

#[test]
fn given_secrets_are_there_before_the_first_start() {
    let volume = Volume::new();
    let (one_key, fireedge_key) = ("ab".repeat(32), "F".repeat(32));
    let given = [
        ("ONEADMIN_PASSWORD", GIVEN),
        ("ONE_KEY", &one_key),
        ("FIREEDGE_KEY", &fireedge_key),
    ];
    volume.settle(&given, &Oneadmin::Missing).unwrap();
    assert_eq!(volume.text("one_auth").unwrap(), format!("oneadmin:{GIVEN}\n"));
    assert_eq!(volume.text("one_key").unwrap(), format!("{one_key}\n"));
    // FireEdge takes the file as it is for its key.
    assert_eq!(volume.text("fireedge_key").unwrap(), fireedge_key);
    for name in ["one_auth", "one_key", "fireedge_key"] {
        assert_eq!(volume.mode(name), 0o600, "{name}");
    }
}

#[test]
fn a_second_start_changes_nothing_and_says_nothing() {
    let volume = Volume::new();
    volume
        .settle(&[("ONEADMIN_PASSWORD", GIVEN)], &Oneadmin::Missing)
        .unwrap();
    let volume = ["sunstone_auth", "oneflow_auth", "onegate_auth"]
        .into_iter()
        .fold(volume, |volume, name| volume.with(name, "serveradmin:secret\n"))
        .with("one_key", &"0f".repeat(32));
    let before: Vec<_> = volume
        .names()
        .iter()
        .map(|name| (name.clone(), volume.text(name)))
        .collect();
    volume
        .settle(&[("ONEADMIN_PASSWORD", GIVEN)], &Oneadmin::Present)
        .unwrap();
    let after: Vec<_> = volume
        .names()
        .iter()
        .map(|name| (name.clone(), volume.text(name)))
        .collect();
    assert_eq!((before, volume.notes().as_str()), (after, ""));
}

// The earlier image made oneflow_auth and onegate_auth itself, and oned never started.
#[test]
fn service_files_before_the_first_start_are_moved_aside_and_named() {
    let volume = Volume::new()
        .with("oneflow_auth", "serveradmin:x\n")
        .with("onegate_auth", "serveradmin:x\n");
    volume.settle(&[], &Oneadmin::Missing).unwrap();
    assert_eq!(volume.aside(), ["oneflow_auth", "onegate_auth"]);
    assert!(
        volume
            .names()
            .iter()
            .all(|name| !name.ends_with("_auth") || name == "one_auth"),
        "{:?}",
        volume.names()
    );
    let notes = volume.notes();
    assert!(
        notes.contains("oneflow_auth, onegate_auth") && notes.contains("stale-"),
        "{notes}"
    );
}

#[test]
fn services_of_later_releases_are_moved_aside_as_well() {
    let volume = Volume::new()
        .with("oneform_auth", "serveradmin:x\n")
        .with("oneks_auth", "serveradmin:x\n");
    volume.settle(&[], &Oneadmin::Missing).unwrap();
    assert_eq!(volume.aside(), ["oneform_auth", "oneks_auth"]);
}

#[test]
fn nothing_is_moved_while_the_database_has_users_or_may_have() {
    for oneadmin in [Oneadmin::Present, Oneadmin::Unknown("the file is locked".into())] {
        let volume = Volume::new()
            .with("one_auth", "oneadmin:kept\n")
            .with("one_key", &"0f".repeat(32))
            .with("sunstone_auth", "serveradmin:x\n");
        volume.settle(&[], &oneadmin).unwrap();
        assert_eq!(volume.aside(), Vec::<String>::new(), "{oneadmin:?}");
        assert_eq!(volume.text("sunstone_auth").unwrap(), "serveradmin:x\n");
    }
}

// The earlier image deleted sunstone_auth at every start, and nobody could log in from the second on. Which secret the
// database knows can be asked when oned is up, not before.
#[test]
fn a_lost_service_file_is_left_to_the_reconciliation() {
    let volume = Volume::new()
        .with("one_auth", "oneadmin:kept\n")
        .with("one_key", &"0f".repeat(32))
        .with("oneflow_auth", "serveradmin:x\n");
    volume.settle(&[], &Oneadmin::Present).unwrap();
    assert_eq!(volume.notes(), "");
    assert_eq!(volume.names(), ["one_auth", "one_key", "oneflow_auth"]);
}

// The database knows the kept one; both are tried until it is certain which of them is in force.
#[test]
fn another_password_than_the_kept_one_is_remembered_until_oned_is_up() {
    for oneadmin in [
        Oneadmin::Missing,
        Oneadmin::Present,
        Oneadmin::Unknown("locked".into()),
    ] {
        let volume = Volume::new()
            .with("one_auth", "admin:kept\n")
            .with("one_key", &"0f".repeat(32));
        for _ in 0..2 {
            volume.settle(&[("ONEADMIN_PASSWORD", GIVEN)], &oneadmin).unwrap();
        }
        assert_eq!(volume.text("one_auth").unwrap(), "admin:kept\n");
        assert_eq!(
            volume.text("one_auth.pending").unwrap(),
            format!("admin:{GIVEN}\n")
        );
        assert_eq!(volume.mode("one_auth.pending"), 0o600);
        // Taken back before oned knew it: it stays one of those to try.
        volume
            .settle(&[("ONEADMIN_PASSWORD", "kept")], &oneadmin)
            .unwrap();
        assert!(volume.text("one_auth.pending").unwrap().contains(GIVEN));
    }
}

#[test]
fn a_lost_one_auth_is_what_was_last_tried() {
    let volume = Volume::new()
        .with("one_auth.pending", "oneadmin:tried\n")
        .with("one_key", &"0f".repeat(32));
    volume.settle(&[], &Oneadmin::Present).unwrap();
    assert_eq!(volume.text("one_auth").unwrap(), "oneadmin:tried\n");
}

#[test]
fn a_password_with_colons_is_the_same_password() {
    let volume = Volume::new()
        .with("one_auth", "oneadmin:a:b:c\n")
        .with("one_key", &"0f".repeat(32));
    volume
        .settle(&[("ONEADMIN_PASSWORD", "a:b:c")], &Oneadmin::Missing)
        .unwrap();
    assert_eq!(volume.notes(), "");
}

#[test]
fn a_lost_one_auth_is_not_replaced_by_a_guess() {
    for oneadmin in [Oneadmin::Present, Oneadmin::Unknown("locked".into())] {
        let volume = Volume::new();
        let error = volume.settle(&[], &oneadmin).unwrap_err().to_string();
        assert!(
            error.contains("one_auth does not exist") && error.contains("Set ONEADMIN_PASSWORD"),
            "{error}"
        );
        assert_eq!(volume.names(), Vec::<String>::new());
        let key = "0f".repeat(32);
        volume
            .settle(&[("ONEADMIN_PASSWORD", GIVEN), ("ONE_KEY", &key)], &oneadmin)
            .unwrap();
        assert_eq!(volume.text("one_auth").unwrap(), format!("oneadmin:{GIVEN}\n"));
        assert_eq!(volume.text("one_key").unwrap(), format!("{key}\n"));
    }
}

#[test]
fn a_one_auth_that_oned_could_not_read_is_moved_aside() {
    for broken in ["no colon here\n", ":no name\n", "noword:\n"] {
        let volume = Volume::new().with("one_auth", broken);
        volume
            .settle(&[("ONEADMIN_PASSWORD", GIVEN)], &Oneadmin::Missing)
            .unwrap();
        assert_eq!(volume.text("one_auth").unwrap(), format!("oneadmin:{GIVEN}\n"));
        assert_eq!(volume.aside(), ["one_auth"], "{broken:?}");
        let error = Volume::new()
            .with("one_auth", broken)
            .settle(&[], &Oneadmin::Present)
            .unwrap_err()
            .to_string();
        assert!(error.contains("holds no line name:password"), "{error}");
    }
    // An empty file holds nothing worth keeping.
    let volume = Volume::new().with("one_auth", "");
    volume.settle(&[], &Oneadmin::Missing).unwrap();
    assert_eq!(volume.names(), ["one_auth"]);
}

// The earlier image deleted the database when one_key was missing; oned alone makes a new key, and nobody notices before
// the first attribute cannot be read.
#[test]
fn a_lost_one_key_is_a_refusal_and_costs_no_database() {
    for oneadmin in [Oneadmin::Present, Oneadmin::Unknown("locked".into())] {
        let volume = Volume::new().with("one_auth", "oneadmin:kept\n");
        fs::write(volume.root.paths.sqlite(), "the database").unwrap();
        let error = volume.settle(&[], &oneadmin).unwrap_err().to_string();
        assert_eq!(
            fs::read_to_string(volume.root.paths.sqlite()).unwrap(),
            "the database"
        );
        assert_eq!(volume.text("one_key"), None);
        assert!(
            error.contains("one_key does not exist") && error.contains("Set ONE_KEY to the old key"),
            "{error}"
        );
    }
}

#[test]
fn another_one_key_than_the_kept_one_is_reported_and_not_written() {
    let kept = "0f".repeat(32);
    let volume = Volume::new()
        .with("one_auth", "oneadmin:kept\n")
        .with("one_key", &kept);
    volume
        .settle(&[("ONE_KEY", &"AB".repeat(32))], &Oneadmin::Missing)
        .unwrap();
    assert_eq!(volume.text("one_key").unwrap(), kept);
    assert!(
        volume.notes().contains("ONE_KEY (environment) differs from") && !volume.notes().contains("0f0f"),
        "{}",
        volume.notes()
    );
}

#[test]
fn an_empty_one_key_is_not_a_key() {
    let volume = Volume::new().with("one_key", "\n");
    let given = "0f".repeat(32);
    volume.settle(&[("ONE_KEY", &given)], &Oneadmin::Missing).unwrap();
    assert_eq!(volume.text("one_key").unwrap(), format!("{given}\n"));
    assert_eq!(volume.aside(), ["one_key"]);
}

#[test]
fn a_new_fireedge_key_takes_effect_and_the_old_one_is_kept_aside() {
    let (old, new) = ("O".repeat(32), "N".repeat(32));
    let volume = Volume::new().with("fireedge_key", &old);
    volume
        .settle(&[("FIREEDGE_KEY", &new)], &Oneadmin::Missing)
        .unwrap();
    assert_eq!(volume.text("fireedge_key").unwrap(), new);
    assert_eq!(volume.aside(), ["fireedge_key"]);
    volume.settle(&[], &Oneadmin::Missing).unwrap();
    assert_eq!(volume.text("fireedge_key").unwrap(), new);
}

#[test]
fn what_fsgroup_opened_to_the_group_is_closed_again() {
    let volume = Volume::new()
        .with("one_auth", "oneadmin:kept\n")
        .with("one_key", &"0f".repeat(32))
        .with("fireedge_key", &"F".repeat(32))
        .with("sunstone_auth", "serveradmin:x\n");
    let names = volume.names();
    for name in &names {
        fs::set_permissions(
            volume.root.paths.auth_dir().join(name),
            Permissions::from_mode(0o660),
        )
        .unwrap();
    }
    volume.settle(&[], &Oneadmin::Present).unwrap();
    for name in &names {
        assert_eq!(volume.mode(name), 0o600, "{name}");
    }
}
