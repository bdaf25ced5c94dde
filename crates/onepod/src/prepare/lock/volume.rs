//! The lock on a file of the volume: two pods on one volume would write over each other's files, and with sqlite over the
//! database.
//!
//! It is `flock(2)`, which the kernel releases with the process; network file systems that do not know it get a note and
//! no lock. The file names its holder while there is one.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::time;

use super::{Holder, Identity};
use crate::board::Stage;
use crate::paths::Paths;
use crate::prepare::files;

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

/// Takes the lock, and waits for whoever has it. None where the volume knows no locks or cannot be written to: the
/// stage after this one says so of its own files.
pub(crate) async fn take(paths: &Paths, stage: &Stage) -> Option<VolumeLock> {
    let path = paths.own_data().join("volume.lock");
    files::directory(&paths.data(), 0o750).ok()?;
    files::directory(&paths.own_data(), 0o750).ok()?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .ok()?;
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
                stage.note(&format!(
                    "the file system of {} has no locks ({error}): nothing keeps a second pod from this volume",
                    paths.data().display()
                ));
                return None;
            }
        }
    }
    let me = Identity::here();
    // Who holds it is a courtesy to the one that waits; the lock is the kernel's.
    let _ = file.set_len(0);
    let _ = file.write_all(format!("{} {}\n", me.pod, me.since).as_bytes());
    Some(VolumeLock { file })
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
