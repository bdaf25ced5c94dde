//! Which tags an image gets. Pure: what the registry has goes in, the tags come out, or the reason why there are none.
//!
//! Three rules. `X.Y.Z` names one image for ever; what is built of the same release later is `X.Y.Z-r1`, `-r2`, … `latest`
//! is the newest image of the newest release of the default line. And `latest` never goes back.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Error, Result, bail};

use crate::registry::Digest;
use crate::versions::Version;

pub(crate) const LATEST: &str = "latest";

/// An image of a release: the first that was published, number 0, or one that was built again. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Build {
    pub(crate) release: Version,
    pub(crate) number: u32,
}

impl FromStr for Build {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (release, number) = match text.split_once("-r") {
            None => (text, 0),
            Some((release, digits)) => {
                let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
                match digits.parse() {
                    Ok(number) if plain => (release, number),
                    _ => bail!("\"{text}\" is no tag of a release"),
                }
            }
        };
        Ok(Self {
            release: release.parse()?,
            number,
        })
    }
}

impl Display for Build {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => write!(to, "{}", self.release),
            number => write!(to, "{}-r{number}", self.release),
        }
    }
}

/// The tags of a repository that the rules are about, with what they name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) builds: BTreeMap<Build, Digest>,
    pub(crate) latest: Option<Digest>,
}

impl Published {
    /// Whether a tag is one of those; candidates and whatever else there may be are not.
    pub(crate) fn is_about(tag: &str) -> bool {
        tag == LATEST || tag.parse::<Build>().is_ok()
    }

    /// Takes a tag in, unless the rules are not about it.
    pub(crate) fn add(&mut self, tag: &str, digest: Digest) {
        if tag == LATEST {
            self.latest = Some(digest);
        } else if let Ok(build) = tag.parse() {
            self.builds.insert(build, digest);
        }
    }

    /// What a tag names.
    pub(crate) fn get(&self, tag: &str) -> Option<&Digest> {
        if tag == LATEST {
            return self.latest.as_ref();
        }
        self.builds.get(&tag.parse().ok()?)
    }

    /// The newest image of a release.
    pub(crate) fn newest(&self, release: Version) -> Option<Build> {
        self.builds
            .keys()
            .rev()
            .find(|build| build.release == release)
            .copied()
    }

    /// The newest image that `latest` names.
    fn of_latest(&self) -> Option<Build> {
        let latest = self.latest.as_ref()?;
        let mut newest_first = self.builds.iter().rev();
        newest_first
            .find(|(_, digest)| *digest == latest)
            .map(|(build, _)| *build)
    }
}

/// The tags of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tags {
    /// The one that never changes.
    pub(crate) build: Build,
    pub(crate) latest: Latest,
}

/// What becomes of `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Latest {
    /// It names the image, or will.
    Ours,
    /// It stays where it is, for a reason.
    Stays(String),
}

impl Tags {
    /// In the order in which they are set: `latest` last, so that it never names what has no other name.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec![self.build.to_string()];
        if self.latest == Latest::Ours {
            names.push(LATEST.to_owned());
        }
        names
    }
}

/// The tags of an image of `release`: of `image` if it is built already, of one that will be built otherwise.
///
/// `default` is the release of the default line in versions.json. An image that is published already keeps its tag.
pub(crate) fn assign(
    release: Version,
    image: Option<&Digest>,
    default: Version,
    published: &Published,
) -> Result<Tags> {
    if release.is_preview() {
        bail!("{release} is a pre-release of the vendor, and those are not published");
    }
    let known = image.and_then(|image| {
        let mut newest_first = published.builds.iter().rev();
        newest_first
            .find(|(_, digest)| *digest == image)
            .map(|(build, _)| *build)
    });
    let build = match (known, published.newest(release)) {
        (Some(build), _) if build.release == release => build,
        (Some(build), _) => bail!(
            "the image is published as {build} already, and cannot be one of {release} too: look whether digest and \
             release belong together"
        ),
        (None, None) => Build { release, number: 0 },
        (None, Some(newest)) => Build {
            release,
            number: newest.number + 1,
        },
    };
    Ok(Tags {
        build,
        latest: latest(build, image, default, published),
    })
}

fn latest(build: Build, image: Option<&Digest>, default: Version, published: &Published) -> Latest {
    let release = build.release;
    let stays = |reason: String| Latest::Stays(reason);
    if release.line() != default.line() {
        return stays(format!(
            "{} is not the default line, which is {}",
            release.line(),
            default.line()
        ));
    }
    if release != default {
        return stays(format!(
            "{default} is the release of the default line, not {release}"
        ));
    }
    let newer = published
        .builds
        .keys()
        .rev()
        .find(|other| other.release.line() == release.line() && **other > build);
    if let Some(newer) = newer {
        return stays(format!("{newer} is newer"));
    }
    match (&published.latest, published.of_latest()) {
        (None, _) => Latest::Ours,
        (Some(latest), _) if Some(latest) == image => Latest::Ours,
        (Some(_), Some(of_latest)) if of_latest <= build => Latest::Ours,
        (Some(_), Some(of_latest)) => stays(format!("it names {of_latest}, and never goes back")),
        (Some(latest), None) => stays(format!(
            "it names {latest}, of which no release's tag is known: make sure what that is, and remove the tag by hand"
        )),
    }
}

#[cfg(test)]
mod tests;
