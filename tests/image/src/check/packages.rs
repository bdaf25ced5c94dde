//! Which packages are installed, by dpkg's own record, and whether a scanner sees what they bring. What is in their files
//! is not looked at.

use std::fs;

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::findings::Findings;
use crate::release::Release;
use crate::rootfs;

/// dpkg's record.
const STATUS: &str = "var/lib/dpkg/status";

/// The vendor's packages, by their maintainer.
const VENDOR: &str = "@opennebula.io>";
/// Has the section `.dep-v0`, from which a scanner reads the crates that it consists of.
const ONEPOD: &str = "usr/local/bin/onepod";

/// Packages of every release.
const ALWAYS: [&str; 7] = [
    "opennebula",
    "opennebula-migration",
    "opennebula-tools",
    "opennebula-fireedge",
    "opennebula-flow",
    "opennebula-gate",
    "opennebula-guacd",
];

/// Packages of an init system, for administration or for building; a star stands for anything.
const UNWANTED: [&str; 8] = [
    "systemd",
    "systemd-sysv",
    "supervisor",
    "vim*",
    "nano",
    "ed",
    "npm",
    "gnupg*",
];

/// Packages that may be there when one of `OpenNebula`'s depends on them, or something between the two, as logrotate does on
/// cron. Their programs are taken out of the image all the same, but for wget.
const NEEDED_BY_THE_VENDOR: [&str; 3] = ["wget", "sudo", "cron"];

/// Programs that must not be there, whoever brought them.
const PROGRAMS: [&str; 12] = [
    "systemctl",
    "sudo",
    "sudoedit",
    "visudo",
    "cron",
    "crontab",
    "supervisord",
    "vi",
    "nano",
    "npm",
    "npx",
    "corepack",
];

/// Where programs are looked for.
const FOLDERS: [&str; 6] = [
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
];

/// A package that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    depends: &'a str,
    maintainer: &'a str,
}

pub(super) fn run(context: &Context) -> Result<String> {
    let status = fs::read_to_string(context.rootfs.join(STATUS)).context(STATUS)?;
    let packages = installed(&status);
    let mut findings = Findings::default();
    judge(&packages, context.release, &mut findings);
    let onepod = fs::read(context.rootfs.join(ONEPOD)).context(ONEPOD)?;
    findings.unless(onepod.windows(7).any(|bytes| bytes == b".dep-v0"), || {
        format!("/{ONEPOD} does not list its crates: it must be built by cargo-auditable")
    });
    for folder in FOLDERS {
        for program in PROGRAMS {
            let path = format!("{folder}/{program}");
            if rootfs::has(&context.rootfs, &path) {
                findings.one_of("programs", path);
            }
        }
    }
    let own = packages
        .iter()
        .filter(|package| package.name.starts_with("opennebula"))
        .count();
    findings.or(format!(
        "{own} packages of {}, {} in all",
        context.release,
        packages.len()
    ))
}

/// Packages that are installed, in the order of the record: paragraphs of `Field: value`, see `deb822(5)`.
fn installed(status: &str) -> Vec<Package<'_>> {
    let packages = status.split("\n\n").filter_map(|paragraph| {
        let field = |name: &str| {
            let value = |line: &'_ str| -> Option<usize> {
                line.strip_prefix(name)?.strip_prefix(": ").map(str::len)
            };
            paragraph
                .lines()
                .find_map(|line| value(line).map(|length| &line[line.len() - length..]))
        };
        (field("Status")? == "install ok installed").then_some(Package {
            name: field("Package")?,
            version: field("Version")?,
            depends: field("Depends").unwrap_or_default(),
            maintainer: field("Maintainer").unwrap_or_default(),
        })
    });
    packages.collect()
}

fn judge(packages: &[Package<'_>], release: Release, findings: &mut Findings) {
    let since = [("opennebula-form", Release::FORM), ("opennebula-ks", Release::KS)];
    let newer = since
        .iter()
        .filter(|(_, first)| release >= *first)
        .map(|(name, _)| *name);
    for name in ALWAYS.into_iter().chain(newer) {
        findings.unless(packages.iter().any(|package| package.name == name), || {
            format!("{name} is not installed")
        });
    }
    for package in packages {
        if package.name.starts_with("opennebula") && !is_of(package, release) {
            findings.one_of(
                "of another release",
                format!("{} {}", package.name, package.version),
            );
        }
        if package.maintainer.ends_with(VENDOR) && !package.name.starts_with("opennebula") {
            findings.one_of(
                "of the vendor, and not among the packages that image/trivy.yaml looks into",
                package.name,
            );
        }
        if UNWANTED.iter().any(|pattern| matches(pattern, package.name)) {
            findings.one_of("packages that nothing needs", package.name);
        }
    }
    for needed in NEEDED_BY_THE_VENDOR {
        let needs = |package: &Package<'_>| {
            package
                .depends
                .split([',', '|'])
                .any(|need| need.split_whitespace().next() == Some(needed))
        };
        if packages.iter().any(|package| package.name == needed) && !packages.iter().any(needs) {
            findings.one_of("packages that nothing needs", needed);
        }
    }
}

/// Whether the upstream part of the version is the release. That of guacd names Guacamole's version too.
fn is_of(package: &Package<'_>, release: Release) -> bool {
    let wanted = release.to_string();
    let upstream = package
        .version
        .split_once(':')
        .map_or(package.version, |(_, rest)| rest);
    let mut parts = upstream.split(['-', '+', '~']);
    if package.name == "opennebula-guacd" {
        parts.any(|part| part == wanted)
    } else {
        parts.next() == Some(wanted.as_str())
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Package: opennebula
Status: install ok installed
Version: 7.2.0-1
Depends: ruby (>= 3.0), wget, curl | x

Package: vim-tiny
Status: deinstall ok config-files
Version: 2:9.0

Package: wget
Status: install ok installed
Version: 1.21
";

    fn found(packages: &[Package<'_>], release: &str) -> String {
        let mut findings = Findings::default();
        judge(packages, release.parse().unwrap(), &mut findings);
        findings.or("nothing").unwrap_or_else(|error| error.to_string())
    }

    fn all<'a>(version: &'a str, more: &[&'a str]) -> Vec<Package<'a>> {
        ALWAYS
            .iter()
            .chain(more)
            .map(|&name| Package {
                name,
                version,
                depends: "",
                maintainer: "",
            })
            .collect()
    }

    #[test]
    fn only_what_is_installed_counts() {
        let packages = installed(STATUS);
        let names: Vec<_> = packages.iter().map(|package| package.name).collect();
        assert_eq!(names, ["opennebula", "wget"]);
        assert_eq!(packages[0].version, "7.2.0-1");
    }

    #[test]
    fn a_release_brings_its_packages() {
        assert_eq!(found(&all("7.0.0-1", &[]), "7.0.0"), "nothing");
        assert_eq!(
            found(&all("7.4.0-1", &["opennebula-form"]), "7.4.0"),
            "opennebula-ks is not installed"
        );
        assert!(found(&all("7.0.1-1", &[]), "7.0.0").starts_with("of another release: opennebula 7.0.1-1"));
    }

    #[test]
    fn every_package_of_the_vendor_is_looked_into() {
        let mut packages = all("7.0.0-1", &["ruby-opennebula"]);
        for package in &mut packages {
            package.maintainer = "OpenNebula Team <contact@opennebula.io>";
        }
        assert_eq!(
            found(&packages, "7.0.0"),
            "of the vendor, and not among the packages that image/trivy.yaml looks into: ruby-opennebula"
        );
    }

    #[test]
    fn a_version_is_compared_as_a_whole() {
        let of = |name, version| {
            let package = Package {
                name,
                version,
                depends: "",
                maintainer: "",
            };
            is_of(&package, "7.2.1".parse().unwrap())
        };
        assert!(of("opennebula", "1:7.2.1+ce-2"));
        assert!(!of("opennebula", "7.2.10-1"));
        assert!(!of("opennebula", "1.5.0-7.2.1-1"));
        assert!(of("opennebula-guacd", "1.5.0-7.2.1-1"));
    }

    #[test]
    fn what_nothing_needs_is_named_unless_a_package_needs_it() {
        let more = ["vim-common", "ed", "education", "libsystemd0", "gnupg-utils"];
        assert_eq!(
            found(&all("7.0.0-1", &more), "7.0.0"),
            "packages that nothing needs: vim-common, ed, gnupg-utils"
        );
        let mut packages = all("7.0.0-1", &["wget", "sudo", "cron"]);
        assert_eq!(
            found(&packages, "7.0.0"),
            "packages that nothing needs: wget, sudo, cron"
        );
        packages[0].depends = "ruby, wget (>= 1), sudo | doas";
        assert_eq!(found(&packages, "7.0.0"), "packages that nothing needs: cron");
        packages[1].depends = "cron | anacron | cron-daemon";
        assert_eq!(found(&packages, "7.0.0"), "nothing");
    }
}
