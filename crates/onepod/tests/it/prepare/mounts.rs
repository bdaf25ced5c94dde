//! Scenarios of mounts below the volume and /etc/one, with the directories that a container runtime makes for them as root.
//! The program runs as the image's user, without capabilities; root is needed to mount and to become that user.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Signal, getuid};

use super::front::Front;
use super::program::{ONEADMIN, in_mount_namespace, output};
use crate::pod::{Process, get, until};

/// A pod's mount: what is mounted, and where, both below the front-end's directory.
type Mount<'a> = (&'a str, &'a str);

/// A front-end with the volumes of a pod, the vendor's other files, and things to mount; none where nobody may mount.
fn front() -> Option<Front> {
    if !getuid().is_root() {
        println!("left out: only root can mount and become another user");
        return None;
    }
    let front = Front::new();
    front.mount_points(|path| {
        chown(path, Some(0), Some(ONEADMIN)).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o2775)).unwrap();
    });
    for (path, content) in [
        ("usr/share/onepod/etc/auth/ldap_auth.conf", ":server 1:\n"),
        ("usr/share/onepod/etc/auth/x509_auth.conf", "shipped\n"),
        (
            "usr/share/onepod/data/remotes/hooks/ft/fence_host.sh",
            "#!/bin/sh\nexit 0\n",
        ),
        ("mounted/file", "the user's\n"),
        ("mounted/folder/image", ""),
    ] {
        let path = front.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    chown(front.dir.path().join("mounted/folder"), Some(ONEADMIN), None).unwrap();
    Some(front)
}

/// The program with these arguments as the image's user, after what a container runtime does for the mounts: it makes the
/// targets, with their parents, as root.
fn pod(front: &Front, mounts: &[Mount<'_>], arguments: &str) -> (Command, std::net::SocketAddr) {
    let mut script = "cd \"$1\" && umask 022".to_owned();
    for volume in ["etc/one", "run", "var/log/one", "var/lib/one"] {
        write!(script, " && mount --bind {volume} {volume}").unwrap();
    }
    for (source, target) in mounts {
        let target = Path::new(target);
        let (parent, target) = (target.parent().unwrap().display(), target.display());
        let make = if front.dir.path().join(source).is_dir() {
            format!("mkdir -p {target}")
        } else {
            format!("mkdir -p {parent} && {{ [ -e {target} ] || touch {target}; }}")
        };
        write!(script, " && {make} && mount --bind -o ro {source} {target}").unwrap();
    }
    write!(
        script,
        " && exec setpriv --reuid {ONEADMIN} --regid {ONEADMIN} --clear-groups --no-new-privs --bounding-set=-all \
         \"$0\" {arguments} --root \"$1\""
    )
    .unwrap();
    in_mount_namespace(front, &script)
}

/// Runs `onepod layout`, as an init container that has only the volumes.
fn layout(front: &Front) {
    let (code, text) = output(&mut pod(front, &[], "layout").0);
    assert_eq!((code, text.as_str()), (0, ""));
}

/// Starts the front-end, waits until it is ready, has `look` look at its file system, and stops it.
fn start(front: &Front, mounts: &[Mount<'_>], look: impl FnOnce(&Path)) {
    let (mut command, listen) = pod(front, mounts, "run");
    let (mut process, _) = Process::start(command.stdout(Stdio::null()));
    until("/readyz", || {
        assert_eq!(process.exit(), None, "onepod ended");
        get(listen, "/readyz").ok().filter(|(status, _)| *status == 200)
    });
    look(&process.root().join(front.dir.path().strip_prefix("/").unwrap()));
    process.signal(Signal::TERM);
    assert_eq!(until("the end of onepod", || process.exit()), 0);
}

/// Starts the front-end and gives what it says when it refuses.
fn refused(front: &Front, mounts: &[Mount<'_>]) -> String {
    let (code, text) = output(&mut pod(front, mounts, "run").0);
    assert_eq!(code, 1, "{text}");
    text
}

fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().uid()
}

const DATASTORE: Mount<'_> = ("mounted/folder", "var/lib/one/datastores/100");
const LDAP: Mount<'_> = ("mounted/file", "etc/one/auth/ldap_auth.conf");
const BACKUP: Mount<'_> = ("mounted/folder", "var/lib/one/backups/restic");
const HOOK: Mount<'_> = ("mounted/file", "var/lib/one/remotes/hooks/ft/fence_host.sh");

#[test]
fn mounts_work_on_a_volume_that_was_laid_out_before() {
    let Some(front) = front() else { return };
    layout(&front);
    // The second time is a restart of the container in its pod.
    for _ in 0..2 {
        start(&front, &[DATASTORE, LDAP, HOOK, BACKUP], |root| {
            for directory in [
                "datastores",
                "datastores/0",
                "datastores/1",
                "remotes/hooks/ft",
                "backups",
                "backups/db",
            ] {
                let path = root.join("var/lib/one").join(directory);
                assert_eq!(owner(&path), ONEADMIN, "{}", path.display());
            }
            for (path, content) in [
                ("etc/one/auth/ldap_auth.conf", "the user's\n"),
                ("etc/one/auth/x509_auth.conf", "shipped\n"),
                ("var/lib/one/remotes/hooks/ft/fence_host.sh", "the user's\n"),
                ("var/lib/one/datastores/100/image", ""),
            ] {
                assert_eq!(fs::read_to_string(root.join(path)).unwrap(), content, "{path}");
            }
        });
    }
}

#[test]
fn the_volume_is_usable_again_when_the_mounts_are_gone() {
    let Some(front) = front() else { return };
    layout(&front);
    start(&front, &[DATASTORE, HOOK], |_| ());
    start(&front, &[], |root| {
        let data = root.join("var/lib/one");
        assert_eq!(owner(&data.join("datastores/100")), ONEADMIN);
        assert_eq!(
            fs::read_to_string(data.join("remotes/hooks/ft/fence_host.sh")).unwrap(),
            "#!/bin/sh\nexit 0\n"
        );
    });
}

#[test]
fn without_a_layout_before_the_runtimes_directory_is_named_and_the_volume_heals() {
    let Some(front) = front() else { return };
    let text = refused(&front, &[DATASTORE]);
    let data = front.paths.data().display().to_string();
    for part in [
        format!("{data}/datastores belongs to 0:"),
        format!("created it as root for the mount at {data}/datastores/100"),
        "`onepod layout`".to_owned(),
        format!("mount all of {data}/datastores"),
    ] {
        assert!(text.contains(&part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("fsGroup"), "{text}");
    // An init container of the next pod, which has not the mount.
    layout_moving_aside(&front);
    start(&front, &[DATASTORE], |root| {
        assert_eq!(owner(&root.join("var/lib/one/datastores/1")), ONEADMIN);
    });
}

/// The same as [`layout`], with something to move aside.
fn layout_moving_aside(front: &Front) {
    let (code, text) = output(&mut pod(front, &[], "layout").0);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("datastores.stale-"), "{text}");
}

#[test]
fn a_volume_on_which_a_mount_was_refused_works_without_it() {
    let Some(front) = front() else { return };
    refused(&front, &[DATASTORE]);
    start(&front, &[], |root| {
        assert_eq!(owner(&root.join("var/lib/one/datastores/0")), ONEADMIN);
    });
}

#[test]
fn a_file_beside_the_vendors_is_refused_without_a_layout_before_with_advice_that_is_right() {
    let Some(front) = front() else { return };
    let text = refused(&front, &[LDAP]);
    let etc = front.paths.etc_one().display().to_string();
    for part in [
        format!("cannot write {etc}/auth/x509_auth.conf"),
        format!("created it as root for the mount at {etc}/auth/ldap_auth.conf"),
        "`onepod layout`".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("fsGroup"), "{text}");
}

#[test]
fn a_directory_of_roots_that_holds_something_is_never_moved() {
    let Some(front) = front() else { return };
    let image = front.volume("datastores/1/image", "precious");
    let text = refused(&front, &[]);
    assert!(text.contains("chown -R 9869:9869"), "{text}");
    assert_eq!(fs::read_to_string(image).unwrap(), "precious");
}

#[test]
fn a_whole_folder_of_datastores_can_be_mounted() {
    let Some(front) = front() else { return };
    let folder = front.dir.path().join("mounted/folder");
    let (mut command, listen) = {
        let script = format!(
            "cd \"$1\" && mkdir -p var/lib/one/datastores && mount --bind {} var/lib/one/datastores && \
             exec setpriv --reuid {ONEADMIN} --regid {ONEADMIN} --clear-groups \"$0\" run --root \"$1\"",
            folder.display()
        );
        in_mount_namespace(&front, &script)
    };
    let (mut process, _) = Process::start(command.stdout(Stdio::null()));
    until("/readyz", || {
        get(listen, "/readyz").ok().filter(|(status, _)| *status == 200)
    });
    assert_eq!(owner(&folder.join("1")), ONEADMIN);
    process.signal(Signal::TERM);
    assert_eq!(until("the end of onepod", || process.exit()), 0);
}

const ONED: Mount<'_> = ("mounted/oned.conf", "etc/one/oned.conf");

/// Puts a file that can be mounted.
fn mounted(front: &Front, name: &str, content: &str) {
    let path = front.dir.path().join("mounted").join(name);
    fs::write(path, content).unwrap();
}

#[test]
fn a_mounted_oned_conf_that_lacks_the_settings_is_refused_before_anything_is_written() {
    let Some(front) = front() else { return };
    mounted(
        &front,
        "oned.conf",
        "LOG = [ SYSTEM = \"file\" ]\nDB = [ BACKEND = \"mysql\" ]\n",
    );
    for verb in ["run", "check", "check --diff"] {
        let (mut command, _) = pod(&front, &[ONED], verb);
        let path = front.dir.path().join("stderr");
        command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&path).unwrap());
        let (mut process, _) = Process::start(&mut command);
        assert_eq!(until("the end of onepod", || process.exit()), 64, "{verb}");
        let text = fs::read_to_string(path).unwrap();
        for part in [
            "oned.conf is mounted into the pod",
            "HOSTNAME, DB/BACKEND",
            "config.oned of the chart",
        ] {
            assert!(text.contains(part), "{verb}: {part} is not in\n{text}");
        }
    }
    assert!(!front.exists(".one"), "something was written");
}

#[test]
fn a_mounted_oned_conf_that_has_what_the_settings_say_is_used() {
    let Some(front) = front() else { return };
    let content = "HOSTNAME = \"one\"\nLOG = [ SYSTEM = \"file\" ]\nDB = [ BACKEND = \"sqlite\" ]\n# mine\n";
    mounted(&front, "oned.conf", content);
    start(&front, &[ONED], |root| {
        assert_eq!(
            fs::read_to_string(root.join("etc/one/oned.conf")).unwrap(),
            content
        );
        assert!(root.join("etc/one/monitord.conf").is_file());
    });
}

#[test]
fn a_mounted_file_of_a_server_is_refused_when_a_value_would_have_to_be_written_into_it() {
    let Some(front) = front() else { return };
    mounted(&front, "oneflow-server.conf", ":host: 127.0.0.1\n:port: 2474\n");
    let (mut command, _) = pod(
        &front,
        &[("mounted/oneflow-server.conf", "etc/one/oneflow-server.conf")],
        "check",
    );
    let path = front.dir.path().join("stderr");
    command.stderr(fs::File::create(&path).unwrap());
    let (code, _) = output(&mut command);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(code, 64, "{text}");
    assert!(
        text.contains("cannot write the address to listen on into it"),
        "{text}"
    );
}

#[test]
fn for_maintenance_the_configuration_is_written_and_nothing_is_started() {
    let Some(front) = front() else { return };
    let (code, text) = output(&mut pod(&front, &[], "render").0);
    assert_eq!(code, 0, "{text}");
    let oned = fs::read_to_string(front.paths.oned_conf()).unwrap();
    assert!(
        oned.contains("HOSTNAME = \"one\"") && oned.contains("BACKEND = \"sqlite\""),
        "{oned}"
    );
    // Beside a front-end it does nothing.
    start(&front, &[], |_| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onepod"));
        command.arg("render").arg("--root").arg(front.dir.path());
        command.env("OPENNEBULA_HOSTNAME", "other").stderr(Stdio::null());
        let (code, _) = output(&mut command);
        assert_eq!(code, 1);
        assert_eq!(fs::read_to_string(front.paths.oned_conf()).unwrap(), oned);
    });
}
