//! The exact Debian version of a package of the vendor's: a plain release and a revision, `7.0.1-1` or `7.0.1-1.ce`.
//!
//! The release ends at the first hyphen: opennebula-guacd has Guacamole's version in its revision, `7.0.1-1.5.5+1-1`,
//! hyphen and all. A release with a suffix (`7.0.1~rc1-1`, `7.0.1+x-1`) or an epoch is none that we build.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, anyhow, bail};

use super::Version;

/// Orders as dpkg does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageVersion {
    text: String,
    debian: debversion::Version,
    release: Version,
}

impl PackageVersion {
    pub(crate) fn release(&self) -> Version {
        self.release
    }
}

impl FromStr for PackageVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((release, revision)) = text.split_once('-') else {
            bail!("\"{text}\" is no version of a package: a release and a revision are, such as 7.0.1-1");
        };
        let release = release
            .parse()
            .with_context(|| format!("\"{text}\" is not a version of a plain release"))?;
        // A tilde would make it older than the revision without it: something of before a release.
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
        if !revision.starts_with(|first: char| first.is_ascii_digit()) || !revision.bytes().all(allowed) {
            bail!("\"{text}\" has the revision \"{revision}\": one begins with a digit, such as 1 or 1.ce");
        }
        let debian = text
            .parse()
            .map_err(|error| anyhow!("\"{text}\" is not a version of a Debian package: {error}"))?;
        Ok(Self {
            text: text.to_owned(),
            debian,
            release,
        })
    }
}

impl Display for PackageVersion {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

impl Ord for PackageVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.debian
            .cmp(&other.debian)
            // 1 and 01 are the same to dpkg, and two texts to us.
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for PackageVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sh::cmd;

    fn version(text: &str) -> PackageVersion {
        text.parse().unwrap()
    }

    #[test]
    fn a_release_and_a_revision_are_a_version() {
        for text in [
            "7.0.1-1",
            "7.0.1-1.ce",
            "7.0.10-2",
            "7.0.1-1.5.5+1-1",
            "7.0.1-1.2.0+1.ce",
            "6.10.0.1-1",
            "6.10.0.1-1.5.5+1-1",
        ] {
            assert_eq!(version(text).to_string(), text);
        }
        assert_eq!(version("7.0.1-1.ce").release(), "7.0.1".parse().unwrap());
    }

    #[test]
    fn suffixes_are_none() {
        for text in [
            "7.0.0",
            "7.0.0~rc1",
            "7.0.0~rc1-1",
            "7.0.0+x",
            "7.0.0+x-1",
            "7.0.0.0-1",
            "7.0.0.1.1-1",
            "1:7.0.0-1",
            "7.0.0-",
            "7.0.0-rc1",
            "7.0.0-1~rc1",
            "7.0.0-1 ",
            "-1",
            "",
        ] {
            assert!(text.parse::<PackageVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_order_is_dpkg_s() {
        let mut sorted = [
            "7.0.10-10",
            "7.0.9-2",
            "7.0.10-1.ce",
            "7.0.10-1.10",
            "7.0.10-1",
            "7.0.10-1.2",
            "7.0.10-2",
            "7.0.10-1+b",
            "7.0.10-1-1",
            "7.0.10-1a",
            "7.0.9.1-1",
            "7.0.9.10-1",
            "7.0.9.2-3",
        ]
        .map(version);
        sorted.sort();
        for pair in sorted.windows(2) {
            let [one, other] = pair else { unreachable!() };
            let dpkg = cmd("dpkg").arg("--compare-versions").args([
                one.to_string(),
                "lt".to_owned(),
                other.to_string(),
            ]);
            assert!(dpkg.succeeds(), "{one} is older than {other}");
        }
    }

    proptest! {
        #[test]
        fn plain_revisions_order_as_numbers(a in (0..12_u32, 1..200_u32), b in (0..12_u32, 1..200_u32)) {
            let [one, other] = [a, b].map(|(patch, revision)| version(&format!("7.0.{patch}-{revision}")));
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
        }
    }
}
