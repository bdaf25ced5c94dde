//! Files of OpenNebula's own grammar: the values of settings, then the overrides.

use oned_conf::{Content, Document, EditError};

use super::{Edited, Problem, conflicts, own};
use crate::settings::Settings;
use crate::settings::overrides::{Chosen, Override, Place};
use crate::settings::vendor::{self, File, Line};

/// One value of a setting in a file.
pub(super) struct Given {
    /// Name of the setting, for errors.
    pub(super) setting: &'static str,
    /// The vector, if it is a key of one.
    pub(super) vector: Option<&'static str>,
    /// The attribute or key.
    pub(super) name: &'static str,
    /// What it is to be.
    pub(super) text: String,
}

/// The text of a release's file with the settings in it.
pub(super) fn edit(
    text: &str,
    file: &File,
    settings: &Settings,
    line: Option<Line>,
) -> Result<Edited, Problem> {
    let mut document = Document::parse(text)?;
    let values = own::values(file, settings, line);
    let overrides = settings
        .overrides()
        .section(file.section)
        .map_or(&[][..], |section| &section.attributes);
    let other = values.iter().filter(|one| !one.holds_in(&document));
    let mut keys: Vec<String> = other.map(Given::place).collect();
    let other = overrides.iter().filter(|one| !one.holds_in(&document));
    keys.extend(other.map(ToString::to_string));
    for one in &values {
        one.set(&mut document).map_err(|reason| Problem::Setting {
            setting: one.setting.to_owned(),
            reason,
        })?;
    }
    for one in overrides {
        if let Some(problem) = ambiguous(&document, file, one) {
            return Err(problem);
        }
        one.set(&mut document)
            .map_err(|reason| refused(file, one, reason))?;
    }
    let text = document.to_string();
    check(&text, file, &values, overrides)?;
    if file.section == "oned"
        && let Some(conflict) = conflicts::find(&document)
    {
        return Err(conflict);
    }
    Ok(Edited { text, keys })
}

/// The problem of an override that names a key of one of several vectors and does not say of which one.
fn ambiguous(document: &Document, file: &File, one: &Override) -> Option<Problem> {
    let (vector, key, selected) = match one {
        Override::Value {
            place: Place::Key { vector, key },
            ..
        } => (vector, Some(key), None),
        Override::Value {
            place: Place::KeyWhere { which, key },
            ..
        } => (&which.vector, Some(key), Some(which)),
        Override::Vector { which, .. } => (&which.vector, None, Some(which)),
        _ => return None,
    };
    let names = names(document, vector, selected);
    let several = key.is_some_and(|key| {
        file.key(&format!("{vector}/{key}"))
            .is_some_and(vendor::Key::is_of_several)
    });
    // Of a name that stands for several there may be none yet: then a key alone makes no sense.
    let unclear = names.len() > 1 || (names.is_empty() && several && selected.is_none());
    unclear.then(|| Problem::Ambiguous {
        setting: place(file, one),
        vector: vector.clone(),
        key: key.map_or_else(|| "KEY".to_owned(), Clone::clone),
        names: if names.is_empty() {
            "the names that you define".to_owned()
        } else {
            names.join(", ")
        },
    })
}

/// The `NAME` of every vector of that name, or of those that are selected.
fn names(document: &Document, vector: &str, selected: Option<&Chosen>) -> Vec<String> {
    let value = |keys: &[(&str, std::borrow::Cow<'_, str>)], wanted: &str| {
        let found = keys.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.clone().into_owned())
    };
    document
        .attributes()
        .filter(|(name, _)| name.eq_ignore_ascii_case(vector))
        .filter_map(|(_, content)| match content {
            Content::Vector(keys) => Some(keys),
            Content::Single(_) => None,
        })
        .filter(|keys| {
            selected.is_none_or(|which| value(keys, &which.selector).as_ref() == Some(&which.value))
        })
        .map(|keys| value(&keys, "NAME").unwrap_or_else(|| "(without a NAME)".to_owned()))
        .collect()
}

/// Reads the text once more, as OpenNebula will, and looks for every value.
fn check(text: &str, file: &File, values: &[Given], overrides: &[Override]) -> Result<(), Problem> {
    let document = Document::parse(text)?;
    let lost = values.iter().find(|one| !one.holds_in(&document));
    if let Some(one) = lost {
        return Err(Problem::Lost(one.setting.to_owned()));
    }
    match overrides.iter().find(|one| !one.holds_in(&document)) {
        Some(one) => Err(Problem::Lost(place(file, one))),
        None => Ok(()),
    }
}

impl Given {
    fn place(&self) -> String {
        match self.vector {
            None => self.name.to_owned(),
            Some(vector) => format!("{vector}/{}", self.name),
        }
    }

    fn set(&self, document: &mut Document) -> Result<(), EditError> {
        match self.vector {
            None => document.set(self.name, &self.text),
            Some(vector) => document.set_in(vector, self.name, &self.text),
        }
    }

    fn holds_in(&self, document: &Document) -> bool {
        let found = match self.vector {
            None => document.get(self.name),
            Some(vector) => document.get_in(vector, self.name),
        };
        found.as_deref() == Some(self.text.as_str())
    }
}

fn refused(file: &File, one: &Override, reason: EditError) -> Problem {
    let setting = place(file, one);
    match (one.vector(), reason) {
        (Some(which), reason @ EditError::NoSuchVector { .. }) => Problem::NoSuchVector {
            setting,
            reason: Box::new(reason),
            which: which.to_string(),
        },
        (_, reason) => Problem::Setting { setting, reason },
    }
}

fn place(file: &File, one: &Override) -> String {
    format!("ONEPOD_CONFIG, {}: {one}", file.section)
}
