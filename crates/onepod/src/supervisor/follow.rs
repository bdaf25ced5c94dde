//! Follows the log files that OpenNebula insists on writing: their lines join the stream under the service's name.
//!
//! Growth, truncation (logrotate's copytruncate) and replacement by a new file are noticed through inotify on the files'
//! directories, and where that is not to be had, by a look each second. What is written between the last look and a
//! truncation is lost, as with every follower. Deliberately absent: rotating anything.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

use super::capture::{Lines, Tail};
use crate::log::Log;

/// Time between looks where the kernel does not tell of changes.
const LOOK: Duration = Duration::from_secs(1);

/// How much of one file is read before the next one has its turn, in bytes.
const CHUNK: usize = 16 * 1024;

/// Follows log files until it is dropped: `files` are pairs of a service's name and a path.
///
/// What stands in a file when this begins is old and left out; a file that appears later is read from its start.
pub async fn follow(files: Vec<(Arc<str>, PathBuf)>, log: Log) {
    if files.is_empty() {
        return;
    }
    let mut followed: Vec<Followed> = files
        .into_iter()
        .map(|(name, path)| Followed::at_end(path, Lines::new(name, log.clone(), Tail::default())))
        .collect();
    let watch = watch(followed.iter().map(|file| file.path.as_path())).ok();
    loop {
        // Every file has its turn before one of them has the next.
        while followed
            .iter_mut()
            .filter_map(|file| file.look().then_some(()))
            .count()
            > 0
        {
            tokio::task::yield_now().await;
        }
        match &watch {
            Some(watch) if wait(watch).await.is_ok() => {}
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

/// One file of the list.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    lines: Lines,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and inode: what a path names may change.
    identity: (u64, u64),
    read: u64,
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            file,
            identity: (metadata.dev(), metadata.ino()),
            read: 0,
        })
    }
}

impl Followed {
    fn at_end(path: PathBuf, lines: Lines) -> Self {
        let open = Open::new(&path).ok().and_then(|mut open| {
            open.read = open.file.seek(SeekFrom::End(0)).ok()?;
            Some(open)
        });
        Self { path, lines, open }
    }

    /// Reads one chunk of what is new; true when there may be more.
    fn look(&mut self) -> bool {
        let Some(open) = &mut self.open else {
            self.open = Open::new(&self.path).ok();
            return self.open.is_some();
        };
        if open
            .file
            .metadata()
            .is_ok_and(|metadata| metadata.len() < open.read)
        {
            open.read = 0;
            // A regular file can always be wound back.
            let _ = open.file.seek(SeekFrom::Start(0));
        }
        let mut buffer = [0; CHUNK];
        let length = open.file.read(&mut buffer).unwrap_or(0);
        if length > 0 {
            open.read += length as u64;
            self.lines.feed(buffer.get(..length).unwrap_or_default());
            return true;
        }
        // The old file is read to its end: has the path got a new one?
        let identity = std::fs::metadata(&self.path).map(|metadata| (metadata.dev(), metadata.ino()));
        if identity.is_ok_and(|identity| identity != open.identity) {
            self.lines.end();
            self.open = Open::new(&self.path).ok();
            return self.open.is_some();
        }
        false
    }
}

/// Has the kernel tell of changes in the directories of these files.
fn watch<'a>(paths: impl Iterator<Item = &'a Path>) -> io::Result<Receiver> {
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
    for path in paths {
        inotify::add_watch(&watch, path.parent().unwrap_or(path), changes)?;
    }
    // Not a pipe, but read like one: tokio's general type for descriptors is deprecated in its safe form.
    Receiver::from_owned_fd_unchecked(watch)
}

/// Waits for a change and takes all notices of changes so far: which file they are about does not matter.
async fn wait(watch: &Receiver) -> io::Result<()> {
    watch.readable().await?;
    let mut notices = [0; 4096];
    loop {
        match watch.try_read(&mut notices) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
