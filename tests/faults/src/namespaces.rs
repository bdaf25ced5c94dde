//! Network, mounts and processes of one's own for a program, so that nothing of it outlives it or meets another's.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::process;

/// A command that runs what is added to it as PID 1 of new namespaces, with /proc as that one sees it. All processes in
/// there are killed when it ends, and it is killed when the thread ends that started it.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new("setpriv");
    command
        .args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "--mount",
            "--ipc",
            "--pid",
        ])
        .args(["--fork", "--kill-child", "--mount-proc"]);
    command
}

/// Brings the loopback of a new network up.
pub fn loopback() -> Result<()> {
    process::run("ip", &["link", "set", "lo", "up"]).map(|_| ())
}

/// Mounts a file system in memory, which is gone with the mount namespace.
pub fn memory(dir: &std::path::Path, options: &str) -> Result<()> {
    let target = dir.display().to_string();
    process::run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", &target]).map(|_| ())
}

/// Removes what runc leaves of a container when runc itself is killed: empty control groups.
pub fn remove_control_groups() {
    let roots = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    for root in roots.map(|entry| entry.path()).chain(["/sys/fs/cgroup".into()]) {
        for group in fs::read_dir(root).into_iter().flatten().flatten() {
            if group.file_name().to_string_lossy().starts_with("faults-") {
                let _ = fs::remove_dir(group.path()); // one in use stays
            }
        }
    }
}
