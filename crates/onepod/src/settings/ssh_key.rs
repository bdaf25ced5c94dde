//! oneadmin's SSH key: reading one that was given or kept, and making a new one.
//!
//! Where keys lie is the business of `prepare::ssh`.

mod padded;

use rand::TryRng as _;
use rand::rngs::SysRng;
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use super::secret::Secret;

/// Comment of the keys that onepod makes.
const COMMENT: &str = "oneadmin@opennebula";

/// A private key with what is derived from it. `Debug` shows the public half only.
#[derive(Debug, Clone)]
pub struct SshKey {
    pem: Secret,
    public: String,
    file_name: &'static str,
}

/// Why a text is not a usable private key. Never quotes the text.
#[derive(Debug, thiserror::Error)]
pub enum SshKeyError {
    /// Not a private key in OpenSSH's format.
    #[error("not a whole private key in OpenSSH's format")]
    Format(#[source] ssh_key::Error),
    /// Protected by a passphrase.
    #[error("protected by a passphrase, and nobody is there to type it")]
    Passphrase,
    /// An algorithm that OpenSSH does not look for under a name of its own.
    #[error("of the kind {0}, which OpenSSH's client does not try by itself")]
    Kind(String),
    /// The system has no random numbers to give.
    #[error("not made: the system gives no random numbers ({0})")]
    Random(#[source] rand::rngs::SysError),
}

impl SshKey {
    /// Reads a private key (`-----BEGIN OPENSSH PRIVATE KEY-----`).
    pub fn parse(pem: &str) -> Result<Self, SshKeyError> {
        let read = |text: &str| PrivateKey::from_openssh(text).map_err(SshKeyError::Format);
        let key = read(pem).or_else(|error| padded::padded(pem).map_or(Err(error), |text| read(&text)))?;
        Self::from_key(&key, pem)
    }

    /// Makes an ed25519 key.
    pub fn generate() -> Result<Self, SshKeyError> {
        let mut seed = [0; Ed25519PrivateKey::BYTE_SIZE];
        SysRng.try_fill_bytes(&mut seed).map_err(SshKeyError::Random)?;
        let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        key.set_comment(COMMENT);
        let pem = key.to_openssh(LineEnding::LF).map_err(SshKeyError::Format)?;
        Self::from_key(&key, &pem)
    }

    fn from_key(key: &PrivateKey, pem: &str) -> Result<Self, SshKeyError> {
        if key.is_encrypted() {
            return Err(SshKeyError::Passphrase);
        }
        let file_name = match key.algorithm() {
            Algorithm::Ed25519 => "id_ed25519",
            Algorithm::Rsa { .. } => "id_rsa",
            Algorithm::Ecdsa { .. } => "id_ecdsa",
            other => return Err(SshKeyError::Kind(other.to_string())),
        };
        let public = key.public_key().to_openssh().map_err(SshKeyError::Format)?;
        // OpenSSH refuses a key file whose last line lacks its line feed.
        let pem = Secret::new(format!("{}\n", pem.trim_end()));
        Ok(Self {
            pem,
            public,
            file_name,
        })
    }

    /// The private key as its file holds it, with the line feed at its end.
    #[must_use]
    pub fn pem(&self) -> &Secret {
        &self.pem
    }

    /// The public key: algorithm, key and comment in one line without line feed.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Algorithm and key of the public key, without its comment: what makes two of them equal.
    #[must_use]
    pub fn identity(&self) -> &str {
        identity(&self.public)
    }

    /// Name of the file in which OpenSSH's client looks for a key of this kind.
    #[must_use]
    pub fn file_name(&self) -> &'static str {
        self.file_name
    }
}

/// Algorithm and key of one line of a public key file.
#[must_use]
pub fn identity(line: &str) -> &str {
    let line = line.trim();
    line.match_indices(' ')
        .nth(1)
        .map_or(line, |(end, _)| line.get(..end).unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_reads_back_the_same() {
        let key = SshKey::generate().unwrap();
        let again = SshKey::parse(key.pem().expose()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(again.pem(), key.pem());
        assert_eq!(key.file_name(), "id_ed25519");
        assert!(key.public().starts_with("ssh-ed25519 AAAA"), "{}", key.public());
        assert!(key.public().ends_with(COMMENT), "{}", key.public());
        assert_eq!(format!("{} {COMMENT}", key.identity()), key.public());
        assert!(!format!("{key:?}").contains("BEGIN"), "{key:?}");
    }

    #[test]
    fn a_key_without_its_last_line_feed_gets_it_back() {
        let key = SshKey::generate().unwrap();
        let again = SshKey::parse(key.pem().expose().trim_end()).unwrap();
        assert_eq!(again.pem(), key.pem());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_quoted() {
        for text in [
            "",
            "hunter2hunter2",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n",
        ] {
            let error = SshKey::parse(text).unwrap_err();
            assert!(matches!(error, SshKeyError::Format(_)), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn identity_leaves_the_comment_out() {
        assert_eq!(identity("ssh-ed25519 AAAA me@here twice\n"), "ssh-ed25519 AAAA");
        assert_eq!(identity("ssh-ed25519 AAAA"), "ssh-ed25519 AAAA");
    }
}
