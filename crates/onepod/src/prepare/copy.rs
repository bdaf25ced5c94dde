//! Bringing a tree of files to its place: what is missing is copied, what stands there stays.
//!
//! Owners are never set, nor anything of a directory that exists: it may be a mount point of root's.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::files::{self, Durable, FileError, failed};
use super::mounts;

/// How many files are brought before the event loop has its turn: a few milliseconds of work.
const TURN: usize = 16;

/// Brings everything below `from` to `to` where nothing stands yet, and gives the number of files and links written.
/// `skip` names places that are not touched, with all below them.
pub(crate) async fn tree(from: &Path, to: &Path, skip: &BTreeSet<PathBuf>) -> Result<usize, FileError> {
    let mut written = 0;
    let mut kept: Option<PathBuf> = None;
    for (count, relative) in walk(from, |path| skip.contains(&to.join(path)))?
        .into_iter()
        .enumerate()
    {
        if count % TURN == 0 {
            tokio::task::yield_now().await;
        }
        let (source, place) = (from.join(&relative), to.join(&relative));
        if kept.as_ref().is_some_and(|kept| relative.starts_with(kept)) {
            continue;
        }
        let shipped = fs::symlink_metadata(&source).map_err(failed("look at", &source))?;
        if stands(&place)? {
            // A directory, or the user's link to one, is filled up.
            if !(shipped.is_dir() && place.is_dir()) {
                kept = Some(relative);
            }
            continue;
        }
        if shipped.is_dir() {
            files::directory(&place, shipped.mode() & 0o777 | 0o700)?;
        } else if shipped.is_symlink() {
            let target = fs::read_link(&source).map_err(failed("read", &source))?;
            files::link(&place, &target)?;
            written += 1;
        } else {
            files::copy(&source, &place, shipped.mode() & 0o777 | 0o600, Durable::Later)?;
            written += 1;
        }
    }
    Ok(written)
}

fn stands(place: &Path) -> Result<bool, FileError> {
    match fs::symlink_metadata(place) {
        Ok(found) => Ok(!mounts::is_placeholder(&found) || mounts::is_mount_point(place)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("look at", place)(error)),
    }
}

/// Makes the directories below `from` at `to` where nothing stands yet: a container runtime that needs one for a mount
/// would make it as root.
pub(crate) fn directories(from: &Path, to: &Path) -> Result<(), FileError> {
    let mut kept: Option<PathBuf> = None;
    for relative in walk(from, |_| false)? {
        let (source, place) = (from.join(&relative), to.join(&relative));
        if kept.as_ref().is_some_and(|kept| relative.starts_with(kept)) {
            continue;
        }
        let shipped = fs::symlink_metadata(&source).map_err(failed("look at", &source))?;
        if shipped.is_dir() && stands(&place)? && !place.is_dir() {
            kept = Some(relative);
        } else if shipped.is_dir() {
            files::directory(&place, shipped.mode() & 0o777 | 0o700)?;
        }
    }
    Ok(())
}

/// Everything below `root`, directories before what is in them, as paths relative to it. Links are not followed, and
/// what is to be skipped is not looked into.
fn walk(root: &Path, skip: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        let path = root.join(&directory);
        for entry in fs::read_dir(&path).map_err(failed("list", &path))? {
            let entry = entry.map_err(failed("list", &path))?;
            let kind = entry.file_type().map_err(failed("look at", &path))?;
            let relative = directory.join(entry.file_name());
            if skip(&relative) {
                continue;
            }
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
        if mounts::is_mount_point(&path) {
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

#[cfg(test)]
mod tests;
