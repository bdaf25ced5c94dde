//! What a key can be made of.
//!
//! Deliberately absent: lengths and alphabets as arguments. Each kind is what one consumer takes.

use std::fmt::Write as _;
use std::str::FromStr;

use rand::distr::{Alphanumeric, SampleString as _};

use crate::settings::{Secret, SshKey};

/// What to make a missing key of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 32 letters and digits: nothing that oned.conf, onedb or a shell would read as something else.
    Password,
    /// 64 hexadecimal digits, as oned's `one_key`.
    Hex64,
    /// 32 letters and digits, as FireEdge's `fireedge_key`.
    Alphanumeric32,
    /// A private key in OpenSSH's format.
    Ed25519,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "password" => Ok(Self::Password),
            "hex64" => Ok(Self::Hex64),
            "alphanumeric32" => Ok(Self::Alphanumeric32),
            "ed25519" => Ok(Self::Ed25519),
            other => Err(format!(
                "the kind {other} does not exist; there are password, hex64, alphanumeric32 and ed25519"
            )),
        }
    }
}

impl Kind {
    /// A new value, from the system's random numbers. The error is the reason in words.
    pub(super) fn generate(self) -> Result<Secret, String> {
        match self {
            Self::Password | Self::Alphanumeric32 => {
                Ok(Secret::new(Alphanumeric.sample_string(&mut rand::rng(), 32)))
            }
            Self::Hex64 => {
                let mut digits = String::with_capacity(64);
                for byte in rand::random::<[u8; 32]>() {
                    // Writing to a String cannot fail.
                    let _ = write!(digits, "{byte:02x}");
                }
                Ok(Secret::new(digits))
            }
            Self::Ed25519 => SshKey::generate()
                .map(|key| key.pem().clone())
                .map_err(|e| e.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_form_and_is_never_the_same_twice() {
        let value = |kind: Kind| kind.generate().unwrap().expose().to_owned();
        for kind in [Kind::Password, Kind::Alphanumeric32] {
            let text = value(kind);
            assert_eq!(text.len(), 32);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()), "{kind:?}");
        }
        let hex = value(Kind::Hex64);
        assert_eq!(hex.len(), 64);
        assert!(hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        let key = value(Kind::Ed25519);
        assert_eq!(SshKey::parse(&key).unwrap().file_name(), "id_ed25519");
        assert!(key.ends_with("-----END OPENSSH PRIVATE KEY-----\n"));
        for kind in [Kind::Password, Kind::Alphanumeric32, Kind::Hex64, Kind::Ed25519] {
            assert_ne!(value(kind), value(kind), "{kind:?}");
        }
    }
}
