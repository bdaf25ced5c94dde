//! Which tags an image gets. Pure: the tags that a registry has go in, the changes come out.
//!
//! - `X.Y.Z-rN` is a build of the release X.Y.Z. It is immutable, and N counts from 1.
//! - `X.Y.Z` names the newest build of that release.
//! - `latest` names the newest build of the default line's release, and never an older release than it names.
//!
//! An image without our label is foreign. It counts as no build, and a tag that names one is only set on request.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};

use crate::registry::Digest;
use crate::versions::Version;

pub(crate) const LATEST: &str = "latest";

/// A build of a release: the tag `X.Y.Z-rN`. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Build {
    pub(crate) release: Version,
    pub(crate) number: u32,
}

impl FromStr for Build {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.split_once("-r").and_then(|(release, digits)| {
            let canonical = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
            Some(Self {
                release: release.parse().ok()?,
                number: canonical.then(|| digits.parse().ok())??,
            })
        });
        parsed.with_context(|| format!("\"{text}\" is not a valid tag of a build: must be such as 7.0.1-r2"))
    }
}

impl Display for Build {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}-r{}", self.release, self.number)
    }
}

/// What a tag that moves names now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) digest: Digest,
    /// The release by our labels; none for a foreign image.
    pub(crate) release: Option<Version>,
}

/// The tags in a registry that matter for one release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// The builds of the release by their numbers.
    pub(crate) builds: BTreeMap<u32, Digest>,
    /// `X.Y.Z`.
    pub(crate) release: Option<Target>,
    pub(crate) latest: Option<Target>,
}

/// What is to be done with one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) tag: String,
    pub(crate) before: Option<Digest>,
    pub(crate) action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Set,
    /// The tag names the image already.
    Keep,
    /// The rules leave the tag where it is, for a reason.
    Stay(String),
    /// The tag names a foreign image, which nobody has asked to replace.
    Foreign,
}

/// Tags of foreign images that may be replaced, with the digests that they name.
pub(crate) type Replaceable = BTreeMap<String, Digest>;

/// The changes for an image of `release`, in the order in which they are made: a tag that moves follows the build's.
///
/// # Errors
///
/// For a pre-release of the vendor's.
pub(crate) fn changes(
    release: Version,
    image: &Digest,
    default: Version,
    published: &Published,
    replaceable: &Replaceable,
) -> Result<Vec<Change>> {
    if release.is_preview() {
        bail!("{release} is a pre-release of the vendor's, and those are not published");
    }
    let newest = published.builds.last_key_value().map_or(0, |(number, _)| *number);
    let known = published.builds.iter().rev().find(|(_, digest)| *digest == image);
    let number = known.map_or(newest + 1, |(number, _)| *number);
    let newer = (number < newest).then(|| format!("{release}-r{newest} is newer"));
    let change = |tag: String, before: Option<&Target>, stays: Option<String>| {
        let action = match (before, stays) {
            (Some(target), _) if target.digest == *image => Action::Keep,
            (_, Some(reason)) => Action::Stay(reason),
            (
                Some(Target {
                    digest,
                    release: None,
                }),
                None,
            ) if replaceable.get(&tag) != Some(digest) => Action::Foreign,
            (_, None) => Action::Set,
        };
        Change {
            tag,
            before: before.map(|target| target.digest.clone()),
            action,
        }
    };
    let latest_stays = if release == default {
        let latest = published.latest.as_ref().and_then(|target| target.release);
        let newer_release = latest.filter(|latest| *latest > release);
        newer
            .clone()
            .or(newer_release.map(|latest| format!("it names {latest}, and never moves back")))
    } else {
        Some(format!("the default line's release is {default}"))
    };
    Ok(vec![
        Change {
            tag: Build { release, number }.to_string(),
            before: known.map(|(_, digest)| digest.clone()),
            action: known.map_or(Action::Set, |_| Action::Keep),
        },
        change(release.to_string(), published.release.as_ref(), newer),
        change(LATEST.to_owned(), published.latest.as_ref(), latest_stays),
    ])
}

#[cfg(test)]
mod tests;
