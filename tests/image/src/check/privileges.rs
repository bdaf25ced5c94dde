//! Nothing in the image gives anybody more rights than they have, and oneadmin is who the volume belongs to.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::io::Errno;

use crate::context::Context;
use crate::findings::Findings;
use crate::rootfs::{self, Entry, Kind};

/// Where the kernel keeps what `setcap` sets, see `capabilities(7)`.
const CAPABILITY: &str = "security.capability";

pub(super) fn run(context: &Context) -> Result<String> {
    let mut findings = Findings::default();
    let entries = rootfs::walk(&context.rootfs)?;
    for entry in &entries {
        if let Some(kind) = gives_rights(entry) {
            findings.one_of(kind, &entry.path);
        }
        if entry.kind == Kind::File && has_capability(context, &entry.path)? {
            findings.one_of("with a capability", &entry.path);
        }
        if entry.path.starts_with("/etc/sudoers.d/") {
            findings.one_of("sudoers", &entry.path);
        }
    }
    for file in ["passwd", "group"] {
        let text = fs::read_to_string(context.rootfs.join("etc").join(file)).context(file)?;
        let right = match file {
            "passwd" => user_is_right(&text),
            _ => group_is_right(&text),
        };
        findings.unless(right, || {
            format!("/etc/{file} does not have oneadmin as 9869, at home in /var/lib/one, alone")
        });
    }
    findings.or(format!("{} files looked at", entries.len()))
}

/// Folders may have setgid: it only says whose the files in them are.
fn gives_rights(entry: &Entry) -> Option<&'static str> {
    match entry.kind {
        Kind::File if entry.mode & 0o4000 != 0 => Some("setuid"),
        Kind::File if entry.mode & 0o2000 != 0 => Some("setgid"),
        _ => None,
    }
}

fn has_capability(context: &Context, path: &str) -> Result<bool> {
    let file = context.rootfs.join(path.trim_start_matches('/'));
    let mut value = [0_u8; 64];
    match rustix::fs::lgetxattr(&file, CAPABILITY, &mut value) {
        Ok(_) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error).with_context(|| path.to_owned()),
    }
}

fn user_is_right(passwd: &str) -> bool {
    let own: Vec<Vec<&str>> = of_oneadmin(passwd);
    matches!(&own[..], [fields] if matches!(&fields[..], [_, _, "9869", "9869", _, "/var/lib/one", ..]))
}

fn group_is_right(group: &str) -> bool {
    let own = of_oneadmin(group);
    matches!(&own[..], [fields] if fields.get(2) == Some(&"9869"))
}

/// Lines of the name or of the number: another user must not share the number.
fn of_oneadmin(file: &str) -> Vec<Vec<&str>> {
    let lines = file.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines
        .filter(|fields| fields.first() == Some(&"oneadmin") || fields.get(2) == Some(&"9869"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_setuid_gives_rights_and_a_folder_does_not() {
        let entry = |kind, mode| Entry {
            path: String::new(),
            kind,
            mode,
            size: 0,
        };
        assert_eq!(gives_rights(&entry(Kind::File, 0o4755)), Some("setuid"));
        assert_eq!(gives_rights(&entry(Kind::File, 0o2755)), Some("setgid"));
        assert_eq!(gives_rights(&entry(Kind::File, 0o1755)), None);
        assert_eq!(gives_rights(&entry(Kind::Directory, 0o2775)), None);
    }

    #[test]
    fn oneadmin_has_number_and_home_alone() {
        let right = "root:x:0:0::/root:/bin/sh\noneadmin:x:9869:9869::/var/lib/one:/bin/bash\n";
        assert!(user_is_right(right));
        assert!(!user_is_right(&format!(
            "{right}other:x:9869:9869::/home:/bin/sh\n"
        )));
        assert!(!user_is_right(&right.replace("/var/lib/one", "/home/one")));
        assert!(!user_is_right(""));
        assert!(group_is_right("oneadmin:x:9869:\n"));
        assert!(!group_is_right("oneadmin:x:1000:\n"));
    }
}
