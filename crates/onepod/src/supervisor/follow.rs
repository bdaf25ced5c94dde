//! Follows the log files that OpenNebula insists on writing: their lines join the stream under the service's name.
//!
//! Growth, truncation (logrotate's copytruncate) and replacement by a new file are noticed through inotify on the files'
//! directories, and where that is not to be had, by a look each second. A file that was replaced is read on for as long as
//! its writer keeps it open; what was copied away before a truncation is read from the copy. Services can put anything into
//! these directories: only regular files are read, a limited number of them, and no links that lead elsewhere. Deliberately
//! absent: rotating anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until};

use super::beat;
use super::capture::{Lines, QUIET, Tail, until};
use crate::log::Log;
use crate::regular::{self, Links};

/// Time between looks where the kernel does not tell of changes.
const LOOK: Duration = Duration::from_secs(1);

/// Time between the notice of a change and the look at the files, at least: lines come together.
const GATHER: Duration = Duration::from_millis(150);

/// How much of one file is read before the next one has its turn, in bytes.
const CHUNK: usize = 16 * 1024;

/// So many bytes before the place that was read up to tell whether a file is still the one that was read.
const MARK: usize = 64;

/// How much is read at once on behalf of a service that has ended, in chunks of all its files together.
const CATCH_UP: usize = 64;

/// Files that one pattern may name at a time.
const MAX_FILES: usize = 64;

/// Entries of a directory among which files are looked for. The logs of virtual machines may lie there too.
const MAX_ENTRIES: usize = 64 * 1024;

/// A directory that takes longer to list is listed again only after this many times as long.
const SLOW_LIST: Duration = Duration::from_millis(5);
const SLOW_LIST_PAUSE: u32 = 20;

/// Log files of one service.
#[derive(Debug, Clone)]
pub struct Source {
    /// The service's name.
    pub name: Arc<str>,
    /// The file; its name may hold one `*`.
    pub path: PathBuf,
    /// Where the service's last lines are kept.
    pub tail: Tail,
}

/// Follows files. Clones share what was read.
#[derive(Debug, Clone)]
pub struct Follower {
    sources: Arc<Mutex<Vec<Followed>>>,
}

impl Follower {
    /// Takes notice of the files: what stands in them now is old and left out; a file that appears later is read from its
    /// start.
    #[must_use]
    pub fn new(sources: Vec<Source>, log: &Log) -> Self {
        let sources = sources
            .into_iter()
            .map(|source| Followed::new(source, log))
            .collect();
        Self {
            sources: Arc::new(Mutex::new(sources)),
        }
    }

    /// Follows the files until it is dropped.
    pub async fn follow(self) {
        if self.lock().is_empty() {
            return;
        }
        let watch = Watch::new(self.directories()).ok();
        loop {
            // What changes from here on is told, and what changed before is seen.
            let armed = watch.as_ref().filter(|watch| watch.arm().is_ok());
            // Every file has its turn before one of them has the next.
            while self.look() {
                tokio::task::yield_now().await;
            }
            self.flush_silent();
            let due = self.due();
            tokio::select! {
                biased;
                () = changed(armed) => {}
                () = until(due) => self.flush(Instant::now()),
            }
        }
    }

    /// Reads what a service has written up to now, for whoever wants to hear its last words.
    pub fn catch_up(&self, name: &str) {
        for source in self.lock().iter_mut().filter(|source| &*source.name == name) {
            source.catch_up();
        }
    }

    /// Reads what all services have written up to now.
    pub fn catch_up_all(&self) {
        self.lock().iter_mut().for_each(Followed::catch_up);
    }

    /// Reads one chunk of each file; true when there may be more.
    fn look(&self) -> bool {
        let mut more = false;
        for source in self.lock().iter_mut() {
            more |= source.look();
        }
        more
    }

    fn due(&self) -> Option<Instant> {
        self.lock()
            .iter_mut()
            .flat_map(Followed::lines)
            .filter_map(|lines| lines.due())
            .min()
    }

    fn flush(&self, now: Instant) {
        let mut sources = self.lock();
        let lines = sources.iter_mut().flat_map(Followed::lines);
        for lines in lines.filter(|lines| lines.due().is_some_and(|due| due <= now)) {
            lines.flush();
        }
    }

    /// Waits no longer for lines of files that nobody has written to for a while.
    fn flush_silent(&self) {
        let mut sources = self.lock();
        for open in sources.iter_mut().flat_map(Followed::open) {
            if open.lines.due().is_some() && open.is_silent() {
                open.lines.flush();
            }
        }
    }

    fn directories(&self) -> Vec<PathBuf> {
        self.lock()
            .iter()
            .map(|source| source.pattern.directory.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Followed>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One entry of a service's list of files.
#[derive(Debug)]
struct Followed {
    name: Arc<str>,
    pattern: Pattern,
    /// For files that appear.
    lines: Lines,
    files: BTreeMap<PathBuf, Place>,
    left_out: LeftOut,
    /// The directory is not listed before this.
    next_list: Option<std::time::Instant>,
}

/// What is not followed: said once, and forgotten when the path is gone.
#[derive(Debug)]
struct LeftOut {
    service: Arc<str>,
    paths: BTreeSet<PathBuf>,
}

impl LeftOut {
    /// Opens a file; says why it is not followed where somebody put something else there.
    fn open<T>(&mut self, path: &Path, open: impl FnOnce(&Path) -> io::Result<T>) -> Option<T> {
        match open(path) {
            Ok(open) => {
                self.paths.remove(path);
                Some(open)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.paths.remove(path);
                None
            }
            Err(error) => {
                self.add(path, &error.to_string());
                None
            }
        }
    }

    fn add(&mut self, path: &Path, reason: &str) {
        if self.paths.len() < MAX_FILES && self.paths.insert(path.to_owned()) {
            tracing::warn!("{}: {} is not followed: {reason}", self.service, path.display());
        }
    }
}

/// Which files are meant.
#[derive(Debug)]
struct Pattern {
    directory: PathBuf,
    /// What the name begins with, and what it ends with where anything may be in between.
    name: (String, Option<String>),
}

/// What a path named, and what it names now.
#[derive(Debug)]
struct Place {
    current: Option<Open>,
    /// The file that was replaced; its writer may not have noticed yet.
    replaced: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    lines: Lines,
    /// Device and inode: what a path names may change.
    identity: (u64, u64),
    read: u64,
    /// The last bytes that were read.
    mark: Vec<u8>,
}

impl Followed {
    fn new(source: Source, log: &Log) -> Self {
        let mut followed = Self {
            lines: Lines::new(Arc::clone(&source.name), log.clone(), source.tail),
            left_out: LeftOut {
                service: Arc::clone(&source.name),
                paths: BTreeSet::new(),
            },
            name: source.name,
            pattern: Pattern::new(&source.path),
            files: BTreeMap::new(),
            next_list: None,
        };
        for path in followed.paths() {
            let lines = followed.lines.another();
            let current = followed.left_out.open(&path, |path| Open::at_end(path, lines));
            let place = Place {
                current,
                replaced: None,
            };
            followed.files.insert(path, place);
        }
        followed
    }

    /// The files that are meant and may be there, as many as are followed; none where it is too early to list them again.
    fn paths(&mut self) -> Vec<PathBuf> {
        let start = std::time::Instant::now();
        if self.next_list.is_some_and(|next| start < next) {
            return Vec::new();
        }
        let (paths, complete) = self.pattern.paths();
        let took = start.elapsed();
        self.next_list = (took >= SLOW_LIST).then(|| start + took * SLOW_LIST_PAUSE);
        if !complete {
            let reason = format!("it has more than {MAX_ENTRIES} entries, or {MAX_FILES} such files");
            self.left_out.add(&self.pattern.directory, &reason);
        }
        paths
    }

    fn look(&mut self) -> bool {
        self.look_at_most(usize::MAX) > 0
    }

    /// Reads one chunk of each file, but no more than so many; how many there were. The end of a file counts as none.
    fn look_at_most(&mut self, chunks: usize) -> usize {
        for path in self.paths() {
            // A file that got another name is read already.
            if self.files.len() < MAX_FILES && !self.files.contains_key(&path) && !self.reads(identity(&path))
            {
                let lines = self.lines.another();
                let current = self.left_out.open(&path, |path| Open::at_start(path, lines));
                let place = Place {
                    current,
                    replaced: None,
                };
                self.files.insert(path, place);
            }
        }
        let mut read = 0;
        self.files.retain(|path, place| {
            if read < chunks {
                read += usize::from(place.look(path, &self.lines, &mut self.left_out));
            }
            place.current.is_some() || place.replaced.is_some()
        });
        read
    }

    fn reads(&self, identity: Option<(u64, u64)>) -> bool {
        let mut open = self
            .files
            .values()
            .flat_map(|place| [&place.current, &place.replaced])
            .flatten();
        identity.is_some_and(|identity| open.any(|open| open.identity == identity))
    }

    fn catch_up(&mut self) {
        // A service that has ended may have left somebody who writes on: a bound keeps this from going on for ever.
        let mut left = CATCH_UP;
        while left > 0 {
            match self.look_at_most(left) {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        self.lines().for_each(Lines::flush);
    }

    fn lines(&mut self) -> impl Iterator<Item = &mut Lines> {
        self.open().map(|open| &mut open.lines)
    }

    fn open(&mut self) -> impl Iterator<Item = &mut Open> {
        self.files
            .values_mut()
            .flat_map(|place| [&mut place.current, &mut place.replaced])
            .flatten()
    }
}

impl Pattern {
    fn new(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            directory: path.parent().unwrap_or(path).to_owned(),
            name: match name.split_once('*') {
                Some((start, end)) => (start.to_owned(), Some(end.to_owned())),
                None => (name.into_owned(), None),
            },
        }
    }

    /// The files that are meant and may be there, and whether these are all.
    fn paths(&self) -> (Vec<PathBuf>, bool) {
        let (start, end) = &self.name;
        let Some(end) = end else {
            return (vec![self.directory.join(start)], true);
        };
        let Ok(mut entries) = self.directory.read_dir() else {
            return (Vec::new(), true);
        };
        let mut paths: Vec<PathBuf> = entries
            .by_ref()
            .take(MAX_ENTRIES)
            .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()))
            .filter(|name| {
                name.strip_prefix(start.as_str())
                    .is_some_and(|rest| rest.ends_with(end))
            })
            .map(|name| self.directory.join(name))
            .collect();
        let complete = paths.len() <= MAX_FILES && entries.next().is_none();
        paths.sort_unstable();
        paths.truncate(MAX_FILES);
        (paths, complete)
    }
}

impl Place {
    /// Reads one chunk of what is new; true when there may be more.
    fn look(&mut self, path: &Path, lines: &Lines, left_out: &mut LeftOut) -> bool {
        let mut more = false;
        if let Some(replaced) = &mut self.replaced {
            let same = replaced.is_same();
            if same && replaced.read_on(path) {
                // What it says comes before what the new one says.
                replaced.lines.flush();
                more = true;
            }
            // Nobody finds a file without a name, and one that became another text is no log any more.
            if !more && (!same || replaced.is_deleted()) {
                replaced.lines.end();
                self.replaced = None;
            }
        }
        let Some(open) = &mut self.current else {
            self.current = left_out.open(path, |path| Open::at_start(path, lines.another()));
            return more || self.current.is_some();
        };
        if open.read_on(path) {
            return true;
        }
        // The old file is read to its end: has the path got a new one?
        let named = identity(path);
        if named == Some(open.identity) {
            return more;
        }
        open.lines.flush();
        let new = left_out.open(path, |path| Open::at_start(path, lines.another()));
        if let Some(mut earlier) = std::mem::replace(&mut self.replaced, self.current.take()) {
            earlier.lines.end();
        }
        self.current = new;
        more || self.current.is_some()
    }
}

impl Open {
    fn at_start(path: &Path, lines: Lines) -> io::Result<Self> {
        let file = open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            file,
            lines,
            identity: (metadata.dev(), metadata.ino()),
            read: 0,
            mark: Vec::new(),
        })
    }

    fn at_end(path: &Path, lines: Lines) -> io::Result<Self> {
        let mut open = Self::at_start(path, lines)?;
        open.read = open.file.metadata()?.len();
        let mark = open.read.min(MARK as u64);
        open.mark = vec![0; usize::try_from(mark).unwrap_or(MARK)];
        open.file.read_exact_at(&mut open.mark, open.read - mark)?;
        Ok(open)
    }

    /// Takes the next chunk; true when there was one.
    fn read_on(&mut self, path: &Path) -> bool {
        if !self.is_same() {
            self.take_rest_of_copy(path);
            self.lines.end();
            self.read = 0;
            self.mark.clear();
        }
        let mut buffer = [0; CHUNK];
        let length = self.file.read_at(&mut buffer, self.read).unwrap_or(0);
        self.take(buffer.get(..length).unwrap_or_default());
        length > 0
    }

    fn take(&mut self, chunk: &[u8]) {
        self.read += chunk.len() as u64;
        self.mark
            .extend(chunk.iter().skip(chunk.len().saturating_sub(MARK)));
        self.mark.drain(..self.mark.len().saturating_sub(MARK));
        self.lines.feed(chunk);
    }

    /// Whether what was read still stands there. A file that was cut and has grown again since need not be shorter, but it is
    /// another text.
    fn is_same(&self) -> bool {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        length >= self.read && self.is_marked(&self.file)
    }

    /// Whether a file is the one that was read, up to the place that was read.
    fn is_marked(&self, file: &File) -> bool {
        let mut found = [0; MARK];
        let Some(found) = found.get_mut(..self.mark.len()) else {
            return false;
        };
        file.read_exact_at(found, self.read - found.len() as u64).is_ok() && *found == *self.mark
    }

    /// Reads what stood behind the place that was read when the file was copied to `NAME.1` and then cut.
    fn take_rest_of_copy(&mut self, path: &Path) {
        let mut name = path.as_os_str().to_owned();
        name.push(".1");
        let Ok(copy) = open(Path::new(&name)) else {
            return;
        };
        // Without a mark nothing tells whose copy it is.
        if self.mark.is_empty() || !self.is_marked(&copy) {
            return;
        }
        let mut buffer = [0; CHUNK];
        for _ in 0..CATCH_UP {
            let length = copy.read_at(&mut buffer, self.read).unwrap_or(0);
            if length == 0 {
                break;
            }
            self.take(buffer.get(..length).unwrap_or_default());
        }
    }

    fn is_silent(&self) -> bool {
        let modified = self.file.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|silent| silent >= QUIET))
    }

    fn is_deleted(&self) -> bool {
        self.file
            .metadata()
            .map_or(true, |metadata| metadata.nlink() == 0)
    }
}

/// Opens a log. A link is followed to a file of the same directory, and no further.
fn open(path: &Path) -> io::Result<File> {
    let target = std::fs::read_link(path);
    regular::open(&within_directory(path, target)?, Links::Refuse)
}

/// The path itself, or that of the file in the same directory to which it is a link.
fn within_directory(path: &Path, target: io::Result<PathBuf>) -> io::Result<PathBuf> {
    let Ok(target) = target else {
        return Ok(path.to_owned());
    };
    let directory = path.parent().unwrap_or(path);
    match target.file_name() {
        Some(name) if directory.join(&target).parent() == Some(directory) => Ok(directory.join(name)),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a link that leads out of its directory",
        )),
    }
}

/// Device and inode of the log that a path names.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let path = within_directory(path, std::fs::read_link(path)).ok()?;
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Has the kernel tell of changes in directories.
#[derive(Debug)]
struct Watch {
    notices: Receiver,
    directories: Vec<PathBuf>,
}

impl Watch {
    fn new(mut directories: Vec<PathBuf>) -> io::Result<Self> {
        directories.sort();
        directories.dedup();
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self {
            // Not a pipe, but read like one: tokio's general type for descriptors is deprecated in its safe form.
            notices: Receiver::from_owned_fd_unchecked(watch)?,
            directories,
        })
    }

    /// Asks for the next change of each directory, and no more: a service that writes a hundred lines wakes nobody a
    /// hundred times.
    fn arm(&self) -> io::Result<()> {
        let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONESHOT;
        for directory in &self.directories {
            inotify::add_watch(&self.notices, directory, changes)?;
        }
        Ok(())
    }

    /// Waits for a change and takes all notices of changes so far: which file they are about does not matter.
    async fn notices(&self) -> io::Result<()> {
        self.notices.readable().await?;
        let mut notices = [0; 4096];
        loop {
            match self.notices.try_read(&mut notices) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits for a change and then for those that come with it, or for the time of the next look where nobody tells of changes.
async fn changed(watch: Option<&Watch>) {
    let told = match watch {
        Some(watch) => watch.notices().await,
        None => Err(io::ErrorKind::Unsupported.into()),
    };
    sleep_until(beat::after(if told.is_ok() { GATHER } else { LOOK })).await;
}

#[cfg(test)]
mod tests;
