//! Overrides that replace a list of the vendor's: what the list had and has no more, a sentence for each.

use std::collections::BTreeMap;

use oned_conf::Document;
use serde_json::Value;

use super::yaml;
use crate::settings::overrides::{Override, Section};
use crate::settings::vendor::Grammar;

/// The warnings about a section, for the text of the vendor's file.
pub(super) fn warnings(section: &Section, text: &str) -> Vec<String> {
    let found = match section.file.grammar {
        Grammar::Attributes => Document::parse(text).map_or_else(
            |_| Vec::new(),
            |document| {
                let overrides = section.attributes.iter();
                overrides.flat_map(|one| attributes(&document, one)).collect()
            },
        ),
        Grammar::Symbols | Grammar::Yaml => {
            yaml::read(text).map_or_else(|_| Vec::new(), |content| leaves(&content, section))
        }
    };
    let sentence = |lost: Lost| {
        let verb = if lost.gone.len() == 1 { "is" } else { "are" };
        format!(
            "{} of {} is replaced (ONEPOD_CONFIG, {}): {} of its {} entries {verb} removed: {}; repeat what is to stay",
            lost.place,
            section.file.name(),
            section.file.section,
            lost.gone.len(),
            lost.all,
            lost.gone.join(", ")
        )
    };
    found.into_iter().map(sentence).collect()
}

/// What a list loses.
struct Lost {
    place: String,
    gone: Vec<String>,
    all: usize,
}

impl Lost {
    fn of(place: String, old: &[String], new: &[String]) -> Option<Self> {
        let gone: Vec<String> = old.iter().filter(|item| !new.contains(item)).cloned().collect();
        (!gone.is_empty()).then_some(Self {
            place,
            gone,
            all: old.len(),
        })
    }
}

fn attributes(document: &Document, one: &Override) -> Vec<Lost> {
    match one {
        Override::Values { name, values } => {
            let old: Vec<String> = document.get_all(name).map(std::borrow::Cow::into_owned).collect();
            Lost::of(name.clone(), &old, values).into_iter().collect()
        }
        Override::Value { .. } | Override::Vector { .. } => one
            .values()
            .into_iter()
            .flat_map(|(place, value)| {
                let Some(old) = place.get(document) else {
                    return Vec::new();
                };
                let (old, new) = (lists(&old), lists(value));
                // One word alone is a choice and no list.
                old.into_iter()
                    .filter(|(_, items)| items.len() > 1)
                    .filter_map(|(flag, old)| {
                        let shown = if flag.is_empty() {
                            place.to_string()
                        } else {
                            format!("{place} ({flag})")
                        };
                        Lost::of(shown, &old, new.get(&flag).map_or(&[][..], Vec::as_slice))
                    })
                    .collect()
            })
            .collect(),
    }
}

/// The words of a value that commas part: of the value itself, `a,b, c`, or of what follows each flag of a driver's
/// arguments, `-t 15 -d a,b -s c`, by flag.
fn lists(value: &str) -> BTreeMap<String, Vec<String>> {
    let items = |text: &str| -> Vec<String> {
        let items = text.split(',').map(|item| item.trim().to_owned());
        items.filter(|item| !item.is_empty()).collect()
    };
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let is_flag = |word: &str| {
        let name = word.strip_prefix('-').and_then(|rest| rest.chars().next());
        name.is_some_and(|first| first.is_ascii_alphabetic() || first == '-')
    };
    if !words.iter().any(|word| is_flag(word)) {
        return BTreeMap::from([(String::new(), items(value))]);
    }
    let pairs = words.windows(2).filter_map(|pair| match pair {
        [flag, list] if is_flag(flag) && !is_flag(list) => Some(((*flag).to_owned(), items(list))),
        _ => None,
    });
    pairs.collect()
}

fn leaves(content: &Value, section: &Section) -> Vec<Lost> {
    let words = |value: &Value| -> Option<Vec<String>> {
        let items = value.as_array()?.iter();
        Some(
            items
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect(),
        )
    };
    let leaves = section.leaves.iter();
    leaves
        .filter_map(|leaf| {
            let old = words(yaml::find(content, &leaf.path)?)?;
            Lost::of(leaf.name(), &old, &words(&leaf.value)?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Overrides;

    const ONED: &str = "AUTH_MAD = [ EXECUTABLE = \"one_auth_mad\", AUTHN = \"ssh,x509,ldap,server_cipher,saml\" ]\n\
        DATASTORE_MAD = [ EXECUTABLE = \"one_datastore\", ARGUMENTS = \"-t 15 -d dummy,fs,rbd -s shared,ssh\" ]\n\
        SCHED_MAD = [ EXECUTABLE = \"one_sched\", ARGUMENTS = \"-t 15 -p rank -o one_drs\" ]\n\
        VM_RESTRICTED_ATTR = \"CONTEXT/FILES\"\nVM_RESTRICTED_ATTR = \"NIC/MAC\"\nVM_RESTRICTED_ATTR = \"RANK\"\n";

    fn of(overrides: &str, text: &str) -> Vec<String> {
        let overrides = Overrides::parse(overrides).unwrap();
        warnings(&overrides.sections()[0], text)
    }

    #[test]
    fn what_a_replaced_list_loses_is_said() {
        let overrides = "oned:\n  AUTH_MAD: {AUTHN: \"ssh,ldap,server_cipher\"}\n  VM_RESTRICTED_ATTR: [NIC/MAC, MINE]\n  \
                         DATASTORE_MAD/ARGUMENTS: \"-t 30 -d dummy,fs,linstor\"\n";
        assert_eq!(
            of(overrides, ONED),
            [
                "AUTH_MAD/AUTHN of oned.conf is replaced (ONEPOD_CONFIG, oned): 2 of its 5 entries are removed: x509, saml; \
                 repeat what is to stay",
                "DATASTORE_MAD/ARGUMENTS (-d) of oned.conf is replaced (ONEPOD_CONFIG, oned): 1 of its 3 entries is removed: \
                 rbd; repeat what is to stay",
                "DATASTORE_MAD/ARGUMENTS (-s) of oned.conf is replaced (ONEPOD_CONFIG, oned): 2 of its 2 entries are \
                 removed: shared, ssh; repeat what is to stay",
                "VM_RESTRICTED_ATTR of oned.conf is replaced (ONEPOD_CONFIG, oned): 2 of its 3 entries are removed: \
                 CONTEXT/FILES, RANK; repeat what is to stay",
            ]
        );
    }

    #[test]
    fn a_list_that_only_grows_and_a_single_word_lose_nothing() {
        let overrides = "oned:\n  AUTH_MAD/AUTHN: \"ssh, x509, ldap, server_cipher, saml, own\"\n  \
                         SCHED_MAD/ARGUMENTS: \"-t 15 -p own -o one_drs\"\n  VM_RESTRICTED_ATTR: [NIC/MAC, RANK, CONTEXT/FILES]\n";
        assert_eq!(of(overrides, ONED), Vec::<String>::new());
    }

    #[test]
    fn lists_of_yaml_files_lose_entries_too() {
        assert_eq!(
            of(
                "onegate:\n  restricted_attrs: [SCHED_REQUIREMENTS]\n",
                ":restricted_attrs:\n  - A\n  - SCHED_REQUIREMENTS\n"
            ),
            [
                "restricted_attrs of onegate-server.conf is replaced (ONEPOD_CONFIG, onegate): 1 of its 2 entries is removed: \
                 A; repeat what is to stay"
            ]
        );
    }
}
