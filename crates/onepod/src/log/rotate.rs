//! Keeps `/var/log/one` small: the built-in timer `rotate-logs`.
//!
//! * The logs of daemons are copied to `NAME.1` … `NAME.3` and cut, so that whoever holds them open goes on writing. A
//!   follower reads what it had not read yet from the copy.
//! * The logs of virtual machines and of OneFlow's services, which people read in the UI, keep their end: their writers
//!   open them anew for every line (`FileLog::log` in `Log.cc`, `Log.add` in OneFlow's `log.rb`).
//! * FireEdge goes on in `fireedge1.log` and so forth after 5 MB (`logger.js`) and deletes none of them; the last stay.
//!
//! Deliberately absent: compression, and any file outside of this directory.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::OFlags;

use crate::regular::{self, Links};

/// A daemon's log of this length is rotated, in bytes.
const LARGE: u64 = 8 * 1024 * 1024;

/// A daemon's log is rotated when the last time is so long ago; so old copies go. The packages rotate weekly, too.
const OLD: Duration = Duration::from_hours(7 * 24);

/// How many copies of a log are kept.
const COPIES: u32 = 3;

/// A machine's log of this length is shortened, in bytes.
const LONG: u64 = 4 * 1024 * 1024;

/// So much of its end is kept, in bytes.
const END: u64 = 1024 * 1024;

/// How many files like `fireedge1.log` are kept.
const CONTINUATIONS: usize = 2;

/// What became of the files; a sentence each.
#[derive(Debug, Default)]
pub struct Done {
    /// What was done.
    pub done: Vec<String>,
    /// What could not be done.
    pub failed: Vec<String>,
}

impl Done {
    fn note(&mut self, path: &Path, outcome: io::Result<Option<String>>) {
        match outcome {
            Ok(what) => self.done.extend(what),
            // It went away by itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.failed.push(format!("{}: {error}", path.display())),
        }
    }
}

/// The timer `rotate-logs`: rotates and says so. The error is a sentence for people.
pub async fn run(directory: PathBuf) -> Result<(), String> {
    let what = directory.display().to_string();
    // A copy of some megabytes must not hold up the health endpoint.
    let rotated = tokio::task::spawn_blocking(move || rotate(&directory, SystemTime::now())).await;
    let done = rotated
        .map_err(|error| error.to_string())
        .and_then(|done| done.map_err(|error| error.to_string()))
        .map_err(|error| format!("{what}: {error}"))?;
    for sentence in done.done {
        tracing::info!("rotate-logs: {sentence}");
    }
    if done.failed.is_empty() {
        Ok(())
    } else {
        Err(done.failed.join("; "))
    }
}

/// Rotates what has to be in the directory of logs. Fails when the directory cannot be read; a file that makes trouble does
/// not keep the others from being rotated.
pub fn rotate(directory: &Path, now: SystemTime) -> io::Result<Done> {
    let mut done = Done::default();
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            // Logs of OneFlow's services, OneForm's provisions and OneKS's clusters.
            for resource in fs::read_dir(&path)?.flatten().filter(is_log) {
                done.note(&resource.path(), shorten(&resource.path()));
            }
        } else if kind.is_file()
            && let Some(name) = entry.file_name().to_str()
        {
            names.push(name.to_owned());
        }
    }
    for name in &names {
        let path = directory.join(name);
        let outcome = match role(name, &names) {
            Role::Machine => shorten(&path),
            Role::Daemon => copy_and_cut(&path, now),
            Role::Copy => remove_if_old(&path, now),
            Role::Continuation(_) | Role::Other => Ok(None),
        };
        done.note(&path, outcome);
    }
    remove_continuations(directory, &names, &mut done);
    Ok(done)
}

/// What a file of the directory is.
#[derive(Debug, PartialEq, Eq)]
enum Role<'a> {
    /// The log of a virtual machine, `42.log`.
    Machine,
    /// The log of a daemon, `oned.log`.
    Daemon,
    /// What a daemon's log held earlier, `oned.log.1`.
    Copy,
    /// What goes on where a log of this name ends: `fireedge1.log` beside `fireedge.log`.
    Continuation(&'a str),
    Other,
}

fn role<'a>(name: &'a str, all: &[String]) -> Role<'a> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (stem, number) = match name.rsplit_once('.') {
        Some((log, number)) if digits(number) => (log, Some(number)),
        _ => (name, None),
    };
    let Some((stem, extension @ ("log" | "error"))) = stem.rsplit_once('.') else {
        return Role::Other;
    };
    if number.is_some() {
        return Role::Copy;
    }
    if extension == "error" {
        return Role::Daemon;
    }
    if digits(stem) {
        return Role::Machine;
    }
    let first = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    if first.len() < stem.len() && all.iter().any(|other| other.strip_suffix(".log") == Some(first)) {
        return Role::Continuation(first);
    }
    Role::Daemon
}

fn is_log(entry: &fs::DirEntry) -> bool {
    let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
    is_file
        && entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "log")
}

/// Opens a file itself, never what a link of its name points to.
fn open(path: &Path) -> io::Result<File> {
    regular::open_with(path, Links::Refuse, OFlags::RDWR)
}

/// A new file with the mode of another, of a name that nobody else uses.
fn create(path: &Path, like: &Metadata) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o777))?;
    Ok(file)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn copy_name(path: &Path, number: u32) -> PathBuf {
    with_suffix(path, &format!(".{number}"))
}

/// Copies a daemon's log and cuts it.
fn copy_and_cut(path: &Path, now: SystemTime) -> io::Result<Option<String>> {
    let mut log = open(path)?;
    let metadata = log.metadata()?;
    let length = metadata.len();
    let last = fs::metadata(copy_name(path, 1))
        .and_then(|copy| copy.modified())
        .or_else(|_| metadata.created());
    let old = last.is_ok_and(|last| now.duration_since(last).is_ok_and(|age| age >= OLD));
    if length < LARGE && !(old && length > 0) {
        return Ok(None);
    }
    let copied = copy(path, &mut log, &metadata);
    if copied.is_err() {
        // No room: everything has been on standard output, and a log that grows on would take the room of others.
        for number in 1..=COPIES {
            let _ = fs::remove_file(copy_name(path, number));
        }
    }
    log.set_len(0)?;
    let name = path.file_name().unwrap_or_default().display();
    match copied {
        Ok(()) => Ok(Some(format!("{name}: {length} bytes moved to {name}.1"))),
        Err(error) => Err(io::Error::other(format!(
            "cut without a copy, its older copies removed: {error}"
        ))),
    }
}

/// Makes the copies one older, and a new first one of all that stands in the log.
fn copy(path: &Path, log: &mut File, metadata: &Metadata) -> io::Result<()> {
    let unfinished = with_suffix(path, ".new");
    let mut copy = create(&unfinished, metadata)?;
    // Its writers may write as fast as it is copied.
    if let Err(error) = io::copy(&mut (&*log).take(metadata.len()), &mut copy) {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    for number in (1..COPIES).rev() {
        let _ = fs::rename(copy_name(path, number), copy_name(path, number + 1));
    }
    fs::rename(&unfinished, copy_name(path, 1))?;
    // What was written meanwhile. Between here and the cut are two calls of the system.
    io::copy(&mut (&*log).take(LARGE), &mut copy)?;
    Ok(())
}

/// Replaces a log whose writer opens it anew for every line by its own end.
fn shorten(path: &Path) -> io::Result<Option<String>> {
    let mut log = open(path)?;
    let metadata = log.metadata()?;
    if metadata.len() < LONG {
        return Ok(None);
    }
    log.seek(SeekFrom::Start(metadata.len() - END))?;
    let mut end = Vec::new();
    (&log).take(2 * END).read_to_end(&mut end)?;
    let line = end
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |place| place + 1);
    let unfinished = with_suffix(path, ".new");
    let mut new = create(&unfinished, &metadata)?;
    let replaced = new
        .write_all(end.get(line..).unwrap_or_default())
        .and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = replaced {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    // A line of a writer who had opened the old one before it was replaced.
    io::copy(&mut log.take(END), &mut new)?;
    Ok(Some(format!(
        "{}: shortened from {} bytes to its end",
        path.file_name().unwrap_or_default().display(),
        metadata.len()
    )))
}

fn remove_if_old(path: &Path, now: SystemTime) -> io::Result<Option<String>> {
    let modified = fs::symlink_metadata(path)?.modified()?;
    if now.duration_since(modified).is_ok_and(|age| age >= OLD) {
        fs::remove_file(path)?;
    }
    Ok(None)
}

/// Removes all but the latest files like `fireedge1.log`; the one that is written to is the latest.
fn remove_continuations(directory: &Path, names: &[String], done: &mut Done) {
    let mut found: Vec<(&str, SystemTime, PathBuf)> = names
        .iter()
        .filter_map(|name| match role(name, names) {
            Role::Continuation(first) => {
                let path = directory.join(name);
                Some((first, fs::symlink_metadata(&path).ok()?.modified().ok()?, path))
            }
            _ => None,
        })
        .collect();
    // Of each log by itself, the latest first.
    found.sort_by(|one, other| one.0.cmp(other.0).then(other.1.cmp(&one.1)));
    for of_one_log in found.chunk_by(|one, other| one.0 == other.0) {
        for (_, _, path) in of_one_log.iter().skip(CONTINUATIONS) {
            done.note(path, fs::remove_file(path).map(|()| None));
        }
    }
}

#[cfg(test)]
mod tests;
