//! Who the pod's programs take their user for. In the image oneadmin is uid 9869. `OpenShift` and others run the pod as an
//! arbitrary uid in group 0, which has no name: OpenSSH refuses to work for a user without one, and to log in as oneadmin
//! from a hypervisor would be to become somebody else.
//!
//! Then the programs get `libnss_wrapper`, which answers questions for users and groups from files that are written here:
//! those of the image, in which oneadmin is whoever runs the pod. Deliberately absent: a writable `/etc/passwd`.

use std::path::{Path, PathBuf};

use crate::paths::Paths;
use crate::prepare::files::{self, FileError};

/// The user of the image.
const ONEADMIN: &str = "oneadmin";

/// The library of the package libnss-wrapper, found by the dynamic linker.
const LIBRARY: &str = "libnss_wrapper.so";

/// Whether the pod runs as the image's oneadmin, and what its programs need if not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    environment: Vec<(&'static str, String)>,
    files: Vec<(PathBuf, String)>,
}

impl Identity {
    /// Looks who runs this. Where `/etc/passwd` has no oneadmin there is nothing to answer for.
    pub fn find(paths: &Paths) -> Result<Self, FileError> {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        Self::of(uid, gid, paths)
    }

    fn of(uid: u32, gid: u32, paths: &Paths) -> Result<Self, FileError> {
        let passwd = files::read_text(&paths.passwd())?.unwrap_or_default();
        let group = files::read_text(&paths.group())?.unwrap_or_default();
        let own = format!("{ONEADMIN}:x:{uid}:{gid}:OpenNebula:/var/lib/one:/bin/bash");
        let Some(passwd) = instead(&passwd, uid, &own) else {
            return Ok(Self::default());
        };
        let (passwd_file, group_file) = (passwd_file(paths), paths.run_onepod().join("group"));
        let shown = |path: &Path| path.display().to_string();
        Ok(Self {
            environment: vec![
                // oned itself looks for it in the home of its user.
                ("ONE_AUTH", shown(&paths.one_auth())),
                ("LD_PRELOAD", LIBRARY.to_owned()),
                ("NSS_WRAPPER_PASSWD", shown(&passwd_file)),
                ("NSS_WRAPPER_GROUP", shown(&group_file)),
            ],
            files: vec![(passwd_file, passwd), (group_file, group)],
        })
    }

    /// Writes what the library reads, if it is needed.
    pub(crate) fn settle(&self) -> Result<(), FileError> {
        for (path, text) in &self.files {
            files::write(path, text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// What the environment of a program needs.
    #[must_use]
    pub fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }
}

/// The name that this user has for the programs that are started here.
pub(crate) fn user(paths: &Paths) -> Result<Option<String>, FileError> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    for file in [passwd_file(paths), paths.passwd()] {
        let passwd = files::read_text(&file)?.unwrap_or_default();
        let name = passwd.lines().find_map(|line| {
            let (name, number) = entry(line)?;
            (number == uid).then(|| name.to_owned())
        });
        if name.is_some() {
            return Ok(name);
        }
    }
    Ok(None)
}

/// The users for `libnss_wrapper`; it goes with the container.
fn passwd_file(paths: &Paths) -> PathBuf {
    paths.run_onepod().join("passwd")
}

/// The lines of `/etc/passwd` with `own` for oneadmin's, and without another name of the same uid: the platform may have
/// added one. Nothing when oneadmin is this uid already, or is not there.
fn instead(passwd: &str, uid: u32, own: &str) -> Option<String> {
    let uid = uid.to_string();
    let mut text = format!("{own}\n");
    let mut other = false;
    for line in passwd.lines() {
        let (name, number) = entry(line).unwrap_or_default();
        let is_same = number == uid;
        if name == ONEADMIN {
            other = !is_same;
        } else if !is_same {
            text.push_str(line);
            text.push('\n');
        }
    }
    other.then_some(text)
}

/// Name and uid of a line of `passwd(5)`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.split(':');
    Some((fields.next()?, fields.nth(1)?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::prepare::scratch::Scratch;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          oneadmin:x:9869:9869::/var/lib/one:/bin/bash\n\
                          1000650000:x:1000650000:0:1000650000 user:/var/lib/one:/sbin/nologin\n";

    fn identity(uid: u32, passwd: &str) -> Identity {
        let root = Scratch::new();
        fs::create_dir_all(root.paths.passwd().parent().unwrap()).unwrap();
        fs::write(root.paths.passwd(), passwd).unwrap();
        Identity::of(uid, 0, &root.paths).unwrap()
    }

    #[test]
    fn the_images_oneadmin_needs_nothing() {
        assert_eq!(identity(9869, PASSWD), Identity::default());
        assert_eq!(
            identity(0, "root:x:0:0:root:/root:/bin/bash\n"),
            Identity::default()
        );
        assert_eq!(identity(0, ""), Identity::default());
    }

    #[test]
    fn an_arbitrary_uid_is_oneadmin_and_nobody_else() {
        let identity = identity(1_000_650_000, PASSWD);
        assert_eq!(
            identity.files[0].1,
            "oneadmin:x:1000650000:0:OpenNebula:/var/lib/one:/bin/bash\nroot:x:0:0:root:/root:/bin/bash\n"
        );
        let names: Vec<_> = identity.environment().iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "ONE_AUTH",
                "LD_PRELOAD",
                "NSS_WRAPPER_PASSWD",
                "NSS_WRAPPER_GROUP"
            ]
        );
    }

    #[test]
    fn the_files_are_written_where_the_environment_says() {
        let root = Scratch::new();
        fs::create_dir_all(root.paths.passwd().parent().unwrap()).unwrap();
        fs::create_dir_all(root.paths.run_onepod()).unwrap();
        fs::write(root.paths.passwd(), PASSWD).unwrap();
        fs::write(root.paths.group(), "root:x:0:\noneadmin:x:9869:\n").unwrap();
        let identity = Identity::of(12_345, 0, &root.paths).unwrap();
        identity.settle().unwrap();
        for (name, path) in identity.environment().iter().skip(2) {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.contains("oneadmin:x:"), "{name}");
        }
    }
}
