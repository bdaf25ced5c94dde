//! Stage layout: directories, oned's stale lock, and /etc/one as the image ships it.
//!
//! `/etc/one` starts from the image every time, so that an upgrade cannot inherit old configuration. What exists on the
//! volume stays as it is; the remotes have a stage of their own. The volume's root and the other mount points belong to
//! root in a pod: neither their mode nor their times are touched.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use super::copy;
use super::files::{self, FileError, failed};
use crate::board::Stage;
use crate::paths::Paths;

/// Makes the layout. The `stage` hears what was moved aside.
pub(crate) async fn lay_out(paths: &Paths, stage: &Stage) -> Result<(), FileError> {
    directories(paths)?;
    if clear_stale_lock(paths)? {
        stage.note(&format!(
            "removed {}, which an oned that was killed left behind",
            paths.lock_file().display()
        ));
    }
    configuration(paths, stage).await?;
    data(paths).await
}

/// Directories with the modes of the packages' tmpfiles.d and install.sh (7.0.2).
fn directories(paths: &Paths) -> Result<(), FileError> {
    for (path, mode) in [
        (paths.etc_one(), 0o750),
        (paths.data(), 0o750),
        (paths.log(), 0o750),
        (paths.lock(), 0o755),
        (paths.run_one(), 0o750),
        (paths.run_onepod(), 0o755),
    ] {
        files::directory(&path, mode)?;
        files::writable(&path)?;
    }
    // Drivers unpack and upload there; where there is none, nobody needs it.
    for path in paths.temporary() {
        if path.exists() {
            files::writable(&path)?;
        }
    }
    for (path, mode) in [
        (paths.datastores(), 0o755),
        (paths.datastores().join("0"), 0o755),
        (paths.datastores().join("1"), 0o755),
        (paths.datastores().join("2"), 0o755),
        (paths.vms(), 0o750),
    ] {
        files::directory(&path, mode)?;
    }
    // OneForm does not start without it. Releases before 7.2 do not have OneForm.
    if paths.pristine_etc().join("oneform-server.conf").exists() {
        files::directory(&paths.oneform(), 0o750)?;
    }
    for path in [
        paths.ssh_socks(),
        paths.auth_dir(),
        paths.ssh_dir(),
        paths.own_data(),
    ] {
        files::private_directory(&path)?;
    }
    Ok(())
}

/// Removes oned's lock, an empty file without a pid, that a killed oned leaves behind and at which the next one gives
/// up. Only to be called while no oned lives. True when there was one.
pub fn clear_stale_lock(paths: &Paths) -> Result<bool, FileError> {
    let lock = paths.lock_file();
    match fs::remove_file(&lock) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove the stale lock", &lock)(error)),
    }
}

/// Fills /etc/one from the image.
async fn configuration(paths: &Paths, stage: &Stage) -> Result<(), FileError> {
    let mounts = copy::empty(&paths.etc_one())?;
    for mount in &mounts {
        stage.note(&format!(
            "{} is mounted there and stays as it is",
            mount.display()
        ));
    }
    copy::tree(&paths.pristine_etc(), &paths.etc_one(), &mounts).await?;
    Ok(())
}

/// Brings what the packages ship for /var/lib/one, remotes apart, where there is nothing yet.
async fn data(paths: &Paths) -> Result<(), FileError> {
    let remotes = BTreeSet::from([paths.remotes()]);
    let written = copy::tree(&paths.pristine_data(), &paths.data(), &remotes).await?;
    if written > 0 {
        tracing::info!(
            "layout: {} files of this release written to {}",
            written,
            paths.data().display()
        );
    }
    Ok(())
}
