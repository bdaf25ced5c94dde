//! Files of OpenNebula's own grammar: the values of settings, then the overrides.

use oned_conf::{Document, EditError};

use super::{Problem, own};
use crate::settings::Settings;
use crate::settings::overrides::Override;
use crate::settings::vendor::{File, Line};

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
) -> Result<String, Problem> {
    let mut document = Document::parse(text)?;
    let values = own::values(file, settings, line);
    for one in &values {
        one.set(&mut document).map_err(|reason| Problem::Setting {
            setting: one.setting.to_owned(),
            reason,
        })?;
    }
    let overrides = settings
        .overrides()
        .section(file.section)
        .map_or(&[][..], |section| &section.attributes);
    for one in overrides {
        one.set(&mut document)
            .map_err(|reason| refused(file, one, reason))?;
    }
    let text = document.to_string();
    check(&text, file, &values, overrides)?;
    Ok(text)
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
