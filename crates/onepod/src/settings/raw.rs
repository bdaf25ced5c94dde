//! Raw settings: which text was given for which setting, and from where.
//!
//! Reads the environment and the files that it names. What a text must look like is not known here: that is
//! `resolve`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::mistake::{Mistake, Origin};
use super::table::{self, Kind, TABLE};
use crate::regular;

/// Hint for values that Kubernetes puts into the environment for every Service of the namespace.
pub(super) const SERVICE_LINKS: &str = "Kubernetes writes such variables for every Service of the namespace: set \
     enableServiceLinks: false in the pod, or give the Service another name.";

/// One value that somebody gave.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Every value that somebody gave, by the name of its setting.
#[derive(Default)]
pub(super) struct Raw {
    values: BTreeMap<&'static str, Given>,
    unusable: BTreeSet<&'static str>,
}

impl Raw {
    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.values.get(name)
    }

    /// The files that values came from and that change under a running container, by the name of the setting. A line
    /// is read once, at the start.
    pub(super) fn files(&self) -> Vec<(&'static str, PathBuf)> {
        self.values
            .iter()
            .filter_map(|(name, given)| match &given.origin {
                Origin::File { path, .. } if !is_line(name) => Some((*name, path.clone())),
                _ => None,
            })
            .collect()
    }

    /// Whether somebody gave the setting at all, be it unusable.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.unusable.contains(name)
    }
}

/// Whether that setting is a line.
fn is_line(name: &str) -> bool {
    table::find(name).is_some_and(|setting| setting.kind == Kind::Line)
}

/// Whether a variable of that name is read or judged here.
pub(super) fn concerns(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let base = name.strip_suffix("_FILE").unwrap_or(&name);
    name.starts_with("ONEPOD_") || table::find(&name).is_some() || table::find(base).is_some()
}

/// Collects what `environment` and the files named in it say.
pub(super) fn read(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Vec<Mistake>,
) -> Raw {
    let environment: BTreeMap<OsString, OsString> = environment.into_iter().collect();
    let mut raw = Raw::default();
    for setting in TABLE {
        let variable = format!("{}_FILE", setting.name);
        let text = environment.get(OsStr::new(setting.name));
        let file = environment.get(OsStr::new(&variable));
        if let (Kind::Plain, Some(path)) = (setting.kind, file) {
            let problem = format!(
                "this setting is not read from a file, and this names {}",
                Path::new(path).display()
            );
            let next = format!("Set {} itself.", setting.name);
            mistakes.push(Mistake::new(variable.clone(), Origin::Environment, problem, next));
        }
        let given = match (setting.kind, text, file) {
            (Kind::Secret | Kind::Text | Kind::Line, Some(_), Some(path)) => Err(Mistake::new(
                setting.name,
                Origin::file(variable, Path::new(path)),
                format!("both {0} and {0}_FILE are set", setting.name),
                "Give one of them.",
            )),
            (Kind::Secret, None, Some(path)) => from_file(setting.name, Path::new(path)).map(Some),
            (Kind::Text, None, Some(path)) => text_file(setting.name, Path::new(path)),
            (Kind::Line, None, Some(path)) => line_file(setting.name, Path::new(path)),
            (kind, Some(text), _) => from_environment(setting.name, kind, text),
            (_, None, _) => continue,
        };
        match given {
            Ok(Some(given)) => {
                raw.values.insert(setting.name, given);
            }
            Ok(None) => {}
            Err(mistake) => {
                raw.unusable.insert(setting.name);
                mistakes.push(mistake);
            }
        }
    }
    mistakes.extend(environment.keys().filter_map(|name| unknown(name)));
    raw
}

/// Reads a text from its file; an empty file is as good as none.
fn text_file(setting: &'static str, path: &Path) -> Result<Option<Given>, Mistake> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
        return Ok(None);
    }
    from_file(setting, path).map(Some)
}

/// Reads a line from its file; blanks around it are not part of it, and a file with nothing else is as good as none.
fn line_file(setting: &'static str, path: &Path) -> Result<Option<Given>, Mistake> {
    let Given { text, origin } = whole_file(setting, path)?;
    let text = text.trim().to_owned();
    Ok((!text.is_empty()).then_some(Given { text, origin }))
}

/// Reads a secret or a text from its file; one line feed at the end is not part of it.
pub(super) fn from_file(setting: &'static str, path: &Path) -> Result<Given, Mistake> {
    let Given { mut text, origin } = whole_file(setting, path)?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.is_empty() {
        return Err(Mistake::new(
            setting,
            origin,
            "the file is empty",
            "Write the value into it, or leave the variable out.",
        ));
    }
    Ok(Given { text, origin })
}

/// Reads all of a setting's file.
fn whole_file(setting: &'static str, path: &Path) -> Result<Given, Mistake> {
    let origin = Origin::file(format!("{setting}_FILE"), path);
    let mistake = |problem: String, next: &str| Mistake::new(setting, origin.clone(), problem, next);
    if path.as_os_str().is_empty() {
        return Err(mistake(
            "no file is named".into(),
            "Give the path of the file, or leave the variable out.",
        ));
    }
    let bytes = limited(path)
        .map_err(|error| mistake(format!("the file cannot be read: {error}"), next_step(&error)))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        mistake(
            "the file is not UTF-8 text".into(),
            "Write the value itself into the file.",
        )
    })?;
    Ok(Given { text, origin })
}

/// Reads a regular file of at most [`FILE_LIMIT`] bytes: a mistaken path can lead to something without an end.
pub(super) fn limited(path: &Path) -> io::Result<Vec<u8>> {
    regular::read(path, FILE_LIMIT)
}

/// What to do about a setting's file that cannot be read.
pub(super) fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidInput => "Give the path of a regular file.",
        ErrorKind::FileTooLarge => "Give the path of a file that holds the value alone.",
        _ => "Mount it there, readable for this user.",
    }
}

/// The longest file that is read for a setting; a Secret or ConfigMap of Kubernetes holds 1 MiB.
const FILE_LIMIT: u64 = 1 << 20;

/// An empty plain value counts as not given: that is how compose files and templates leave something out. An empty
/// secret is one that got lost on its way.
fn from_environment(name: &'static str, kind: Kind, text: &OsStr) -> Result<Option<Given>, Mistake> {
    let Some(text) = text.to_str() else {
        return Err(Mistake::new(
            name,
            Origin::Environment,
            "the value is not UTF-8 text",
            "Give it as UTF-8.",
        ));
    };
    match (kind, text) {
        (Kind::Plain | Kind::Line | Kind::Text, "") => Ok(None),
        (Kind::Secret, "") => Err(Mistake::new(
            name,
            Origin::Environment,
            "the value is empty",
            format!("Give a value, or leave {name} out."),
        )),
        (Kind::Plain | Kind::Line, text) if text.starts_with("tcp://") || text.starts_with("udp://") => {
            Err(Mistake::new(
                name,
                Origin::Environment,
                format!("\"{text}\" is a service link"),
                SERVICE_LINKS,
            ))
        }
        (_, text) => Ok(Some(Given {
            text: text.to_owned(),
            origin: Origin::Environment,
        })),
    }
}

/// The mistake of a name that starts like onepod's own settings and is none of them.
fn unknown(name: &OsStr) -> Option<Mistake> {
    let name = name.to_string_lossy();
    let own = name.strip_prefix("ONEPOD_")?;
    let base = name.strip_suffix("_FILE").unwrap_or(&name);
    if table::find(&name).is_some() || table::find(base).is_some() {
        return None;
    }
    let next = if own.starts_with("SERVICE_") || own == "PORT" || own.starts_with("PORT_") {
        SERVICE_LINKS.to_owned()
    } else if let Some(nearest) = table::nearest(&name) {
        format!("Did you mean {nearest}?")
    } else {
        "`onepod check` lists the settings.".to_owned()
    };
    Some(Mistake::new(
        name.clone(),
        Origin::Environment,
        "there is no such setting",
        next,
    ))
}
