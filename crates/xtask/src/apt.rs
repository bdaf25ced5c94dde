//! Debian's packages: installs those whose programs are missing, and only those, without starting a service.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::repo::Repo;
use crate::sh::{cmd, which};

/// Debian's browser and its driver. Ubuntu has neither as a package (its own is a snap), and GitHub's runners bring both.
const BROWSER: [&str; 2] = ["chromium", "chromium-driver"];

/// A program, or a file by its absolute path, and the package that brings it. Another package may have brought it
/// (Docker's `containerd.io`, `NodeSource`'s `nodejs`): then nothing is installed.
type Wanted = (&'static str, &'static str);

/// For the cluster and its images.
pub(crate) const CLUSTER: &[Wanted] = &[
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/ptp", "containernetworking-plugins"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("conntrack", "conntrack"),
    ("ipset", "ipset"),
    ("socat", "socat"),
    ("ethtool", "ethtool"),
    ("modprobe", "kmod"),
    ("unshare", "util-linux"),
    ("buildah", "buildah"),
    ("debootstrap", "debootstrap"),
    ("curl", "curl"),
    // The simulated packages and their signed repository.
    ("dpkg-deb", "dpkg"),
    ("apt-ftparchive", "apt-utils"),
    ("gpg", "gnupg"),
];

/// For the checks that need neither cluster nor image.
pub(crate) const LINTERS: &[Wanted] = &[
    ("curl", "curl"),
    ("git", "git"),
    ("shellcheck", "shellcheck"),
    ("/usr/share/doc/python3-venv/copyright", "python3-venv"),
];

/// For the tests of the charts: what judges their alerts.
pub(crate) const CHART: &[Wanted] = &[("promtool", "prometheus")];

/// For the tests, beside those of the cluster.
pub(crate) const TESTS: &[Wanted] = &[
    ("mariadbd", "mariadb-server"),
    ("mariadb", "mariadb-client"),
    ("faketime", "faketime"),
    ("ruby", "ruby"),
    ("/usr/share/doc/ruby-webrick/copyright", "ruby-webrick"),
    ("node", "nodejs"),
    ("python3", "python3"),
    ("/usr/share/doc/python3-venv/copyright", "python3-venv"),
    ("sshd", "openssh-server"),
    ("ssh-agent", "openssh-client"),
    ("rsync", "rsync"),
    ("sqlite3", "sqlite3"),
    ("shellcheck", "shellcheck"),
    ("promtool", "prometheus"),
    ("gpgv", "gpgv"),
    ("git", "git"),
    // A terminal for `onepod status`.
    ("script", "bsdutils"),
    // The page of /status, and a font that has what it needs.
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("/usr/share/doc/fonts-dejavu-core/copyright", "fonts-dejavu-core"),
];

/// For the benchmarks, beside those of the tests: the peers, and what measures them.
pub(crate) const BENCH: &[Wanted] = &[
    ("supervisord", "supervisor"),
    ("s6-svscan", "s6"),
    ("runsvdir", "runit"),
    ("tini", "tini"),
    ("/usr/bin/time", "time"),
    ("/usr/share/doc/ruby-xmlrpc/copyright", "ruby-xmlrpc"),
];

/// Installs what is missing of `wanted`; returns the packages that it installed.
pub(crate) fn install(repo: &Repo, wanted: &[&[Wanted]]) -> Result<Vec<&'static str>> {
    let packages: Vec<&str> = wanted
        .iter()
        .copied()
        .flatten()
        .filter(|(file, _)| !present(file))
        .map(|(_, package)| *package)
        .filter(|package| !BROWSER.contains(package) || offered(package))
        .collect();
    if packages.is_empty() {
        return Ok(packages);
    }
    let _quiet = ServicesStayOff::begin()?;
    let log = repo.logs().join("apt.log");
    let get = |args: &[&str]| {
        cmd("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1")
            .env("LC_ALL", "C.UTF-8")
    };
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(&packages);
    // The lists that are there are usually good enough; where they are not, they are fetched.
    if !lists_present() || !get(&install).logged(&log)?.success() {
        get(&["update"]).run(&repo.logs().join("apt-update.log"))?;
        get(&install).run(&log)?;
    }
    Ok(packages)
}

/// Whether apt has a candidate of this name. Without lists it is asked for, and apt says what is wrong.
fn offered(package: &str) -> bool {
    !lists_present()
        || cmd("apt-cache")
            .args(["show", "--no-all-versions", package])
            .succeeds()
}

fn present(file: &str) -> bool {
    if file.starts_with('/') {
        Path::new(file).exists()
    } else {
        which(file).is_some() || (file == BROWSER[0] && which("google-chrome").is_some())
    }
}

fn lists_present() -> bool {
    fs::read_dir("/var/lib/apt/lists").is_ok_and(|dir| {
        dir.flatten()
            .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    })
}

/// While this lives, the post-install scripts of packages start no service: a database server, say, is wanted for its
/// program and not as a daemon of the user's machine.
struct ServicesStayOff {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl ServicesStayOff {
    /// A policy that is there already is the administrator's, and stays.
    fn begin() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").context(POLICY)?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).context(POLICY)?;
        Ok(Self { ours: true })
    }
}

impl Drop for ServicesStayOff {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}

/// The machine's own settings of how apt reaches its sources (a proxy, a mirror with old dates), as lines of an apt.conf.
pub(crate) fn network_settings() -> Result<String> {
    let all = cmd("apt-config").arg("dump").read()?;
    Ok(network_part(&all))
}

fn network_part(dump: &str) -> String {
    let wanted = [
        "Acquire::Check-",
        "Acquire::http::",
        "Acquire::https::",
        "Acquire::Retries",
    ];
    let mut text: String = dump
        .lines()
        .filter(|line| wanted.iter().any(|name| line.starts_with(name)))
        .flat_map(|line| [line, "\n"])
        .collect();
    // The simulated packages are served on the machine itself.
    text.push_str("Acquire::http::Proxy::127.0.0.1 \"DIRECT\";\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_the_sources_is_taken_over() {
        let dump = "APT \"\";\nDPkg::Post-Invoke:: \"rm x\";\nAcquire::http::Proxy \"http://p:1\";\nAcquire::Check-Date \"false\";\n";
        assert_eq!(
            network_part(dump),
            "Acquire::http::Proxy \"http://p:1\";\nAcquire::Check-Date \"false\";\nAcquire::http::Proxy::127.0.0.1 \"DIRECT\";\n"
        );
    }

    #[test]
    fn every_package_is_asked_for_once() {
        let mut names: Vec<&str> = CLUSTER
            .iter()
            .chain(TESTS)
            .chain(BENCH)
            .map(|(_, package)| *package)
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
