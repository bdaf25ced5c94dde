//! Names of images without a tag, `docker.io/library/debian`, and digests. Pure.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use anyhow::{Error, Result, bail};

use crate::digest::sha256;

/// The registry that a name without a host means, and the host that answers for it.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// Where images of one name live: a registry and a repository in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// As it was written: `docker.io`, `ghcr.io`, `127.0.0.1:5000`.
    pub(crate) registry: String,
    pub(crate) path: String,
}

impl Name {
    /// A repository of a registry on this machine.
    pub(crate) fn local(address: std::net::SocketAddr, path: &str) -> Self {
        Self {
            registry: address.to_string(),
            path: path.to_owned(),
        }
    }

    /// The registry's API. Plain HTTP is spoken with this machine only.
    pub(crate) fn api(&self) -> String {
        let host = if self.registry == DOCKER_HUB {
            DOCKER_HUB_HOST
        } else {
            &self.registry
        };
        let scheme = if is_this_machine(host) { "http" } else { "https" };
        format!("{scheme}://{host}/v2/")
    }

    /// Whether it is one of Docker Hub, which `docker login` keeps under a name of its own.
    pub(crate) fn is_docker_hub(&self) -> bool {
        self.registry == DOCKER_HUB
    }

    /// Whether its registry runs on this machine.
    pub(crate) fn is_local(&self) -> bool {
        is_this_machine(&self.registry)
    }
}

/// Whether `host[:port]` is a name or address of this machine.
pub(super) fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.contains("://") {
            bail!("\"{text}\" is an address, and an image's name is wanted, such as docker.io/owner/name");
        }
        if text.contains('@') {
            bail!("\"{text}\" has a digest: name the image without it, and the digest by --digest");
        }
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => (DOCKER_HUB, text),
        };
        if path.contains(':') {
            bail!("\"{text}\" has a tag: name the image without it, tags are planned");
        }
        let part = |part: &str| {
            let ends = |end: Option<char>| end.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            ends(part.chars().next())
                && ends(part.chars().next_back())
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        };
        let host = |host: &str| {
            !host.is_empty()
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
        };
        if !host(registry) || !path.split('/').all(part) {
            bail!("\"{text}\" is no name of an image, such as docker.io/owner/name");
        }
        let path = if registry == DOCKER_HUB && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self {
            registry: registry.to_owned(),
            path,
        })
    }
}

impl Display for Name {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.registry, self.path)
    }
}

/// The digest of content in a registry: `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest(String);

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", sha256(bytes)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 64 && digits.bytes().all(hexadecimal) {
            Ok(Self(text.to_owned()))
        } else {
            bail!("\"{text}\" is no digest: sha256: and 64 hexadecimal digits are")
        }
    }
}

impl Display for Digest {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        text.parse::<Name>().map_or_else(
            |error| error.to_string(),
            |name| format!("{name} at {}", name.api()),
        )
    }

    #[test]
    fn a_name_says_which_registry_is_asked() {
        let hub = "at https://registry-1.docker.io/v2/";
        assert_eq!(name("owner/name"), format!("docker.io/owner/name {hub}"));
        assert_eq!(name("debian"), format!("docker.io/library/debian {hub}"));
        assert_eq!(name("docker.io/a/b"), format!("docker.io/a/b {hub}"));
        assert_eq!(name("ghcr.io/a/b/c"), "ghcr.io/a/b/c at https://ghcr.io/v2/");
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for (text, scheme) in [
            ("localhost:5000/a", "http"),
            ("127.0.0.1:5000/a", "http"),
            ("127.8.0.1/a", "http"),
            ("[::1]:5000/a", "http"),
            ("10.0.0.1:5000/a", "https"),
            ("localhost.example.org/a", "https"),
            ("registry:5000/a", "https"),
        ] {
            let api = text.parse::<Name>().unwrap().api();
            assert!(api.starts_with(&format!("{scheme}://")), "{text}: {api}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (text, reason) in [
            ("a/b:1.0", "has a tag"),
            ("localhost:5000/a/b:1.0", "has a tag"),
            ("a/b@sha256:00", "has a digest"),
            ("https://docker.io/a/b", "is an address"),
            ("", "is no name"),
            ("A/b", "is no name"),
            ("a//b", "is no name"),
            ("a/../b", "is no name"),
            ("a/b?x", "is no name"),
        ] {
            assert!(name(text).contains(reason), "{text}: {}", name(text));
        }
    }

    #[test]
    fn a_digest_is_sha256_in_small_letters() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        for text in [
            "",
            "sha256:",
            "sha512:00",
            &digest.to_string().to_uppercase(),
            &format!("{digest}0"),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
