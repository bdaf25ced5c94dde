//! Overrides whose keys the release does not have: passed on, with a warning that names release and file.

use oned_conf::Document;
use serde_json::Value;

use super::yaml;
use crate::settings::overrides::{Override, Place, Section};
use crate::settings::vendor::{File, Grammar, Line};

/// A file of a release.
pub(super) struct There<'a> {
    pub(super) release: &'a str,
    pub(super) line: Option<Line>,
    pub(super) text: &'a str,
}

/// The warning about a file that the image does not have.
pub(super) fn absent(section: &Section, release: &str) -> String {
    let file = section.file;
    format!(
        "ONEPOD_CONFIG has values for {}, and OpenNebula {} of this image has no {}: they have no effect",
        file.section,
        shown(release),
        file.name()
    )
}

impl There<'_> {
    /// A sentence for each value of the section whose key is not known.
    pub(super) fn warnings(&self, section: &Section) -> Vec<String> {
        let file = section.file;
        match file.grammar {
            Grammar::Attributes => {
                let Ok(document) = Document::parse(self.text) else {
                    return Vec::new();
                };
                let mut names: Vec<(String, String)> = Vec::new();
                for one in &section.attributes {
                    for (place, _) in one.values() {
                        let there = match one {
                            Override::Values { .. } => document.get_all(&place.plain()).next().is_some(),
                            _ => is_there(&document, &place),
                        };
                        if !there && !names.iter().any(|(_, shown)| *shown == place.to_string()) {
                            names.push((place.plain(), place.to_string()));
                        }
                    }
                }
                self.unknown(file, names)
            }
            Grammar::Symbols | Grammar::Yaml => {
                let content = yaml::read(self.text).unwrap_or(Value::Null);
                let names = section
                    .leaves
                    .iter()
                    .filter(|leaf| !yaml::has(&content, &leaf.path))
                    .map(|leaf| (leaf.name(), leaf.name()))
                    .collect();
                self.unknown(file, names)
            }
        }
    }

    /// The sentences for those names that are not in the file and that the release is not known to have.
    fn unknown(&self, file: &File, names: Vec<(String, String)>) -> Vec<String> {
        let sentence = |(name, shown): (String, String)| {
            let known = file.key(&name);
            let reason = match (known, self.line) {
                (Some(key), Some(line)) if key.is_in(line) => return None,
                (Some(_), None) => return None,
                (Some(key), Some(line)) if key.since > line => format!("; it came with {}", key.since),
                (Some(_), _) => "; earlier releases had it".to_owned(),
                (None, _) => match file.nearest(&name) {
                    Some(nearest) if nearest != name => format!("; did you mean {nearest}?"),
                    _ => String::new(),
                },
            };
            Some(format!(
                "{} of {} does not have {shown} (ONEPOD_CONFIG, {}), which is written all the same{reason}",
                file.name(),
                self::shown(self.release),
                file.section
            ))
        };
        names.into_iter().filter_map(sentence).collect()
    }
}

fn is_there(document: &Document, place: &Place) -> bool {
    match place {
        // The key of a vector of the same name is known to the release wherever that vector is.
        Place::KeyWhere { which, key } if document.get_in(&which.vector, key).is_some() => true,
        place => place.get(document).is_some(),
    }
}

fn shown(release: &str) -> &str {
    if release.is_empty() {
        "an unknown release"
    } else {
        release
    }
}
