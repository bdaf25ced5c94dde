//! Scenarios of reconciliation: what the Secret says, what the files hold, what the database knows, what comes out.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use tempfile::TempDir;

use self::fake_oned::{FakeOned, User};
use super::watch::Watch;
use super::*;
use crate::log::Format;
use crate::settings::{self, Database};
use crate::supervisor::handle;

mod fake_oned;

const SECRET: &str = "the-services-secret";

/// A volume, an oned, and the settings of one start.
struct Front {
    dir: TempDir,
    paths: Paths,
    oned: FakeOned,
}

impl Front {
    /// oned's database has oneadmin with this password, and serveradmin with [`SECRET`].
    async fn new(password: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let paths = Paths::new(dir.path());
        fs::create_dir_all(paths.auth_dir()).unwrap();
        Self {
            oned: FakeOned::start(password, SECRET).await,
            dir,
            paths,
        }
    }

    /// The volume as it is when nothing is wrong.
    fn with_files(self, password: &str) -> Self {
        self.put("one_auth", &format!("oneadmin:{password}\n"));
        for name in ["sunstone_auth", "onegate_auth", "oneflow_auth"] {
            self.put(name, &format!("serveradmin:{SECRET}\n"));
        }
        self
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.paths.auth_dir().join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.paths.auth_dir().join(name)).unwrap_or_default()
    }

    fn has(&self, name: &str) -> bool {
        self.paths.auth_dir().join(name).exists()
    }

    fn reconciler(&self, pairs: &[(&str, &str)]) -> Reconciler {
        let (handle, _) = handle::channel();
        Reconciler::new(
            settle(pairs),
            self.paths.clone(),
            Board::new(),
            handle,
            self.oned.endpoint(),
            log(),
        )
    }

    async fn reconcile(&self, pairs: &[(&str, &str)]) -> Result<Outcome, ReconcileError> {
        reconcile(&settle(pairs), &self.paths, &self.oned.endpoint()).await
    }
}

/// A log that nobody reads.
fn log() -> Log {
    let nowhere = fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    Log::start(Format::Text, nowhere.into()).unwrap()
}

fn settle(pairs: &[(&str, &str)]) -> Settings {
    let named = [("OPENNEBULA_HOSTNAME", "one")];
    let all = named.iter().chain(pairs);
    settings::settle(all.map(|(name, value)| (OsString::from(name), OsString::from(value)))).unwrap()
}

#[tokio::test]
async fn when_nothing_has_changed_it_takes_one_call_and_touches_no_file() {
    let front = Front::new("pw").await.with_files("pw");
    let before = fs::metadata(front.paths.one_auth()).unwrap().ino();
    for pairs in [
        vec![],
        vec![("ONEADMIN_PASSWORD", "pw"), ("SERVERADMIN_SECRET", SECRET)],
    ] {
        let outcome = front.reconcile(&pairs).await.unwrap();
        assert_eq!(
            outcome,
            Outcome {
                calls: 1,
                ..Outcome::default()
            }
        );
    }
    assert_eq!(front.oned.calls(), ["one.user.info 1", "one.user.info 1"]);
    assert_eq!(fs::metadata(front.paths.one_auth()).unwrap().ino(), before);
}

#[tokio::test]
async fn a_rotated_password_is_changed_in_the_database_and_then_in_the_file() {
    let front = Front::new("old").await.with_files("old");
    let outcome = front.reconcile(&[("ONEADMIN_PASSWORD", "new")]).await.unwrap();
    assert!(outcome.calls <= 5, "{outcome:?}");
    assert!(front.oned.accepts("new") && !front.oned.accepts("old"));
    assert_eq!(front.text("one_auth"), "oneadmin:new\n");
    assert!(!front.has("one_auth.pending"));
    assert!(outcome.restart.contains("onehem"), "{outcome:?}");
    let told = format!("{outcome:?}");
    assert!(
        told.contains("ONEADMIN_PASSWORD (environment)") && !told.contains("new\""),
        "{told}"
    );
    assert_eq!(
        front
            .reconcile(&[("ONEADMIN_PASSWORD", "new")])
            .await
            .unwrap()
            .calls,
        1
    );
}

#[tokio::test]
async fn a_password_that_was_changed_in_opennebula_first_is_taken_over() {
    let front = Front::new("new").await.with_files("old");
    let outcome = front.reconcile(&[("ONEADMIN_PASSWORD", "new")]).await.unwrap();
    assert_eq!(
        (outcome.calls, front.text("one_auth")),
        (1, "oneadmin:new\n".into())
    );
}

// The database has the new password, the answer never came, and onepod was killed; then the Secret changed once more.
#[tokio::test]
async fn a_crash_between_database_and_file_heals_whatever_comes_next() {
    for (next, wanted) in [
        (vec![("ONEADMIN_PASSWORD", "new")], "new"),
        (vec![("ONEADMIN_PASSWORD", "newer")], "newer"),
        (vec![("ONEADMIN_PASSWORD", "old")], "old"),
        (vec![], "new"),
    ] {
        let front = Front::new("old").await.with_files("old");
        front.oned.die_after_passwd(true);
        let error = front
            .reconcile(&[("ONEADMIN_PASSWORD", "new")])
            .await
            .unwrap_err();
        assert!(matches!(error, ReconcileError::Call(_)), "{error}");
        assert!(front.oned.accepts("new"));
        assert_eq!(front.text("one_auth"), "oneadmin:old\n");
        front.oned.die_after_passwd(false);
        front.reconcile(&next).await.unwrap();
        assert!(front.oned.accepts(wanted), "{wanted}");
        assert_eq!(front.text("one_auth"), format!("oneadmin:{wanted}\n"));
        assert!(!front.has("one_auth.pending"));
    }
}

#[tokio::test]
async fn when_every_password_is_wrong_the_error_names_the_setting_and_the_next_step() {
    let front = Front::new("changed-by-hand").await.with_files("old");
    let error = front
        .reconcile(&[("ONEADMIN_PASSWORD", "wanted")])
        .await
        .unwrap_err()
        .to_string();
    for part in [
        "ONEADMIN_PASSWORD (environment)",
        "one_auth",
        "Set ONEADMIN_PASSWORD to it",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert!(!error.contains("wanted") && !error.contains("old"), "{error}");
    let error = front.reconcile(&[]).await.unwrap_err().to_string();
    assert!(error.contains("one_auth") && error.contains("Set ONEADMIN_PASSWORD to it"));
    assert_eq!(front.text("one_auth"), "oneadmin:old\n");
}

#[tokio::test]
async fn a_lost_database_is_not_taken_for_a_wrong_password() {
    let front = Front::new("pw").await.with_files("pw");
    front.oned.lose_database();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port().to_string();
    drop(nobody);
    let error = front
        .reconcile(&[
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", &port),
            ("DB_PASSWORD", "hunter2"),
            ("ONEADMIN_PASSWORD", "new"),
        ])
        .await
        .unwrap_err();
    assert!(matches!(error, ReconcileError::NoDatabase { .. }), "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert_eq!(front.text("one_auth"), "oneadmin:pw\n");
}

#[tokio::test]
async fn a_password_that_oned_does_not_take_is_named() {
    let front = Front::new("old").await.with_files("old");
    front.oned.refuse_passwords();
    let error = front
        .reconcile(&[("ONEADMIN_PASSWORD", "new")])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ONEADMIN_PASSWORD (environment)") && error.contains("Invalid password"),
        "{error}"
    );
    assert!(front.oned.accepts("old"));
    assert_eq!(front.text("one_auth"), "oneadmin:old\n");
}

#[tokio::test]
async fn oneadmin_of_another_driver_and_another_admin_are_left_alone() {
    for change in [
        |user: &mut User| user.driver = "ldap".to_owned(),
        |user: &mut User| user.id = 7,
    ] {
        let front = Front::new("old").await.with_files("old");
        front.oned.change_oneadmin(change);
        let outcome = front.reconcile(&[("ONEADMIN_PASSWORD", "new")]).await.unwrap();
        assert!(
            front.oned.accepts("old") && outcome.notes.len() == 1,
            "{outcome:?}"
        );
        assert!(
            outcome.notes[0].contains("ONEADMIN_PASSWORD is not set"),
            "{outcome:?}"
        );
        assert_eq!(front.text("one_auth"), "oneadmin:old\n");
    }
}

#[tokio::test]
async fn missing_files_of_services_are_written_with_the_secret_in_force() {
    let front = Front::new("pw").await.with_files("pw");
    fs::remove_file(front.paths.auth_dir().join("sunstone_auth")).unwrap();
    front.put("onegate_auth", "serveradmin:another\n");
    let outcome = front.reconcile(&[]).await.unwrap();
    assert_eq!(outcome.calls, 1, "the database is right: {outcome:?}");
    for name in ["sunstone_auth", "onegate_auth", "oneflow_auth"] {
        assert_eq!(front.text(name), format!("serveradmin:{SECRET}\n"), "{name}");
        let mode = fs::metadata(front.paths.auth_dir().join(name)).unwrap().mode();
        assert!(
            name == "oneflow_auth" || mode & 0o777 == 0o600,
            "{name}: {mode:o}"
        );
    }
    assert!(outcome.restart.contains("oneflow") && outcome.restart.contains("onegate"));
    assert!(
        !outcome.restart.contains("fireedge"),
        "FireEdge reads its file for each login: {outcome:?}"
    );
}

// The volume is lost, the database is not: nothing on the volume knows the secret any more.
#[tokio::test]
async fn a_lost_secret_is_made_anew_or_taken_from_the_setting() {
    for given in [None, Some("0f".repeat(32))] {
        let front = Front::new("pw").await;
        front.put("one_auth", "oneadmin:pw\n");
        let pairs: Vec<_> = given
            .iter()
            .map(|secret| ("SERVERADMIN_SECRET", secret.as_str()))
            .collect();
        let outcome = front.reconcile(&pairs).await.unwrap();
        assert_eq!(outcome.calls, 2, "{outcome:?}");
        let line = front.text("sunstone_auth");
        let secret = line
            .strip_prefix("serveradmin:")
            .unwrap()
            .strip_suffix('\n')
            .unwrap();
        assert!(given.as_deref().is_none_or(|given| given == secret));
        assert_eq!((secret.len(), front.oned.serveradmin_accepts(secret)), (64, true));
        assert_eq!(
            (front.text("oneflow_auth"), front.text("onegate_auth")),
            (line.clone(), line.clone())
        );
        assert_eq!(front.reconcile(&pairs).await.unwrap().calls, 1);
    }
}

#[tokio::test]
async fn a_secret_that_the_database_does_not_know_is_reset_there() {
    let front = Front::new("pw").await.with_files("pw");
    front.oned.set_serveradmin("somebody-else");
    let outcome = front.reconcile(&[]).await.unwrap();
    assert!(front.oned.serveradmin_accepts(SECRET), "{outcome:?}");
    assert_eq!(outcome.calls, 2);
    assert!(outcome.restart.contains("oneflow"), "{outcome:?}");
}

#[tokio::test]
async fn files_of_later_releases_follow_what_is_installed_and_those_of_others_stay() {
    let front = Front::new("pw").await.with_files("pw");
    front.put("bob_auth", "bob:mine\n");
    front.put("oneks_auth", "serveradmin:stale\n");
    fs::create_dir_all(front.dir.path().join("usr/lib/one/oneform")).unwrap();
    front.reconcile(&[]).await.unwrap();
    let wanted = format!("serveradmin:{SECRET}\n");
    assert_eq!(front.text("oneform_auth"), wanted);
    assert_eq!(front.text("oneks_auth"), wanted, "it is not installed, and there");
    assert_eq!(front.text("bob_auth"), "bob:mine\n");
}

#[tokio::test]
async fn serveradmin_of_another_driver_is_left_alone() {
    let front = Front::new("pw").await;
    front.put("one_auth", "oneadmin:pw\n");
    front
        .oned
        .change_serveradmin(|user| user.driver = "server_x509".to_owned());
    let outcome = front.reconcile(&[("SERVERADMIN_SECRET", SECRET)]).await.unwrap();
    assert!(outcome.notes[0].contains("server_x509"), "{outcome:?}");
    assert!(!front.has("sunstone_auth"));
}

#[tokio::test]
async fn a_disabled_serveradmin_is_reported() {
    let front = Front::new("pw").await.with_files("pw");
    front.oned.change_serveradmin(|user| user.enabled = false);
    let outcome = front.reconcile(&[]).await.unwrap();
    assert!(outcome.notes[0].contains("oneuser enable 1"), "{outcome:?}");
}

/// A mounted Secret: files, and the settings that name them.
struct Mounted {
    dir: TempDir,
    names: Vec<&'static str>,
}

impl Mounted {
    fn new(values: &[(&'static str, &str)]) -> Self {
        let mounted = Self {
            dir: TempDir::new().unwrap(),
            names: values.iter().map(|(name, _)| *name).collect(),
        };
        for (name, value) in values {
            mounted.put(name, value);
        }
        mounted
    }

    fn put(&self, name: &str, value: &str) {
        fs::write(self.dir.path().join(name), value).unwrap();
    }

    fn reconciler(&self, front: &Front) -> Reconciler {
        let pairs: Vec<_> = self
            .names
            .iter()
            .map(|name| {
                let path = self.dir.path().join(name);
                (format!("{name}_FILE"), path.to_str().unwrap().to_owned())
            })
            .collect();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        front.reconciler(&pairs)
    }
}

fn errors(reconciler: &Reconciler) -> Vec<String> {
    let errors = reconciler.shared.board.errors();
    errors.into_iter().map(|error| error.text).collect()
}

#[tokio::test]
async fn a_mounted_secret_that_changes_takes_effect_in_the_running_pod() {
    let front = Front::new("old").await.with_files("old");
    front.put("fireedge_key", &"O".repeat(32));
    let mounted = Mounted::new(&[
        ("ONEADMIN_PASSWORD", "old\n"),
        ("SERVERADMIN_SECRET", SECRET),
        ("FIREEDGE_KEY", &"O".repeat(32)),
    ]);
    let reconciler = mounted.reconciler(&front);
    let mut watch = Watch::new(reconciler.clone());
    watch.look().await;
    assert_eq!(front.oned.calls(), Vec::<String>::new(), "nothing has changed");

    mounted.put("ONEADMIN_PASSWORD", "new\n");
    mounted.put("SERVERADMIN_SECRET", "another-secret");
    mounted.put("FIREEDGE_KEY", &"N".repeat(32));
    watch.look().await;
    assert!(front.oned.accepts("new") && front.oned.serveradmin_accepts("another-secret"));
    assert_eq!(front.text("one_auth"), "oneadmin:new\n");
    assert_eq!(front.text("oneflow_auth"), "serveradmin:another-secret\n");
    assert_eq!(front.text("fireedge_key"), "N".repeat(32));
    let calls = front.oned.calls().len();
    watch.look().await;
    assert_eq!(front.oned.calls().len(), calls);
    // A later run of the task works with what is mounted now.
    reconciler.run().await.unwrap();
    assert!(front.oned.accepts("new"));
}

#[tokio::test]
async fn a_bad_value_is_told_once_and_the_one_before_stays() {
    let front = Front::new("old").await.with_files("old");
    let mounted = Mounted::new(&[("ONEADMIN_PASSWORD", "old")]);
    let reconciler = mounted.reconciler(&front);
    let mut watch = Watch::new(reconciler.clone());
    mounted.put("ONEADMIN_PASSWORD", "two words");
    for _ in 0..3 {
        watch.look().await;
    }
    let errors = errors(&reconciler);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("ONEADMIN_PASSWORD") && !errors[0].contains("two words"),
        "{errors:?}"
    );
    reconciler.run().await.unwrap();
    assert!(front.oned.accepts("old"));
    mounted.put("ONEADMIN_PASSWORD", "good");
    watch.look().await;
    assert!(front.oned.accepts("good"));
}

#[tokio::test]
async fn a_new_value_waits_for_an_oned_that_is_away() {
    let front = Front::new("old").await.with_files("old");
    let mounted = Mounted::new(&[("ONEADMIN_PASSWORD", "old")]);
    let reconciler = mounted.reconciler(&front);
    let mut watch = Watch::new(reconciler.clone());
    front.oned.die_after_passwd(true);
    mounted.put("ONEADMIN_PASSWORD", "new");
    watch.look().await;
    assert_eq!(errors(&reconciler).len(), 1);
    front.oned.die_after_passwd(false);
    watch.look().await;
    assert_eq!(front.text("one_auth"), "oneadmin:new\n");
}

#[tokio::test]
async fn a_mounted_one_key_never_replaces_the_kept_one() {
    let front = Front::new("pw").await.with_files("pw");
    let (kept, other) = ("0f".repeat(32), "AB".repeat(32));
    front.put("one_key", &kept);
    let mounted = Mounted::new(&[("ONE_KEY", &kept)]);
    let reconciler = mounted.reconciler(&front);
    let mut watch = Watch::new(reconciler.clone());
    mounted.put("ONE_KEY", &other);
    watch.look().await;
    watch.look().await;
    let errors = errors(&reconciler);
    assert!(
        errors.len() == 1 && errors[0].contains("ONE_KEY") && !errors[0].contains("0f0f"),
        "{errors:?}"
    );
    assert_eq!(front.text("one_key"), kept);
}

#[tokio::test]
async fn a_database_password_that_does_not_work_yet_stays_out_of_the_configuration() {
    let front = Front::new("pw").await.with_files("pw");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port().to_string();
    drop(nobody);
    let mounted = Mounted::new(&[("DB_PASSWORD", "before")]);
    let file = mounted.dir.path().join("DB_PASSWORD");
    let reconciler = front.reconciler(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", &port),
        ("DB_PASSWORD_FILE", file.to_str().unwrap()),
    ]);
    let mut watch = Watch::new(reconciler.clone());
    mounted.put("DB_PASSWORD", "after");
    watch.look().await;
    watch.look().await;
    let errors = errors(&reconciler);
    assert!(
        errors.len() == 1
            && errors[0].contains("DB_PASSWORD (DB_PASSWORD_FILE=")
            && errors[0].contains("has changed and is not used yet"),
        "{errors:?}"
    );
    let Database::MySql(server) = reconciler.settings().database().clone() else {
        panic!("the backend is mysql");
    };
    assert_eq!(server.password().expose(), "before");
}
