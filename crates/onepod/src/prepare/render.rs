//! The render stage: settings into the vendor's configuration files, by changing single values.
//!
//! One file per configuration: [`oned`] and [`monitord`] in OpenNebula's own grammar, [`listen`] for the YAML of
//! `OneFlow` and `OneGate`. Those are pure functions from text to text; here are only the reading and the writing. What
//! the settings do not name keeps the value, the comments and the layout that the packages ship.

use std::path::{Path, PathBuf};

use oned_conf::{Document, EditError, ParseError};

use crate::paths::Paths;
use crate::prepare::files::{self, FileError};
use crate::settings::Settings;
use crate::settings::overrides::Override;

mod listen;
mod monitord;
mod oned;

pub use listen::ListenError;

/// Text of one file and what the settings make of it.
type Edit = fn(&str, &Settings) -> Result<String, Problem>;

/// The files: the name in `/etc/one`, the mode (oned.conf carries the database's password), whether OpenNebula cannot
/// do without it, and the edit.
const FILES: [File; 4] = [
    File {
        name: "oned.conf",
        mode: 0o600,
        need: Need::Always,
        edit: oned::edit,
    },
    File {
        name: "monitord.conf",
        mode: 0o640,
        need: Need::Always,
        edit: monitord::edit,
    },
    File {
        name: "oneflow-server.conf",
        mode: 0o640,
        need: Need::WhenInstalled,
        edit: everywhere,
    },
    File {
        name: "onegate-server.conf",
        mode: 0o640,
        need: Need::WhenInstalled,
        edit: everywhere,
    },
];

struct File {
    name: &'static str,
    mode: u32,
    need: Need,
    edit: Edit,
}

/// Whether the file must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Always,
    WhenInstalled,
}

/// A configuration file that could not be brought in line with the settings.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The packages did not bring the file.
    #[error("{} is missing: the image does not carry the packages of OpenNebula as a whole", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is there and cannot be edited.
    #[error("{}: {problem}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        problem: Problem,
    },
}

/// What stands against an edit.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file is not UTF-8.
    #[error("the file is not UTF-8")]
    NotUtf8,
    /// OpenNebula would not read the file as it stands.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The value of a setting does not fit into the file.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting's name, for an override with the place in `ONEPOD_CONFIG`.
        setting: String,
        /// Why.
        #[source]
        reason: EditError,
    },
    /// A key is to be set in a vector that is not there.
    #[error("{setting}: {reason}; to define a new one write `{which}: {{KEY: value}}` with all of its keys")]
    NoSuchVector {
        /// The place in `ONEPOD_CONFIG`.
        setting: String,
        /// Why.
        #[source]
        reason: Box<EditError>,
        /// The vector as it is written in `ONEPOD_CONFIG`.
        which: String,
    },
    /// The address to listen on is not where it is expected.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Edits the files under `/etc/one`; gives the paths of those that changed. Nothing is written unless every file can be
/// edited, and each is written in one step.
pub fn render(settings: &Settings, paths: &Paths) -> Result<Vec<PathBuf>, RenderError> {
    let mut changed = Vec::new();
    for file in &FILES {
        let path = paths.etc_one().join(file.name);
        match files::read(&path)? {
            None if file.need == Need::Always => return Err(RenderError::Missing { path }),
            None => {}
            Some(old) => {
                let new = edited(file, &old, settings).map_err(|problem| failed(&path, problem))?;
                if new.as_bytes() != old {
                    changed.push((path, new, file.mode));
                }
            }
        }
    }
    for (path, text, mode) in &changed {
        files::write(path, text.as_bytes(), *mode)?;
    }
    Ok(changed.into_iter().map(|(path, ..)| path).collect())
}

fn edited(file: &File, old: &[u8], settings: &Settings) -> Result<String, Problem> {
    let text = std::str::from_utf8(old).map_err(|_| Problem::NotUtf8)?;
    (file.edit)(text, settings)
}

fn failed(path: &Path, problem: Problem) -> RenderError {
    RenderError::Edit {
        path: path.to_owned(),
        problem,
    }
}

/// `OneFlow` and `OneGate` listen on every address, because the Services of the pod reach them by the pod's own.
fn everywhere(text: &str, _: &Settings) -> Result<String, Problem> {
    Ok(listen::on(text, "0.0.0.0")?)
}

/// A file of OpenNebula's own grammar while its values are set, with the names of the settings for the errors.
struct Sheet {
    document: Document,
}

impl Sheet {
    fn read(text: &str) -> Result<Self, ParseError> {
        Ok(Self {
            document: Document::parse(text)?,
        })
    }

    fn set(&mut self, setting: &str, name: &str, value: &str) -> Result<(), Problem> {
        self.document
            .set(name, value)
            .map_err(|reason| Problem::setting(setting, reason))
    }

    fn set_in(&mut self, setting: &str, vector: &str, key: &str, value: &str) -> Result<(), Problem> {
        self.document
            .set_in(vector, key, value)
            .map_err(|reason| Problem::setting(setting, reason))
    }

    fn set_overrides(&mut self, part: &str, overrides: &[Override]) -> Result<(), Problem> {
        for one in overrides {
            one.set(&mut self.document).map_err(|reason| {
                let setting = format!("ONEPOD_CONFIG, {part}: {one}");
                match (one.vector(), reason) {
                    (Some(which), reason @ EditError::NoSuchVector { .. }) => Problem::NoSuchVector {
                        setting,
                        reason: Box::new(reason),
                        which: which.to_string(),
                    },
                    (_, reason) => Problem::Setting { setting, reason },
                }
            })?;
        }
        Ok(())
    }

    fn text(&self) -> String {
        self.document.to_string()
    }
}

impl Problem {
    fn setting(setting: &str, reason: EditError) -> Self {
        Self::Setting {
            setting: setting.to_owned(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests;
