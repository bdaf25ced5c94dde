//! The lock on a file of the volume: two pods on one volume would write over each other's files, and with sqlite over the
//! database.
//!
//! It is `flock(2)`, which the kernel releases with the process. On a file system without locks a database in a file is
//! refused; with a database server, which has its lease, the operator is told. The file names its holder while there is one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::time;

use super::{Holder, Identity};
use crate::board::Stage;
use crate::paths::Paths;
use crate::prepare::files;

/// Changes with every start of the machine (Linux, `Documentation/admin-guide/sysctl/kernel.rst`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How often a waiting pod looks whether the volume is free.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct VolumeLock {
    file: File,
}

impl Drop for VolumeLock {
    fn drop(&mut self) {
        // Nobody is to be told of a holder that has gone.
        let _ = self.file.set_len(0);
    }
}

impl VolumeLock {
    /// Names this lock among all locks of all machines since they were started: nobody else can have it while this one
    /// does.
    pub(super) fn place(&self) -> Option<String> {
        let boot = fs::read_to_string(BOOT_ID).ok()?;
        let file = self.file.metadata().ok()?;
        let boot: String = boot
            .chars()
            .filter(|c| c.is_ascii_hexdigit() || *c == '-')
            .collect();
        (!boot.is_empty()).then(|| format!("{boot}:{:x}:{:x}", file.dev(), file.ino()))
    }
}

/// Takes the lock, and waits for whoever has it. The error says why there is none to take.
pub(crate) async fn take(paths: &Paths, stage: &Stage) -> Result<VolumeLock, String> {
    let path = paths.own_data().join("volume.lock");
    let described = |error: &dyn std::fmt::Display| error.to_string();
    files::directory(&paths.data(), 0o750).map_err(|error| described(&error))?;
    files::directory(&paths.own_data(), 0o750).map_err(|error| described(&error))?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK) => {
                stage.waiting(&format!(
                    "{} uses the volume {}. This front-end goes on when that one has ended; if there should be only \
                     one, look for another release or StatefulSet with the same claim",
                    holder(&path),
                    paths.data().display()
                ));
                time::sleep(LOOK_EVERY).await;
            }
            Err(Errno::INTR) => {}
            Err(error) => {
                return Err(format!(
                    "the file system of {} does not lock files: {}",
                    paths.data().display(),
                    io::Error::from(error)
                ));
            }
        }
    }
    let me = Identity::here(None);
    // Who holds it is a courtesy to the one that waits; the lock is the kernel's.
    let _ = file.set_len(0);
    let _ = file.write_all(format!("{} {}\n", me.pod, me.since).as_bytes());
    Ok(VolumeLock { file })
}

/// Who wrote his name into the file.
fn holder(path: &Path) -> Holder {
    let mut text = String::new();
    let _ = File::open(path).and_then(|file| file.take(256).read_to_string(&mut text));
    let mut words = text.split_whitespace().map(str::to_owned);
    Holder {
        pod: words.next(),
        since: words.next(),
        ..Holder::default()
    }
}
