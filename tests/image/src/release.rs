//! A release of OpenNebula, and what it has that others have not. Which releases there are is not known here.

use std::fmt;
use std::str::FromStr;

/// `X.Y.Z`, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release([u32; 3]);

impl Release {
    /// The first with `opennebula-form`.
    pub(crate) const FORM: Self = Self([7, 2, 0]);
    /// The first with `opennebula-ks`.
    pub(crate) const KS: Self = Self([7, 4, 0]);
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = [0; 3];
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() == numbers.len()
            && numbers.iter_mut().zip(&parts).all(|(number, part)| {
                part.parse().is_ok_and(|read| {
                    *number = read;
                    true
                })
            })
        {
            Ok(Self(numbers))
        } else {
            Err(format!("\"{text}\" must be three numbers such as 7.2.0"))
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_three_numbers_and_has_its_place_in_time() {
        let release: Release = "7.2.10".parse().unwrap();
        assert_eq!(release.to_string(), "7.2.10");
        assert!(Release::FORM < release && release < Release::KS);
        for wrong in ["7.2", "7.2.x", "7.2.0.1", ""] {
            assert!(wrong.parse::<Release>().is_err(), "{wrong}");
        }
    }
}
