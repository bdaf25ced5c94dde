//! Scenarios with the program itself: mistakes in the settings, volumes that cannot be written, the ones of a real pod.

use std::fs::{self, Permissions};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Signal, getuid};

use super::front::{Front, mode};
use crate::pod::{Process, get, until};

/// The user of the image.
pub(super) const ONEADMIN: u32 = 9869;

/// A command of onepod in an empty environment, its output going to files below the front-end.
fn onepod(front: &Front, arguments: &[&str], pairs: &[(&str, &str)]) -> Command {
    command(Path::new(env!("CARGO_BIN_EXE_onepod")), front, arguments, pairs)
}

fn command(program: &Path, front: &Front, arguments: &[&str], pairs: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("--root")
        .arg(front.dir.path())
        .env_clear()
        .envs(pairs.iter().copied());
    command
}

/// Runs a command to its end: exit code and standard error.
fn end(front: &Front, command: &mut Command) -> (i32, String) {
    let path = front.dir.path().join("stderr");
    command
        .stdout(Stdio::null())
        .stderr(fs::File::create(&path).unwrap());
    let (mut process, _) = Process::start(command);
    let code = until("the end of onepod", || process.exit());
    (code, fs::read_to_string(path).unwrap())
}

#[test]
fn mistakes_end_run_and_check_with_64_and_nothing_written() {
    let front = Front::new();
    let pairs = [
        ("DB_BACKEND", "mysql"),
        ("ONEPOD_LISTEN", "8080"),
        ("ONEPOD_DISABLE", "sunstone"),
    ];
    for verb in ["run", "check"] {
        let before = front.dir.path().join("var");
        let (code, text) = end(&front, &mut onepod(&front, &[verb], &pairs));
        assert_eq!(code, 64, "{text}");
        for part in [
            "4 mistakes",
            "DB_HOST",
            "DB_PASSWORD",
            "ONEPOD_LISTEN",
            "sunstone",
            "idle",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!before.exists(), "{verb} has written to the volume");
        assert!(!front.paths.etc_one().exists(), "{verb} has written to /etc/one");
    }
}

#[test]
fn check_without_mistakes_ends_with_0() {
    let front = Front::new();
    let (code, text) = end(
        &front,
        &mut onepod(&front, &["check"], &[("OPENNEBULA_HOSTNAME", "one")]),
    );
    assert_eq!((code, text.as_str()), (0, ""));
}

/// `onepod run` as the image's user, on a free port.
fn run_as_oneadmin(front: &Front) -> (Command, std::net::SocketAddr) {
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // The repository may lie where only its owner may go, as in /root.
    let program = front.dir.path().join("onepod");
    fs::copy(env!("CARGO_BIN_EXE_onepod"), &program).unwrap();
    let mut command = command(
        &program,
        front,
        &["run"],
        &[
            ("OPENNEBULA_HOSTNAME", "one"),
            ("ONEPOD_LISTEN", &listen.to_string()),
        ],
    );
    if getuid().is_root() {
        command.uid(ONEADMIN).gid(ONEADMIN);
    }
    (command, listen)
}

/// Whatever the program wrote to standard output until its end, and its exit code.
pub(super) fn output(command: &mut Command) -> (i32, String) {
    let (mut process, stdout) = Process::start(command.stdout(Stdio::piped()));
    let mut text = String::new();
    stdout.unwrap().read_to_string(&mut text).unwrap();
    (until("the end of onepod", || process.exit()), text)
}

#[test]
fn a_volume_of_somebody_else_is_refused_with_the_way_out() {
    let front = Front::new();
    front.mount_points(|path| {
        if getuid().is_root() {
            chown(path, Some(ONEADMIN), Some(ONEADMIN)).unwrap();
        }
    });
    let data = front.paths.data();
    if getuid().is_root() {
        chown(&data, Some(0), Some(0)).unwrap();
    }
    fs::set_permissions(&data, Permissions::from_mode(0o555)).unwrap();
    let (code, text) = output(&mut run_as_oneadmin(&front).0);
    assert_eq!(code, 1, "{text}");
    let owner = fs::metadata(&data).unwrap().uid();
    for part in [
        format!("cannot write in {}", data.display()),
        format!("{} belongs to {owner}:", data.display()),
        "mode 0555".to_owned(),
        "fsGroup: ".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} is not in\n{text}");
    }
}

/// A root file system that cannot be written, with one of the volumes that a pod needs forgotten.
#[test]
fn a_place_that_cannot_be_written_is_refused_by_name() {
    let directories = "etc/one run/one run/lock/one run/onepod var/log/one var/lib/one tmp var/tmp";
    for forgotten in [
        "etc/one",
        "run/one",
        "run/lock/one",
        "run/onepod",
        "var/log/one",
        "var/tmp",
    ] {
        let front = Front::new();
        let script = format!(
            "cd \"$1\" && mkdir -p {directories} && mount --bind . . && cd \"$1\" && \
             for place in {directories}; do [ $place = {forgotten} ] || mount -t tmpfs tmpfs $place; done && \
             mount -o remount,bind,ro \"$1\" && exec \"$0\" run --root \"$1\""
        );
        let (mut command, _) = in_mount_namespace(&front, &script);
        let (code, text) = output(&mut command);
        assert_eq!(code, 1, "{text}");
        for part in [
            &format!("cannot write in {}/{forgotten}", front.dir.path().display()),
            "emptyDir",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}

#[test]
fn a_volume_as_kubernetes_mounts_it_is_used_and_its_root_left_alone() {
    let front = Front::new();
    front.mount_points(|path| {
        if getuid().is_root() {
            chown(path, Some(0), Some(ONEADMIN)).unwrap();
        }
        fs::set_permissions(path, Permissions::from_mode(0o2777)).unwrap();
    });
    let (mut command, listen) = run_as_oneadmin(&front);
    let (mut process, _) = Process::start(command.stdout(Stdio::null()));
    until("/readyz", || {
        get(listen, "/readyz").ok().filter(|(status, _)| *status == 200)
    });
    front.mount_points(|path| {
        assert_eq!(mode(path), 0o2777, "{}", path.display());
        if getuid().is_root() {
            assert_eq!(fs::metadata(path).unwrap().uid(), 0, "{}", path.display());
        }
    });
    assert_eq!(mode(&front.paths.one_auth()), 0o600);
    process.signal(Signal::TERM);
    assert_eq!(until("the end of onepod", || process.exit()), 0);
}

#[test]
fn drivers_in_closed_directories_are_renewed_without_root() {
    let front = Front::new();
    front.mount_points(|path| {
        fs::set_permissions(path, Permissions::from_mode(0o2777)).unwrap();
    });
    let start = || {
        let (mut command, listen) = run_as_oneadmin(&front);
        let (mut process, _) = Process::start(command.stdout(Stdio::null()));
        until("/readyz", || {
            get(listen, "/readyz").ok().filter(|(status, _)| *status == 200)
        });
        process.signal(Signal::TERM);
        assert_eq!(until("the end of onepod", || process.exit()), 0);
    };
    start();
    let deploy = front.paths.remotes().join("vmm/kvm/deploy");
    fs::set_permissions(&deploy, Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(deploy.parent().unwrap(), Permissions::from_mode(0o500)).unwrap();
    let next = front.paths.pristine_data().join("remotes/vmm/kvm/deploy");
    fs::write(next, "the next release's").unwrap();
    start();
    assert_eq!(front.text("remotes/vmm/kvm/deploy"), "the next release's");
    assert_eq!(mode(&deploy), 0o755);
    assert!(!front.exists(".onepod/replaced"));
}

#[test]
fn a_start_that_waits_says_why_and_ends_when_asked_to() {
    let front = Front::new();
    front.mount_points(|path| {
        fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    });
    let (mut command, listen) = run_as_oneadmin(&front);
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    command
        .env("DB_BACKEND", "mysql")
        .env("DB_HOST", "127.0.0.1")
        .env("DB_PORT", nobody.to_string())
        .env("DB_PASSWORD", "hunter2hunter2");
    let (mut process, _) = Process::start(command.stdout(Stdio::null()));
    let cause = format!("database 127.0.0.1:{nobody}: connection refused");
    let body = until("/readyz says why", || {
        let (status, body) = get(listen, "/readyz").ok()?;
        (status == 503 && body.contains(&cause)).then_some(body)
    });
    assert!(!body.contains("hunter2"), "{body}");
    assert_eq!(get(listen, "/livez").unwrap().0, 200);
    process.signal(Signal::TERM);
    assert_eq!(until("the end of onepod", || process.exit()), 0);
    assert!(!front.paths.one_auth().exists());
}

#[test]
fn what_is_mounted_into_the_configuration_stays_there() {
    let front = Front::new();
    let own = front.dir.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("rank.conf"), "mine").unwrap();
    let script = "cd \"$1\" && mkdir -p etc/one/schedulers etc/one/hooks && touch etc/one/schedulers/rank.conf && \
                  mount --bind own/rank.conf etc/one/schedulers/rank.conf && mount --bind own etc/one/hooks && \
                  exec \"$0\" run --root \"$1\"";
    let (mut command, listen) = in_mount_namespace(&front, script);
    let (mut process, _) = Process::start(command.stdout(Stdio::null()));
    until("/readyz", || {
        get(listen, "/readyz").ok().filter(|(status, _)| *status == 200)
    });
    let etc = process
        .root()
        .join(front.paths.etc_one().strip_prefix("/").unwrap());
    assert_eq!(
        fs::read_to_string(etc.join("schedulers/rank.conf")).unwrap(),
        "mine"
    );
    assert_eq!(fs::read_to_string(etc.join("hooks/rank.conf")).unwrap(), "mine");
    assert!(etc.join("oned.conf").is_file());
    assert_eq!(fs::read_to_string(own.join("rank.conf")).unwrap(), "mine");
    process.signal(Signal::TERM);
    assert_eq!(until("the end of onepod", || process.exit()), 0);
}

/// A shell script in a mount namespace, with the program as $0, the root as $1, and settings for `onepod run`.
pub(super) fn in_mount_namespace(front: &Front, script: &str) -> (Command, std::net::SocketAddr) {
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(if getuid().is_root() {
            &["--mount"][..]
        } else {
            &["--mount", "--map-root-user"]
        })
        .args(["sh", "-c", script, env!("CARGO_BIN_EXE_onepod")])
        .arg(front.dir.path())
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("OPENNEBULA_HOSTNAME", "one")
        .env("ONEPOD_LISTEN", listen.to_string());
    (command, listen)
}

#[test]
fn a_full_volume_is_named() {
    let front = Front::new();
    fs::create_dir_all(front.paths.data()).unwrap();
    let big = front.paths.pristine_data().join("remotes/big");
    fs::write(&big, vec![b'x'; 1 << 20]).unwrap();
    let script = "mount -t tmpfs -o size=256k tmpfs \"$1/var/lib/one\" && exec \"$0\" run --root \"$1\"";
    let (mut command, _) = in_mount_namespace(&front, script);
    let (code, text) = output(&mut command);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("var/lib/one/remotes/big") && text.contains("enlarge the volume"),
        "{text}"
    );
}
