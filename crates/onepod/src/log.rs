//! The one stream on standard output that carries onepod's own lines and those of every service.
//!
//! Whoever logs puts finished records, of one line or several, into a bounded buffer; one thread writes it out, unless
//! a pipe takes the few there are at once. A reader that stops reading fills the
//! buffer, further lines are counted and dropped, and the count is reported when the stream flows again: nobody who logs
//! ever waits. Deliberately absent: where lines come from (`supervisor/capture.rs`, `supervisor/follow.rs`).

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags};

mod colour;
pub mod hidden;
pub mod line;
pub mod own;
pub mod recent;
pub(crate) mod record;
pub mod rotate;
mod shape;
pub mod visible;

pub use line::{Format, Severity};
pub use recent::{Heard, Subscription};

use hidden::Hidden;
use recent::Recent;

/// How many bytes wait for the writer at most; 10,000 lines of 100 bytes.
const CAPACITY: usize = 1024 * 1024;

/// So many bytes go into a pipe whole or not at all, see `pipe(7)`.
const WHOLE: usize = 4096;

/// A buffer that grew beyond this is given back to the system once it is written.
const KEEP: usize = 64 * 1024;

/// The name under which onepod's own lines appear.
pub const OWN_NAME: &str = "onepod";

/// The stream. Clones write to the same one.
#[derive(Debug, Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    format: Format,
    /// The output once more where a write that would block comes back at once.
    direct: Option<File>,
    queue: Mutex<Queue>,
    filled: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    recent: Recent,
    hidden: Hidden,
    /// The record at hand, as it is written.
    record: Vec<u8>,
    /// Dropped and not yet reported.
    unreported: u64,
    /// Dropped since the start.
    dropped: u64,
    /// The writer holds bytes that it has not finished writing.
    writing: bool,
}

impl Log {
    /// Starts the stream on this process' standard output.
    pub fn on_stdout(format: Format) -> io::Result<Self> {
        Self::start(format, rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?)
    }

    /// Starts the stream on any open file, pipe or socket.
    pub fn start(format: Format, output: OwnedFd) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            format,
            direct: without_waiting(&output),
            queue: Mutex::default(),
            filled: Condvar::new(),
            written: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_out(&writer, &File::from(output)))?;
        Ok(Self { shared })
    }

    /// Adds one record.
    pub fn line(&self, name: &str, severity: Severity, message: &[u8]) {
        let mut batch = self.batch(name);
        batch.push(severity, message);
    }

    /// Begins to add several records of one service; they share a time and become visible together.
    #[must_use]
    pub fn batch<'a>(&'a self, name: &'a str) -> Batch<'a> {
        let queue = lock(&self.shared.queue);
        Batch {
            alone: !queue.writing && queue.is_empty(),
            queue: Some(queue),
            log: self,
            name,
            time: format!("{:.3}", Timestamp::now()),
        }
    }

    /// From now on these texts are replaced in whatever is logged, and in [`Batch::without_secrets`].
    pub fn hide(&self, secrets: impl IntoIterator<Item = String>) {
        lock(&self.shared.queue).hidden.add(secrets);
    }

    /// A text for other places than the stream, without what is hidden.
    #[must_use]
    pub fn without_secrets(&self, text: &str) -> String {
        let queue = lock(&self.shared.queue);
        String::from_utf8_lossy(&queue.hidden.out_of(text.as_bytes())).into_owned()
    }

    /// How many lines were dropped since the start because standard output was not read.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        lock(&self.shared.queue).dropped
    }

    /// The last records of one service, or of all, as they stand in the stream, oldest first. All services together keep
    /// 256 KiB.
    #[must_use]
    pub fn recent(&self, service: Option<&str>) -> Vec<String> {
        lock(&self.shared.queue).recent.of(service)
    }

    /// The names under which something was logged.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        lock(&self.shared.queue).recent.names()
    }

    /// How many records there were since the start under each name, the dropped ones included.
    #[must_use]
    pub fn totals(&self) -> Vec<(String, u64)> {
        lock(&self.shared.queue).recent.totals()
    }

    /// What [`Log::recent`] gives, and from there on every new record: none is missing in between and none comes twice.
    #[must_use]
    pub fn subscribe(&self, service: Option<&str>) -> (Vec<String>, Subscription) {
        let mut queue = lock(&self.shared.queue);
        (queue.recent.of(service), queue.recent.subscribe(service))
    }

    /// Waits until everything is written, but no longer than `limit`.
    pub fn finish(&self, limit: Duration) {
        let queue = lock(&self.shared.queue);
        let busy = |queue: &mut Queue| queue.writing || !queue.is_empty();
        drop(self.shared.written.wait_timeout_while(queue, limit, busy));
    }
}

/// Several records on their way into the stream.
#[derive(Debug)]
pub struct Batch<'a> {
    /// There until the end.
    queue: Option<MutexGuard<'a, Queue>>,
    /// Nothing waited to be written when this began.
    alone: bool,
    log: &'a Log,
    name: &'a str,
    time: String,
}

impl Batch<'_> {
    /// The time of these records.
    #[must_use]
    pub fn time(&self) -> &str {
        &self.time
    }

    /// A text that also goes elsewhere than into the stream, without what is hidden.
    #[must_use]
    pub fn without_secrets<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.queue {
            Some(queue) => queue.hidden.out_of(text),
            None => Cow::Borrowed(text),
        }
    }

    /// Adds one record, or counts its lines as dropped when the buffer is full.
    pub fn push(&mut self, severity: Severity, message: &[u8]) {
        self.add(None, severity, message);
    }

    /// The same for a record that began at an earlier time.
    pub fn push_of(&mut self, time: &str, severity: Severity, message: &[u8]) {
        self.add(Some(time), severity, message);
    }

    fn add(&mut self, time: Option<&str>, severity: Severity, message: &[u8]) {
        let Some(queue) = self.queue.as_deref_mut() else {
            return;
        };
        let message = queue.hidden.out_of(message);
        let message = &*message;
        queue.record.clear();
        line::append(
            &mut queue.record,
            self.log.shared.format,
            time.unwrap_or(&self.time),
            severity,
            self.name,
            message,
        );
        let record = queue.record.strip_suffix(b"\n").unwrap_or(&queue.record);
        queue.recent.push(self.name, record);
        // After the first drop nothing is taken until the writer comes round: the report then stands where the gap is.
        if queue.unreported > 0 || queue.bytes.len() + queue.record.len() > CAPACITY {
            let lines = message.split(|byte| *byte == b'\n').count() as u64;
            queue.unreported += lines;
            queue.dropped += lines;
            return;
        }
        queue.bytes.extend_from_slice(&queue.record);
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let Some(mut queue) = self.queue.take() else {
            return;
        };
        // Whoever came first has woken the writer, and it takes everything.
        if !self.alone || queue.is_empty() || queue.write_directly(self.log.shared.direct.as_ref()) {
            return;
        }
        // Woken while the queue is locked, it would only wait for that.
        drop(queue);
        self.log.shared.filled.notify_one();
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.unreported == 0
    }

    /// Writes a few lines without waking the writer for them; true when all of it is done.
    fn write_directly(&mut self, output: Option<&File>) -> bool {
        let Some(mut output) = output else {
            return false;
        };
        if self.unreported > 0 || self.bytes.len() > WHOLE {
            return false;
        }
        match output.write(&self.bytes) {
            Ok(written) => {
                self.bytes.drain(..written.min(self.bytes.len()));
                self.bytes.is_empty()
            }
            Err(_) => false,
        }
    }
}

/// A pipe opened once more, so that this does not change how others write to it; none where it is no pipe or may not be
/// opened.
fn without_waiting(output: &OwnedFd) -> Option<File> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(output).ok()?.st_mode);
    if kind != FileType::Fifo {
        return None;
    }
    let path = format!("/proc/self/fd/{}", output.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Some(File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?))
}

/// The writer thread. It ends with the process.
fn write_out(shared: &Shared, output: &File) {
    let mut bytes = Vec::new();
    loop {
        let mut queue = lock(&shared.queue);
        queue.writing = false;
        shared.written.notify_all();
        let mut queue = shared
            .filled
            .wait_while(queue, |queue| queue.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut queue.bytes, &mut bytes);
        let dropped = std::mem::take(&mut queue.unreported);
        queue.writing = true;
        drop(queue);
        if dropped > 0 {
            let message = format!("{dropped} log lines were dropped because standard output was not read");
            let time = format!("{:.3}", Timestamp::now());
            line::append(
                &mut bytes,
                shared.format,
                &time,
                Severity::Warning,
                OWN_NAME,
                message.as_bytes(),
            );
        }
        // A closed standard output takes nothing any more; the services go on.
        let _ = write_all(output, &bytes);
        bytes.clear();
        if bytes.capacity() > KEEP {
            bytes = Vec::new();
        }
    }
}

/// Writes everything, also to a file that someone else has made non-blocking.
fn write_all(mut output: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(
                    &mut [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::OUT)],
                    None,
                )?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
