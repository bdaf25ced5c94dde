//! Log lines in the format of oned: `Mon Nov 23 10:14:29 2026 [Z0][ONE][I]: text`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

/// A log of one daemon.
#[derive(Debug)]
pub(crate) struct Log {
    target: Mutex<Target>,
}

#[derive(Debug)]
enum Target {
    Stderr,
    File(File),
}

impl Log {
    /// To stderr, where `LOG SYSTEM=std` goes.
    pub(crate) fn stderr() -> Self {
        Self {
            target: Mutex::new(Target::Stderr),
        }
    }

    /// Appending to a file.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            target: Mutex::new(Target::File(file)),
        })
    }

    /// One line (or a text of several) at a level: `E`, `W`, `I` or `D`.
    pub(crate) fn line(&self, module: &str, level: char, text: &str) {
        let line = format!("{} [Z0][{module}][{level}]: {text}\n", stamp());
        let Ok(mut target) = self.target.lock() else {
            return;
        };
        // A full disk or a closed pipe must not stop the daemon.
        let _ = match &mut *target {
            Target::Stderr => io::stderr().write_all(line.as_bytes()),
            Target::File(file) => file.write_all(line.as_bytes()),
        };
    }

    /// An information of a module.
    pub(crate) fn info(&self, module: &str, text: &str) {
        self.line(module, 'I', text);
    }

    /// An error of a module.
    pub(crate) fn error(&self, module: &str, text: &str) {
        self.line(module, 'E', text);
    }
}

/// The local time as `ctime` writes it.
pub(crate) fn stamp() -> String {
    jiff::ZonedDateTime::now()
        .strftime("%a %b %e %H:%M:%S %Y")
        .to_string()
}
