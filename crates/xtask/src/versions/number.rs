//! The numbers of `OpenNebula`: a line is X.Y, a release X.Y.Z, or X.Y.Z.N for a fix of X.Y.Z such as 6.10.0.1. Nothing else
//! is accepted, and both order as numbers do: X.Y.Z.N comes after X.Y.Z and before the next Z.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// From this patch number on, the vendor's releases are previews of the next line: X.Y.80, .85, .90.
const FIRST_PREVIEW: u32 = 80;

/// A line of releases that share a schema and a set of services, such as 7.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    major: u32,
    minor: u32,
}

impl Line {
    pub(crate) const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// What the vendor may call the line that comes after this one.
    pub(crate) fn successors(self) -> [Self; 3] {
        let Self { major, minor } = self;
        [
            Self::new(major, minor.saturating_add(1)),
            Self::new(major, minor.saturating_add(2)),
            Self::new(major.saturating_add(1), 0),
        ]
    }
}

impl FromStr for Line {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match numbers(text).as_deref() {
            Some(&[major, minor]) => Ok(Self { major, minor }),
            _ => bail!("\"{text}\" is no line: two numbers are, such as 7.0"),
        }
    }
}

impl Display for Line {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}", self.major, self.minor)
    }
}

/// A release, such as 7.0.10, which is newer than 7.0.9 and than 7.0.9.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    line: Line,
    patch: u32,
    /// The fourth number, 0 where there is none.
    fix: u32,
}

impl Version {
    pub(crate) fn line(self) -> Line {
        self.line
    }

    /// The release of a package's version: `7.0.1-1`, `7.0.1-1.ce`, or `7.0.1-1.5.5+1-1` of guacd, which has Guacamole's version in its
    /// revision. None of a version that is not a plain release and a revision: `7.0.1~rc1-1`, `1:7.0.1-1`, `7.0.1-1~rc1`.
    pub(crate) fn of_package(version: &str) -> Option<Self> {
        let (release, revision) = version.split_once('-')?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
        let plain =
            revision.starts_with(|first: char| first.is_ascii_digit()) && revision.bytes().all(allowed);
        release.parse().ok().filter(|_| plain)
    }

    /// Whether the vendor means it for trying out, not for use.
    pub(crate) fn is_preview(self) -> bool {
        self.patch >= FIRST_PREVIEW
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match numbers(text).as_deref() {
            Some(&[major, minor, patch]) => Ok(Self {
                line: Line { major, minor },
                patch,
                fix: 0,
            }),
            // A fix 0 would be a second way to write the release without one.
            Some(&[major, minor, patch, fix]) if fix > 0 => Ok(Self {
                line: Line { major, minor },
                patch,
                fix,
            }),
            _ => bail!(
                "\"{text}\" is not a valid release: it must be three numbers such as 7.0.1, or four such as 7.0.1.1"
            ),
        }
    }
}

impl Display for Version {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}", self.line, self.patch)?;
        match self.fix {
            0 => Ok(()),
            fix => write!(to, ".{fix}"),
        }
    }
}

/// Decimal numbers between dots, each written in the one way that there is.
fn numbers(text: &str) -> Option<Vec<u32>> {
    text.split('.')
        .map(|part| {
            let plain = part.bytes().all(|byte| byte.is_ascii_digit());
            let shortest = part == "0" || !part.starts_with('0');
            (plain && shortest).then(|| part.parse().ok()).flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_order_and_not_digits() {
        assert!(version("7.0.10") > version("7.0.9"));
        assert!(version("7.10.0") > version("7.2.9"));
        assert!(version("6.10.0.1") > version("6.10.0"));
        assert!(version("6.10.0.10") > version("6.10.0.9"));
        assert!(version("6.10.0.10") < version("6.10.1"));
        assert!("7.10".parse::<Line>().unwrap() > "7.4".parse().unwrap());
    }

    #[test]
    fn previews_begin_at_80() {
        assert!(!version("7.0.79").is_preview());
        assert!(version("7.0.80").is_preview());
        assert!(version("7.0.80.1").is_preview());
        assert!(!version("7.0.0.80").is_preview());
        assert!(version("6.99.90").is_preview());
    }

    #[test]
    fn nothing_but_three_or_four_numbers_is_a_release() {
        for text in [
            "",
            "7",
            "7.0",
            "7.0.",
            "7.0.0.0",
            "7.0.0.01",
            "7.0.0.1.1",
            "7.0.0.",
            "7.0..1",
            "7.0.0.x",
            "7.0.0-1",
            "7.0.0~rc1",
            "v7.0.0",
            "7.0.01",
            "+7.0.0",
            "7.0.x",
            " 7.0.0",
            "7.0.99999999999",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert_eq!(
            "7.0.0".parse::<Line>().unwrap_err().to_string(),
            "\"7.0.0\" is no line: two numbers are, such as 7.0"
        );
    }

    #[test]
    fn a_package_is_of_a_plain_release_or_of_none() {
        for text in ["7.0.1-1", "7.0.1-1.ce", "7.0.1-1.5.5+1-1", "7.0.1-1.2.0+1.ce"] {
            assert_eq!(Version::of_package(text), Some(version("7.0.1")), "{text}");
        }
        let all = "7.0.0 7.0.0~rc1 7.0.0~rc1-1 7.0.0+x-1 7.0.0.0-1 1:7.0.0-1 7.0.0- 7.0.0-rc1 7.0.0-1~rc1 -1";
        for text in all.split(' ').chain([""]) {
            assert_eq!(Version::of_package(text), None, "{text}");
        }
    }

    #[test]
    fn the_next_line_has_one_of_three_names() {
        let names: Vec<String> = Line::new(7, 4).successors().iter().map(Line::to_string).collect();
        assert_eq!(names, ["7.5", "7.6", "8.0"]);
    }

    proptest! {
        #[test]
        fn releases_order_as_their_numbers_and_are_read_as_written(
            a in (0..3_u32, 0..12_u32, 0..120_u32, 0..12_u32),
            b in (0..3_u32, 0..12_u32, 0..120_u32, 0..12_u32),
        ) {
            let [one, other] = [a, b].map(|(x, y, z, fix)| match fix {
                0 => version(&format!("{x}.{y}.{z}")),
                fix => version(&format!("{x}.{y}.{z}.{fix}")),
            });
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
            prop_assert_eq!(version(&one.to_string()), one);
        }

        #[test]
        fn any_other_text_is_not_a_release(text in "[0-9a-z.~+ -]{0,12}") {
            let numbers: Option<Vec<u32>> = text.split('.').map(|part| {
                let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                (plain && (part == "0" || !part.starts_with('0'))).then(|| part.parse().ok()).flatten()
            }).collect();
            let valid = numbers.is_some_and(|all| all.len() == 3 || all.len() == 4 && all[3] > 0);
            prop_assert_eq!(text.parse::<Version>().is_ok(), valid);
        }
    }
}
