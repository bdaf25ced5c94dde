//! What the vendor's index makes of a line of `versions.json`. Pure: an index and an entry go in, a new entry or the
//! reason why there is none comes out.
//!
//! A list that is empty, or shorter than what was confirmed, changes nothing: the vendor takes no release back, so
//! that what looks so is a fault on the way. A new line is proposed and never taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use anyhow::{Result, bail};

use super::index::Index;
use crate::versions::{
    Architecture, CORE, Entry, Line, PackageVersion, Packages, Presence, Version, packages_of,
};

/// A line that is built, with what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) line: Line,
    pub(crate) before: Entry,
    pub(crate) after: Entry,
    pub(crate) verdict: Verdict,
    pub(crate) left_out: LeftOut,
    pub(crate) source: Source,
}

/// A line that is not built, with what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub(crate) line: Line,
    /// Or why it could not be built as the lines before it are.
    pub(crate) found: Result<Offer, String>,
}

/// Versions of the core package that are not taken, with the reasons.
pub(crate) type LeftOut = BTreeMap<String, &'static str>;

/// Whose repository was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The line's, in which the newest release is.
    Line,
    /// That of the release in the file: a newer one would not be in it.
    Release,
}

/// What the index changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    Confirmed,
    Newer,
    /// The same release in packages that were made anew.
    Rebuilt,
    /// The same packages for more architectures.
    Wider,
}

impl Display for Verdict {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Same => "as before",
            Self::Confirmed => "confirmed",
            Self::Newer => "newer release",
            Self::Rebuilt => "rebuilt packages",
            Self::Wider => "more architectures",
        })
    }
}

/// What a line becomes by what the vendor has.
pub(crate) fn plan(line: Line, before: &Entry, source: Source, index: &Index) -> Result<Planned> {
    let address = &index.address;
    let (offer, left_out) = offer(line, index)?;
    let Some(offer) = offer else {
        bail!(
            "{address} has no release of the line {line} that could be built{}, and an empty list changes nothing: \
             try again later, and look at the address if it stays so",
            but(&left_out)
        );
    };
    if offer.version < before.version() {
        bail!(
            "{address} has {} as the newest release, which is older than {} in versions.json: try again later; if the \
             vendor took the release back, correct the file by hand",
            offer.version,
            before.version()
        );
    }
    if let Some(seen) = before.index()
        && index.date < seen
    {
        bail!(
            "{address} is of {}, which is older than {seen}, the date of the index that versions.json was written by: a \
             mirror is behind, or somebody serves an old index again; try again later",
            index.date
        );
    }
    if offer.version == before.version() {
        refuse_less(before, &offer, address)?;
    }
    let known = (before.version(), before.packages(), before.architectures());
    // A new date alone is no news: the vendor signs the same index again.
    let same = known == (offer.version, Some(&offer.packages), &offer.architectures);
    let after = if same {
        before.clone()
    } else {
        before.confirmed(index.date, offer.version, offer.packages, offer.architectures)
    };
    let verdict = if after.version() > before.version() {
        Verdict::Newer
    } else if before.packages().is_none() {
        Verdict::Confirmed
    } else if before.packages() != after.packages() {
        Verdict::Rebuilt
    } else if before.architectures() != after.architectures() {
        Verdict::Wider
    } else {
        Verdict::Same
    };
    Ok(Planned {
        line,
        before: before.clone(),
        after,
        verdict,
        left_out,
        source,
    })
}

/// What a line that is not built would be; none when it has nothing but pre-releases.
pub(crate) fn propose(line: Line, index: &Index) -> Option<Proposed> {
    let found = match offer(line, index) {
        Ok((None, _)) => return None,
        Ok((Some(offer), _)) => Ok(offer),
        Err(error) => Err(format!("{error:#}")),
    };
    Some(Proposed { line, found })
}

/// Nothing of the same release may be gone.
fn refuse_less(before: &Entry, offer: &Offer, address: &str) -> Result<()> {
    let version = offer.version;
    let gone: Vec<String> = before
        .architectures()
        .difference(&offer.architectures)
        .map(ToString::to_string)
        .collect();
    if !gone.is_empty() {
        bail!(
            "{address} has not all packages of {version} for {} any more: try again later; if the vendor took them \
             back, correct \"architectures\" by hand",
            gone.join(", ")
        );
    }
    for (name, old) in before.packages().into_iter().flatten() {
        match offer.packages.get(name) {
            Some(new) if new < old => bail!(
                "{address} has {name} {new}, which is older than {old} in versions.json: try again later; if the \
                 vendor took the package back, correct the file by hand"
            ),
            None => bail!(
                "{address} has no {name} of {version} any more, and versions.json has {old}: try again later; if the \
                 vendor took the package back, correct the file by hand"
            ),
            Some(_) => {}
        }
    }
    Ok(())
}

/// The newest release of a line that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) version: Version,
    pub(crate) packages: Packages,
    pub(crate) architectures: BTreeSet<Architecture>,
}

/// The plain versions of the packages that are installed, for one architecture.
type Plain = BTreeMap<&'static str, BTreeSet<PackageVersion>>;

fn offer(line: Line, index: &Index) -> Result<(Option<Offer>, LeftOut)> {
    let mut left_out = LeftOut::new();
    let mut plain: BTreeMap<Architecture, Plain> = BTreeMap::new();
    for (architecture, packages) in &index.packages {
        let plain = plain.entry(*architecture).or_default();
        for (name, _) in packages_of(line) {
            for package in packages.iter().filter(|package| package.name == name) {
                match judge(line, &package.version) {
                    Ok(version) => {
                        plain.entry(name).or_default().insert(version);
                    }
                    Err(reason) if name == CORE => {
                        left_out.insert(package.version.clone(), reason);
                    }
                    Err(_) => {}
                }
            }
        }
    }
    let releases = plain.values().filter_map(|plain| plain.get(CORE)?.last());
    let Some(version) = releases.map(PackageVersion::release).max() else {
        return Ok((None, left_out));
    };
    let packages = newest(line, version, &plain, &index.address)?;
    let lacks = |plain: &Plain| -> Vec<String> {
        let has = |name: &str, version: &PackageVersion| {
            plain.get(name).is_some_and(|versions| versions.contains(version))
        };
        packages
            .iter()
            .filter(|(name, version)| !has(name, version))
            .map(|(name, version)| format!("{name} {version}"))
            .collect()
    };
    let lacking: BTreeMap<Architecture, Vec<String>> = plain
        .iter()
        .map(|(architecture, plain)| (*architecture, lacks(plain)))
        .collect();
    let architectures: BTreeSet<Architecture> = lacking
        .iter()
        .filter(|(_, lacking)| lacking.is_empty())
        .map(|(architecture, _)| *architecture)
        .collect();
    if architectures.is_empty() {
        let lacking: Vec<String> = lacking
            .iter()
            .map(|(architecture, lacking)| format!("{architecture} lacks {}", lacking.join(", ")))
            .collect();
        bail!(
            "{} has all packages of {version} for no architecture ({}): the vendor may be publishing just now, try \
             again later",
            index.address,
            lacking.join("; ")
        );
    }
    let offer = Offer {
        version,
        packages,
        architectures,
    };
    Ok((Some(offer), left_out))
}

/// A version that can be built, or why it cannot be.
fn judge(line: Line, text: &str) -> Result<PackageVersion, &'static str> {
    let Ok(version) = text.parse::<PackageVersion>() else {
        return Err("not X.Y.Z[.N] and a revision");
    };
    if version.release().line() != line {
        return Err("of another line");
    }
    if version.release().is_preview() {
        return Err("a pre-release");
    }
    Ok(version)
}

/// The newest package of each name that is of the release, whatever the architecture.
fn newest(
    line: Line,
    version: Version,
    plain: &BTreeMap<Architecture, Plain>,
    address: &str,
) -> Result<Packages> {
    let mut packages = Packages::new();
    let mut missing = Vec::new();
    for (name, presence) in packages_of(line) {
        let versions = plain.values().filter_map(|plain| plain.get(name)).flatten();
        match versions.filter(|found| found.release() == version).max() {
            Some(found) => {
                packages.insert(name.to_owned(), found.clone());
            }
            None if presence == Presence::Always => missing.push(name),
            None => {}
        }
    }
    if !missing.is_empty() {
        bail!(
            "{address} has {version} without {}: the vendor may be publishing just now, try again later",
            missing.join(", ")
        );
    }
    Ok(packages)
}

/// What was there and is not taken, for a sentence.
fn but(left_out: &LeftOut) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    format!(" (but {})", shown(left_out))
}

/// Versions with the reasons why they are not taken.
pub(super) fn shown(left_out: &LeftOut) -> String {
    let all: Vec<String> = left_out
        .iter()
        .map(|(version, reason)| format!("{version}: {reason}"))
        .collect();
    all.join("; ")
}

#[cfg(test)]
mod tests;
