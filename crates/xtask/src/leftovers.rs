//! What a cluster may leave behind on the machine, read before and after: a difference is a defect of `down`.
//!
//! It compares what the kernel holds, and the few folders outside of the state that a node mounts over. The
//! machine lives on meanwhile: cgroups and mounts come and go with every login and every container, so that only those
//! that a node may have made are compared; what belongs to another cluster of `cluster/cluster`, by its name, is passed
//! over; and a difference has some seconds to go away.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cluster::Cluster;
use crate::sh::{cmd, tail};

/// How long a difference may stay: the kernel takes a namespace down after its last process has gone.
const PATIENCE: Duration = Duration::from_secs(15);

/// Settings of the whole machine that a kubelet or kube-proxy would change.
const SETTINGS: &[&str] = &[
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "net/ipv4/ip_forward",
    "net/netfilter/nf_conntrack_max",
];

/// One reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading(BTreeSet<String>);

impl Reading {
    /// Reads the machine, with an eye on what `cluster` may leave.
    pub(crate) fn take(cluster: &Cluster) -> Self {
        let mut found = of_machine(&cluster.state);
        let own = [cluster.cgroup(), cluster.interface()];
        found.retain(|line| !of_another(line, &own) && of_a_cluster(line, &own, &cluster.state));
        Self(found)
    }

    /// What is different now, line by line with + and -; empty when nothing is.
    fn difference(&self, now: &Self) -> String {
        let mut text = String::new();
        for line in now.0.difference(&self.0) {
            let _ = writeln!(text, "+ {line}");
        }
        for line in self.0.difference(&now.0) {
            let _ = writeln!(text, "- {line}");
        }
        text
    }

    /// Refuses unless the machine becomes as it was.
    pub(crate) fn expect_again(&self, cluster: &Cluster) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let difference = self.difference(&Self::take(cluster));
            if difference.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "the machine is not as it was before the cluster:\n{}",
                    tail(&difference, 40)
                );
            }
            pause(Duration::from_millis(500));
        }
    }
}

/// Everything that the kernel and the folders tell, and the processes that use `state`.
fn of_machine(state: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        found.insert(format!("interface {}", entry.file_name().to_string_lossy()));
    }
    for line in fs::read_to_string("/proc/self/mountinfo")
        .unwrap_or_default()
        .lines()
    {
        if let Some(place) = line.split(' ').nth(4) {
            found.insert(format!("mount {place}"));
        }
    }
    cgroups(Path::new("/sys/fs/cgroup"), &mut found);
    for dir in [
        "/var/lib/kubelet",
        "/var/lib/cni",
        "/run/netns",
        "/usr/libexec/kubernetes",
        "/etc/cni",
    ] {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            found.insert(format!("file {}", entry.path().display()));
        }
        if Path::new(dir).exists() {
            found.insert(format!("file {dir}"));
        }
    }
    for name in SETTINGS {
        if let Ok(value) = fs::read_to_string(Path::new("/proc/sys").join(name)) {
            found.insert(format!("setting {name} = {}", value.trim()));
        }
    }
    for line in cmd("nft")
        .args(["list", "tables"])
        .read()
        .unwrap_or_default()
        .lines()
    {
        found.insert(format!("firewall {line}"));
    }
    // Tables of the older kind, and sets: what enforces NetworkPolicies uses sets.
    for (kind, names) in [
        (
            "table",
            fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default(),
        ),
        (
            "set",
            cmd("ipset").args(["list", "-name"]).read().unwrap_or_default(),
        ),
    ] {
        for name in names.lines() {
            found.insert(format!("firewall {kind} {name}"));
        }
    }
    for line in cmd("ip")
        .args(["route", "show", "table", "all"])
        .read()
        .unwrap_or_default()
        .lines()
    {
        found.insert(format!("route {}", line.trim()));
    }
    processes(state, &mut found);
    found
}

/// Whether a line is about another cluster: a cgroup `k8s-…` or an interface `k8s…`, or what is below or goes through it.
fn of_another(line: &str, own: &[String]) -> bool {
    line.split(['/', ' ']).any(|word| {
        let digits = word.strip_prefix("k8s-").or(word.strip_prefix("k8s"));
        let a_cluster = digits.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit()));
        a_cluster && !own.iter().any(|name| name == word)
    })
}

/// Whether a line about a cgroup or a mount is about one that a node makes; all other lines count anyway.
fn of_a_cluster(line: &str, own: &[String], state: &Path) -> bool {
    if let Some(path) = line.strip_prefix("cgroup ") {
        return path
            .split('/')
            .any(|part| part.starts_with("kubepods") || own.iter().any(|name| name == part));
    }
    if let Some(path) = line.strip_prefix("mount ") {
        let places = [
            "/var/lib/kubelet",
            "/var/lib/cni",
            "/run/containerd",
            "/run/netns",
            "/run/state",
            "/proc/",
            "/sys/",
        ];
        return Path::new(path).starts_with(state) || places.iter().any(|place| path.starts_with(place));
    }
    true
}

/// Between two readings.
fn pause(time: Duration) {
    let (_keep, never) = channel::<()>();
    let _ = never.recv_timeout(time);
}

fn cgroups(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.insert(format!("cgroup {}", entry.path().display()));
            cgroups(&entry.path(), found);
        }
    }
}

/// Processes that name the state in their command line or have a file of it as their root or working folder.
fn processes(state: &Path, found: &mut BTreeSet<String>) {
    let state = state.to_string_lossy();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) || name == std::process::id().to_string() {
            continue;
        }
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let works_there = ["cwd", "root"].iter().any(|link| {
            fs::read_link(entry.path().join(link))
                .is_ok_and(|place| place.to_string_lossy().starts_with(&*state))
        });
        if line.contains(&*state) || works_there {
            found.insert(format!("process {name} {}", line.trim()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(lines: &[&str]) -> Reading {
        Reading(lines.iter().map(|&line| line.to_owned()).collect())
    }

    #[test]
    fn a_difference_tells_what_came_and_what_went() {
        let before = reading(&["mount /", "interface lo"]);
        let after = reading(&["mount /", "interface k8s"]);
        assert_eq!(before.difference(&after), "+ interface k8s\n- interface lo\n");
        assert_eq!(before.difference(&before), "");
    }

    #[test]
    fn another_cluster_is_passed_over_and_the_own_is_not() {
        let own = ["k8s-10-214-0".to_owned(), "k8s0ad600".to_owned()];
        let of_others = [
            "cgroup /sys/fs/cgroup/cpu/k8s-10-215-0/kubepods",
            "interface k8s0ad700",
            "route 10.215.0.0/30 dev k8s0ad700 x",
        ];
        for line in of_others {
            assert!(of_another(line, &own), "{line}");
        }
        let of_nobody_else = [
            "cgroup /sys/fs/cgroup/cpu/k8s-10-214-0/kubepods",
            "interface k8s0ad600",
            "cgroup /sys/fs/cgroup/kubepods",
        ];
        for line in of_nobody_else {
            assert!(!of_another(line, &own), "{line}");
        }
    }

    #[test]
    fn cgroups_of_logins_and_mounts_of_builds_are_nobody_s_fault() {
        let own = ["k8s-10-214-0".to_owned(), "k8s0ad600".to_owned()];
        let counts = |line: &str| of_a_cluster(line, &own, Path::new("/src/.state/e2e"));
        for line in [
            "cgroup /sys/fs/cgroup/memory/session/k8s-10-214-0",
            "cgroup /sys/fs/cgroup/cpu/kubepods.slice",
            "mount /src/.state/e2e/kubelet/pods/x/volumes/y",
            "mount /proc/sys/kernel/panic",
            "interface veth0",
        ] {
            assert!(counts(line), "{line}");
        }
        for line in [
            "cgroup /sys/fs/cgroup/memory/session-4.scope",
            "mount /root/.cache/buildah/root/overlay/x/merged",
        ] {
            assert!(!counts(line), "{line}");
        }
    }

    #[test]
    fn a_process_that_works_in_the_state_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().canonicalize().unwrap();
        let sees_one = || of_machine(&state).iter().any(|line| line.starts_with("process "));
        assert!(!sees_one());
        let log = state.join("log");
        std::thread::scope(|scope| {
            let wait = "until [ -e stop ]; do sleep 0.05; done";
            scope.spawn(|| cmd("sh").args(["-c", wait]).dir(&state).logged(&log));
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut seen = false;
            while !seen && Instant::now() < deadline {
                seen = sees_one();
            }
            fs::write(state.join("stop"), "").unwrap();
            assert!(seen);
        });
    }
}
