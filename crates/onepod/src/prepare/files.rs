//! Files as the stages write them: whole or not at all, with the right mode from the start, and errors that say whose
//! directory it is and what to do.
//!
//! It has no opinion about which files there are.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::Access;
use tempfile::NamedTempFile;

use crate::regular::{self, Links};

/// The longest file that is read as a whole, in bytes.
const READ_LIMIT: u64 = 16 * 1024 * 1024;
use super::mounts;

/// How the names of unfinished files begin; a start that was killed may leave some.
pub(crate) const UNFINISHED: &str = ".onepod-";

/// Whether a name is one that a start gives to a file while it writes it.
pub(crate) fn is_unfinished(name: &OsStr) -> bool {
    // tempfile adds six characters.
    name.to_str()
        .and_then(|name| name.strip_prefix(UNFINISHED))
        .is_some_and(|rest| rest.len() == 6)
}

/// A file or directory that could not be handled.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}{next}", path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
    next: String,
}

impl FileError {
    /// The path that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What kind of failure it was.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

/// Turns an I/O error into one that names `path` and the next step.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| {
        let next = advice(path, &source)
            .map(|advice| format!(". {advice}"))
            .unwrap_or_default();
        FileError {
            action,
            path: path.to_owned(),
            source,
            next,
        }
    }
}

/// What to do about an error at `path`.
fn advice(path: &Path, error: &io::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            let (at, owner) = path
                .ancestors()
                .find_map(|at| Some((at, fs::symlink_metadata(at).ok()?)))?;
            let (uid, gid) = (
                rustix::process::geteuid().as_raw(),
                rustix::process::getegid().as_raw(),
            );
            Some(format!(
                "{} belongs to {}:{} with mode {:04o}, and onepod runs as {uid}:{gid}: {}",
                at.display(),
                owner.uid(),
                owner.gid(),
                owner.mode() & 0o7777,
                access_advice(at, uid, gid)
            ))
        }
        ErrorKind::InvalidInput => Some("Put a regular file in its place, or remove it".to_owned()),
        ErrorKind::ResourceBusy if mounts::is_mount_point(path) => Some(format!(
            "Something is mounted at {0}, and a mounted file cannot be replaced: remove that mount",
            path.display()
        )),
        ErrorKind::IsADirectory if mounts::is_mount_point(path) => Some(format!(
            "A directory is mounted at {}: does the mounted volume have the file that subPath names?",
            path.display()
        )),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("Its file system is full: enlarge the volume, or make room on it".to_owned())
        }
        ErrorKind::ReadOnlyFilesystem => {
            Some("Its file system is read-only: mount a volume or an emptyDir there".to_owned())
        }
        _ => None,
    }
}

/// How to get access to a directory of somebody else's.
fn access_advice(directory: &Path, uid: u32, gid: u32) -> String {
    let directory = if directory.is_dir() {
        directory
    } else {
        parent(directory)
    };
    let below = mounts::below(directory);
    match below.first() {
        Some(mount) if mounts::is_inside_of_a_volume(directory) => format!(
            "the container runtime created it as root for the mount at {}. Let an init container that has the same \
             volumes but not this mount run `onepod layout` (the chart does it for extraVolumeMounts), or mount all of \
             {} instead",
            mount.display(),
            directory.display()
        ),
        // A group for the volume does not reach what lies deeper in it.
        _ if mounts::is_writable(parent(directory)) => format!(
            "give it to onepod's user: `chown -R {uid}:{gid} {}`",
            directory.display()
        ),
        _ => format!("set fsGroup: {gid} in the pod's securityContext, or give the volume to {uid}:{gid}"),
    }
}

/// Writes a file in one step: whoever opens it sees the old content or the new. When this returns, the new one survives
/// a crash of the machine. `mode` holds from the first byte, less the umask.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    replace(path, mode, |file| {
        file.write_all(content)?;
        file.as_file().sync_all()
    })?;
    let directory = parent(path);
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync", directory))
}

/// Whether a new file has to survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// It is on the disk before it takes its place.
    Synced,
    /// Its content may come later.
    Later,
}

/// Copies a file in one step, with the time of its last change where the file system can keep it.
pub(crate) fn copy(from: &Path, to: &Path, mode: u32, durable: Durable) -> Result<(), FileError> {
    let mut source = regular::open(from, Links::Follow).map_err(failed("read", from))?;
    let modified = source.metadata().and_then(|found| found.modified());
    let modified = modified.map_err(failed("look at", from))?;
    replace(to, mode, |file| {
        io::copy(&mut source, file)?;
        let _ = file.as_file().set_modified(modified);
        match durable {
            Durable::Synced => file.as_file().sync_all(),
            Durable::Later => Ok(()),
        }
    })
}

fn replace(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> Result<(), FileError> {
    let directory = parent(path);
    tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)
        .and_then(|mut file| {
            fill(&mut file)?;
            file.persist(path).map(drop).map_err(|error| error.error)
        })
        .map_err(failed("write", path))
}

/// Makes a symbolic link in one step, in the place of whatever file was there.
pub(crate) fn link(path: &Path, target: &Path) -> Result<(), FileError> {
    let directory = parent(path);
    tempfile::Builder::new()
        .prefix(UNFINISHED)
        .make_in(directory, |temporary| {
            std::os::unix::fs::symlink(target, temporary)
        })
        .and_then(|link| link.persist(path).map(drop).map_err(|error| error.error))
        .map_err(failed("write", path))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if directory.as_os_str().is_empty() => Path::new("."),
        Some(directory) => directory,
        None => Path::new("/"),
    }
}

/// The file's content, or nothing when there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match regular::read(path, READ_LIMIT) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// The file's text, or nothing when there is no such file. What is not UTF-8 is replaced.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, FileError> {
    Ok(read(path)?.map(|content| String::from_utf8_lossy(&content).into_owned()))
}

/// Makes a directory with its parents. One that exists keeps its mode: it may be a mount point of root's.
pub(crate) fn directory(path: &Path, mode: u32) -> Result<(), FileError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        _ => {}
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(failed("make the directory", path))
}

/// Makes a directory with its parents, also in place of one that a container runtime left behind as root for a mount that
/// is gone. What had to be moved aside for that is returned.
pub(crate) fn own_directory(path: &Path, mode: u32) -> Result<Option<PathBuf>, FileError> {
    let mut aside = None;
    if mounts::is_leftover(path) && fs::remove_dir(path).is_err() {
        // A directory of somebody else's can be renamed where it is, by whoever may write in its parent.
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".stale-{}", stamp()));
        let stale = PathBuf::from(name);
        if fs::rename(path, &stale).is_ok() {
            aside = Some(stale);
        }
    }
    directory(path, mode)?;
    Ok(aside)
}

/// Refuses a directory in which nothing can be made: services that find out later say less about it.
pub(crate) fn writable(path: &Path) -> Result<(), FileError> {
    rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| failed("write in", path)(error.into()))
}

/// Makes a directory for secrets, and closes one that stands open; removes what a killed start left unfinished there.
pub(crate) fn private_directory(path: &Path) -> Result<(), FileError> {
    directory(path, 0o700)?;
    close(path, 0o700)?;
    for name in names(path)? {
        if name.starts_with(UNFINISHED) {
            let path = path.join(name);
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

/// Takes group and others away from a file or directory of ours: `fsGroup` makes the kubelet open them to the group,
/// and the SSH client refuses a key that others can read. What belongs to somebody else stays as it is.
pub(crate) fn close(path: &Path, mode: u32) -> Result<(), FileError> {
    let found = fs::metadata(path).map_err(failed("look at", path))?;
    if found.mode() & 0o077 != 0 && found.uid() == rustix::process::geteuid().as_raw() {
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("close to others", path))?;
    }
    Ok(())
}

/// Names in a directory, sorted; names that are not text are left out.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, FileError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let entry = entry.map_err(failed("list", directory))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Moves files of `directory` into a new directory beneath it and gives that directory's path.
pub(crate) fn set_aside(directory: &Path, names: &[String]) -> Result<PathBuf, FileError> {
    let stale = directory.join(format!("stale-{}", stamp()));
    self::directory(&stale, 0o700)?;
    for name in names {
        let from = directory.join(name);
        // An earlier move in the same second must not be overwritten.
        let mut to = stale.join(name);
        let mut count = 1_u32;
        while to.symlink_metadata().is_ok() {
            count += 1;
            to = stale.join(format!("{name}.{count}"));
        }
        fs::rename(&from, &to).map_err(failed("move aside", &from))?;
    }
    Ok(stale)
}

/// The time of day for a file name, to the second.
pub(crate) fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_nothing_is_left_over() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("one_auth");
        fs::write(&path, "old").unwrap();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!(
            (fs::read(&path).unwrap().as_slice(), mode(&path)),
            (b"new".as_slice(), 0o600)
        );
        link(&path, Path::new("elsewhere")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("elsewhere"));
        assert_eq!(names(dir.path()).unwrap(), ["one_auth"]);
    }

    #[test]
    fn an_open_directory_of_secrets_is_closed_and_swept() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(".one");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o2770)).unwrap();
        fs::write(path.join(".onepod-x1y2z3"), "half a secret").unwrap();
        fs::write(path.join("one_auth"), "kept").unwrap();
        private_directory(&path).unwrap();
        assert_eq!(
            (mode(&path), names(&path).unwrap()),
            (0o700, vec!["one_auth".to_owned()])
        );
    }

    #[test]
    fn a_mount_point_keeps_its_mode() {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o2777)).unwrap();
        directory(dir.path(), 0o755).unwrap();
        assert_eq!(mode(dir.path()), 0o2777);
    }

    #[test]
    fn two_moves_in_one_second_keep_both_files() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("oneflow_auth");
        let name = ["oneflow_auth".to_owned()];
        let mut places = Vec::new();
        for content in ["first", "second"] {
            fs::write(&path, content).unwrap();
            places.push(set_aside(dir.path(), &name).unwrap());
        }
        places.dedup();
        let kept: usize = places.iter().map(|place| names(place).unwrap().len()).sum();
        assert_eq!(kept, 2);
    }

    #[test]
    fn a_full_disk_and_a_read_only_one_say_what_to_do() {
        let path = Path::new("/var/lib/one/.one/one_auth");
        let full = failed("write", path)(io::Error::from(ErrorKind::StorageFull)).to_string();
        assert!(
            full.contains("cannot write /var/lib/one/.one/one_auth") && full.contains("enlarge"),
            "{full}"
        );
        let locked = failed("write", path)(io::Error::from(ErrorKind::ReadOnlyFilesystem)).to_string();
        assert!(locked.contains("emptyDir"), "{locked}");
    }
}
