//! Looking at a tree: what stands where, with the stamps by which a later start knows a file again without reading it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Statx, StatxAttributes, StatxFlags};
use sha2::{Digest as _, Sha256};

use super::entry::{Content, Digest, Entry};
use crate::prepare::files::{self, FileError, failed};
use crate::prepare::mounts;
use crate::regular::{self, Links};

/// How many places are looked at before the event loop has its turn: a few milliseconds of work.
const TURN: usize = 64;

/// How many bytes are digested before the event loop has its turn.
const STRETCH: usize = 1 << 20;

/// What is found at a place, before any file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// Everything but a file.
    Other(Entry),
    /// A file.
    File(Stamp),
    /// The empty file of root's on which a file was mounted once.
    Placeholder,
}

/// Outer marks of a file. Two equal ones are taken for the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Length in bytes.
    pub(super) size: u64,
    /// Time of its last change, in nanoseconds since 1970.
    pub(super) modified: i128,
    /// Time of the last change of anything about it, in nanoseconds since 1970.
    pub(super) changed: i128,
    /// Permission bits.
    pub(super) mode: u32,
}

impl Stamp {
    /// Whether its owner may execute it.
    pub(super) fn executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    fn of(found: &Statx) -> Self {
        let nanoseconds =
            |at: rustix::fs::StatxTimestamp| i128::from(at.tv_sec) * 1_000_000_000 + i128::from(at.tv_nsec);
        Self {
            size: found.stx_size,
            modified: nanoseconds(found.stx_mtime),
            changed: nanoseconds(found.stx_ctime),
            mode: u32::from(found.stx_mode) & 0o7777,
        }
    }
}

/// Everything below `root`, by relative path. Links are not followed, except for those that the user put in the place of
/// a directory named in `follow`. `theirs` says that the tree is the user's: mount points stay unopened, what may not be
/// read is no error, and what a killed start left unfinished is removed.
pub(super) async fn scan(root: &Path, tree: Whose<'_>) -> Result<BTreeMap<PathBuf, Seen>, FileError> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        let path = root.join(&directory);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::PermissionDenied && tree != Whose::Image => {
                found.insert(directory, Seen::Other(Entry::Unreadable));
                continue;
            }
            Err(error) => return Err(failed("list", &path)(error)),
        };
        for entry in entries {
            if found.len() % TURN == 0 {
                tokio::task::yield_now().await;
            }
            let name = entry.map_err(failed("list", &path))?.file_name();
            let (relative, place) = (directory.join(&name), path.join(&name));
            let seen = look(&place, tree, &relative)?;
            if tree != Whose::Image
                && files::is_unfinished(&name)
                && !matches!(seen, Seen::Other(Entry::Directory))
            {
                fs::remove_file(&place).map_err(failed("remove", &place))?;
                continue;
            }
            if seen == Seen::Other(Entry::Directory) {
                open.push(relative.clone());
            }
            found.insert(relative, seen);
        }
    }
    Ok(found)
}

/// Whose tree is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// The image's: all of it can be read, and nothing is mounted in it.
    Image,
    /// The volume's. Links that the user put in the place of these directories are followed.
    Volume(&'a [&'a str]),
}

/// Looks at one place.
fn look(place: &Path, tree: Whose<'_>, relative: &Path) -> Result<Seen, FileError> {
    let found = stat(place)?;
    let kind = FileType::from_raw_mode(u32::from(found.stx_mode));
    if let Whose::Volume(follow) = tree {
        if found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return Ok(Seen::Other(Entry::Mount));
        }
        if kind == FileType::Symlink
            && follow.iter().any(|name| relative == Path::new(name))
            && place.is_dir()
        {
            return Ok(Seen::Other(Entry::Directory));
        }
    }
    Ok(match kind {
        FileType::Directory => Seen::Other(Entry::Directory),
        FileType::RegularFile if tree != Whose::Image && is_placeholder(&found) => Seen::Placeholder,
        FileType::RegularFile => Seen::File(Stamp::of(&found)),
        FileType::Symlink => Seen::Other(Entry::Link(fs::read_link(place).map_err(failed("read", place))?)),
        _ => Seen::Other(Entry::Unreadable),
    })
}

fn is_placeholder(found: &Statx) -> bool {
    found.stx_size == 0 && mounts::is_roots(found.stx_uid)
}

/// A file's stamp, if it is a file.
pub(super) fn stamp(place: &Path) -> Result<Option<Stamp>, FileError> {
    let found = stat(place)?;
    let is_file = FileType::from_raw_mode(u32::from(found.stx_mode)) == FileType::RegularFile;
    Ok(is_file.then(|| Stamp::of(&found)))
}

fn stat(place: &Path) -> Result<Statx, FileError> {
    rustix::fs::statx(
        rustix::fs::CWD,
        place,
        AtFlags::SYMLINK_NOFOLLOW,
        StatxFlags::BASIC_STATS,
    )
    .map_err(|error| failed("look at", place)(error.into()))
}

/// Reads a file of the user's or of a release; one that may not be read is [`Entry::Unreadable`].
pub(super) async fn read(place: &Path, stamp: &Stamp) -> Result<Entry, FileError> {
    let mut file = match regular::open(place, Links::Refuse) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(Entry::Unreadable),
        Err(error) => return Err(failed("read", place)(error)),
    };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut since = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed("read", place)(error)),
        };
        hash.update(buffer.get(..count).unwrap_or_default());
        since += count;
        if since >= STRETCH {
            since = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(Entry::File(Content {
        digest: Digest(hash.finalize().into()),
        executable: stamp.executable(),
    }))
}
