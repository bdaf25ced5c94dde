//! Bringing a tree of files to its place: what differs is copied, what is alike is left alone, what nobody shipped
//! stays.
//!
//! Files are alike when size, content and the bits that make them executable are. Owners and times are not compared and
//! never set: the place may be a mount point of root's.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, StatxAttributes, StatxFlags};

use super::files::{self, FileError, failed};

/// What to do where something is already in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, whatever it is.
    Keep,
    /// It is replaced when it differs.
    Renew,
}

/// What a copy did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Files and links written.
    pub(crate) written: usize,
    /// What was moved aside, and to where.
    pub(crate) aside: Vec<(PathBuf, PathBuf)>,
}

/// How many files are brought before the event loop has its turn: a few milliseconds of work.
const TURN: usize = 16;

/// Brings everything below `from` to `to`. `rule` decides by the path relative to `from`; `skip` names places that are
/// not touched at all.
pub(crate) async fn tree(
    from: &Path,
    to: &Path,
    rule: impl Fn(&Path) -> Existing,
    skip: &BTreeSet<PathBuf>,
) -> Result<Report, FileError> {
    let mut report = Report::default();
    let mut kept: Option<PathBuf> = None;
    for (count, relative) in walk(from)?.into_iter().enumerate() {
        if count % TURN == 0 {
            tokio::task::yield_now().await;
        }
        let (source, place) = (from.join(&relative), to.join(&relative));
        if kept.as_ref().is_some_and(|kept| relative.starts_with(kept)) || skip.contains(&place) {
            continue;
        }
        let shipped = fs::symlink_metadata(&source).map_err(failed("look at", &source))?;
        if bring(&source, &shipped, &place, rule(&relative), &mut report)? == Entry::KeptAsItIs {
            kept = Some(relative);
        }
    }
    Ok(report)
}

/// Whether what lies below an entry is to be brought as well.
#[derive(PartialEq, Eq)]
enum Entry {
    Brought,
    KeptAsItIs,
}

fn bring(
    source: &Path,
    shipped: &Metadata,
    place: &Path,
    existing: Existing,
    report: &mut Report,
) -> Result<Entry, FileError> {
    let found = match fs::symlink_metadata(place) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed("look at", place)(error)),
    };
    match found {
        // A directory, or the user's link to one where the user's things are kept.
        Some(found)
            if shipped.is_dir() && (found.is_dir() || (existing == Existing::Keep && place.is_dir())) =>
        {
            return Ok(Entry::Brought);
        }
        Some(_) if existing == Existing::Keep => return Ok(Entry::KeptAsItIs),
        Some(found) if alike(source, shipped, place, &found)? => return Ok(Entry::Brought),
        // A rename cannot put a file over a directory or a directory over a file.
        Some(found) if found.is_dir() || shipped.is_dir() => {
            let aside = unused_name(place);
            fs::rename(place, &aside).map_err(failed("move aside", place))?;
            report.aside.push((place.to_owned(), aside));
        }
        _ => {}
    }
    if shipped.is_dir() {
        files::directory(place, shipped.mode() & 0o777 | 0o700)?;
    } else if shipped.is_symlink() {
        let target = fs::read_link(source).map_err(failed("read", source))?;
        files::link(place, &target)?;
        report.written += 1;
    } else {
        files::copy(source, place, shipped.mode() & 0o777 | 0o600)?;
        report.written += 1;
    }
    Ok(Entry::Brought)
}

fn unused_name(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let mut aside = place.with_file_name(format!("{name}.stale-{}", files::stamp()));
    while fs::symlink_metadata(&aside).is_ok() {
        aside.as_mut_os_string().push("+");
    }
    aside
}

fn alike(source: &Path, shipped: &Metadata, place: &Path, found: &Metadata) -> Result<bool, FileError> {
    if shipped.is_symlink() && found.is_symlink() {
        let target = |path: &Path| fs::read_link(path).map_err(failed("read", path));
        return Ok(target(source)? == target(place)?);
    }
    if !(shipped.is_file() && found.is_file())
        || shipped.len() != found.len()
        || (shipped.mode() ^ found.mode()) & 0o111 != 0
    {
        return Ok(false);
    }
    let mut one = File::open(source).map_err(failed("read", source))?;
    let mut other = match File::open(place) {
        Ok(file) => file,
        // Not ours to read: replacing it is, when the directory is ours.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(failed("read", place)(error)),
    };
    same_content(&mut one, &mut other).map_err(failed("compare", place))
}

fn same_content(one: &mut impl Read, other: &mut impl Read) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let (got, got_other) = (fill(one, &mut left)?, fill(other, &mut right)?);
        if left.get(..got) != right.get(..got_other) {
            return Ok(false);
        }
        if got == 0 {
            return Ok(true);
        }
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Everything below `root`, directories before what is in them, as paths relative to it. Links are not followed.
fn walk(root: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        let path = root.join(&directory);
        for entry in fs::read_dir(&path).map_err(failed("list", &path))? {
            let entry = entry.map_err(failed("list", &path))?;
            let kind = entry.file_type().map_err(failed("look at", &path))?;
            let relative = directory.join(entry.file_name());
            if kind.is_dir() {
                open.push(relative.clone());
            }
            found.push(relative);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes everything in a directory, not the directory itself. Mount points in it stay, with all they hold, and are
/// returned: what somebody mounted into the place is meant to be there.
pub(crate) fn empty(directory: &Path) -> Result<BTreeSet<PathBuf>, FileError> {
    let mut mounts = BTreeSet::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let entry = entry.map_err(failed("list", directory))?;
        let path = entry.path();
        if is_mount_point(&path) {
            mounts.insert(path);
        } else if entry.file_type().map_err(failed("look at", &path))?.is_dir() {
            let below = empty(&path)?;
            if below.is_empty() {
                fs::remove_dir(&path).map_err(failed("remove", &path))?;
            }
            mounts.extend(below);
        } else {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(mounts)
}

/// Whether something is mounted at the path, a bind mount of the same file system included, which the device number
/// does not show (Linux 5.8 and later; before, the kernel refuses to remove it).
fn is_mount_point(path: &Path) -> bool {
    rustix::fs::statx(
        rustix::fs::CWD,
        path,
        AtFlags::SYMLINK_NOFOLLOW,
        StatxFlags::BASIC_STATS,
    )
    .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests;
