//! Whether this machine can do what is asked of it, told before anything is changed: all findings at once.
//!
//! It looks and judges; it installs nothing (`apt.rs` does).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::repo::Repo;
use crate::sh::{cmd, which};

/// Memory below which the cluster and the compilers do not fit: the Go linker alone takes 2.5 GB.
const MEMORY_KIB: u64 = 4 * 1024 * 1024;
/// Free disk that the first run needs, compilers' caches included.
const FIRST_DISK_KIB: u64 = 15 * 1024 * 1024;
/// Free disk that a later run needs, for images and what pods write.
const LATER_DISK_KIB: u64 = 5 * 1024 * 1024;
/// A little less than 4 GiB is what a machine sold with 4 GiB has.
const MEMORY_SLACK_KIB: u64 = 300 * 1024;

/// What was read off the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    root: bool,
    distribution: Distribution,
    memory_kib: Option<u64>,
    /// Folders that are written to, one for each file system, with its free KiB.
    disks: Vec<(String, u64)>,
    run: Run,
    go: bool,
    compiler: bool,
    architecture: String,
}

/// Whether the cluster's programs are compiled already, by far the largest part of the first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    First,
    Later,
}

/// From /etc/os-release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Distribution {
    /// `ID`: debian or ubuntu.
    pub(crate) id: String,
    /// `VERSION_ID`: 12, 24.04.
    pub(crate) version: String,
    /// `VERSION_CODENAME`: bookworm, noble.
    pub(crate) codename: String,
    /// `PRETTY_NAME`, for people.
    pub(crate) name: String,
}

impl Distribution {
    pub(crate) fn read() -> Self {
        Self::parse(&fs::read_to_string("/etc/os-release").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.trim_matches('"').to_owned())
                .unwrap_or_default()
        };
        Self {
            id: value("ID"),
            version: value("VERSION_ID"),
            codename: value("VERSION_CODENAME"),
            name: value("PRETTY_NAME"),
        }
    }
}

/// Refuses with every reason why the offline cluster cannot run here.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    refuse(&Machine::read(repo)?)
}

/// The same for images alone, which need no Go and no compiled Kubernetes.
pub(crate) fn check_for_images(repo: &Repo) -> Result<()> {
    refuse(&Machine {
        go: true,
        run: Run::Later,
        ..Machine::read(repo)?
    })
}

fn refuse(machine: &Machine) -> Result<()> {
    let findings = judge(machine);
    if findings.is_empty() {
        return Ok(());
    }
    bail!("this cannot run here:\n  - {}", findings.join("\n  - "));
}

impl Machine {
    fn read(repo: &Repo) -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
        let mut disks = Vec::new();
        let mut seen = Vec::new();
        for dir in [repo.root.as_path(), existing(&repo.cache), Path::new("/var")] {
            let device = fs::metadata(dir)
                .with_context(|| dir.display().to_string())?
                .dev();
            if !seen.contains(&device) {
                seen.push(device);
                disks.push((dir.display().to_string(), free_kib(dir)?));
            }
        }
        let compiled = fs::read_dir(repo.cache.join("programs"))
            .is_ok_and(|dir| dir.flatten().any(|entry| entry.path().join("complete").exists()));
        Ok(Self {
            root: effective_uid(&status) == Some(0),
            distribution: Distribution::read(),
            memory_kib: memory_kib(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
            disks,
            run: if compiled { Run::Later } else { Run::First },
            go: which("go").is_some(),
            compiler: which("cc").is_some(),
            architecture: std::env::consts::ARCH.to_owned(),
        })
    }
}

/// Every reason against, as a sentence with the next step.
fn judge(machine: &Machine) -> Vec<String> {
    let mut findings = Vec::new();
    if !machine.root {
        findings.push("you are not root, and the cluster makes namespaces, mounts and cgroups: run it with sudo or as root".to_owned());
    }
    if !["debian", "ubuntu"].contains(&machine.distribution.id.as_str()) {
        findings.push(format!(
            "this is {}, and packages are installed by apt: use Debian or Ubuntu (`make up` also works with a Docker engine)",
            if machine.distribution.name.is_empty() { "no system that /etc/os-release names" } else { &machine.distribution.name }
        ));
    }
    if !["x86_64", "aarch64"].contains(&machine.architecture.as_str()) {
        findings.push(format!(
            "the processor is {}, and only x86_64 and aarch64 are known to the cluster",
            machine.architecture
        ));
    }
    if !machine.go {
        findings.push("there is no Go: install 1.25 or newer from https://go.dev/dl and have it in PATH (or in /usr/local/go)".to_owned());
    }
    if !machine.compiler {
        findings.push(
            "there is no C compiler, which some Rust crates need: apt-get install build-essential".to_owned(),
        );
    }
    match machine.memory_kib {
        Some(kib) if kib + MEMORY_SLACK_KIB < MEMORY_KIB => findings.push(format!(
            "the machine has {} MiB of memory, and {} MiB are needed",
            kib / 1024,
            MEMORY_KIB / 1024
        )),
        _ => {}
    }
    let (disk, run) = match machine.run {
        Run::First => (FIRST_DISK_KIB, "the first run"),
        Run::Later => (LATER_DISK_KIB, "a run"),
    };
    for (dir, kib) in &machine.disks {
        if *kib < disk {
            findings.push(format!(
                "{dir} has {} GiB of free disk, and {run} needs {} GiB",
                kib / 1024 / 1024,
                disk / 1024 / 1024
            ));
        }
    }
    findings
}

fn effective_uid(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn memory_kib(meminfo: &str) -> Option<u64> {
    meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// The nearest folder above that is there already.
fn existing(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(dir)
}

fn free_kib(dir: &Path) -> Result<u64> {
    let text = cmd("df")
        .args(["--portability", "--block-size=1024"])
        .arg(dir)
        .read()?;
    text.lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3))
        .and_then(|word| word.parse().ok())
        .with_context(|| format!("df says of {}: {text}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Machine {
        Machine {
            root: true,
            distribution: Distribution {
                id: "debian".to_owned(),
                ..Distribution::default()
            },
            memory_kib: Some(MEMORY_KIB),
            disks: vec![("/".to_owned(), FIRST_DISK_KIB)],
            run: Run::First,
            go: true,
            compiler: true,
            architecture: "x86_64".to_owned(),
        }
    }

    #[test]
    fn a_good_machine_has_no_findings() {
        assert_eq!(judge(&good()), Vec::<String>::new());
    }

    #[test]
    fn every_finding_is_told_at_once() {
        let poor = Machine {
            root: false,
            distribution: Distribution {
                id: "fedora".to_owned(),
                name: "Fedora 44".to_owned(),
                ..Distribution::default()
            },
            memory_kib: Some(2 * 1024 * 1024),
            disks: vec![
                ("/home".to_owned(), 1024 * 1024),
                ("/var".to_owned(), FIRST_DISK_KIB),
            ],
            run: Run::First,
            go: false,
            compiler: false,
            architecture: "riscv64".to_owned(),
        };
        let findings = judge(&poor);
        assert_eq!(findings.len(), 7, "{findings:#?}");
        assert!(findings[1].contains("Fedora 44"));
        assert_eq!(
            findings[5],
            "the machine has 2048 MiB of memory, and 4096 MiB are needed"
        );
        assert_eq!(
            findings[6],
            "/home has 1 GiB of free disk, and the first run needs 15 GiB"
        );
    }

    #[test]
    fn a_machine_sold_with_four_gibibytes_is_enough() {
        let machine = Machine {
            memory_kib: Some(3_980_000),
            ..good()
        };
        assert_eq!(judge(&machine), Vec::<String>::new());
    }

    #[test]
    fn a_later_run_needs_less_disk() {
        let machine = Machine {
            run: Run::Later,
            disks: vec![("/".to_owned(), LATER_DISK_KIB)],
            ..good()
        };
        assert_eq!(judge(&machine), Vec::<String>::new());
    }

    #[test]
    fn os_release_is_read() {
        let text = "PRETTY_NAME=\"Ubuntu 24.04.2 LTS\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n";
        let found = Distribution::parse(text);
        assert_eq!(
            (found.id.as_str(), found.version.as_str(), found.codename.as_str()),
            ("ubuntu", "24.04", "noble")
        );
    }

    #[test]
    fn the_effective_uid_counts() {
        assert_eq!(effective_uid("Name:\tx\nUid:\t1000\t0\t0\t0\n"), Some(0));
    }
}
