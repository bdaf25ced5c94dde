//! What the vendor's index makes of a line of `versions.json`. Pure: an index and an entry go in, a new entry or the
//! reason why there is none comes out.
//!
//! A list that is empty, or shorter than it was, changes nothing: the vendor takes no release back, so that what looks so is a
//! fault on the way. A new line is proposed and never taken in.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::versions::{Architecture, CORE, Entry, Line, Presence, Version, packages_of};

/// The verified content of a repository of the vendor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// The address of the signed index, for messages.
    pub(crate) address: String,
    /// When it was signed.
    pub(crate) date: Timestamp,
    /// Names and versions, which may be of any form.
    pub(crate) packages: BTreeMap<Architecture, BTreeSet<(String, String)>>,
}

/// What becomes of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) line: Line,
    /// None of a line that is not built.
    pub(crate) before: Option<Entry>,
    /// None where nothing of a new line can be built yet.
    pub(crate) after: Option<Entry>,
    /// What needs a sentence.
    pub(crate) remarks: Vec<String>,
}

impl Planned {
    /// What the index changes, in words.
    pub(crate) fn verdict(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "new line",
            (Some(before), Some(after)) if after.version > before.version => "newer release",
            (Some(before), Some(after)) if after.architectures != before.architectures => {
                "more architectures"
            }
            (Some(before), after) if after.as_ref() == Some(before) => "as before",
            _ => "seen for the first time",
        }
    }
}

/// What a line becomes by what the vendor has.
///
/// # Errors
///
/// When there is less than before, or nothing that can be built.
pub(crate) fn plan(line: Line, before: &Entry, index: &Index) -> Result<Planned> {
    let Index { address, date, .. } = index;
    let Offer {
        version,
        architectures,
        mut remarks,
    } = offer(line, index)?;
    let again = "try again later; if the vendor took it back, correct versions.json by hand";
    if version < before.version {
        bail!(
            "{address} has {version} as the newest release, which is older than {} in versions.json: {again}",
            before.version
        );
    }
    if let Some(seen) = before.index
        && *date < seen
    {
        bail!(
            "{address} is of {date}, which is older than {seen}, the date of the index that versions.json was written by: a \
             mirror is behind, or somebody serves an old index again; try again later"
        );
    }
    let gone = before.architectures.difference(&architectures);
    let gone = names(gone);
    if !gone.is_empty() {
        if version == before.version {
            bail!("{address} has not all packages of {version} for {gone} any more: {again}");
        }
        remarks.push(format!(
            "{line}: {version} has no packages for {gone}, which the release before has"
        ));
    }
    // A new date alone is no news: the vendor signs the same index again.
    let same = before.index.is_some() && (version, &architectures) == (before.version, &before.architectures);
    let after = if same {
        before.clone()
    } else {
        Entry {
            version,
            architectures,
            index: Some(*date),
            ..before.clone()
        }
    };
    Ok(Planned {
        line,
        before: Some(before.clone()),
        after: Some(after),
        remarks,
    })
}

/// What a line that is not built would be, made as another one is; none when it has nothing but pre-releases.
pub(crate) fn propose(line: Line, other: &Entry, index: &Index) -> Option<Planned> {
    newest(line, index)?;
    let mut remarks = vec![format!(
        "{line}: this line is not built; to build it, add it to versions.json"
    )];
    let after = match offer(line, index) {
        Ok(offer) => Some(Entry {
            version: offer.version,
            architectures: offer.architectures,
            ..other.clone()
        }),
        Err(error) => {
            remarks.push(format!("{line}: cannot be built yet: {error:#}"));
            None
        }
    };
    Some(Planned {
        line,
        before: None,
        after,
        remarks,
    })
}

/// The newest release of a line that can be built.
struct Offer {
    version: Version,
    /// Those that have all of its packages.
    architectures: BTreeSet<Architecture>,
    remarks: Vec<String>,
}

fn offer(line: Line, index: &Index) -> Result<Offer> {
    let address = &index.address;
    let left_out = left_out(line, index);
    let Some(version) = newest(line, index) else {
        let but = if left_out.is_empty() {
            String::new()
        } else {
            format!(" (but {left_out})")
        };
        bail!(
            "{address} has no release of the line {line} that could be built{but}, and an empty list changes nothing: try \
             again later, and look at the address if it stays so"
        );
    };
    let lacks = |architecture: &Architecture, wanted: Presence| -> Vec<&str> {
        let list = &index.packages[architecture];
        let has = |name: &str| {
            list.iter()
                .any(|(other, text)| other == name && Version::of_package(text) == Some(version))
        };
        let all = packages_of(line).into_iter();
        all.filter(|(name, presence)| *presence == wanted && !has(name))
            .map(|(name, _)| name)
            .collect()
    };
    let (whole, lacking): (BTreeSet<_>, BTreeSet<_>) = index
        .packages
        .keys()
        .copied()
        .partition(|architecture| lacks(architecture, Presence::Always).is_empty());
    if whole.is_empty() {
        let lacking: Vec<String> = lacking
            .iter()
            .map(|architecture| {
                format!(
                    "{architecture} lacks {}",
                    lacks(architecture, Presence::Always).join(", ")
                )
            })
            .collect();
        bail!(
            "{address} has all packages of {version} for no architecture ({}): the vendor may be publishing just now, try \
             again later",
            lacking.join("; ")
        );
    }
    let mut remarks = Vec::new();
    let absent: BTreeSet<&str> = whole
        .iter()
        .flat_map(|one| lacks(one, Presence::Optional))
        .collect();
    if !absent.is_empty() {
        remarks.push(format!(
            "{line}: {version} has no {}; its image is built without",
            Vec::from_iter(absent).join(", ")
        ));
    }
    if !left_out.is_empty() {
        remarks.push(format!("{line}: left out {left_out}"));
    }
    Ok(Offer {
        version,
        architectures: whole,
        remarks,
    })
}

/// Versions of the core package.
fn of_the_core(index: &Index) -> impl Iterator<Item = &str> {
    let all = index.packages.values().flatten();
    all.filter(|(name, _)| name == CORE)
        .map(|(_, text)| text.as_str())
}

fn newest(line: Line, index: &Index) -> Option<Version> {
    of_the_core(index).filter_map(|text| judge(line, text).ok()).max()
}

/// What is there and is not taken, with the reasons.
fn left_out(line: Line, index: &Index) -> String {
    let all: BTreeSet<String> = of_the_core(index)
        .filter_map(|text| Some(format!("{text}: {}", judge(line, text).err()?)))
        .collect();
    Vec::from_iter(all).join("; ")
}

/// A release that can be built, or why it cannot be.
fn judge(line: Line, text: &str) -> Result<Version, &'static str> {
    match Version::of_package(text) {
        None => Err("not X.Y.Z[.N] and a revision"),
        Some(version) if version.line() != line => Err("of another line"),
        Some(version) if version.is_preview() => Err("a pre-release"),
        Some(version) => Ok(version),
    }
}

/// As `amd64, arm64`.
pub(crate) fn names<'a>(architectures: impl IntoIterator<Item = &'a Architecture>) -> String {
    let names: Vec<String> = architectures.into_iter().map(ToString::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
