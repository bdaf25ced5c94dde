//! Image names without a tag, `docker.io/library/debian`, and digests. Pure.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Error, Result, bail};

const DOCKER_HUB: &str = "docker.io";

/// A repository in a registry, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => (DOCKER_HUB, text),
        };
        let alphanumeric =
            |end: Option<char>| end.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let component = |part: &str| {
            alphanumeric(part.chars().next())
                && alphanumeric(part.chars().next_back())
                && part.chars().all(|c| alphanumeric(Some(c)) || "._-".contains(c))
        };
        let host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if !registry.chars().all(host) || !path.split('/').all(component) {
            bail!(
                "\"{text}\" is not a valid image name: must be such as docker.io/owner/name, without scheme, tag and digest"
            );
        }
        let library = if path.contains('/') || registry != DOCKER_HUB {
            ""
        } else {
            "library/"
        };
        Ok(Self(format!("{registry}/{library}{path}")))
    }
}

impl Display for Name {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// The digest of content in a registry: `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest(String);

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 64 && digits.bytes().all(hexadecimal) {
            return Ok(Self(text.to_owned()));
        }
        bail!("\"{text}\" is not a valid digest: must be sha256: and 64 hexadecimal digits in lower case")
    }
}

impl Display for Digest {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::digest::sha256;

    /// The digest of a text.
    pub(crate) fn digest(text: &str) -> Digest {
        Digest(format!("sha256:{}", sha256(text.as_bytes())))
    }

    #[test]
    fn names_have_a_registry_and_no_tag() {
        for (text, full) in [
            ("owner/name", "docker.io/owner/name"),
            ("debian", "docker.io/library/debian"),
            ("ghcr.io/a/b/c", "ghcr.io/a/b/c"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000/a"),
        ] {
            assert_eq!(text.parse::<Name>().unwrap().to_string(), full);
        }
        for text in [
            "",
            "a/b:1.0",
            "localhost:5000/a:1",
            "a@sha256:00",
            "https://docker.io/a/b",
            "A/b",
            "a//b",
            "a/../b",
            "a?x",
        ] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn digests_are_sha256_in_lower_case() {
        let valid = digest("");
        assert_eq!(valid.to_string().parse::<Digest>().unwrap(), valid);
        for text in [
            "",
            "sha256:",
            "sha512:00",
            &valid.to_string().to_uppercase(),
            &format!("{valid}0"),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
