//! The render stage: settings into the vendor's configuration files, by changing single values.
//!
//! [`plan`] reads the files of a directory and says what would be written, for `onepod check`; [`render`] writes it.
//! What is asked of each file stands in [`own`]; [`attributes`] edits OpenNebula's own grammar, [`yaml`] the files of the
//! servers. Those are pure functions from text to text, and each reads its outcome again before anything is written.
//! What the settings do not name keeps the value, the comments and the layout that the packages ship.

use std::fs;
use std::path::{Path, PathBuf};

use oned_conf::{EditError, ParseError};

use crate::paths::Paths;
use crate::prepare::files::{self, FileError};
use crate::prepare::mounts;
use crate::settings::Settings;
use crate::settings::vendor::{self, File, Grammar, Line};

mod attributes;
mod conflicts;
mod dropped;
mod own;
mod unknown;
mod yaml;

pub use conflicts::admit_empty;
pub use yaml::YamlError;

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
    /// Something that cannot be changed is mounted at the file's place.
    #[error(
        "{} is mounted into the pod, and onepod cannot write {} into it: remove the mount and give your own values as \
         config.{section} of the chart (the section {section} of the file that ONEPOD_CONFIG names), which changes single \
         values of this release's file; or give these keys in the mounted file the values of the settings",
        path.display(), keys.join(", ")
    )]
    Mounted {
        /// The file.
        path: PathBuf,
        /// Its section in `ONEPOD_CONFIG`.
        section: &'static str,
        /// The keys that have other values in it.
        keys: Vec<String>,
    },
    /// oned does not bootstrap an empty database with this value.
    #[error(
        "ONEPOD_CONFIG, {setting}: the database is empty, and oned creates its tables only as a single server with \
         {instead} there: remove the value for the first start, and set it when the front-end is ready"
    )]
    EmptyDatabase {
        /// Section, key and value.
        setting: String,
        /// What the key must be.
        instead: &'static str,
    },
    /// The file is there and cannot be edited.
    #[error("{}: {problem}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        problem: Box<Problem>,
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
    /// The name stands for several vectors.
    #[error(
        "{setting}: there are several of them in the file and only the first would change: write \
         {vector}[NAME=…]/{key} with one of {names}"
    )]
    Ambiguous {
        /// The place in `ONEPOD_CONFIG`.
        setting: String,
        /// The vectors' name.
        vector: String,
        /// The key that was to be set.
        key: String,
        /// The `NAME` of each.
        names: String,
    },
    /// OpenNebula cannot work with the value.
    #[error("ONEPOD_CONFIG, {setting} {reason}")]
    Conflict {
        /// Section and key.
        setting: String,
        /// What it must be.
        reason: String,
    },
    /// The file that was edited does not say what was wanted.
    #[error("{0} is not what it should be after the edit; nothing was written")]
    Lost(String),
    /// A YAML file cannot be edited as wanted.
    #[error("{setting}: {reason}")]
    Yaml {
        /// The setting's name, for an override with the place in `ONEPOD_CONFIG`.
        setting: String,
        /// Why.
        #[source]
        reason: YamlError,
    },
}

/// What a start writes into OpenNebula's files.
#[derive(Debug)]
pub struct Plan {
    /// The files that change, in the order of [`vendor::FILES`].
    pub changes: Vec<Change>,
    /// Values that are passed on although this release does not know their keys, a sentence each.
    pub warnings: Vec<String>,
}

/// A file that changes.
pub struct Change {
    /// The file.
    pub file: &'static File,
    /// Its text as the packages ship it.
    pub old: String,
    /// Its text with the settings.
    pub new: String,
}

/// Without the texts: they hold the database's password.
impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Change({})", self.file.path)
    }
}

/// Edits the files under `/etc/one`; gives the paths of those that changed. Nothing is written unless every file can be
/// edited, and each is written in one step. Warnings go to the log.
pub fn render(settings: &Settings, paths: &Paths) -> Result<Vec<PathBuf>, RenderError> {
    let plan = plan(settings, &release(paths), &paths.etc_one(), &paths.etc_one())?;
    for warning in &plan.warnings {
        tracing::warn!("render: {warning}");
    }
    let mut written = Vec::new();
    for change in plan.changes {
        let path = paths.etc_one().join(change.file.path);
        files::write(&path, change.new.as_bytes(), change.file.mode)?;
        written.push(path);
    }
    Ok(written)
}

/// What a start would change in the files below `from`, which are those of `release`, to write them below `to`. A file
/// that is mounted there is used if it has what the settings ask for, and refused otherwise.
pub fn plan(settings: &Settings, release: &str, from: &Path, to: &Path) -> Result<Plan, RenderError> {
    let mut plan = Plan {
        changes: Vec::new(),
        warnings: Vec::new(),
    };
    for file in vendor::FILES {
        let section = settings.overrides().section(file.section);
        if section.is_none() && !own::concerns(file) {
            continue;
        }
        let target = to.join(file.path);
        let fixed = is_fixed(&target, to);
        let path = if fixed { target } else { from.join(file.path) };
        let Some(old) = files::read(&path)? else {
            if file.needed {
                return Err(RenderError::Missing { path });
            }
            if let Some(section) = section {
                plan.warnings.push(unknown::absent(section, release));
            }
            continue;
        };
        let failed = |problem| RenderError::Edit {
            path: path.clone(),
            problem: Box::new(problem),
        };
        let old = String::from_utf8(old).map_err(|_| failed(Problem::NotUtf8))?;
        if let Some(section) = section {
            let there = unknown::There {
                release,
                line: Line::of(release),
                text: &old,
            };
            plan.warnings.extend(there.warnings(section));
            plan.warnings.extend(dropped::warnings(section, &old));
            plan.warnings.extend(conflicts::without_effect(section, settings));
        }
        let edited = match file.grammar {
            Grammar::Attributes => attributes::edit(&old, file, settings, Line::of(release)),
            Grammar::Symbols | Grammar::Yaml => own::servers(&old, file, settings),
        };
        let Edited { text: new, keys } = edited.map_err(failed)?;
        if new != old {
            if fixed {
                return Err(RenderError::Mounted {
                    path,
                    section: file.section,
                    keys,
                });
            }
            plan.changes.push(Change { file, old, new });
        }
    }
    Ok(plan)
}

/// A file's text with the settings in it.
#[derive(Debug)]
struct Edited {
    text: String,
    /// The keys that had other values.
    keys: Vec<String>,
}

/// Whether a file below `etc` is mounted there itself or with a folder in which nothing can be written.
fn is_fixed(path: &Path, etc: &Path) -> bool {
    let mut folders = path.ancestors().skip(1).take_while(|folder| *folder != etc);
    mounts::is_mount_point(path)
        || folders.any(|folder| mounts::is_mount_point(folder) && !mounts::is_writable(folder))
}

/// The release whose files these are; empty where nothing says it.
#[must_use]
pub fn release(paths: &Paths) -> String {
    fs::read_to_string(paths.release())
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
