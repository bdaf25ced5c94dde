//! A release of OpenNebula, and what it has that others have not. Which releases there are is not known here.

use std::fmt;
use std::str::FromStr;

/// `X.Y.Z`, or `X.Y.Z.N` for a fix of it, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release([u32; 4]);

impl Release {
    /// The first whose oned listens for gRPC.
    pub(crate) const GRPC: Self = Self([7, 2, 0, 0]);
    /// The first with `opennebula-form`.
    pub(crate) const FORM: Self = Self([7, 2, 0, 0]);
    /// The first with `opennebula-ks`.
    pub(crate) const KS: Self = Self([7, 4, 0, 0]);
}

impl Release {
    /// The database schema that its line ends with: migrators to it must be in the image.
    pub(crate) fn schema(self) -> String {
        let [major, minor, ..] = self.0;
        format!("{major}.{minor}.0")
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self([major, minor, patch, 0])),
            Some(&[major, minor, patch, fix]) if fix > 0 => Ok(Self([major, minor, patch, fix])),
            _ => Err(format!(
                "\"{text}\" must be three numbers such as 7.2.0, or four such as 7.2.0.1"
            )),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, fix] = self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        match fix {
            0 => Ok(()),
            fix => write!(f, ".{fix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_three_or_four_numbers_and_has_its_place_in_time() {
        let release: Release = "7.2.10".parse().unwrap();
        assert_eq!(release.to_string(), "7.2.10");
        assert!(Release::FORM < release && release < Release::KS);
        let fix: Release = "7.2.10.1".parse().unwrap();
        assert_eq!(
            (fix.to_string(), fix.schema()),
            ("7.2.10.1".to_owned(), "7.2.0".to_owned())
        );
        assert!(release < fix && fix < "7.2.11".parse().unwrap());
        for wrong in ["7.2", "7.2.x", "7.2.0.0", "7.2.0.1.1", ""] {
            assert!(wrong.parse::<Release>().is_err(), "{wrong}");
        }
    }
}
