//! Scenarios of a migration, with the real program as PID 1, a real database, and a stand-in for the vendor's tool that
//! does what that does: it dumps and restores by the client programs, and changes shared tables before local ones.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use mysql_async::prelude::Queryable as _;
use rustix::process::Signal;

use super::front::{Front, in_use, mode};
use super::mariadb::{Running, Server, soon};
use crate::pod::{PATIENCE, Process, get, in_namespace};

/// Blanks, quotes, and what shells, URLs and option files take for something else.
const PASSWORD: &str = r#"two words 'one' "two" #%+&$\;~x"#;

/// The vendor's tool. Files beside the front-end say what goes wrong: `fail`, `hang`.
const ONEDB: &str = r#"#!/bin/sh
root=$(dirname "$0")/../..; verb=$1; file=$2
echo "$verb" >> "$root/calls"
home=${RUBYOPT#-r}; home=${home%/preload.rb}
[ -f "$home/preload.rb" ] || exit 9
case $* in *"-t mysql"*)
    login="--defaults-file=$home/login.cnf"; name=one_test
    sql() { mysql $login -N $name; }
    dump() { mysqldump $login --add-drop-database --databases --add-drop-table $name > "$file"; }
    ;;
*)
    base=$root/var/lib/one/one.db
    sql() { sqlite3 "$base"; }
    dump() { sqlite3 "$base" .dump > "$file"; }
    ;;
esac
case $verb in
backup) dump ;;
restore) sql < "$file" ;;
version)
    found=$(echo "SELECT version FROM local_db_versioning ORDER BY oid DESC LIMIT 1;" | sql)
    [ "$found" = 7.0.0 ] || exit 2 ;;
upgrade)
    echo "INSERT INTO db_versioning VALUES (1, '7.0.0', 0); CREATE TABLE half (x INT);" | sql
    if [ -e "$root/hang" ]; then echo hanging; touch "$root/hangs"; sleep 1000; fi
    if [ -e "$root/fail" ]; then echo "migrator 6.10.0_to_7.0.0 fails"; exit 255; fi
    echo "INSERT INTO local_db_versioning VALUES (1, '7.0.0', 0);" | sql ;;
esac
"#;

/// A front-end with an older database on a server.
struct World {
    front: Front,
    server: Server,
    _running: Running,
}

/// What an ended pod leaves.
struct End {
    code: i32,
    log: String,
    calls: Vec<String>,
}

impl World {
    async fn new() -> Self {
        let server = Server::install().await;
        let running = server.start().await;
        let quoted = PASSWORD.replace('\\', r"\\").replace('\'', "''");
        let user = format!("CREATE USER one@'127.0.0.1' IDENTIFIED BY '{quoted}'");
        server
            .administer(&[
                "DELETE FROM mysql.global_priv WHERE User = ''",
                "FLUSH PRIVILEGES",
                &user,
                "GRANT ALL ON one_test.* TO one@'127.0.0.1'",
                "CREATE DATABASE one_test",
            ])
            .await;
        server.fill("one_test", &in_use("6.10.0")).await;
        Self {
            front: with_tool(),
            server,
            _running: running,
        }
    }

    fn start(&self, more: &[(&str, &str)]) -> Pod<'_> {
        let port = self.server.port.to_string();
        let database = [
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", &port),
            ("DB_USER", "one"),
            ("DB_PASSWORD", PASSWORD),
            ("DB_NAME", "one_test"),
        ];
        Pod::start(&self.front, &[&database, more].concat())
    }

    /// The pod's last message.
    fn termination(&self) -> String {
        fs::read_to_string(self.front.dir.path().join("dev/termination-log")).unwrap()
    }

    /// Both versions, and whether the table of half a migration is there.
    async fn schema(&self) -> (String, String, bool) {
        let newest = async |table: &str| {
            let question = format!("SELECT version FROM one_test.{table} ORDER BY oid DESC LIMIT 1");
            self.server.ask::<String>(&question).await.remove(0)
        };
        let half: Vec<String> = self.server.ask("SHOW TABLES FROM one_test LIKE 'half'").await;
        (
            newest("db_versioning").await,
            newest("local_db_versioning").await,
            !half.is_empty(),
        )
    }
}

fn with_tool() -> Front {
    let front = Front::new();
    let tool = front.dir.path().join("usr/bin/onedb");
    fs::create_dir_all(tool.parent().unwrap()).unwrap();
    fs::write(&tool, ONEDB).unwrap();
    fs::set_permissions(&tool, Permissions::from_mode(0o755)).unwrap();
    front.volume(".one/one_auth", "oneadmin:kept\n");
    front.volume(".one/one_key", &"0f".repeat(32));
    fs::create_dir_all(front.dir.path().join("dev")).unwrap();
    fs::write(front.dir.path().join("dev/termination-log"), "").unwrap();
    front
}

fn older(schema: &(String, String, bool)) -> bool {
    (schema.0.as_str(), schema.1.as_str(), schema.2) == ("6.10.0", "6.10.0", false)
}

fn current(schema: &(String, String, bool)) -> bool {
    (schema.0.as_str(), schema.1.as_str()) == ("7.0.0", "7.0.0")
}

/// `onepod run` as PID 1, its output in a file.
struct Pod<'a> {
    front: &'a Front,
    process: Process,
    listen: std::net::SocketAddr,
}

impl<'a> Pod<'a> {
    fn start(front: &'a Front, pairs: &[(&str, &str)]) -> Self {
        Self::start_by(front, pairs, in_namespace(), &[])
    }

    /// Starts it by another command, which gets these words before the program.
    fn start_by(
        front: &'a Front,
        pairs: &[(&str, &str)],
        mut command: std::process::Command,
        before: &[&str],
    ) -> Self {
        let listen = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let _ = fs::remove_file(front.dir.path().join("calls"));
        command
            .args(before)
            .args([env!("CARGO_BIN_EXE_onepod"), "run", "--root"])
            .arg(front.dir.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("OPENNEBULA_HOSTNAME", "one")
            .env("ONEPOD_LISTEN", listen.to_string())
            .envs(pairs.iter().copied())
            .stdout(Stdio::from(
                fs::File::create(front.dir.path().join("log")).unwrap(),
            ));
        let (process, _) = Process::start(&mut command);
        Self {
            front,
            process,
            listen,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.front.dir.path().join("log")).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.front.dir.path().join(name)
    }

    async fn until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{what}: not in time\n{}",
                self.log()
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Waits until every stage is done.
    async fn ready(&mut self) {
        self.until("the services run", |pod| {
            get(pod.listen, "/readyz").is_ok_and(|(status, _)| status == 200)
        })
        .await;
    }

    /// Waits for its own end.
    async fn end(mut self) -> End {
        let code = soon("the end of the pod", async || self.process.exit()).await;
        let log = self.log();
        assert!(!log.contains(PASSWORD), "{log}");
        let calls = fs::read_to_string(self.file("calls")).unwrap_or_default();
        End {
            code,
            log,
            calls: calls.lines().map(str::to_owned).collect(),
        }
    }

    async fn stop(self, signal: Signal) -> End {
        self.process.signal_only_child(signal);
        self.end().await
    }
}

/// Arguments and environments of every process that can be read, onepod's own apart: that got the password by
/// environment here.
fn readable() -> String {
    let mut text = String::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if !arguments.contains("onepod run") {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            text += &String::from_utf8_lossy(&environment);
        }
        text += &arguments;
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn an_older_database_is_dumped_and_migrated_and_no_argument_tells_the_password() {
    let world = World::new().await;
    let dumps = world.front.paths.dumps();
    fs::create_dir_all(&dumps).unwrap();
    for day in 1..4 {
        let name = format!("6.8.0-to-6.10.0-2026010{day}T000000Z.sql");
        let file = fs::File::create(dumps.join(name)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(day);
        file.set_modified(time).unwrap();
    }
    // While a table is locked the dump cannot end, and everyone can look at the processes that make it.
    world
        .server
        .administer(&["CREATE TABLE one_test.held (x INT)"])
        .await;
    let mut holder = world.server.connect().await.unwrap();
    holder
        .query_drop("LOCK TABLES one_test.held WRITE")
        .await
        .unwrap();
    let mut pod = world.start(&[("ONEPOD_KEEP_DUMPS", "2")]);
    let mut seen = String::new();
    pod.until("a dump waits for the locked table", |_| {
        seen = readable();
        seen.contains("mysqldump --defaults-file=") && seen.contains("onedb backup")
    })
    .await;
    for part in [PASSWORD, "two words", "%23", "two%20words", "two+words"] {
        assert!(!seen.contains(part), "{part} can be read by everyone");
    }
    drop(holder);
    pod.ready().await;
    let (_, status) = get(pod.listen, "/status").unwrap();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["database"]["class"], "current");
    assert_eq!(status["database"]["schema"], "7.0.0");
    let end = pod.stop(Signal::TERM).await;
    assert_eq!(end.calls, ["backup", "upgrade", "version"]);
    assert!(current(&world.schema().await));
    let kept: Vec<_> = fs::read_dir(&dumps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let fresh = kept
        .iter()
        .find(|path| path.to_string_lossy().contains("6.10.0-to-7.0.0-20"))
        .unwrap();
    assert_eq!(mode(fresh), 0o600);
    assert!(
        fs::read_to_string(fresh)
            .unwrap()
            .contains("CREATE TABLE `user_pool`")
    );
    assert!(!world.front.exists(".onepod/migration.json"));
    assert!(!world.front.paths.run_onepod().join("onedb").exists());

    // The next start has nothing to migrate and runs no tool at all.
    let mut pod = world.start(&[]);
    pod.ready().await;
    assert_eq!(pod.stop(Signal::TERM).await.calls, Vec::<String>::new());
}

#[tokio::test]
async fn a_failed_migration_is_undone_and_given_up_after_the_third_time() {
    let world = World::new().await;
    fs::write(world.front.dir.path().join("fail"), "").unwrap();
    for time in 1..=3 {
        let end = world.start(&[]).end().await;
        assert_eq!(end.code, 1, "{}", end.log);
        assert_eq!(end.calls, ["backup", "upgrade", "restore"]);
        assert!(older(&world.schema().await), "{}", end.log);
        let told = world.termination();
        for part in [
            "from 6.10.0 to 7.0.0 has failed".to_owned(),
            format!("({time} of 3 times)"),
            "migrator 6.10.0_to_7.0.0 fails".to_owned(),
            "exit code 255".to_owned(),
            "backups/db/6.10.0-to-7.0.0-".to_owned(),
            "the database is as before".to_owned(),
        ] {
            assert!(told.contains(&part), "{part} is not in {told}");
        }
        if time > 1 {
            assert!(
                end.log.contains(&format!(
                    "has failed {} and is tried once more",
                    ["once", "2 times"][time - 2]
                )),
                "{}",
                end.log
            );
        }
    }
    let end = world.start(&[]).end().await;
    assert_eq!((end.code, end.calls.len()), (1, 0));
    let told = world.termination();
    for part in [
        "has failed 3 times and is not tried again",
        "migration.json",
        "migrator 6.10.0_to_7.0.0 fails",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }

    // Mended and asked for once more.
    fs::remove_file(world.front.dir.path().join("fail")).unwrap();
    fs::remove_file(world.front.paths.data().join(".onepod/migration.json")).unwrap();
    let mut pod = world.start(&[]);
    pod.ready().await;
    pod.stop(Signal::TERM).await;
    assert!(current(&world.schema().await));
}

#[tokio::test]
async fn a_migration_that_was_cut_off_is_undone_by_the_next_start() {
    let world = World::new().await;
    let (hang, hangs) = (
        world.front.dir.path().join("hang"),
        world.front.dir.path().join("hangs"),
    );
    for signal in [Signal::KILL, Signal::TERM] {
        fs::write(&hang, "").unwrap();
        let mut pod = world.start(&[]);
        pod.until("the migration is half-way", |_| hangs.exists()).await;
        let ready = get(pod.listen, "/readyz").unwrap();
        assert_eq!(ready.0, 503);
        let end = pod.stop(signal).await;
        assert!(end.code == 0 || signal == Signal::KILL, "{}", end.log);
        assert_eq!(world.schema().await.0, "7.0.0", "the shared tables were changed");
        fs::remove_file(&hangs).unwrap();
    }
    fs::remove_file(&hang).unwrap();
    // A restore can be cut off too, after it has dropped the database.
    world.server.administer(&["DROP DATABASE one_test"]).await;
    let mut pod = world.start(&[]);
    pod.ready().await;
    let end = pod.stop(Signal::TERM).await;
    assert_eq!(
        end.calls,
        ["restore", "backup", "upgrade", "version"],
        "{}",
        end.log
    );
    assert!(
        end.log.contains("was cut off by the end of the pod; restoring "),
        "{}",
        end.log
    );
    assert!(
        end.log.contains("has failed 2 times and is tried once more"),
        "{}",
        end.log
    );
    assert!(current(&world.schema().await));
}

#[tokio::test]
async fn a_dump_is_never_restored_into_another_database() {
    let world = World::new().await;
    let (hang, hangs) = (
        world.front.dir.path().join("hang"),
        world.front.dir.path().join("hangs"),
    );
    fs::write(&hang, "").unwrap();
    let mut pod = world.start(&[]);
    pod.until("the migration is half-way", |_| hangs.exists()).await;
    pod.stop(Signal::KILL).await;
    world
        .server
        .administer(&["CREATE DATABASE other", "GRANT ALL ON other.* TO one@'127.0.0.1'"])
        .await;
    let end = world.start(&[("DB_NAME", "other")]).end().await;
    assert_eq!((end.code, end.calls.len()), (1, 0), "{}", end.log);
    let told = world.termination();
    for part in ["\"one_test\"", "\"other\"", "DB_NAME back", "migration.json"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
}

#[tokio::test]
async fn no_room_for_a_dump_is_said_with_both_numbers_before_anything_is_changed() {
    let world = World::new().await;
    let port = world.server.port.to_string();
    let mut command = std::process::Command::new("unshare");
    command.args(if rustix::process::getuid().is_root() {
        &["--mount"][..]
    } else {
        &["--mount", "--map-root-user"]
    });
    let mount = format!(
        "mount -t tmpfs -o size=3m tmpfs {} && exec \"$@\"",
        world.front.paths.data().display()
    );
    let pod = Pod::start_by(
        &world.front,
        &[
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", &port),
            ("DB_USER", "one"),
            ("DB_PASSWORD", PASSWORD),
            ("DB_NAME", "one_test"),
        ],
        command,
        &["sh", "-c", &mount, "sh"],
    );
    let end = pod.end().await;
    assert_eq!((end.code, end.calls.len()), (1, 0), "{}", end.log);
    let told = world.termination();
    for part in [
        "needs 5 MiB",
        "where 3 MiB are free",
        "Nothing was changed",
        "Enlarge the volume",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(older(&world.schema().await));
}

#[tokio::test]
async fn an_sqlite_file_is_migrated_and_a_failure_undone() {
    let front = with_tool();
    let query = |text: &str| -> Vec<String> {
        let connection = rusqlite::Connection::open(front.paths.sqlite()).unwrap();
        let mut statement = connection.prepare(text).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    {
        let connection = rusqlite::Connection::open(front.paths.sqlite()).unwrap();
        for statement in in_use("6.10.0") {
            connection.execute(&statement, []).unwrap();
        }
    }
    fs::write(front.dir.path().join("fail"), "").unwrap();
    let end = Pod::start(&front, &[]).end().await;
    assert_eq!(end.code, 1, "{}", end.log);
    assert_eq!(end.calls, ["backup", "upgrade", "restore"]);
    assert_eq!(query("SELECT version FROM db_versioning"), ["6.10.0"]);
    assert!(query("SELECT name FROM sqlite_master WHERE name = 'half'").is_empty());
    assert!(front.exists("one.db.half-migrated") && end.log.contains("one.db.half-migrated"));

    fs::remove_file(front.dir.path().join("fail")).unwrap();
    let mut pod = Pod::start(&front, &[]);
    pod.ready().await;
    assert_eq!(
        pod.stop(Signal::TERM).await.calls,
        ["backup", "upgrade", "version"]
    );
    assert_eq!(
        query("SELECT version FROM local_db_versioning"),
        ["6.10.0", "7.0.0"]
    );
}
