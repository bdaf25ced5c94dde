//! What is mounted into the pod's volumes, and what a container runtime leaves behind for it: for a mount whose target does
//! not exist it creates the target and its parent directories as root, on the volume that lies beneath.
//!
//! Sources: `proc_pid_mountinfo(5)`; runc, `libcontainer/rootfs_linux.go` (`createMountpoint`).

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatxAttributes, StatxFlags};

/// The mount points below a directory, the directory itself not among them.
pub(crate) fn below(directory: &Path) -> Vec<PathBuf> {
    let Ok(table) = fs::read("/proc/self/mountinfo") else {
        return Vec::new();
    };
    // The table has paths without links.
    let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let mut found: Vec<PathBuf> = table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescaped)
        .filter(|path| *path != directory && path.starts_with(&directory))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The path of a mount point: blank, tab, newline and backslash are written as three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..3).filter(|_| *first == b'\\');
        let escaped = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = behind.get(3..).filter(|_| escaped.is_some()).unwrap_or(behind);
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Whether something is mounted at the path, a bind mount of the same file system included, which the device number
/// does not show (Linux 5.8 and later; before, the kernel refuses to remove it).
pub(crate) fn is_mount_point(path: &Path) -> bool {
    rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether the directory lies in something that is mounted, the root file system apart, and is not where it is mounted.
pub(crate) fn is_inside_of_a_volume(directory: &Path) -> bool {
    let mut above = directory
        .ancestors()
        .skip(1)
        .filter(|path| path.parent().is_some());
    !is_mount_point(directory) && above.any(is_mount_point)
}

/// Whether new entries can be made in the directory.
pub(crate) fn is_writable(directory: &Path) -> bool {
    rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Whether this is the empty file on which somebody mounted a file once.
pub(crate) fn is_placeholder(found: &Metadata) -> bool {
    found.is_file() && found.len() == 0 && is_roots(found.uid())
}

/// Whether the owner is root, and not onepod itself.
pub(crate) fn is_roots(owner: u32) -> bool {
    owner == 0 && !rustix::process::geteuid().is_root()
}

/// Whether this is a directory that a runtime created for a mount which is gone: it belongs to root, nothing can be
/// made in it, and it holds nothing but such directories and placeholders.
pub(crate) fn is_leftover(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|found| found.is_dir())
        && !is_writable(directory)
        && !is_mount_point(directory)
        && below(directory).is_empty()
        && holds_nothing(directory)
}

fn holds_nothing(directory: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(directory) else {
        return false;
    };
    let Ok(mut entries) = fs::read_dir(directory) else {
        return false;
    };
    is_roots(found.uid())
        && entries.all(|entry| {
            entry.is_ok_and(|entry| match entry.metadata() {
                Ok(found) if found.is_dir() => holds_nothing(&entry.path()),
                Ok(found) => is_placeholder(&found),
                Err(_) => false,
            })
        })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn mount_points_are_recognised() {
        let dir = TempDir::new().unwrap();
        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(dir.path()));
        assert!(below(Path::new("/")).contains(&PathBuf::from("/proc")));
        assert_eq!(below(dir.path()), Vec::<PathBuf>::new());
    }

    #[test]
    fn paths_of_mount_points_are_unescaped() {
        for (field, path) in [
            ("/var/lib/one", "/var/lib/one"),
            ("/a\\040b\\134c\\011", "/a b\\c\t"),
            ("/odd\\9", "/odd\\9"),
            ("/end\\04", "/end\\04"),
        ] {
            assert_eq!(unescaped(field.as_bytes()), Path::new(path));
        }
    }

    #[test]
    fn a_directory_of_onepods_own_user_stays() {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("100")).unwrap();
        assert!(!is_leftover(dir.path()) && !is_leftover(&dir.path().join("absent")));
    }
}
