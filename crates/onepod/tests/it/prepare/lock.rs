//! Scenarios of two front-ends on one database or one volume: the second waits, says for whom, and takes over.

use std::collections::BTreeSet;

use onepod::board::{Board, DatabaseLock, StageState};
use onepod::prepare;
use onepod::settings::Settings;

use super::front::{Front, in_use, notes, settle};
use super::mariadb::{Running, Server, soon};

const PASSWORD: &str = "S3cr3t-of-the-database";

/// A server with OpenNebula's user and an empty database.
async fn server() -> (Server, Running) {
    let server = Server::install().await;
    let running = server.start().await;
    let user = format!("CREATE USER one@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'");
    server
        .administer(&[
            &user,
            "GRANT ALL ON one_test.* TO one@'127.0.0.1'",
            "GRANT ALL ON other.* TO one@'127.0.0.1'",
            "CREATE DATABASE one_test",
        ])
        .await;
    (server, running)
}

fn settings(server: &Server, name: &str) -> Settings {
    settle(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", &server.port.to_string()),
        ("DB_USER", "one"),
        ("DB_PASSWORD", PASSWORD),
        ("DB_NAME", name),
        ("ONEADMIN_PASSWORD", "given"),
    ])
}

fn pod() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What a stage waits for at the moment.
fn waits(board: &Board, stage: &str) -> Option<String> {
    board
        .stages()
        .into_iter()
        .find(|there| there.name == stage && there.state == StageState::Waiting)?
        .cause
}

fn lock(board: &Board) -> Option<DatabaseLock> {
    Some(board.database()?.lock)
}

/// Ends the connection that has the lock.
async fn cut(server: &Server) {
    let lock: Vec<u64> = server
        .ask("SELECT id FROM information_schema.processlist WHERE user = 'one' AND command <> 'Killed' ORDER BY id LIMIT 1")
        .await;
    server.administer(&[&format!("KILL {}", lock[0])]).await;
}

#[tokio::test]
async fn a_second_front_end_waits_for_the_first_by_name_and_takes_over() {
    let (server, _running) = server().await;
    let (first, second) = (Front::new(), Front::new());
    let settings = settings(&server, "one_test");
    let board = Board::new();
    let holder = prepare::prepare(&settings, &first.paths, &board, &first.tools)
        .await
        .unwrap();
    assert_eq!(lock(&board), Some(DatabaseLock::Held));
    let board = Board::new();
    let story = async {
        soon("the first is named", async || {
            let cause = waits(&board, "database")?;
            let named = [
                "one_test",
                &format!("pod {}", pod()),
                "from localhost",
                "since 20",
                "DB_NAME",
            ];
            named.iter().all(|part| cause.contains(part)).then_some(())
        })
        .await;
        assert!(
            !second.paths.one_auth().exists(),
            "nothing is prepared while another one is at work"
        );
        drop(holder);
    };
    let (prepared, ()) = tokio::join!(
        prepare::prepare(&settings, &second.paths, &board, &second.tools),
        story
    );
    let prepared = prepared.unwrap();
    assert_eq!(lock(&board), Some(DatabaseLock::Held));
    assert_eq!(notes(&board.stages()), "");
    // A front-end with a database of its own on the same server waits for nobody.
    let third = Front::new();
    let other = self::settings(&server, "other");
    prepare::prepare(&other, &third.paths, &Board::new(), &third.tools)
        .await
        .unwrap();
    drop(prepared);
}

#[tokio::test]
async fn a_lost_connection_is_taken_up_again_when_nobody_else_came() {
    let (server, _running) = server().await;
    let (front, board) = (Front::new(), Board::new());
    let prepared = prepare::prepare(&settings(&server, "one_test"), &front.paths, &board, &front.tools)
        .await
        .unwrap();
    cut(&server).await;
    let mut seen = BTreeSet::new();
    let again = soon("the lock is lost and taken again", async || {
        let errors = board.errors();
        seen.extend(errors.into_iter().map(|error| error.text));
        (!seen.is_empty() && lock(&board) == Some(DatabaseLock::Held)).then_some(())
    });
    tokio::select! {
        () = again => {}
        sentence = prepared.database.taken() => panic!("{sentence}"),
    }
    let text = seen.first().unwrap();
    assert_eq!(board.database().unwrap().cause, None);
    assert!(text.contains("one_test") && text.contains("is lost"), "{text}");
    assert!(!text.contains(PASSWORD));
}

#[tokio::test]
async fn whoever_lost_the_database_to_another_front_end_is_told_to_end() {
    let (server, _running) = server().await;
    let (front, second) = (Front::new(), Front::new());
    let settings = settings(&server, "one_test");
    let first = prepare::prepare(&settings, &front.paths, &Board::new(), &front.tools)
        .await
        .unwrap();
    let board = Board::new();
    let story = async {
        soon("the second waits", async || waits(&board, "database")).await;
        cut(&server).await;
    };
    let (prepared, ()) = tokio::join!(
        prepare::prepare(&settings, &second.paths, &board, &second.tools),
        story
    );
    let _second = prepared.unwrap();
    let sentence = soon("the first is told", async || {
        let told = tokio::time::timeout(std::time::Duration::from_millis(100), first.database.taken());
        told.await.ok()
    })
    .await;
    for part in [
        "has taken database \"one_test\"",
        "from localhost",
        "so this one ends",
    ] {
        assert!(sentence.contains(part), "{part} is not in {sentence}");
    }
}

// Both lose their connections, and the one that waits is quicker: it must not take what the other one still works with.
#[tokio::test]
async fn a_restart_of_the_server_leaves_the_database_with_whoever_had_it() {
    let (server, running) = server().await;
    let (front, second) = (Front::new(), Front::new());
    let settings = settings(&server, "one_test");
    let first_board = Board::new();
    let first = prepare::prepare(&settings, &front.paths, &first_board, &front.tools)
        .await
        .unwrap();
    let board = Board::new();
    let story = async {
        soon("the second waits", async || {
            waits(&board, "database")?.contains("destroy it").then_some(())
        })
        .await;
        drop(running);
        soon("the first has noticed", async || {
            (lock(&first_board) == Some(DatabaseLock::Lost)).then_some(())
        })
        .await;
        let running = server.start().await;
        soon("the first has it again", async || {
            (lock(&first_board) == Some(DatabaseLock::Held)).then_some(())
        })
        .await;
        soon("the second waits again", async || {
            waits(&board, "database")?.contains("destroy it").then_some(())
        })
        .await;
        drop(first);
        running
    };
    let (prepared, _running) = tokio::join!(
        prepare::prepare(&settings, &second.paths, &board, &second.tools),
        story
    );
    prepared.unwrap();
}

#[tokio::test]
async fn a_volume_has_one_front_end_at_a_time() {
    let front = Front::new();
    let settings = settle(&[]);
    let holder = prepare::prepare(&settings, &front.paths, &Board::new(), &front.tools)
        .await
        .unwrap();
    let board = Board::new();
    let story = async {
        let cause = soon("the first is named", async || waits(&board, "layout")).await;
        assert!(
            cause.contains(&format!("pod {}", pod())) && cause.contains("var/lib/one"),
            "{cause}"
        );
        drop(holder);
    };
    let (prepared, ()) = tokio::join!(
        prepare::prepare(&settings, &front.paths, &board, &front.tools),
        story
    );
    prepared.unwrap();
}

#[tokio::test]
async fn a_database_is_judged_before_anything_is_done_with_it() {
    let (server, _running) = server().await;
    let settings = settings(&server, "one_test");
    let refused = async |statements: &[String]| {
        server
            .administer(&["DROP DATABASE one_test", "CREATE DATABASE one_test"])
            .await;
        server.fill("one_test", statements).await;
        let (front, board) = (Front::new(), Board::new());
        let error = prepare::prepare(&settings, &front.paths, &board, &front.tools)
            .await
            .unwrap_err()
            .to_string();
        assert!(!front.paths.one_auth().exists());
        assert!(!error.contains(PASSWORD));
        (board.database().unwrap(), error)
    };
    let sql = |text: &str| text.to_owned();

    let (view, error) = refused(&in_use("7.4.0")).await;
    assert_eq!(
        (view.class.as_str(), view.schema.as_deref()),
        ("newer", Some("7.4.0"))
    );
    assert!(view.version.unwrap().starts_with("MariaDB "));
    for part in ["one_test", "schema 7.4.0", "works with 7.0.0", "restore a dump"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }

    let (view, error) = refused(&[
        sql("CREATE TABLE wp_posts (id INT)"),
        sql("CREATE TABLE wp_users (id INT)"),
    ])
    .await;
    assert_eq!(view.class, "foreign");
    for part in ["one_test", "wp_posts, wp_users", "DB_NAME"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }

    let mut unversioned = in_use("7.0.0");
    unversioned.truncate(2);
    let (view, error) = refused(&unversioned).await;
    assert_eq!(view.class, "unversioned");
    assert!(
        error.contains("db_versioning") && error.contains("restore a dump"),
        "{error}"
    );
}

#[tokio::test]
async fn an_empty_database_under_a_used_volume_is_called_by_its_name() {
    let (server, _running) = server().await;
    server.fill("one_test", &in_use("7.0.0")).await;
    let (front, board) = (Front::new(), Board::new());
    front.volume(".one/one_auth", "oneadmin:kept\n");
    front.volume(".one/sunstone_auth", "serveradmin:s\n");
    prepare::prepare(&settings(&server, "other"), &front.paths, &board, &front.tools)
        .await
        .unwrap();
    let told = notes(&board.stages());
    for part in [
        "\"other\"",
        "is empty",
        "OpenNebula's tables in one_test",
        "DB_NAME",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert_eq!(board.database().unwrap().class, "empty");
}
