//! A chart's version: Semantic Versioning 2.0, of which charts use numbers and a pre-release.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// `X.Y.Z` or `X.Y.Z-rc.1`, in the order of section 11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChartVersion {
    numbers: [u64; 3],
    /// Empty for a release.
    prerelease: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl ChartVersion {
    pub(crate) fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }

    /// The next version with the same X.Y, or the release of a pre-release.
    pub(crate) fn next_patch(&self) -> Self {
        let [major, minor, patch] = self.numbers;
        let patch = if self.is_prerelease() { patch } else { patch + 1 };
        Self {
            numbers: [major, minor, patch],
            prerelease: Vec::new(),
        }
    }

    /// Whether it is a release of which `other` is a later patch, or `other` itself.
    pub(crate) fn has_patch(&self, other: &Self) -> bool {
        self <= other && self.numbers[..2] == other.numbers[..2] && !self.is_prerelease()
    }
}

impl FromStr for ChartVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (release, prerelease) = match text.split_once('-') {
            Some((release, prerelease)) => (release, Some(prerelease)),
            None => (text, None),
        };
        let numbers: Option<Vec<u64>> = release.split('.').map(number).collect();
        let parts: Option<Vec<Part>> =
            prerelease.map_or(Some(Vec::new()), |text| text.split('.').map(part).collect());
        match (numbers.as_deref(), parts) {
            (Some(&[major, minor, patch]), Some(prerelease)) => Ok(Self {
                numbers: [major, minor, patch],
                prerelease,
            }),
            _ => bail!("\"{text}\" is no version of a chart: 0.3.1 is one, and 0.4.0-rc.1"),
        }
    }
}

/// A number, written in the one way that there is.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

fn part(text: &str) -> Option<Part> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return number(text).map(Part::Number);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (!text.is_empty() && text.bytes().all(allowed)).then(|| Part::Word(text.to_owned()))
}

impl Display for ChartVersion {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(to, "{major}.{minor}.{patch}")?;
        for (place, part) in self.prerelease.iter().enumerate() {
            to.write_str(if place == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(to, "{number}")?,
                Part::Word(word) => to.write_str(word)?,
            }
        }
        Ok(())
    }
}

impl Ord for ChartVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            // What has no pre-release is the release itself, and newer.
            .then_with(|| other.is_prerelease().cmp(&self.is_prerelease()))
            .then_with(|| self.prerelease.cmp(&other.prerelease))
    }
}

impl PartialOrd for ChartVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_semantic_versioning() {
        // The example of section 11, and numbers that are not digits.
        let sorted = [
            "0.3.9",
            "0.3.10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
        ]
        .map(|text| text.parse::<ChartVersion>().unwrap());
        for pair in sorted.windows(2) {
            assert!(pair[0] < pair[1], "{} is older than {}", pair[0], pair[1]);
        }
        assert_eq!(sorted[7].to_string(), "1.0.0-beta.11");
    }

    #[test]
    fn nothing_else_is_one() {
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "v1.2.3",
            "1.2.03",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3+x",
            "1.2.x",
        ] {
            assert!(text.parse::<ChartVersion>().is_err(), "{text}");
        }
    }
}
