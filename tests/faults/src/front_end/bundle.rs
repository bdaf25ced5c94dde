//! The OCI description of the container, as the chart's pod asks for it: read-only root, uid 9869, no capabilities, no new
//! privileges, the volume and the emptyDirs as the only writable places. A pod may ask for another user, or for a root that
//! can be written. Text only; nothing is started here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::pod::{Identity, Root};

/// A place of the machine in the container.
#[derive(Debug, Clone)]
pub(super) struct Bind {
    pub from: PathBuf,
    pub to: String,
    pub access: Access,
}

/// What the container may do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// `config.json` of a bundle, see the runtime specification of the Open Container Initiative. The network is the one of
/// whoever calls runc.
pub(super) fn config(
    rootfs: &Path,
    hostname: &str,
    command: &[String],
    environment: &BTreeMap<String, String>,
    binds: &[Bind],
    identity: Identity,
    root: Root,
) -> Value {
    let environment: Vec<String> = [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOME", "/var/lib/one"),
        ("HOSTNAME", hostname),
    ]
    .into_iter()
    .filter(|(name, _)| !environment.contains_key(*name))
    .chain(
        environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    )
    .map(|(name, value)| format!("{name}={value}"))
    .collect();
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc"}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
               "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}),
        json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
               "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]}),
        json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
               "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}),
    ];
    mounts.extend(binds.iter().map(|Bind { from, to, access }| {
        let access = if *access == Access::Read { "ro" } else { "rw" };
        json!({"destination": to, "type": "bind", "source": from, "options": ["rbind", "rprivate", access]})
    }));
    let none: [&str; 0] = [];
    json!({
        "ociVersion": "1.0.2",
        "hostname": hostname,
        "root": {"path": rootfs, "readonly": root == Root::ReadOnly},
        "process": {
            "args": command,
            "cwd": "/var/lib/one",
            "env": environment,
            "user": {"uid": identity.user, "gid": identity.group, "additionalGids": [identity.group]},
            "noNewPrivileges": true,
            "capabilities": {"bounding": none, "effective": none, "permitted": none, "ambient": none},
        },
        "mounts": mounts,
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_is_as_restricted_as_the_chart_s() {
        let bind = Bind {
            from: PathBuf::from("/x"),
            to: "/run/secrets".to_owned(),
            access: Access::Read,
        };
        let config = config(
            Path::new("/image"),
            "one-0",
            &[],
            &BTreeMap::new(),
            &[bind],
            Identity::ONEADMIN,
            Root::ReadOnly,
        );
        assert_eq!(config["root"]["readonly"], true);
        assert_eq!(config["process"]["noNewPrivileges"], true);
        assert_eq!(config["process"]["user"]["uid"], 9869);
        for set in ["bounding", "effective", "permitted", "ambient"] {
            assert_eq!(config["process"]["capabilities"][set], json!([]));
        }
        let mounts = config["mounts"].as_array().unwrap();
        assert_eq!(
            mounts.last().unwrap()["options"],
            json!(["rbind", "rprivate", "ro"])
        );
    }

    #[test]
    fn a_setting_takes_the_place_of_what_every_container_has() {
        let environment = BTreeMap::from([("HOME".to_owned(), "/tmp".to_owned())]);
        let nobody = Identity { user: 7, group: 0 };
        let config = config(
            Path::new("/image"),
            "one-0",
            &[],
            &environment,
            &[],
            nobody,
            Root::Writable,
        );
        let environment = config["process"]["env"].as_array().unwrap();
        let homes: Vec<_> = environment
            .iter()
            .filter_map(Value::as_str)
            .filter(|pair| pair.starts_with("HOME="))
            .collect();
        assert_eq!(homes, ["HOME=/tmp"]);
        assert_eq!(
            config["process"]["user"],
            json!({"uid": 7, "gid": 0, "additionalGids": [0]})
        );
        assert_eq!(config["root"]["readonly"], false);
    }
}
