//! Scenarios of the wait for a database server: each thing that stands in its way is named, and mended it is enough.

use std::fs;
use std::path::Path;
use std::process::Command;

use onepod::board::{Board, StageState};
use onepod::prepare;
use tokio::net::TcpListener;

use super::front::{Front, in_use, notes, settle};
use super::mariadb::{Server, soon};
use crate::pod::Process;

const PASSWORD: &str = "S3cr3t-of-the-database";

/// What the database stage waits for at the moment.
fn cause(board: &Board) -> Option<String> {
    let stage = board
        .stages()
        .into_iter()
        .find(|stage| stage.name == "database")?;
    (stage.state == StageState::Waiting)
        .then_some(stage.cause)
        .flatten()
}

/// Waits until the database stage says all of this, and makes sure that it never says the password.
async fn says(board: &Board, parts: &[&str]) {
    let what = format!("the database stage says {parts:?}");
    soon(&what, async || {
        let cause = cause(board)?;
        assert!(!cause.contains(PASSWORD), "{cause}");
        parts.iter().all(|part| cause.contains(part)).then_some(())
    })
    .await;
}

/// OpenNebula's tables in the database.
async fn tables(server: &Server) -> Vec<String> {
    server
        .ask(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'one_test' AND table_name NOT LIKE 'onepod%' \
             ORDER BY table_name",
        )
        .await
}

/// Runs a command in a directory; it must succeed.
async fn shell(directory: &Path, command: &str) {
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", command]).current_dir(directory);
    let (mut process, _) = Process::start(&mut sh);
    assert_eq!(soon(command, async || process.exit()).await, 0, "{command}");
}

#[tokio::test]
async fn character_sets_that_oned_cannot_work_with_are_refused_before_it_starts() {
    let (server, front) = (Server::install().await, Front::new());
    let _running = server.start().await;
    let user = format!("CREATE USER one@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'");
    server
        .administer(&[&user, "GRANT ALL ON one_test.* TO one@'127.0.0.1'"])
        .await;
    let port = server.port.to_string();
    let pairs = [
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", port.as_str()),
        ("DB_USER", "one"),
        ("DB_PASSWORD", PASSWORD),
        ("DB_NAME", "one_test"),
        ("ONEADMIN_PASSWORD", "given"),
    ];
    front.volume(".one/one_key", &"0f".repeat(32));
    let with = async |default: &str, tables: &str| {
        server
            .administer(&[
                "DROP DATABASE IF EXISTS one_test",
                &format!("CREATE DATABASE one_test CHARACTER SET {tables}"),
            ])
            .await;
        server.fill("one_test", &in_use("7.0.0")).await;
        server
            .administer(&[&format!("ALTER DATABASE one_test CHARACTER SET {default}")])
            .await;
        front
            .prepare(&pairs)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    // What a dump of the chart 0.2.6 gives.
    let error = with("utf8mb4", "utf8mb3").await.unwrap_err();
    for part in [
        "default character set utf8mb4",
        "utf8mb3 (",
        "ALTER DATABASE `one_test` CHARACTER SET utf8mb3",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    with("utf8mb3", "utf8mb3").await.unwrap();
    // The steps of docs/upgrading.md: its own command turns the dump into one that works.
    server
        .administer(&["UPDATE one_test.user_pool SET body = 'Grüße, utf8mb3_bin' WHERE oid = 0"])
        .await;
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/upgrading.md")).unwrap();
    let convert = page
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("sed "))
        .unwrap();
    let client = format!(
        "--no-defaults --user root --socket {}",
        server.dir.path().join("socket").display()
    );
    shell(
        server.dir.path(),
        &format!(
            "mariadb-dump {client} --single-transaction --default-character-set=utf8mb4 one_test > opennebula.sql && {convert}"
        ),
    )
    .await;
    server
        .administer(&[
            "DROP DATABASE one_test",
            "CREATE DATABASE one_test CHARACTER SET utf8mb4",
        ])
        .await;
    shell(
        server.dir.path(),
        &format!("mariadb {client} one_test < opennebula-utf8mb4.sql"),
    )
    .await;
    front.prepare(&pairs).await.unwrap();
    let body: Vec<String> = server
        .ask("SELECT body FROM one_test.user_pool WHERE oid = 0")
        .await;
    assert_eq!(body, ["Grüße, utf8mb3_bin"]);
    with("utf8mb4", "utf8mb4").await.unwrap();
    let error = with("latin1", "latin1").await.unwrap_err();
    for part in ["latin1", "CONVERT TO CHARACTER SET utf8mb4"] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    // An empty one is nobody's: it gets what OpenNebula needs.
    server
        .administer(&[
            "DROP DATABASE one_test",
            "CREATE DATABASE one_test CHARACTER SET latin1",
        ])
        .await;
    let stages = front.prepare(&pairs).await.unwrap();
    assert!(
        notes(&stages).contains("latin1; it is utf8mb4 now"),
        "{}",
        notes(&stages)
    );
    let default: Vec<String> = server
        .ask("SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = 'one_test'")
        .await;
    assert_eq!(default, ["utf8mb4"]);
}

#[tokio::test]
async fn a_database_may_come_late_closed_and_with_another_password() {
    let (server, front, board) = (Server::install().await, Front::new(), Board::new());
    let file = front.dir.path().join("password");
    fs::write(&file, "not-this-one\n").unwrap();
    let port = server.port.to_string();
    let settings = settle(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", &port),
        ("DB_PASSWORD_FILE", file.to_str().unwrap()),
    ]);
    let story = async {
        let place = format!("127.0.0.1:{port}");
        says(&board, &[&place, "connection refused", "DB_HOST", "DB_PORT"]).await;
        let running = server.start().await;
        let user = format!("CREATE USER oneadmin@'%' IDENTIFIED BY '{PASSWORD}'");
        // Debian's MariaDB has an anonymous user for the local host, who would be taken instead.
        server
            .administer(&[
                "DELETE FROM mysql.global_priv WHERE User = ''",
                "FLUSH PRIVILEGES",
                &user,
            ])
            .await;
        says(
            &board,
            &[
                &place,
                "wrong user or password for \"oneadmin\"",
                "DB_USER",
                "DB_PASSWORD",
            ],
        )
        .await;
        // A Secret that is mended arrives in the file of the running pod.
        fs::write(&file, format!("{PASSWORD}\n")).unwrap();
        says(
            &board,
            &[&place, "no rights on database \"opennebula\"", "DB_NAME"],
        )
        .await;
        assert!(
            !front.paths.one_auth().exists(),
            "no credentials before the database has answered"
        );
        server
            .administer(&["GRANT ALL ON opennebula.* TO oneadmin@'%'"])
            .await;
        running
    };
    let (prepared, running) = tokio::join!(
        prepare::prepare(&settings, &front.paths, &board, &front.tools),
        story
    );
    prepared.unwrap();
    drop(running);
    // The database itself does not exist yet: oned makes it, and bootstraps.
    assert!(front.text(".one/one_auth").starts_with("oneadmin:"));
    // What oned is told is the password that worked.
    let configuration = fs::read_to_string(front.paths.oned_conf()).unwrap();
    assert!(
        configuration.contains(PASSWORD) && !configuration.contains("not-this-one"),
        "{configuration}"
    );
}

#[tokio::test]
async fn users_in_the_database_decide_over_credentials() {
    let (server, front) = (Server::install().await, Front::new());
    let running = server.start().await;
    let user = format!("CREATE USER one@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'");
    server
        .administer(&[
            &user,
            "GRANT ALL ON one_test.* TO one@'127.0.0.1'",
            "CREATE DATABASE one_test",
            "CREATE TABLE one_test.system_attributes (name VARCHAR(128))",
            "CREATE TABLE one_test.user_pool (oid INTEGER PRIMARY KEY, name VARCHAR(256))",
        ])
        .await;
    let port = server.port.to_string();
    let pairs = [
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", port.as_str()),
        ("DB_USER", "one"),
        ("DB_PASSWORD", PASSWORD),
        ("DB_NAME", "one_test"),
    ];

    // Tables without users: a bootstrap that failed, with what it left on the volume. Nobody knows whose it was.
    front.volume(".one/one_auth", "oneadmin:kept\n");
    front.volume(".one/one_key", &"0f".repeat(32));
    front.volume(".one/sunstone_auth", "serveradmin:half\n");
    let error = front.prepare(&pairs).await.unwrap_err().to_string();
    for part in [
        "no user 0, no group 0",
        "was not empty when",
        "DROP DATABASE `one_test`",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(tables(&server).await, ["system_attributes", "user_pool"]);

    // One that began here holds nothing of a user: it is begun again.
    server
        .administer(&[
            "CREATE TABLE one_test.onepod_bootstrap (id INTEGER PRIMARY KEY, state VARCHAR(16), since VARCHAR(40))",
            "INSERT INTO one_test.onepod_bootstrap VALUES (1, 'begun', '')",
            "CREATE TABLE one_test.vm_pool (oid INTEGER PRIMARY KEY)",
            "INSERT INTO one_test.vm_pool VALUES (0)",
        ])
        .await;
    let error = front.prepare(&pairs).await.unwrap_err().to_string();
    assert!(error.contains("no first start makes (vm 0)"), "{error}");
    assert_eq!(
        tables(&server).await,
        ["system_attributes", "user_pool", "vm_pool"]
    );
    server.administer(&["DELETE FROM one_test.vm_pool"]).await;
    let stages = front.prepare(&pairs).await.unwrap();
    assert_eq!(tables(&server).await, Vec::<String>::new());
    assert!(!front.exists(".one/sunstone_auth"));
    let told = notes(&stages);
    for part in ["was interrupted", "is emptied and begun again", "sunstone_auth"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }

    // The same with users: nothing is touched.
    server
        .administer(&["DROP DATABASE one_test", "CREATE DATABASE one_test"])
        .await;
    server.fill("one_test", &in_use("7.0.0")).await;
    for name in ["sunstone_auth", "oneflow_auth", "onegate_auth"] {
        front.volume(&format!(".one/{name}"), "serveradmin:s\n");
    }
    let stages = front.prepare(&pairs).await.unwrap();
    assert_eq!(notes(&stages), "");
    assert!(front.exists(".one/sunstone_auth"));

    // The volume is lost, the database is not: a generated password would be a wrong one.
    let lost = Front::new();
    let error = lost.prepare(&pairs).await.unwrap_err().to_string();
    assert!(
        error.contains("one_auth") && error.contains("ONEADMIN_PASSWORD"),
        "{error}"
    );
    assert!(!lost.paths.one_auth().exists());
    // And oned would make another key for the encrypted attributes.
    let mut given: Vec<_> = pairs.into_iter().chain([("ONEADMIN_PASSWORD", "kept")]).collect();
    let error = lost.prepare(&given).await.unwrap_err().to_string();
    assert!(
        error.contains("one_key does not exist") && error.contains("ONE_KEY"),
        "{error}"
    );
    let key = "0f".repeat(32);
    given.push(("ONE_KEY", &key));
    lost.prepare(&given).await.unwrap();
    assert_eq!(lost.text(".one/one_auth"), "oneadmin:kept\n");
    assert_eq!(lost.text(".one/one_key"), format!("{key}\n"));
    drop(running);
}

#[tokio::test]
async fn other_ways_to_log_in_are_understood_or_left_to_oned() {
    let server = Server::install().await;
    let running = server.start().await;
    let user = format!("CREATE USER one@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}')");
    server
        .administer(&[
            "INSTALL SONAME 'auth_ed25519'",
            "INSTALL SONAME 'auth_pam_v1'",
            &user,
            "CREATE USER pam@'127.0.0.1' IDENTIFIED VIA pam",
            "GRANT ALL ON opennebula.* TO one@'127.0.0.1'",
        ])
        .await;
    let port = server.port.to_string();
    for (user, expected) in [("one", ""), ("pam", "logs in by the plugin dialog")] {
        let pairs = [
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", port.as_str()),
            ("DB_USER", user),
            ("DB_PASSWORD", PASSWORD),
            ("ONEADMIN_PASSWORD", "given"),
            ("ONE_KEY", &"0f".repeat(32)),
        ];
        let told = notes(&Front::new().prepare(&pairs).await.unwrap());
        assert!(
            told.contains(expected) && told.is_empty() == expected.is_empty(),
            "{user}: {told}"
        );
    }
    drop(running);
}

#[tokio::test]
async fn an_unknown_host_is_named_and_the_wait_can_be_ended() {
    let (front, board) = (Front::new(), Board::new());
    let settings = settle(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "database.invalid"),
        ("DB_PASSWORD", PASSWORD),
    ]);
    tokio::select! {
        prepared = prepare::prepare(&settings, &front.paths, &board, &front.tools) => panic!("{prepared:?}"),
        () = says(&board, &["database.invalid:3306", "host name is unknown", "DB_HOST"]) => {}
    }
    let stages = board.stages();
    let last = stages.last().unwrap();
    assert_eq!((last.name.as_str(), last.state), ("database", StageState::Failed));
    assert!(!front.paths.one_auth().exists());
}

#[tokio::test]
async fn what_is_no_mariadb_is_told_from_one() {
    let (front, board) = (Front::new(), Board::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let settings = settle(&[
        ("DB_BACKEND", "mysql"),
        ("DB_HOST", "127.0.0.1"),
        ("DB_PORT", &port),
        ("DB_PASSWORD", PASSWORD),
    ]);
    let story = async {
        // Closes the first connection, and says nothing to the ones after it.
        drop(listener.accept().await.unwrap());
        says(&board, &["closed the connection"]).await;
        let _silent = listener.accept().await.unwrap();
        says(&board, &["no answer within 5 s", "DB_PORT"]).await;
    };
    tokio::select! {
        prepared = prepare::prepare(&settings, &front.paths, &board, &front.tools) => panic!("{prepared:?}"),
        () = story => {}
    }
}
