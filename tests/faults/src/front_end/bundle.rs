//! The OCI description of the container, as the chart's pod asks for it: read-only root, uid 9869, no capabilities, no new
//! privileges, the volume and the emptyDirs as the only writable places. Text only; nothing is started here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::pod::ONEADMIN;

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
) -> Value {
    let environment: Vec<String> = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "HOME=/var/lib/one".to_owned(),
        format!("HOSTNAME={hostname}"),
    ]
    .into_iter()
    .chain(environment.iter().map(|(name, value)| format!("{name}={value}")))
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
        "root": {"path": rootfs, "readonly": true},
        "process": {
            "args": command,
            "cwd": "/var/lib/one",
            "env": environment,
            "user": {"uid": ONEADMIN, "gid": ONEADMIN, "additionalGids": [ONEADMIN]},
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
        let config = config(Path::new("/image"), "one-0", &[], &BTreeMap::new(), &[bind]);
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
}
