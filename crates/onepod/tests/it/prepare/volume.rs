//! Scenarios of volumes: fresh, used, left behind by a killed start or by another image. The backend is sqlite.

use std::fs;
use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};

use onepod::board::{Board, StageState};
use onepod::prepare;

use super::front::{Front, in_use, mode, notes, settle};

/// OpenNebula's user table, with the columns that matter.
const TABLE: &str = "CREATE TABLE user_pool (oid INTEGER PRIMARY KEY, name VARCHAR(256), body TEXT)";

fn sqlite(front: &Front, statements: &[impl AsRef<str>]) {
    fs::create_dir_all(front.paths.data()).unwrap();
    let connection = rusqlite::Connection::open(front.paths.sqlite()).unwrap();
    for statement in statements {
        connection.execute(statement.as_ref(), []).unwrap();
    }
}

/// The tables of the database.
fn tables(front: &Front) -> Vec<String> {
    let connection = rusqlite::Connection::open(front.paths.sqlite()).unwrap();
    let mut names = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        .unwrap();
    names
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap()
}

#[tokio::test]
async fn a_fresh_volume_gets_all_that_oned_needs_and_no_service_credentials() {
    let front = Front::new();
    let stages = front.prepare(&[]).await.unwrap();
    let names: Vec<_> = stages
        .iter()
        .map(|stage| (stage.name.as_str(), stage.state))
        .collect();
    assert_eq!(
        names,
        [
            "layout",
            "remotes",
            "database",
            "render",
            "migrate",
            "credentials",
            "ssh"
        ]
        .map(|name| (name, StageState::Done))
    );
    assert_eq!(notes(&stages), "");
    let auth: Vec<_> = fs::read_dir(front.paths.auth_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(auth, ["one_auth"]);
    for (path, wanted) in [
        (front.paths.auth_dir(), 0o700),
        (front.paths.one_auth(), 0o600),
        (front.paths.ssh_dir(), 0o700),
        (front.paths.ssh_dir().join("id_ed25519"), 0o600),
        (front.paths.ssh_socks(), 0o700),
        (front.paths.run_one(), 0o750),
        (front.paths.lock(), 0o755),
        (front.paths.remotes().join("vmm/kvm/deploy"), 0o755),
    ] {
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
    for directory in [
        "datastores/0",
        "datastores/1",
        "datastores/2",
        "vms",
        "remotes/im",
    ] {
        assert!(front.exists(directory), "{directory}");
    }
    assert!(front.paths.log().is_dir());
    assert!(front.paths.etc_one().join("schedulers/rank.conf").is_file());
    assert_eq!(
        tables(&front),
        ["onepod_bootstrap"],
        "the database is oned's to make, and only what tells of its beginning is there"
    );
}

#[tokio::test]
async fn a_second_start_leaves_everything_as_it_is() {
    let front = Front::new();
    front.prepare(&[]).await.unwrap();
    let before = front.snapshot();
    let stages = front.prepare(&[]).await.unwrap();
    assert_eq!(front.snapshot(), before);
    assert_eq!(notes(&stages), "");
}

// The earlier image restored remotes only where the directory was missing.
#[tokio::test]
async fn remotes_of_an_older_image_are_renewed_and_the_users_own_are_kept() {
    let front = Front::new();
    let deploy = front.volume("remotes/vmm/kvm/deploy", "#!/bin/sh\necho the release before\n");
    front.volume("remotes/vmm/kvm/my-hook", "mine");
    front.volume("remotes/hooks/own/alert.sh", "mine");
    front.volume("remotes/etc/vmm/kvm/kvmrc", "SHUTDOWN_TIMEOUT=600\n");
    front.prepare(&[]).await.unwrap();
    assert_eq!(
        front.text("remotes/vmm/kvm/deploy"),
        "#!/bin/sh\necho this release\n"
    );
    assert_eq!(mode(&deploy), 0o755);
    assert_eq!(front.text("remotes/vmm/kvm/my-hook"), "mine");
    assert_eq!(front.text("remotes/hooks/own/alert.sh"), "mine");
    assert_eq!(front.text("remotes/etc/vmm/kvm/kvmrc"), "SHUTDOWN_TIMEOUT=600\n");
    assert_eq!(front.text("remotes/etc/vmm/kvm/new"), "NEW=1\n");
}

// The earlier image left the lock, and oned gave up at every restart in the same container.
#[tokio::test]
async fn the_lock_of_a_killed_oned_is_removed() {
    let front = Front::new();
    front.prepare(&[]).await.unwrap();
    fs::write(front.paths.lock_file(), "").unwrap();
    let stages = front.prepare(&[]).await.unwrap();
    assert!(!front.paths.lock_file().exists());
    assert!(notes(&stages).contains("run/lock/one/one"), "{}", notes(&stages));
    assert!(!prepare::layout::clear_stale_lock(&front.paths).unwrap());
}

#[tokio::test]
async fn old_configuration_does_not_survive() {
    let front = Front::new();
    let old = front.paths.etc_one().join("old/dropped-in-this-release.conf");
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::write(&old, "").unwrap();
    fs::write(front.paths.etc_one().join("oned.conf"), "PORT = 1\n").unwrap();
    front.prepare(&[]).await.unwrap();
    assert!(!old.parent().unwrap().exists());
    assert!(
        !fs::read_to_string(front.paths.oned_conf())
            .unwrap()
            .contains("PORT = 1")
    );
}

// The state that a kill in the middle of oned's first start leaves, and at which oned gives up for ever.
#[tokio::test]
async fn a_bootstrap_that_was_cut_off_is_begun_again() {
    let front = Front::new();
    front.prepare(&[]).await.unwrap();
    front.volume(".one/one_auth", "oneadmin:kept\n");
    front.volume(".one/one_key", &"0f".repeat(32));
    front.volume(".one/sunstone_auth", "serveradmin:half\n");
    sqlite(&front, &[TABLE]);
    let stages = front.prepare(&[]).await.unwrap();
    assert!(!front.exists(".one/sunstone_auth"));
    assert!(notes(&stages).contains("sunstone_auth"), "{}", notes(&stages));
    assert!(
        notes(&stages).contains("is emptied and begun again"),
        "{}",
        notes(&stages)
    );
    assert_eq!(tables(&front), ["onepod_bootstrap"]);
    assert!(front.exists("one.db.incomplete"), "nothing is deleted");
    assert_eq!(front.text(".one/one_auth"), "oneadmin:kept\n");
    assert_eq!(front.text(".one/one_key"), "0f".repeat(32));
}

// Somebody else's half of a bootstrap is not ours to remove.
#[tokio::test]
async fn a_bootstrap_that_began_elsewhere_is_refused() {
    let front = Front::new();
    sqlite(&front, &[TABLE]);
    let database = fs::read(front.paths.sqlite()).unwrap();
    let error = front.prepare(&[]).await.unwrap_err().to_string();
    for part in ["no user 0", "was not empty when", "one.db away"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(fs::read(front.paths.sqlite()).unwrap(), database);
}

#[tokio::test]
async fn a_database_in_use_keeps_its_credentials() {
    let front = Front::new();
    for (name, content) in [
        ("one_auth", "oneadmin:kept\n".to_owned()),
        ("one_key", "0f".repeat(32)),
        ("sunstone_auth", "serveradmin:s\n".to_owned()),
        ("oneflow_auth", "serveradmin:s\n".to_owned()),
        ("onegate_auth", "serveradmin:s\n".to_owned()),
    ] {
        front.volume(&format!(".one/{name}"), &content);
    }
    sqlite(&front, &in_use("7.0.0"));
    let stages = front.prepare(&[]).await.unwrap();
    assert_eq!(notes(&stages), "");
    assert_eq!(front.text(".one/sunstone_auth"), "serveradmin:s\n");
}

#[tokio::test]
async fn a_start_can_be_cut_off_at_any_point() {
    let whole = Front::new();
    whole.prepare(&[("ONEADMIN_PASSWORD", "given")]).await.unwrap();
    let cut = Front::new();
    let settings = settle(&[("ONEADMIN_PASSWORD", "given")]);
    let mut polls = 0;
    loop {
        // What is dropped here has been polled that many times, each up to the next point where it gives way.
        let board = Board::new();
        let mut start = pin!(prepare::prepare(&settings, &cut.paths, &board, &cut.tools));
        let mut context = Context::from_waker(Waker::noop());
        if (0..polls).any(|_| start.as_mut().poll(&mut context).is_ready()) {
            break;
        }
        polls += 1;
        assert!(polls < 1000, "the stages never end");
    }
    assert!(polls > 2, "the stages never gave way");
    cut.prepare(&[("ONEADMIN_PASSWORD", "given")]).await.unwrap();
    let relative = |front: &Front| -> Vec<_> {
        let place = front.dir.path();
        let ssh = front.paths.ssh_dir();
        // Keys differ from front-end to front-end.
        let files = front
            .snapshot()
            .into_iter()
            .filter(|(path, _)| !path.starts_with(&ssh));
        files
            .map(|(path, file)| (path.strip_prefix(place).unwrap().to_owned(), file.0))
            .collect()
    };
    assert_eq!(relative(&cut), relative(&whole));
}

#[tokio::test]
async fn an_image_without_its_files_is_named_as_the_fault() {
    let front = Front::new();
    fs::remove_dir_all(front.paths.pristine_etc()).unwrap();
    let error = front.prepare(&[]).await.unwrap_err().to_string();
    assert!(error.contains("usr/share/onepod/etc"), "{error}");
}
