//! What a service prints, as records into the stream: its pipes while it lives, and its last lines for later.
//!
//! The last record waits a moment for lines that belong to it; a source that is silent has no timer.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::own_probes::OwnProbes;
use crate::log::record::{Records, Sink};
use crate::log::visible::visible;
use crate::log::{Batch, Log, Severity};

/// How long a record waits for another line that belongs to it.
pub(super) const QUIET: Duration = Duration::from_millis(100);

/// How long a record waits for further lines altogether.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many of a service's last lines are kept.
const KEPT: usize = 20;

/// How many of these are lines of errors that later lines do not displace.
const KEPT_ERRORS: usize = 10;

/// A record with more lines than this is shortened: oned prints its whole configuration at its start, and the cause of a
/// failure stands before its backtrace.
const LONGEST_KEPT_RECORD: usize = 5;

/// How many lines of a shortened warning or error are kept, from its headline on. Of others it is the first.
const KEPT_OF_ERROR: usize = 3;

/// How much of a kept line is kept, in bytes.
const KEPT_LENGTH: usize = 1024;

/// How much is read at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// The last lines of one service's run, its errors before the rest.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    lines: Arc<Mutex<VecDeque<KeptLine>>>,
}

/// A line that is kept.
#[derive(Debug, Default)]
struct KeptLine {
    text: Vec<u8>,
    is_error: bool,
}

impl Tail {
    /// The last lines, oldest first, their control characters shown.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lock().iter().map(|line| shown(&line.text)).collect()
    }

    /// The headline of the last error, or the last line if there is none; blank lines do not count. A headline that ends
    /// in a colon only announces the cause, so the indented lines below it follow. Control characters are shown.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        let lines = self.lock();
        let mut said = lines
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, line)| !line.text.trim_ascii().is_empty());
        let (place, last) = said
            .clone()
            .find(|(_, line)| line.is_error)
            .or_else(|| said.next())?;
        let mut text = shown(&last.text);
        if text.ends_with(':') {
            let below = lines.iter().skip(place + 1);
            for line in below.take_while(|line| line.text.starts_with(b"  ")) {
                text = text + " " + shown(line.text.trim_ascii()).as_str();
            }
        }
        Some(text)
    }

    /// Forgets all lines.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn push(lines: &mut VecDeque<KeptLine>, line: &[u8], is_error: bool) {
        // Buffers go round, so that a fast writer costs no allocation for each line.
        let mut kept = if lines.len() < KEPT {
            KeptLine::default()
        } else {
            let errors = lines.iter().filter(|line| line.is_error).count();
            let oldest = lines
                .iter()
                .position(|line| !line.is_error)
                .filter(|_| errors <= KEPT_ERRORS)
                .unwrap_or_default();
            lines.remove(oldest).unwrap_or_default()
        };
        kept.text.clear();
        kept.text
            .extend_from_slice(line.get(..KEPT_LENGTH).unwrap_or(line));
        kept.is_error = is_error;
        lines.push_back(kept);
    }

    /// Takes a record; `headline` is the number of the line that says what it is about.
    fn push_record(lines: &mut VecDeque<KeptLine>, severity: Severity, message: &[u8], headline: usize) {
        // Without internet the marketplaces fail every ten minutes; oned has never ended because of it.
        let is_error = severity == Severity::Error && !is_marketplace_failure(message);
        let count = message.split(|byte| *byte == b'\n').count();
        // A secret of several lines was one word in between.
        let headline = headline.min(count.saturating_sub(1));
        let (first, taken) = match severity {
            _ if count <= LONGEST_KEPT_RECORD => (0, count),
            Severity::Info | Severity::Debug => (0, 1),
            _ => (headline, KEPT_OF_ERROR.min(count.saturating_sub(headline))),
        };
        let numbered = message.split(|byte| *byte == b'\n').enumerate();
        for (number, line) in numbered.skip(first).take(taken) {
            Self::push(lines, line, is_error && number == headline);
        }
        if taken < count {
            Self::push(lines, format!("[{} more lines]", count - taken).as_bytes(), false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<KeptLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_marketplace_failure(message: &[u8]) -> bool {
    const FAILURE: &[u8] = b"[MKP][E]: Error monitoring marketplace";
    let zone_and_text = message
        .get(..message.len().min(FAILURE.len() + 8))
        .unwrap_or(message);
    zone_and_text
        .windows(FAILURE.len())
        .any(|window| window == FAILURE)
}

fn shown(line: &[u8]) -> String {
    visible(&String::from_utf8_lossy(line)).into_owned()
}

/// Turns one source of bytes into records of the stream.
#[derive(Debug)]
pub struct Lines {
    name: Arc<str>,
    log: Log,
    tail: Tail,
    records: Records,
    probes: OwnProbes,
    /// The record that waits for further lines.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// When its first line came, as the stream writes it.
    time: String,
    /// When it is given at the latest.
    latest: Instant,
    /// When it is given unless another line comes.
    until: Instant,
}

impl Lines {
    /// Lines that appear under `name`.
    #[must_use]
    pub fn new(name: Arc<str>, log: Log, tail: Tail) -> Self {
        Self {
            name,
            log,
            tail,
            records: Records::default(),
            probes: OwnProbes::default(),
            waiting: None,
        }
    }

    /// Another source of the same service.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(Arc::clone(&self.name), self.log.clone(), self.tail.clone())
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        let given = self.with(|records, output| records.feed(chunk, output));
        if !self.records.waits() {
            self.waiting = None;
            return;
        }
        let now = Instant::now();
        match &mut self.waiting {
            // The record that was there has been given: what waits now came with this chunk.
            Some(waiting) if given.is_none() => waiting.until = waiting.latest.min(now + QUIET),
            waiting => {
                *waiting = Some(Waiting {
                    time: given.unwrap_or_default(),
                    latest: now + PATIENCE,
                    until: now + QUIET,
                });
            }
        }
    }

    /// When [`Lines::flush`] is due; none while nothing waits.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.until)
    }

    /// Nothing more is waited for.
    pub fn flush(&mut self) {
        self.with(|records, output| records.flush(output));
        self.waiting = None;
    }

    /// The source has ended: a line without its newline is a line now.
    pub fn end(&mut self) {
        self.with(|records, output| records.end(output));
        self.waiting = None;
    }

    /// Has the records do something; the time of now when a record that waits did not wait before.
    fn with(&mut self, work: impl FnOnce(&mut Records, &mut Output<'_>)) -> Option<String> {
        let mut output = Output {
            batch: self.log.batch(&self.name),
            tail: self.tail.lock(),
            probes: &mut self.probes,
            earlier: self.waiting.as_ref().map(|waiting| waiting.time.as_str()),
        };
        work(&mut self.records, &mut output);
        output.earlier.is_none().then(|| output.batch.time().to_owned())
    }
}

/// Where the records of one chunk go.
struct Output<'a> {
    batch: Batch<'a>,
    tail: MutexGuard<'a, VecDeque<KeptLine>>,
    probes: &'a mut OwnProbes,
    /// The time of the first record, if it began in an earlier chunk.
    earlier: Option<&'a str>,
}

impl Sink for Output<'_> {
    fn record(&mut self, severity: Severity, message: &[u8], headline: usize) {
        let earlier = self.earlier.take();
        if self.probes.answers(message) {
            return;
        }
        let kept = self.batch.without_secrets(message);
        Tail::push_record(&mut self.tail, severity, &kept, headline);
        match earlier {
            Some(time) => self.batch.push_of(time, severity, message),
            None => self.batch.push(severity, message),
        }
    }
}

/// One pipe of a running service.
#[derive(Debug, Clone)]
pub struct Capture {
    source: Source,
    task: AbortHandle,
}

#[derive(Debug, Clone)]
struct Source {
    pipe: Arc<Receiver>,
    lines: Arc<Mutex<Lines>>,
}

impl Capture {
    /// Begins to read a pipe. The task ends when nobody can write to it any more.
    pub fn start(pipe: OwnedFd, lines: Lines) -> io::Result<Self> {
        let source = Source {
            pipe: Arc::new(Receiver::from_owned_fd(pipe)?),
            lines: Arc::new(Mutex::new(lines)),
        };
        let reading = source.clone();
        let task = tokio::spawn(async move {
            loop {
                let due = reading.lock().due();
                tokio::select! {
                    biased;
                    readable = reading.pipe.readable() => if readable.is_err() { break },
                    () = until(due) => {
                        reading.lock().flush();
                        continue;
                    }
                }
                match reading.read(|buffer| reading.pipe.try_read(buffer)) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if retry(&error) => {}
                    Err(_) => break,
                }
            }
            reading.lock().end();
        });
        Ok(Self {
            source,
            task: task.abort_handle(),
        })
    }

    /// Whether somebody can still write to the pipe.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.task.is_finished()
    }

    /// Reads no more, whoever still writes: the pipe is closed.
    pub fn close(self) {
        self.task.abort();
    }

    /// Reads what already is in the pipe, without waiting for more: the last words of a service that has ended. A line
    /// without its newline is a line then.
    pub fn drain(&self) {
        // Someone else may still write: a bound keeps this from going on for ever.
        for _ in 0..64 {
            // Past the event loop, which has perhaps not noticed yet that there is something to read.
            let source = &self.source;
            match source.read(|buffer| Ok(rustix::io::read(&*source.pipe, buffer)?)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.source.lock().end();
    }
}

impl Source {
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

/// Waits for a moment; for ever when there is none.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn retry(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(records: &[(Severity, &str)]) -> Tail {
        let tail = Tail::default();
        for (severity, message) in records {
            Tail::push_record(&mut tail.lock(), *severity, message.as_bytes(), 0);
        }
        tail
    }

    #[test]
    fn a_configuration_that_is_printed_does_not_displace_the_error() {
        let dump = format!("[Z0][ONE][I]: Configuration{}", "\nKEY=1".repeat(200));
        let tail = tail(&[
            (Severity::Error, "Error bootstrapping database."),
            (Severity::Info, &dump),
            (Severity::Info, "[Z0][ONE][I]: Stopping"),
        ]);
        assert_eq!(
            tail.lines(),
            [
                "Error bootstrapping database.",
                "[Z0][ONE][I]: Configuration",
                "[200 more lines]",
                "[Z0][ONE][I]: Stopping"
            ]
        );
        assert_eq!(tail.last().as_deref(), Some("Error bootstrapping database."));
    }

    #[test]
    fn a_marketplace_that_cannot_be_reached_is_not_the_cause_of_an_end() {
        let tail = tail(&[
            (Severity::Error, "[Z0][ONE][E]: Driver initialization time out"),
            (
                Severity::Error,
                "[Z0][MKP][E]: Error monitoring marketplace 0: socket.rb:1\nfrom monitor:1",
            ),
        ]);
        assert_eq!(
            tail.last().as_deref(),
            Some("[Z0][ONE][E]: Driver initialization time out")
        );
        assert_eq!(tail.lines().len(), 3);
    }

    #[test]
    fn the_headline_is_what_an_end_is_told_by() {
        let tail = Tail::default();
        let trace = "node:internal/x:1\n  throw err;\n  ^\n\nError: Cannot find module 'express'\n    at f (x:1:2)\n    at g (x:3:4)";
        Tail::push_record(&mut tail.lock(), Severity::Error, trace.as_bytes(), 4);
        assert_eq!(
            tail.last().as_deref(),
            Some("Error: Cannot find module 'express'")
        );
        assert_eq!(
            tail.lines(),
            [
                "Error: Cannot find module 'express'",
                "    at f (x:1:2)",
                "    at g (x:3:4)",
                "[4 more lines]"
            ]
        );
    }

    #[test]
    fn a_headline_that_ends_in_a_colon_is_followed_by_the_cause_below_it() {
        let record = "[E] [SRV]: Server initialization failed: requirements are not met:\n  - no appliance\n  - no TPROXY";
        let tail = tail(&[(Severity::Error, record), (Severity::Info, "[I] [SRV]: Stopped")]);
        assert_eq!(
            tail.last().as_deref(),
            Some(
                "[E] [SRV]: Server initialization failed: requirements are not met: - no appliance - no TPROXY"
            )
        );
    }

    #[test]
    fn the_cause_of_a_failure_stays_before_a_long_backtrace() {
        let trace = format!(
            "undefined method 'x' for nil{}",
            "\n    from /usr/lib/one/ruby/a.rb:7:in 'b'".repeat(60)
        );
        let lines = tail(&[(Severity::Info, "> Running migrators"), (Severity::Error, &trace)]).lines();
        assert_eq!(lines[1], "undefined method 'x' for nil");
        assert_eq!(lines.last().unwrap(), "[58 more lines]");
    }

    #[test]
    fn errors_stay_while_others_go() {
        let tail = tail(&[(Severity::Error, "the cause")]);
        for _ in 0..100 {
            Tail::push_record(&mut tail.lock(), Severity::Info, b"chatter", 0);
        }
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (KEPT, "the cause"));
        for number in 0..100 {
            Tail::push_record(
                &mut tail.lock(),
                Severity::Error,
                format!("{number}").as_bytes(),
                0,
            );
        }
        assert_eq!(tail.last().as_deref(), Some("99"));
        assert_eq!(tail.lines().len(), KEPT);
    }
}
