//! Start, failures of the start, and stop.
#![expect(clippy::disallowed_methods, reason = "the tests own what they start")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::front_end::{FrontEnd, PASSWORD, http, said, until};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Runs `oned -f`, which must fail: exit code 255, the lock removed.
fn refused(front: &FrontEnd) -> String {
    let output = front.run(&["oned", "-f"]);
    assert_eq!(output.status.code(), Some(255), "{}", said(&output));
    assert!(!front.lock().exists(), "the lock is removed after a failed start");
    said(&output)
}

#[test]
fn the_first_start_leaves_the_observed_files() {
    let front = FrontEnd::new();
    let _oned = front.up();
    assert_eq!(mode(&front.auth("one_key")), 0o600);
    assert_eq!(
        fs::read_to_string(front.auth("one_key")).unwrap().trim().len(),
        64
    );
    let line = fs::read_to_string(front.auth("sunstone_auth")).unwrap();
    let secret = line.trim().strip_prefix("serveradmin:").unwrap();
    assert!(secret.len() == 64 && secret.chars().all(|c| c.is_ascii_hexdigit()));
    for name in ["sunstone_auth", "onegate_auth", "oneflow_auth"] {
        assert_eq!(fs::read_to_string(front.auth(name)).unwrap(), line, "{name}");
        assert_eq!(mode(&front.auth(name)), 0o600, "{name}");
    }
    assert!(!front.auth("oneform_auth").exists(), "7.0 has no such service");
    let config = fs::read_to_string(front.path("var/config")).unwrap();
    assert!(config.contains("DB=BACKEND=***"), "{config}");
    assert!(
        config.contains(
            "\nTM_MAD_CONF=CLONE_TARGET=SYSTEM,DS_MIGRATE=YES,LN_TARGET=NONE,NAME=dummy,SHARED=YES\n"
        )
    );
    assert!(front.lock().exists(), "the lock exists while it runs");
}

#[test]
fn later_releases_have_more_service_files() {
    let mut front = FrontEnd::new();
    front.release = "7.4.0";
    let _oned = front.up();
    assert!(front.auth("oneform_auth").exists() && front.auth("oneks_auth").exists());
}

#[test]
fn the_log_has_the_observed_order() {
    let front = FrontEnd::new();
    let _oned = front.up();
    let log = front.log();
    let steps = [
        "[Z0][ONE][I]: Starting OpenNebula 7.0.0 ()",
        "     OpenNebula Configuration File      ",
        "[Z0][ONE][I]: Log level:3",
        "[Z0][ONE][I]: Using hostname: localhost",
        "[Z0][ONE][I]: Checking database version.",
        "[Z0][ONE][I]: Bootstrapping OpenNebula database, stage 1.",
        "[Z0][ONE][I]: Bootstrapping OpenNebula database, stage 2.",
        "[Z0][ACL][I]: Starting ACL Manager...",
        "[Z0][HKM][I]: Loading Hook Manager driver.",
        "[Z0][ONE][I]: oned started in solo mode.",
        "[Z0][VMM][I]: \tLoading driver: kvm (KVM)",
        "[Z0][TrM][I]: Loading Transfer Manager driver.",
        "[Z0][AuM][I]: Loading Auth. Manager driver.",
        "[Z0][ReM][I]: Starting Request Manager...",
    ];
    let mut from = 0;
    for step in steps {
        let at = log[from..].find(step);
        assert!(at.is_some(), "{step:?} is missing after byte {from} of\n{log}");
        from += at.unwrap_or(0);
    }
    // `Mon Nov 23 10:14:29 2026 [Z0]`
    let stamp = log.lines().next().unwrap().split(" [Z0]").next().unwrap();
    assert_eq!(stamp.len(), 24, "{stamp:?}");
}

#[test]
fn start_and_stop_take_the_fixed_times_scaled() {
    let mut front = FrontEnd::new();
    front.scale = "0.2";
    let begin = Instant::now();
    let mut oned = front.up();
    // 4.7 s and 6.0 s of the real one, times 0.2; upper limits leave room for a loaded machine.
    let start = begin.elapsed();
    assert!(
        start >= Duration::from_millis(940) && start < Duration::from_secs(5),
        "{start:?}"
    );
    let begin = Instant::now();
    assert_eq!(oned.stop().code(), Some(0));
    let stop = begin.elapsed();
    assert!(
        stop >= Duration::from_millis(1200) && stop < Duration::from_secs(5),
        "{stop:?}"
    );
    assert!(!front.lock().exists(), "the lock is removed");
}

#[test]
fn a_killed_daemon_leaves_its_lock_and_the_next_start_refuses() {
    let front = FrontEnd::new();
    let mut oned = front.up();
    oned.signal("KILL");
    oned.ended();
    assert_eq!(fs::read(front.lock()).unwrap(), b"", "no pid inside");
    let output = front.run(&["oned", "-f"]);
    assert_eq!(output.status.code(), Some(255));
    let wanted = format!(
        "Error: Cannot start oned, opening lock file {}",
        front.lock().display()
    );
    assert!(said(&output).contains(&wanted), "{}", said(&output));
    assert!(front.lock().exists(), "a foreign lock stays");
    // The drivers end with the daemon, so its ports are free again.
    until("the monitor daemon has gone", || {
        std::net::TcpListener::bind(("0.0.0.0", front.monitor_port)).is_ok()
    });
    fs::remove_file(front.lock()).unwrap();
    let _again = front.up();
}

#[test]
fn password_files_without_user_0_stop_the_start_until_they_are_removed() {
    let front = FrontEnd::new();
    front.write_auth("onegate_auth", "serveradmin:chosen\n");
    for _ in 0..2 {
        let said = refused(&front);
        assert!(
            said.contains("already exists but OpenNebula is boostraping the database"),
            "{said}"
        );
    }
    assert!(
        front.auth("sunstone_auth").exists(),
        "the failed attempt leaves it behind"
    );
    for name in ["sunstone_auth", "onegate_auth"] {
        fs::remove_file(front.auth(name)).unwrap();
    }
    let _oned = front.up();
}

#[test]
fn one_auth_is_never_created() {
    let front = FrontEnd::new();
    fs::remove_file(front.auth("one_auth")).unwrap();
    assert!(refused(&front).contains("Error reading one_auth"));
    assert!(!front.auth("one_auth").exists());
    assert!(front.auth("one_key").exists(), "one_key is made before that step");
    // The empty schema that the failure left is harmless.
    front.write_auth("one_auth", &format!("oneadmin:{PASSWORD}\n"));
    let _oned = front.up();
}

#[test]
fn a_database_without_one_auth_starts_as_far_as_the_marketplaces() {
    let front = FrontEnd::new();
    front.up().stop();
    fs::remove_dir_all(front.path("var/.one")).unwrap();
    assert!(refused(&front).contains("Could not start the Marketplace Manager"));
    assert!(front.auth("one_key").exists(), "a new key was written");
    front.write_auth("one_auth", &format!("oneadmin:{PASSWORD}\n"));
    let _oned = front.up();
    assert!(
        !front.auth("sunstone_auth").exists(),
        "the services' files are not made again"
    );
}

#[test]
fn the_password_lives_in_the_database_not_in_the_file() {
    let front = FrontEnd::new();
    front.up().stop();
    front.write_auth("one_auth", "oneadmin:changed\n");
    let _oned = front.up();
    assert!(!front.session_is_good("changed"));
}

#[test]
fn reserved_and_broken_one_auth_are_refused() {
    let front = FrontEnd::new();
    front.write_auth("one_auth", "serveradmin:x\n");
    assert!(refused(&front).contains("The name 'serveradmin' is reserved"));
    front.write_auth("one_auth", "nothing\n");
    assert!(refused(&front).contains("Wrong format must be <username>:<password>"));
}

#[test]
fn a_syntax_error_stops_the_start_but_not_init_db() {
    let front = FrontEnd::new();
    front.configure("DB = [ BACKEND = \"sqlite\", ]");
    let text = refused(&front);
    assert!(
        text.contains("Error while parsing configuration file: ") && text.contains("at line 2"),
        "{text}"
    );
    assert_eq!(
        front.run(&["oned", "-i"]).status.code(),
        Some(0),
        "observed: always 0"
    );
}

#[test]
fn a_driver_that_does_not_start_stops_the_start() {
    let front = FrontEnd::new();
    fs::remove_file(front.path("lib/mads/one_tm")).unwrap();
    assert!(refused(&front).contains("Could not load an OpenNebula driver"));
}

#[test]
fn without_the_monitor_log_there_is_no_information_manager() {
    let front = FrontEnd::new();
    fs::create_dir(front.path("var/monitor.log")).unwrap();
    assert!(refused(&front).contains("Could not start the Information Manager"));
}

#[test]
fn ha_needs_a_bootstrapped_database() {
    let front = FrontEnd::new();
    front.configure("FEDERATION = [ MODE = \"STANDALONE\", SERVER_ID = 0 ]");
    assert!(refused(&front).contains("Database has to be bootstraped to start oned in HA"));
}

#[test]
fn readiness_is_notified() {
    let front = FrontEnd::new();
    let path = front.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::front_end::PATIENCE)).unwrap();
    let mut command = front.command(env!("CARGO_BIN_EXE_onesim"));
    let child = command
        .args(["oned", "-f"])
        .env("NOTIFY_SOCKET", &path)
        .stderr(std::process::Stdio::null())
        .spawn();
    let _oned = crate::front_end::Daemon {
        child: child.unwrap(),
    };
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
    assert!(
        front.session_is_good(PASSWORD),
        "the API answers when it is notified"
    );
}

#[test]
fn the_api_listens_where_it_should_and_only_there() {
    let front = FrontEnd::new();
    let _oned = front.up();
    assert_eq!(http(front.port, "POST /", "", "").unwrap().status, 404);
    assert_eq!(http(front.port, "GET /RPC2", "", "").unwrap().status, 405);
    let head = http(front.port, "POST /RPC2", "", "<x/>").unwrap().head;
    assert!(
        head.contains("Server: Xmlrpc-c_Abyss/1.33.14") && head.contains("Connection: close"),
        "{head}"
    );
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", front.hook_port)).is_ok(),
        "the hook manager listens"
    );
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", front.monitor_port)).is_ok(),
        "the monitor daemon listens"
    );
}
