//! OpenSSH's own server, client and agent with the files that the stages write: a pod's user without root, hypervisors
//! that copy from it, and keys that are not the right ones.
//!
//! Each scenario has mounts, processes and a network of its own, which takes root; without it they are left out.

use std::fs::{self, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use onepod::settings::SshKey;
use rustix::process::{Signal, getuid, kill_process};

use crate::pod::{Process, in_namespace, until};
use crate::prepare::front::Front;

/// The user of the image.
const ONEADMIN: (u32, u32) = (9869, 9869);

/// A user as `OpenShift` gives them out: any number, and the group of root.
const ARBITRARY: (u32, u32) = (1_000_770_000, 0);

/// Name of the front-end in its configuration.
const NAME: &str = "opennebula-0";

/// The recommendation of OpenNebula's packages (`share/ssh/etc/config`, 7.0.2) without its comments and with the
/// sockets below the root.
const RECOMMENDED: &str = "Host *\n  StrictHostKeyChecking accept-new\n  ServerAliveInterval 10\n  ControlMaster no\n  \
                           ControlPersist 70s\n  ControlPath ROOT/run/one/ssh-socks/ctl-M-%C.sock\n";

/// A front-end whose pod runs sshd and an agent.
struct Machine {
    front: Front,
    user: (u32, u32),
    settings: Vec<(String, String)>,
}

impl Machine {
    /// None where it cannot be made.
    fn new(user: (u32, u32)) -> Option<Self> {
        if !getuid().is_root() {
            println!("left out: sshd needs a user of its own, and only root can become one");
            return None;
        }
        let front = Front::new();
        let root = front.dir.path().display().to_string();
        let put = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("ROOT", &root)).unwrap();
        };
        put(front.paths.services(), include_str!("ssh/services.toml"));
        put(front.paths.vendor_ssh_config(), RECOMMENDED);
        let passwd = format!(
            "root:x:0:0::/root:/bin/bash\noneadmin:x:{}:{}::ROOT/var/lib/one:/bin/bash\n",
            user.0, user.1
        );
        put(front.paths.passwd(), &passwd);
        // As Kubernetes mounts a volume.
        front.mount_points(|path| {
            chown(path, Some(0), Some(user.1)).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o2777)).unwrap();
        });
        Some(Self {
            front,
            user,
            settings: vec![("OPENNEBULA_HOSTNAME".to_owned(), NAME.to_owned())],
        })
    }

    fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// What makes a process one of the pod's user, without any privilege.
    fn as_user(&self) -> Vec<String> {
        let (uid, gid) = self.user;
        [
            "setpriv",
            "--no-new-privs",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--clear-groups",
        ]
        .into_iter()
        .map(str::to_owned)
        .chain([format!("--reuid={uid}"), format!("--regid={gid}")])
        .collect()
    }

    /// Starts the pod and waits until its services are ready.
    fn start(&self) -> Running<'_> {
        let script = "ip link set lo up && cd \"$0\" && mount --bind etc/passwd /etc/passwd && \
                      mount -t tmpfs -o mode=755 tmpfs /etc/ssh/ssh_config.d && \
                      echo \"Include $0/run/onepod/ssh_config\" >/etc/ssh/ssh_config.d/onepod.conf && exec \"$@\"";
        let mut command = in_namespace();
        command
            .args(["--mount", "--net", "sh", "-c", script])
            .arg(self.front.dir.path())
            .args(self.as_user())
            .args([env!("CARGO_BIN_EXE_onepod"), "run", "--root"])
            .arg(self.front.dir.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("ONEPOD_LISTEN", "127.0.0.1:8080")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdout(fs::File::create(self.front.dir.path().join("log")).unwrap());
        let (process, _) = Process::start(&mut command);
        let running = Running {
            machine: self,
            process,
        };
        until("the pod is ready", || {
            running.process.child()?;
            let probe = running.run(&[env!("CARGO_BIN_EXE_onepod"), "probe", "ready"]);
            (probe.code == 0).then_some(())
        });
        running
    }

    fn home(&self) -> PathBuf {
        self.front.paths.data()
    }

    /// A file of the pod's user.
    fn put(&self, name: &str, content: &[u8], mode: u32) -> String {
        let path = self.home().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(self.user.0), Some(self.user.1)).unwrap();
        path.display().to_string()
    }
}

/// The pod at work.
struct Running<'a> {
    machine: &'a Machine,
    process: Process,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Changing its user has taken from it the signal that unshare's end gives to its children.
        if let Some(pid) = self.process.child() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Running<'_> {
    /// Runs a command as the pod's user inside of the pod.
    fn run(&self, arguments: &[&str]) -> Ended {
        let pid = until("PID 1", || self.process.child())
            .as_raw_nonzero()
            .to_string();
        let err = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &pid, "--mount", "--net", "--pid"])
            .args(self.machine.as_user())
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.machine.home())
            .env(
                "SSH_AUTH_SOCK",
                self.machine.front.paths.run_one().join("ssh-agent.sock"),
            )
            .stdout(Stdio::piped())
            .stderr(err.reopen().unwrap());
        let (mut process, stdout) = Process::start(&mut command);
        let mut out = String::new();
        stdout.unwrap().read_to_string(&mut out).unwrap();
        Ended {
            code: until("the end of the command", || process.exit()),
            out,
            err: fs::read_to_string(err.path()).unwrap(),
        }
    }

    /// Runs a command that must succeed; its output.
    fn get(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}\n{}", self.log());
        ended.out
    }

    fn log(&self) -> String {
        fs::read_to_string(self.machine.front.dir.path().join("log")).unwrap()
    }

    /// Logs in as a hypervisor does: with nothing but the options given.
    fn hypervisor(&self, options: &[&str], command: &str) -> Ended {
        let mut arguments = vec!["ssh", "-F", "none", "-p", "2222", "-o", "BatchMode=yes"];
        arguments.extend(options);
        arguments.extend(["oneadmin@127.0.0.1", command]);
        self.run(&arguments)
    }

    /// Asks the pod to stop and waits for it.
    fn stop(mut self) {
        kill_process(self.process.child().unwrap(), Signal::TERM).unwrap();
        let code = until("the pod's end", || self.process.exit());
        assert_eq!(code, 0, "{}", self.log());
    }
}

/// Options of a login that may use one key file only.
fn with_key(key: &str) -> [&str; 10] {
    [
        "-i",
        key,
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
    ]
}

#[test]
fn the_front_end_is_reached_by_its_name_and_files_go_both_ways() {
    for user in [ONEADMIN, ARBITRARY] {
        let Some(machine) = Machine::new(user) else { return };
        let pod = machine.start();
        // Known from the start: nothing is learned for it.
        let seen = pod.get(&[
            "ssh",
            "-o",
            "StrictHostKeyChecking=yes",
            NAME,
            "id -u; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status",
        ]);
        assert_eq!(
            seen,
            format!("{}\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n", user.0)
        );
        let image = machine.put("image", &vec![b'x'; 300_000], 0o600);
        let home = machine.home().display().to_string();
        let remote = |name: &str| format!("{NAME}:{home}/{name}");
        pod.get(&["scp", "-q", &image, &remote("by-sftp")]);
        // Clients before OpenSSH 9.
        pod.get(&["scp", "-q", "-O", &remote("image"), &format!("{home}/by-scp")]);
        pod.get(&["rsync", "-a", &remote("image"), &format!("{home}/by-rsync")]);
        pod.get(&[
            "sh",
            "-c",
            &format!("ssh {NAME} tar -C {home} -cSf - image | tar -C {home}/datastores -xSf -"),
        ]);
        for name in ["by-sftp", "by-scp", "by-rsync", "datastores/image"] {
            assert_eq!(
                fs::read(machine.home().join(name)).unwrap().len(),
                300_000,
                "{name}"
            );
        }
        pod.stop();
    }
}

#[test]
fn only_the_right_key_gets_in_and_nothing_is_forwarded() {
    let Some(machine) = Machine::new(ONEADMIN) else {
        return;
    };
    let pod = machine.start();
    let right = machine
        .front
        .paths
        .ssh_dir()
        .join("id_ed25519")
        .display()
        .to_string();
    let ended = pod.hypervisor(&with_key(&right), "echo in");
    assert_eq!((ended.code, ended.out.as_str()), (0, "in\n"), "{ended:?}");
    let wrong = machine.put(
        "wrong",
        SshKey::generate().unwrap().pem().expose().as_bytes(),
        0o600,
    );
    let ended = pod.hypervisor(&with_key(&wrong), "echo in");
    assert!(
        ended.code == 255 && ended.err.contains("Permission denied (publickey)"),
        "{ended:?}"
    );
    let mut as_root = with_key(&right).to_vec();
    as_root.extend(["-l", "root"]);
    let ended = pod.run(
        &[
            &["ssh", "-F", "none", "-p", "2222", "-o", "BatchMode=yes"],
            as_root.as_slice(),
            &["127.0.0.1", "echo in"],
        ]
        .concat(),
    );
    assert!(
        ended.code == 255 && ended.err.contains("Permission denied"),
        "{ended:?}"
    );
    // A tunnel through the front-end to another of its ports.
    let mut tunnel = with_key(&right).to_vec();
    tunnel.extend(["-W", "127.0.0.1:8080"]);
    let ended = pod.run(
        &[
            &["ssh", "-F", "none", "-p", "2222", "-o", "BatchMode=yes"],
            tunnel.as_slice(),
            &["oneadmin@127.0.0.1"],
        ]
        .concat(),
    );
    assert!(
        ended.code != 0 && ended.err.contains("administratively prohibited"),
        "{ended:?}"
    );
    pod.stop();
}

#[test]
fn the_host_key_outlives_the_pod_and_a_changed_one_is_refused() {
    let Some(mut machine) = Machine::new(ONEADMIN) else {
        return;
    };
    let known = machine
        .home()
        .join("hypervisors-known-hosts")
        .display()
        .to_string();
    let known = format!("UserKnownHostsFile={known}");
    let pod = machine.start();
    let learn = ["-o", known.as_str(), "-o", "StrictHostKeyChecking=accept-new"];
    assert_eq!(pod.hypervisor(&learn, "true").code, 0);
    pod.stop();
    let pod = machine.start();
    let strict = ["-o", known.as_str(), "-o", "StrictHostKeyChecking=yes"];
    assert_eq!(pod.hypervisor(&strict, "true").code, 0);
    // The packages' client learns a host that it does not know.
    let login = ["ssh", "-p", "2222", "oneadmin@127.0.0.1", "true"];
    pod.get(&login);
    pod.stop();
    let text = fs::read_to_string(machine.front.paths.ssh_dir().join("known_hosts")).unwrap();
    assert!(text.contains("[127.0.0.1]:2222 "), "{text}");
    // With another key pinned, of the same kind or not, what was learned no longer counts.
    for kind in ["ed25519", "rsa"] {
        let key = machine.home().join(kind);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", kind, "-N", "", "-f", key.to_str().unwrap()]);
        let (mut process, _) = Process::start(&mut command);
        assert_eq!(until("ssh-keygen", || process.exit()), 0);
        let public = fs::read_to_string(key.with_added_extension("pub")).unwrap();
        machine.set("SSH_KNOWN_HOSTS", &format!("[127.0.0.1]:2222 {public}"));
        let pod = machine.start();
        let ended = pod.run(&login);
        assert!(
            ended.code == 255 && ended.err.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"),
            "{kind}: {ended:?}"
        );
        pod.stop();
    }
}

#[test]
fn the_agent_holds_the_key_and_is_forwarded() {
    let Some(machine) = Machine::new(ONEADMIN) else {
        return;
    };
    let pod = machine.start();
    let public = fs::read_to_string(machine.front.paths.ssh_dir().join("id_ed25519.pub")).unwrap();
    let shown = until("the agent has the key", || {
        let listed = pod.run(&["ssh-add", "-L"]);
        (listed.code == 0).then_some(listed.out)
    });
    assert_eq!(shown, public);
    let no_files = [
        "-o",
        "IdentityFile=none",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
    ];
    let ended = pod.hypervisor(&no_files, "echo in");
    assert_eq!((ended.code, ended.out.as_str()), (0, "in\n"), "{ended:?}");
    // From the front-end on to a third machine with the key of who asked: what OpenNebula's ssh_forward does.
    let onward = format!("ssh -o IdentityFile=none -o BatchMode=yes {NAME} echo there");
    let ended = pod.get(&[
        "ssh",
        "-o",
        "ForwardAgent=yes",
        "-o",
        "ControlMaster=no",
        "-o",
        "ControlPath=none",
        NAME,
        &onward,
    ]);
    assert_eq!(ended, "there\n");
    pod.stop();
}
