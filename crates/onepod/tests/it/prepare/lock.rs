//! Scenarios of two front-ends on one database or one volume: the second waits, says for whom, and takes over.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use onepod::board::{Board, DatabaseLock, StageState};
use onepod::prepare::{self, Prepared, Standing};
use onepod::settings::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

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

/// How the lease of a front-end stands.
fn standing(prepared: &Prepared) -> Standing {
    prepared.database.standing().unwrap().borrow().clone()
}

/// Ends the connection that renews the lease.
async fn cut(server: &Server) {
    let named = "SELECT IS_USED_LOCK(CONCAT('onepod.one_test.', LEFT(SHA2('one_test', 256), 12)))";
    let lock: Vec<u64> = server.ask(named).await;
    server.administer(&[&format!("KILL {}", lock[0])]).await;
}

/// A way to the server that can be frozen, as a partition of the network does it: nothing is refused or closed.
struct Way {
    port: u16,
    frozen: watch::Sender<bool>,
}

impl Way {
    async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (frozen, seen) = watch::channel(false);
        let target = server.port;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let _ = seen.clone().wait_for(|frozen| !frozen).await;
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    let (client, server) = (client.into_split(), server.into_split());
                    tokio::join!(
                        pump(client.0, server.1, seen.clone()),
                        pump(server.0, client.1, seen)
                    );
                });
            }
        });
        Self { port, frozen }
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut frozen: watch::Receiver<bool>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length) = from.read(&mut buffer).await {
        if frozen.wait_for(|frozen| !frozen).await.is_err()
            || length == 0
            || to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_second_front_end_waits_for_the_first_by_name_and_takes_over_at_once() {
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
        holder.database.release().await;
        Instant::now()
    };
    let (prepared, released) = tokio::join!(
        prepare::prepare(&settings, &second.paths, &board, &second.tools),
        story
    );
    let prepared = prepared.unwrap();
    assert!(
        released.elapsed() < Duration::from_secs(10),
        "it need not wait for the end of the lease"
    );
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
async fn the_successor_on_the_same_volume_waits_for_nobody_and_another_one_for_the_end_of_the_lease() {
    let (server, _running) = server().await;
    let (front, other) = (Front::new(), Front::new());
    let settings = settings(&server, "one_test");
    let first = prepare::prepare(&settings, &front.paths, &Board::new(), &front.tools)
        .await
        .unwrap();
    // As a kill -9 ends it: the lock of the volume goes, the row of the lease stays.
    drop(first);
    let began = Instant::now();
    let second = prepare::prepare(&settings, &front.paths, &Board::new(), &front.tools)
        .await
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let renewed: Vec<f64> = server
        .ask("SELECT CAST(TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), valid_until) / 1000000 AS DOUBLE) FROM one_test.onepod_lease")
        .await;
    drop(second);
    let began = Instant::now();
    prepare::prepare(&settings, &other.paths, &Board::new(), &other.tools)
        .await
        .unwrap();
    assert!(
        began.elapsed().as_secs_f64() > renewed[0] - 0.5,
        "claimed after {:?}, although the lease had {} s",
        began.elapsed(),
        renewed[0]
    );
}

#[tokio::test]
async fn a_killed_connection_of_the_holder_lets_nobody_in() {
    let (server, _running) = server().await;
    let (front, second, board) = (Front::new(), Front::new(), Board::new());
    let settings = settings(&server, "one_test");
    let first = prepare::prepare(&settings, &front.paths, &board, &front.tools)
        .await
        .unwrap();
    cut(&server).await;
    let story = async {
        let mut seen = BTreeSet::new();
        soon("the lease is lost and renewed again", async || {
            seen.extend(board.errors().into_iter().map(|error| error.text));
            (!seen.is_empty() && lock(&board) == Some(DatabaseLock::Held)).then_some(())
        })
        .await;
        let text = seen.first().unwrap();
        assert_eq!(board.database().unwrap().cause, None);
        assert!(
            text.contains("one_test") && text.contains("cannot renew the lease"),
            "{text}"
        );
        assert!(!text.contains(PASSWORD));
        soon("the lease outlives its first validity", async || {
            let beat: Vec<u64> = server.ask("SELECT beat FROM one_test.onepod_lease").await;
            (beat[0] >= 7).then_some(())
        })
        .await;
        assert_eq!(standing(&first), Standing::Held);
    };
    let second_board = Board::new();
    tokio::select! {
        _ = prepare::prepare(&settings, &second.paths, &second_board, &second.tools) => panic!("it was let in"),
        () = story => {}
    }
}

// The first cannot reach the server, does not know why, and has stopped before the second begins.
#[tokio::test]
async fn whoever_is_cut_off_stops_writing_before_another_one_begins() {
    let (server, _running) = server().await;
    let (front, second) = (Front::new(), Front::new());
    let way = Way::to(&server).await;
    let cut_off = settle(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", &way.port.to_string()),
        ("DB_USER", "one"),
        ("DB_PASSWORD", PASSWORD),
        ("DB_NAME", "one_test"),
    ]);
    let first = prepare::prepare(&cut_off, &front.paths, &Board::new(), &front.tools)
        .await
        .unwrap();
    way.frozen.send_replace(true);
    let board = Board::new();
    let direct = settings(&server, "one_test");
    let fenced = async {
        let sentence = first.database.lost().await;
        assert!(sentence.contains("could not be renewed for 10 s"), "{sentence}");
        Instant::now()
    };
    let begun = async {
        let second = prepare::prepare(&direct, &second.paths, &board, &second.tools)
            .await
            .unwrap();
        (second, Instant::now())
    };
    let (fenced, (_second, begun)) = tokio::join!(fenced, begun);
    assert!(
        fenced + Duration::from_secs(3) < begun,
        "{:?}",
        begun.saturating_duration_since(fenced)
    );
    // Back in the network, it learns who has the database, and that it must end.
    way.frozen.send_replace(false);
    let mut standing = first.database.standing().unwrap();
    let taken = standing
        .wait_for(|standing| matches!(standing, Standing::Taken(_)))
        .await
        .unwrap()
        .clone();
    let Standing::Taken(sentence) = taken else {
        unreachable!()
    };
    for part in [
        "has claimed database \"one_test\"",
        "from localhost",
        "so this one ends",
    ] {
        assert!(sentence.contains(part), "{part} is not in {sentence}");
    }
}

#[tokio::test]
async fn a_dump_that_locks_the_tables_takes_the_database_from_nobody() {
    let (server, _running) = server().await;
    let (front, second) = (Front::new(), Front::new());
    let settings = settings(&server, "one_test");
    let first = prepare::prepare(&settings, &front.paths, &Board::new(), &front.tools)
        .await
        .unwrap();
    let mut dump = server.connect().await.unwrap();
    dump.query_drop("LOCK TABLES one_test.onepod_lease READ")
        .await
        .unwrap();
    let board = Board::new();
    let story = async {
        soon("the second sees that the lease has expired", async || {
            waits(&board, "database")?
                .contains("although the lease")
                .then_some(())
        })
        .await;
        assert_eq!(standing(&first), Standing::Held);
        dump.query_drop("UNLOCK TABLES").await.unwrap();
        soon("the lease is renewed", async || {
            waits(&board, "database")?
                .contains("destroy it. This one goes on")
                .then_some(())
        })
        .await;
        assert_eq!(standing(&first), Standing::Held);
    };
    tokio::select! {
        _ = prepare::prepare(&settings, &second.paths, &board, &second.tools) => panic!("it was let in"),
        () = story => {}
    }
}

#[tokio::test]
async fn nobody_begins_while_sessions_of_others_are_at_work() {
    let (server, _running) = server().await;
    let (front, board) = (Front::new(), Board::new());
    let settings = settings(&server, "one_test");
    // A front-end that knows no lease, such as one on a machine.
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(server.port)
        .prefer_socket(false)
        .user(Some("one"))
        .pass(Some(PASSWORD))
        .db_name(Some("one_test"));
    let foreign = Conn::new(options).await.unwrap();
    let number = foreign.id();
    let story = async {
        let cause = soon("the session is named", async || waits(&board, "database")).await;
        for part in [
            format!("number {number} of one@localhost"),
            "one_test".to_owned(),
            "of their own".to_owned(),
        ] {
            assert!(cause.contains(&part), "{part} is not in {cause}");
        }
        assert!(!front.paths.one_auth().exists());
        foreign.disconnect().await.unwrap();
    };
    let (prepared, ()) = tokio::join!(
        prepare::prepare(&settings, &front.paths, &board, &front.tools),
        story
    );
    prepared.unwrap();
}

#[tokio::test]
async fn without_the_right_to_make_the_lease_nothing_begins() {
    let (server, _running) = server().await;
    server
        .administer(&["REVOKE CREATE ON one_test.* FROM one@'127.0.0.1'"])
        .await;
    let (front, board) = (Front::new(), Board::new());
    let settings = settings(&server, "one_test");
    let story = async {
        soon("the right is named", async || {
            waits(&board, "database")?.contains("GRANT ALL").then_some(())
        })
        .await;
        server
            .administer(&["GRANT ALL ON one_test.* TO one@'127.0.0.1'"])
            .await;
    };
    let (prepared, ()) = tokio::join!(
        prepare::prepare(&settings, &front.paths, &board, &front.tools),
        story
    );
    prepared.unwrap();
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
        assert_ne!(lock(&board), Some(DatabaseLock::Held));
        first.database.release().await;
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
    unversioned.truncate(8);
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
