//! What must not be in an image: what only its making needed, what differs from build to build, and what is secret.

use std::fs;

use anyhow::Result;

use crate::context::Context;
use crate::findings::Findings;
use crate::rootfs::{self, Entry, Kind};

/// Where somebody's credentials would lie.
const PRIVATE: [&str; 8] = [
    "/etc/",
    "/home/",
    "/root/",
    "/run/",
    "/tmp/",
    "/usr/share/onepod/",
    "/var/lib/one/",
    "/var/tmp/",
];
/// Where apt looks for repositories and their keys.
const APT: [&str; 2] = ["/etc/apt/", "/usr/share/keyrings/"];
/// A private key in the usual form is not larger.
const KEY: u64 = 64 << 10;

pub(super) fn run(context: &Context) -> Result<String> {
    let mut findings = Findings::default();
    let entries = rootfs::walk(&context.rootfs)?;
    for entry in &entries {
        if let Some(kind) = by_its_place(entry) {
            findings.one_of(kind, &entry.path);
        } else if let Some(kind) = by_its_content(entry, || {
            fs::read(context.rootfs.join(entry.path.trim_start_matches('/'))).unwrap_or_default()
        }) {
            findings.one_of(kind, &entry.path);
        }
    }
    findings.or(format!("{} files looked at", entries.len()))
}

/// What it is that must not be there, as its path tells.
fn by_its_place(entry: &Entry) -> Option<&'static str> {
    let path = entry.path.as_str();
    let is_file = entry.kind == Kind::File;
    let below = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
    if below(&PRIVATE) && is_credential(entry.name()) || entry.name() == ".one" {
        return Some("credentials");
    }
    if below(&["/etc/ssh/ssh_host_"]) {
        return Some("host keys");
    }
    if below(&["/tmp/", "/var/tmp/"])
        || below(&["/root/"]) && ![".bashrc", ".profile"].contains(&entry.name())
    {
        return Some("left behind");
    }
    if !is_file {
        return None;
    }
    if below(&["/var/lib/apt/lists/"]) {
        Some("apt's lists")
    } else if below(&["/var/cache/apt/"]) {
        Some("apt's cache")
    } else if below(&["/var/log/"]) && entry.size > 0 {
        Some("logs")
    } else if below(&["/usr/share/doc/"]) && entry.name() != "copyright" && !is_of_the_base(entry.name()) {
        Some("documentation")
    } else if below(&["/usr/share/man/"]) {
        Some("manual pages")
    } else if below(&APT) && path.contains("opennebula") {
        Some("source of the packages")
    } else {
        None
    }
}

/// Ubuntu's base image keeps these lists of changes of its own packages.
fn is_of_the_base(name: &str) -> bool {
    name.starts_with("changelog.Debian.")
}

fn is_credential(name: &str) -> bool {
    name == "one_key" || name.ends_with("_auth") || name.starts_with("id_")
}

/// The same where only the content tells.
fn by_its_content(entry: &Entry, content: impl FnOnce() -> Vec<u8>) -> Option<&'static str> {
    let below = |folders: &[&str]| folders.iter().any(|folder| entry.path.starts_with(folder));
    if entry.kind != Kind::File || entry.size > KEY || !(below(&PRIVATE) || below(&APT)) {
        return None;
    }
    let content = content();
    let has = |word: &[u8]| content.windows(word.len()).any(|part| part == word);
    if below(&APT) && has(b"opennebula") {
        Some("source of the packages")
    } else if has(b"PRIVATE KEY-----") {
        Some("private keys")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind) -> Entry {
        Entry {
            path: path.to_owned(),
            kind,
            mode: 0o644,
            size: 10,
        }
    }

    #[test]
    fn a_place_tells() {
        for (path, kind) in [
            ("/var/lib/apt/lists/x_InRelease", Some("apt's lists")),
            ("/var/cache/apt/pkgcache.bin", Some("apt's cache")),
            ("/var/log/dpkg.log", Some("logs")),
            ("/usr/share/doc/ruby/changelog.gz", Some("documentation")),
            ("/usr/share/doc/ruby/copyright", None),
            ("/usr/share/man/man1/ruby.1.gz", Some("manual pages")),
            ("/etc/ssh/ssh_host_rsa_key", Some("host keys")),
            ("/etc/ssh/ssh_config", None),
            ("/root/.profile", None),
            ("/root/.wget-hsts", Some("left behind")),
            ("/tmp/x", Some("left behind")),
            ("/usr/share/onepod/data/.one/sunstone_auth", Some("credentials")),
            ("/usr/share/onepod/etc/auth/ldap_auth.conf", None),
            ("/usr/lib/ruby/basic_auth", None),
            ("/var/lib/one/.ssh/id_ed25519.pub", Some("credentials")),
            (
                "/etc/apt/sources.list.d/opennebula.list",
                Some("source of the packages"),
            ),
            ("/etc/apt/sources.list", None),
        ] {
            assert_eq!(by_its_place(&entry(path, Kind::File)), kind, "{path}");
        }
    }

    #[test]
    fn an_empty_folder_or_file_is_no_log_but_a_folder_is_left_behind() {
        assert_eq!(by_its_place(&entry("/var/log/one", Kind::Directory)), None);
        let empty = Entry {
            size: 0,
            ..entry("/var/log/wtmp", Kind::File)
        };
        assert_eq!(by_its_place(&empty), None);
        assert_eq!(
            by_its_place(&entry("/var/tmp/build", Kind::Directory)),
            Some("left behind")
        );
        assert_eq!(
            by_its_place(&entry("/srv/.one", Kind::Directory)),
            Some("credentials")
        );
    }

    #[test]
    fn a_content_tells() {
        let of = |path: &str, content: &str| {
            by_its_content(&entry(path, Kind::File), || content.as_bytes().to_vec())
        };
        let source = "deb https://downloads.opennebula.io/repo stable opennebula";
        assert_eq!(
            of("/etc/apt/sources.list.d/x.list", source),
            Some("source of the packages")
        );
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----";
        assert_eq!(of("/etc/ssl/private/snakeoil.key", key), Some("private keys"));
        assert_eq!(of("/usr/lib/ruby/test.key", key), None);
        assert_eq!(of("/etc/motd", source), None);
    }
}
