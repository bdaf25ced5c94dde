//! Stage layout: directories, oned's stale lock, and /etc/one as the image ships it.
//!
//! `/etc/one` starts from the image every time, so that an upgrade cannot inherit old configuration. What exists on the
//! volume stays as it is; the files of the remotes have a stage of their own. The volume's root and the other mount points belong to
//! root in a pod: neither their mode nor their times are touched.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::copy;
use super::files::{self, FileError, failed};
use super::mounts;
use crate::board::Stage;
use crate::paths::Paths;

/// Makes the layout. The `stage` hears what was moved aside.
pub(crate) async fn lay_out(paths: &Paths, stage: &Stage) -> Result<(), FileError> {
    runtime_directories(paths)?;
    if clear_stale_lock(paths)? {
        stage.note(&format!(
            "removed {}, which an oned that was killed left behind",
            paths.lock_file().display()
        ));
    }
    volumes(paths, stage).await
}

/// Makes what stands on the volume and in `/etc/one`. It may run before the pod's own mounts are there: then the
/// directories in which they lie are not left to the container runtime, which would make them as root.
pub(crate) async fn volumes(paths: &Paths, stage: &Stage) -> Result<(), FileError> {
    for path in [paths.etc_one(), paths.data()] {
        files::directory(&path, 0o750)?;
        files::writable(&path)?;
    }
    for (path, mode) in volume_directories(paths)? {
        if let Some(aside) = files::own_directory(&path, mode)? {
            stage.note(&format!(
                "{} was left behind as root by a container runtime, for a mount that is gone: moved to {}",
                path.display(),
                aside.display()
            ));
        }
    }
    files::writable(&paths.vms())?;
    for path in [paths.auth_dir(), paths.ssh_dir(), paths.own_data()] {
        files::private_directory(&path)?;
    }
    configuration(paths, stage).await?;
    data(paths).await?;
    copy::directories(&paths.pristine_data().join("remotes"), &paths.remotes())
}

/// What goes with the pod, with the modes of the packages' tmpfiles.d (7.0.2).
fn runtime_directories(paths: &Paths) -> Result<(), FileError> {
    for (path, mode) in [
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
    files::private_directory(&paths.ssh_socks())
}

/// Directories of the volume with their modes (the packages' install.sh, 7.0.2), and whatever lies in datastores: a mount
/// that is gone leaves a directory of root's there, in which its datastore cannot work.
fn volume_directories(paths: &Paths) -> Result<Vec<(PathBuf, u32)>, FileError> {
    let mut directories = vec![
        (paths.datastores(), 0o755),
        (paths.datastores().join("0"), 0o755),
        (paths.datastores().join("1"), 0o755),
        (paths.datastores().join("2"), 0o755),
        (paths.vms(), 0o750),
        (paths.auth_dir(), 0o700),
        (paths.ssh_dir(), 0o700),
        (paths.own_data(), 0o700),
        (paths.remotes(), 0o755),
        (paths.backups(), 0o700),
        (paths.dumps(), 0o700),
    ];
    if paths.datastores().is_dir() && !mounts::is_leftover(&paths.datastores()) {
        for name in files::names(&paths.datastores())? {
            let path = paths.datastores().join(name);
            if mounts::is_leftover(&path) && !directories.iter().any(|(known, _)| *known == path) {
                directories.push((path, 0o755));
            }
        }
    }
    // OneForm does not start without it. Releases before 7.2 do not have OneForm.
    if paths.pristine_etc().join("oneform-server.conf").exists() {
        directories.push((paths.oneform(), 0o750));
    }
    Ok(directories)
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

/// Brings what the packages ship for /var/lib/one, remotes apart, where there is nothing yet and something can be written.
async fn data(paths: &Paths) -> Result<(), FileError> {
    let mounts = mounts::below(&paths.data()).into_iter();
    let mut skipped: BTreeSet<_> = mounts.filter(|mount| !mounts::is_writable(mount)).collect();
    skipped.insert(paths.remotes());
    let written = copy::tree(&paths.pristine_data(), &paths.data(), &skipped).await?;
    if written > 0 {
        tracing::info!(
            "layout: {} files of this release written to {}",
            written,
            paths.data().display()
        );
    }
    Ok(())
}
