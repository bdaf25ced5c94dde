//! What a service prints, line by line into the stream: its pipes while it lives, and its last lines for later.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::pipe::Receiver;

use crate::log::Log;
use crate::log::line::classify;

/// Lines longer than this are split.
const LONGEST: usize = 16 * 1024;

/// How many of a service's last lines are kept.
const KEPT: usize = 20;

/// How much of a kept line is kept, in bytes.
const KEPT_LENGTH: usize = 1024;

/// How much is read at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// The last lines of one service, over all its runs.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    lines: Arc<Mutex<VecDeque<Vec<u8>>>>,
}

impl Tail {
    /// The last lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock()
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    /// The last line that is not blank.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        let lines = self.lock();
        let last = lines.iter().rev().find(|line| !line.trim_ascii().is_empty())?;
        Some(String::from_utf8_lossy(last).into_owned())
    }

    /// Forgets all lines.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn push(lines: &mut VecDeque<Vec<u8>>, line: &[u8]) {
        // Buffers go round, so that a fast writer costs no allocation for each line.
        let mut kept = if lines.len() < KEPT {
            Vec::new()
        } else {
            lines.pop_front().unwrap_or_default()
        };
        kept.clear();
        kept.extend_from_slice(line.get(..KEPT_LENGTH).unwrap_or(line));
        lines.push_back(kept);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts one source of bytes into lines of the stream.
#[derive(Debug)]
pub struct Lines {
    name: Arc<str>,
    log: Log,
    tail: Tail,
    /// The beginning of a line whose end has not come yet; shorter than [`LONGEST`].
    pending: Vec<u8>,
}

impl Lines {
    /// Lines that appear under `name`.
    #[must_use]
    pub fn new(name: Arc<str>, log: Log, tail: Tail) -> Self {
        Self {
            name,
            log,
            tail,
            pending: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut batch = self.log.batch(&self.name);
        let mut tail = self.tail.lock();
        let mut emit = |line: &[u8]| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let (severity, message) = classify(line);
            batch.push(severity, message);
            Tail::push(&mut tail, message);
        };
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(line) if self.pending.is_empty() && line.len() <= LONGEST => emit(line),
                Some(line) => {
                    self.pending.extend_from_slice(line);
                    split_long(&mut self.pending, &mut emit);
                    emit(&self.pending);
                    self.pending.clear();
                }
                None => {
                    self.pending.extend_from_slice(piece);
                    split_long(&mut self.pending, &mut emit);
                }
            }
        }
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// The source has ended: a line without its newline is a line now.
    pub fn end(&mut self) {
        if !self.pending.is_empty() {
            self.feed(b"\n");
        }
    }
}

/// Emits the front of `pending` in pieces until the rest is no longer than [`LONGEST`].
fn split_long(pending: &mut Vec<u8>, emit: &mut impl FnMut(&[u8])) {
    while pending.len() > LONGEST {
        let cut = cut_before(pending, LONGEST);
        emit(pending.get(..cut).unwrap_or_default());
        pending.drain(..cut);
    }
}

/// The place at or before `limit` where no UTF-8 character is cut in two.
fn cut_before(bytes: &[u8], limit: usize) -> usize {
    let starts_a_character = |place: &usize| bytes.get(*place).is_none_or(|byte| byte & 0xc0 != 0x80);
    // A character has at most four bytes; what has no start in reach is not UTF-8.
    (limit.saturating_sub(3)..=limit)
        .rev()
        .find(starts_a_character)
        .unwrap_or(limit)
}

/// One pipe of a running service.
#[derive(Debug, Clone)]
pub struct Capture {
    pipe: Arc<Receiver>,
    lines: Arc<Mutex<Lines>>,
}

impl Capture {
    /// Begins to read a pipe. The task ends when nobody can write to it any more.
    pub fn start(pipe: OwnedFd, lines: Lines) -> io::Result<Self> {
        let capture = Self {
            pipe: Arc::new(Receiver::from_owned_fd(pipe)?),
            lines: Arc::new(Mutex::new(lines)),
        };
        let reading = capture.clone();
        tokio::spawn(async move {
            while reading.pipe.readable().await.is_ok() {
                match reading.read(|buffer| reading.pipe.try_read(buffer)) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if retry(&error) => {}
                    Err(_) => break,
                }
            }
            reading.lock().end();
        });
        Ok(capture)
    }

    /// Reads what already is in the pipe, without waiting for more: the last words of a service that has ended. A line
    /// without its newline is a line then.
    pub fn drain(&self) {
        // Someone else may still write: a bound keeps this from going on for ever.
        for _ in 0..64 {
            // Past the event loop, which has perhaps not noticed yet that there is something to read.
            match self.read(|buffer| Ok(rustix::io::read(&*self.pipe, buffer)?)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.lock().end();
    }

    fn read(&self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let mut buffer = [0; CHUNK];
        let length = read(&mut buffer)?;
        self.lock().feed(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn retry(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
