//! Doing what a plan says, on the volume.
//!
//! What is brought keeps the time of the image's file, so that any change of the user's shows. A directory of ours that
//! is closed to writing is opened for it.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::plan::{Step, is_configuration};
use crate::prepare::files::{self, FileError, failed};

/// Where things come from and go to.
pub(super) struct Place {
    /// The image's remotes.
    pub(super) image: PathBuf,
    /// The volume's.
    pub(super) volume: PathBuf,
    /// A directory for everything that is moved aside in this start; made when the first is.
    pub(super) aside: PathBuf,
}

impl Place {
    /// Does one step.
    pub(super) fn take(&self, step: &Step) -> Result<(), FileError> {
        let (Step::Aside(path)
        | Step::Remove(path)
        | Step::RemoveDirectory(path)
        | Step::Make(path)
        | Step::Write(path)) = step;
        match self.once(step, path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied && self.open(path) => {
                self.once(step, path)
            }
            done => done,
        }
    }

    fn once(&self, step: &Step, path: &Path) -> Result<(), FileError> {
        let place = self.volume.join(path);
        match step {
            Step::Aside(_) => {
                let aside = self.aside.join(path);
                files::directory(aside.parent().unwrap_or(&self.aside), 0o700)?;
                fs::rename(&place, &aside).map_err(failed("move aside", &place))
            }
            Step::Remove(_) => fs::remove_file(&place).map_err(failed("remove", &place)),
            Step::RemoveDirectory(_) => match fs::remove_dir(&place) {
                Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
                    Err(failed("remove", &place)(error))
                }
                _ => Ok(()),
            },
            Step::Make(_) => {
                let shipped = self.shipped(path)?;
                files::directory(&place, shipped.mode() & 0o777 | 0o700)
            }
            Step::Write(_) => self.write(path, &place),
        }
    }

    fn write(&self, path: &Path, place: &Path) -> Result<(), FileError> {
        let (source, shipped) = (self.image.join(path), self.shipped(path)?);
        if shipped.is_symlink() {
            let target = fs::read_link(&source).map_err(failed("read", &source))?;
            return files::link(place, &target);
        }
        let durable = if is_configuration(path) {
            // What a crash of the machine made of it would be taken for a change of the user's.
            files::Durable::Synced
        } else {
            files::Durable::Later
        };
        files::copy(&source, place, shipped.mode() & 0o777 | 0o600, durable)
    }

    fn shipped(&self, path: &Path) -> Result<fs::Metadata, FileError> {
        let source = self.image.join(path);
        fs::symlink_metadata(&source).map_err(failed("look at", &source))
    }

    /// Lets us write in the directory that holds a place, and move the place itself when it is a directory. True when
    /// something has changed by that.
    fn open(&self, path: &Path) -> bool {
        let place = self.volume.join(path);
        let mine = rustix::process::geteuid().as_raw();
        [place.parent(), Some(place.as_path())]
            .into_iter()
            .flatten()
            .filter(|at| {
                fs::symlink_metadata(at).is_ok_and(|found| {
                    found.is_dir()
                        && found.uid() == mine
                        && found.mode() & 0o300 != 0o300
                        && fs::set_permissions(at, Permissions::from_mode(found.mode() & 0o7777 | 0o700))
                            .is_ok()
                })
            })
            .count()
            > 0
    }
}
