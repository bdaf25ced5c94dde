//! What a database does to the daemon: absent, refused, lost, too old, too new.

use std::fs;
use std::path::Path;

use crate::front_end::{FrontEnd, PASSWORD, http, said, until};
use crate::mariadb::{self, MariaDb};

/// Runs `oned -f`, which must fail with 255; what it said.
fn refused(front: &FrontEnd) -> String {
    let output = front.run(&["oned", "-f"]);
    assert_eq!(output.status.code(), Some(255), "{}", said(&output));
    said(&output)
}

fn sqlite(front: &FrontEnd) -> rusqlite::Connection {
    rusqlite::Connection::open(front.path("var/one.db")).unwrap()
}

fn set_version(front: &FrontEnd, version: &str) {
    for table in ["db_versioning", "local_db_versioning"] {
        sqlite(front)
            .execute(&format!("UPDATE {table} SET version = '{version}'"), [])
            .unwrap();
    }
}

#[test]
fn an_unreachable_or_refusing_server_ends_the_start() {
    let server = MariaDb::new();
    let front = FrontEnd::new();
    front.configure(&server.vector(mariadb::PASSWORD));
    let text = refused(&front);
    assert!(
        text.contains(
            "Could not open connect to database server: Can't connect to server on '127.0.0.1' (111)"
        ),
        "{text}"
    );
    front.configure(
        &server
            .vector(mariadb::PASSWORD)
            .replace("127.0.0.1", "no-such-host.invalid"),
    );
    let text = refused(&front);
    assert!(
        text.contains("Unknown server host 'no-such-host.invalid'"),
        "{text}"
    );
    let _running = server.start();
    front.configure(&server.vector("wrong"));
    let text = refused(&front);
    assert!(text.contains("Access denied for user 'oneadmin'"), "{text}");
    assert!(!text.contains("wrong"), "the password is not printed: {text}");
}

#[test]
fn the_tables_are_real_in_mariadb() {
    let server = MariaDb::new();
    let _running = server.start();
    let front = FrontEnd::with_dummy_drivers();
    front.configure(&server.vector(mariadb::PASSWORD));
    let _oned = front.up();
    let tables = server.sql("SHOW TABLES FROM opennebula");
    for table in [
        "user_pool",
        "host_pool",
        "vm_pool",
        "datastore_pool",
        "system_attributes",
        "db_versioning",
        "logdb",
        "acl",
        "pool_control",
    ] {
        assert!(tables.lines().any(|t| t == table), "{table} in {tables}");
    }
    let users = server.sql("SELECT oid, name FROM opennebula.user_pool ORDER BY oid");
    assert_eq!(users, "0\toneadmin\n1\tserveradmin\n");
    let body = server.sql("SELECT body FROM opennebula.user_pool WHERE oid = 0");
    assert!(
        body.starts_with("<USER><ID>0</ID><GID>0</GID><GROUPS><ID>0</ID></GROUPS><GNAME>oneadmin</GNAME>"),
        "{body}"
    );
    let created = front.run(&["onehost", "create", "dummy1", "-i", "dummy", "-v", "dummy"]);
    assert_eq!(said(&created), "ID: 0\n");
    until("the host is monitored", || {
        server.sql("SELECT state FROM opennebula.host_pool") == "2\n"
    });
}

#[test]
fn oned_and_monitord_hold_the_observed_number_of_connections() {
    let server = MariaDb::new();
    let _running = server.start();
    let front = FrontEnd::new();
    front.configure(&server.vector(mariadb::PASSWORD));
    let _oned = front.up();
    // 25 and 15 as configured, and one more each. The one that counts is not theirs.
    let count =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db IS NOT NULL OR id <> CONNECTION_ID()";
    until("all connections are open", || server.sql(count).trim() == "42");
}

#[test]
fn a_lost_database_looks_like_a_wrong_password_and_comes_back_by_itself() {
    let server = MariaDb::new();
    let mut running = server.start();
    let front = FrontEnd::new();
    front.configure(&server.vector(mariadb::PASSWORD));
    let mut oned = front.up();
    running.signal("KILL");
    running.ended();
    let session = format!("oneadmin:{PASSWORD}");
    let call = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>one.system.version</methodName><params><param><value><string>{session}</string></value></param></params></methodCall>"
    );
    let answer = http(front.port, "POST /RPC2", "Content-Type: text/xml\r\n", &call).unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<boolean>0</boolean>"), "{}", answer.body);
    assert!(
        answer
            .body
            .contains("[one.system.version] User couldn't be authenticated, aborting call.")
    );
    assert!(answer.body.contains("<i4>256</i4>"));
    assert!(oned.child.try_wait().unwrap().is_none(), "oned stays alive");
    let _again = server.start();
    until("oned answers again", || front.session_is_good(PASSWORD));
}

#[test]
fn another_schema_version_is_refused_and_onedb_says_which() {
    let front = FrontEnd::new();
    front.up().stop();
    let onedb = |arguments: &[&str]| {
        let output = front.run(&[&["onedb"], arguments].concat());
        (output.status.code(), said(&output))
    };
    assert_eq!(onedb(&["version"]).0, Some(0));
    set_version(&front, "6.10.0");
    let text = refused(&front);
    assert!(
        text.contains("Database version mismatch. Check oned.log."),
        "{text}"
    );
    assert!(
        text.contains("needs DB version '7.0.0', and existing DB version is '6.10.0'."),
        "{text}"
    );
    assert_eq!(onedb(&["version"]).0, Some(2));
    let (code, text) = onedb(&["upgrade"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(onedb(&["version"]).0, Some(0));
    front.up().stop();
    set_version(&front, "7.2.0");
    assert!(refused(&front).contains("Database version mismatch"));
    assert_eq!(onedb(&["version"]).0, Some(3));
}

#[test]
fn a_missing_migrator_is_an_error() {
    let front = FrontEnd::new();
    front.up().stop();
    set_version(&front, "5.12.0");
    let output = front.run(&["onedb", "upgrade"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(
        said(&output).contains("missing migration descriptors"),
        "{}",
        said(&output)
    );

    // The tool without the package of the migrators: whatever the step, there is none.
    set_version(&front, "6.10.0");
    fs::create_dir_all(front.path("lib/ruby/onedb")).unwrap();
    let output = front.run(&["onedb", "upgrade", "--no-backup"]);
    assert_eq!(output.status.code(), Some(255));
    let text = said(&output);
    assert!(
        text.contains("Database already uses version 6.10.0")
            && text.contains("missing migration descriptors")
            && !text.contains("No backup has been restored"),
        "{text}"
    );
    assert_eq!(front.run(&["onedb", "version"]).status.code(), Some(2));
}

#[test]
fn onedb_refuses_beside_a_running_oned() {
    let front = FrontEnd::new();
    let mut oned = front.up();
    let output = front.run(&["onedb", "upgrade"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(
        said(&output).contains("First stop OpenNebula. Lock file found"),
        "{}",
        said(&output)
    );
    oned.stop();
    assert_eq!(front.run(&["onedb", "upgrade"]).status.code(), Some(0));
}

#[test]
fn onedb_cannot_log_in_with_a_blank_in_the_password_though_oned_can() {
    let server = MariaDb::new();
    let _running = server.start();
    server.sql("CREATE USER 'blank'@'%' IDENTIFIED BY 'two words'; GRANT ALL ON *.* TO 'blank'@'%'");
    let front = FrontEnd::new();
    front.configure(&server.vector("two words").replace("\"oneadmin\"", "\"blank\""));
    front.up().stop();
    let output = front.run(&["onedb", "version"]);
    assert_eq!(output.status.code(), Some(255));
    assert!(said(&output).contains("Access denied"), "{}", said(&output));
    let port = server.port.to_string();
    let with = |user: &str, password: &str| {
        let arguments = [
            "onedb",
            "version",
            "-t",
            "mysql",
            "-S",
            "127.0.0.1",
            "-P",
            &port,
            "-u",
            user,
            "-p",
            password,
            "-d",
            "opennebula",
        ];
        front.run(&arguments).status.code()
    };
    assert_eq!(with("blank", "two words"), Some(255));
    assert_eq!(with(mariadb::USER, mariadb::PASSWORD), Some(0));
}

#[test]
fn machines_are_known_after_a_restart() {
    let front = FrontEnd::with_dummy_drivers();
    let mut oned = front.up();
    let template = front.path("ds");
    fs::write(&template, "NAME = shared\nTYPE = SYSTEM_DS\nTM_MAD = dummy\n").unwrap();
    let run = |arguments: &[&str]| said(&front.run(arguments));
    assert_eq!(run(&["onedatastore", "create", path(&template)]), "ID: 100\n");
    assert_eq!(
        run(&["onehost", "create", "dummy1", "-i", "dummy", "-v", "dummy"]),
        "ID: 0\n"
    );
    assert_eq!(
        run(&[
            "onevm", "create", "--name", "t1", "--cpu", "0.1", "--memory", "64"
        ]),
        "ID: 0\n"
    );
    let running = || run(&["onevm", "list", "-x"]).contains("<STATE>3</STATE><LCM_STATE>3</LCM_STATE>");
    until("the VM runs", running);
    assert_eq!(oned.stop().code(), Some(0));
    let _again = front.up();
    assert!(running(), "{}", run(&["onevm", "list", "-x"]));
    assert!(run(&["onehost", "list"]).contains("dummy1"));
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_machine_waits_without_a_monitored_shared_system_datastore() {
    let front = FrontEnd::with_dummy_drivers();
    front.configure("SCHED_RETRY_TIME = 20\nSCHED_MAX_WND_TIME = 5\nMONITORING_INTERVAL_DATASTORE = 100");
    let _oned = front.up();
    let run = |arguments: &[&str]| said(&front.run(arguments));
    run(&["onehost", "create", "dummy1", "-i", "dummy", "-v", "dummy"]);
    run(&[
        "onevm", "create", "--name", "t1", "--cpu", "0.1", "--memory", "64",
    ]);
    until("the scheduler says why", || {
        run(&["onevm", "show", "0", "-x"]).contains("Cannot dispatch VM: No system datastores found")
    });
    let update = front.path("update");
    fs::write(&update, "TM_MAD = dummy\n").unwrap();
    assert_eq!(run(&["onedatastore", "update", "0", path(&update), "-a"]), "");
    until("the VM runs after the next monitoring and the retry", || {
        run(&["onevm", "list", "-x"]).contains("<STATE>3</STATE><LCM_STATE>3</LCM_STATE>")
    });
}

#[test]
fn a_host_that_cannot_be_reached_is_in_error() {
    let front = FrontEnd::new();
    let _oned = front.up();
    front.run(&["onehost", "create", "kvm1", "-i", "kvm", "-v", "kvm"]);
    until("the host is in error", || {
        said(&front.run(&["onehost", "show", "0"])).contains("ERROR")
    });
}

#[test]
fn a_host_without_its_monitoring_driver_stays_in_init_and_monitord_says_why() {
    let front = FrontEnd::new();
    let _oned = front.up();
    front.run(&["onehost", "create", "dummy1", "-i", "dummy", "-v", "dummy"]);
    front.run(&["onehost", "create", "kvm1", "-i", "kvm", "-v", "kvm"]);
    let complaints = || {
        let log = fs::read_to_string(front.path("var/monitor.log")).unwrap_or_default();
        log.matches("[HMM][E]: start_monitor: Cannot find driver dummy\n")
            .count()
    };
    until("monitord has looked twice", || complaints() > 1);
    until("the other host is in error", || {
        said(&front.run(&["onehost", "show", "1"])).contains("ERROR")
    });
    let shown = said(&front.run(&["onehost", "show", "0", "-x"]));
    assert!(shown.contains("<STATE>0</STATE>"), "{shown}");
}

#[test]
fn a_machine_on_a_host_without_its_hypervisor_driver_does_not_boot() {
    let front = FrontEnd::with_dummy_drivers();
    let _oned = front.up();
    let template = front.path("ds");
    fs::write(&template, "NAME = shared\nTYPE = SYSTEM_DS\nTM_MAD = dummy\n").unwrap();
    let run = |arguments: &[&str]| said(&front.run(arguments));
    run(&["onedatastore", "create", path(&template)]);
    run(&["onehost", "create", "odd", "-i", "dummy", "-v", "no-such-driver"]);
    run(&[
        "onevm", "create", "--name", "t1", "--cpu", "0.1", "--memory", "64",
    ]);
    until("the VM is in BOOT_FAILURE", || {
        run(&["onevm", "list", "-x"]).contains("<STATE>3</STATE><LCM_STATE>36</LCM_STATE>")
    });
    assert!(
        front
            .log()
            .contains("deploy_action, error getting driver no-such-driver"),
        "{}",
        front.log()
    );
}

/// Logs in by the file that is preloaded into the real tool, with a password that its command lines cannot carry.
#[test]
fn onedb_dumps_migrates_and_restores_without_a_secret_in_any_argument() {
    const SECRET: &str = "two words, a 'quote' and a \"#%+";
    let server = MariaDb::new();
    let _running = server.start();
    let quoted = SECRET.replace('\'', "''");
    server.sql(&format!(
        "CREATE USER 'blank'@'%' IDENTIFIED BY '{quoted}'; GRANT ALL ON opennebula.* TO 'blank'@'%'"
    ));
    let mut front = FrontEnd::new();
    front.configure(&server.vector(mariadb::PASSWORD));
    front.up().stop();
    let preload = front.path("preload.rb");
    let port = server.port.to_string();
    let option = format!(
        "[client]\nprotocol=tcp\nhost=127.0.0.1\nport={port}\nuser=blank\npassword=\"{}\"\n",
        SECRET.replace('"', "\\\"")
    );
    fs::write(&preload, "").unwrap();
    fs::write(front.path("password"), SECRET).unwrap();
    fs::write(front.path("login.cnf"), option).unwrap();
    front.release = "7.2.0";
    let dump = front.path("dump.sql").display().to_string();
    let run = |arguments: &[&str], more: &[(&str, &str)]| {
        let login = [
            "-t",
            "mysql",
            "-S",
            "127.0.0.1",
            "-P",
            &port,
            "-u",
            "blank",
            "-d",
            "opennebula",
            "-p",
            "none",
        ];
        let ruby = format!("-r{}", preload.display());
        let mut environment = vec![("RUBYOPT", ruby.as_str())];
        environment.extend(more);
        let output = front.run_with(&[&["onedb"], arguments, &login].concat(), &environment);
        (output.status.code(), said(&output))
    };
    assert_eq!(run(&["version"], &[]).0, Some(2));
    let (code, text) = run(&["backup", &dump], &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(fs::read_to_string(&dump).unwrap().contains("-- Dump completed"));
    assert_eq!(
        run(&["backup", &dump], &[]).0,
        Some(255),
        "an existing file is kept"
    );

    // Half-way: the shared tables are new and the local ones old, as the vendor's order has it.
    let (code, text) = run(&["upgrade", "--no-backup"], &[("ONESIM_FAIL_MIGRATION", "fail")]);
    assert_eq!(code, Some(255), "{text}");
    assert!(text.contains("No backup has been restored"), "{text}");
    // The cause, then Ruby's list of calls, then what became of the database.
    let cause = text.find("this migrator fails").unwrap();
    let calls = &text[cause..text.find("The database will be restored").unwrap()];
    assert!(
        calls.lines().count() > 20 && calls.contains("local/7.0.0_to_7.2.0.rb:47:in `up'"),
        "{text}"
    );
    let versions = || server.sql("SELECT version FROM opennebula.db_versioning ORDER BY oid");
    assert_eq!(versions(), "7.0.0\n7.2.0\n");
    let (code, text) = run(&["restore", &dump, "-f"], &[]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(versions(), "7.0.0\n");

    let (code, text) = run(&["upgrade", "-v", "--no-backup"], &[]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(run(&["version"], &[]).0, Some(0));
    assert_eq!(run(&["fsck", "--dry"], &[]).0, Some(0));
    assert_eq!(run(&["restore", &dump], &[]).0, Some(255), "only by force");
    // Without the preloaded file the stand-in for the password is what the server refuses.
    let plain = front.run(&[
        "onedb",
        "version",
        "-S",
        "127.0.0.1",
        "-P",
        &port,
        "-u",
        "blank",
        "-p",
        "none",
    ]);
    assert_eq!(plain.status.code(), Some(255));
}

#[test]
fn onedb_restores_an_sqlite_file() {
    let mut front = FrontEnd::new();
    front.up().stop();
    front.release = "7.4.0";
    let onedb = |arguments: &[&str]| front.run(&[&["onedb"], arguments].concat()).status.code();
    let dump = front.path("dump.sql").display().to_string();
    assert_eq!(onedb(&["backup", &dump]), Some(0));
    assert_eq!(onedb(&["upgrade", "--no-backup"]), Some(0));
    assert_eq!(onedb(&["version"]), Some(0));
    assert_eq!(onedb(&["restore", &dump]), Some(255));
    assert_eq!(onedb(&["restore", &dump, "-f"]), Some(0));
    assert_eq!(onedb(&["version"]), Some(2));
}
