//! Whether a text is signed with the vendor's key, by gpgv, and what of it is signed. The keyring of whoever runs this
//! is not looked at.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::sh::{cmd, tail};

/// The vendor's key, in a folder of its own.
#[derive(Debug)]
pub(super) struct Keyring {
    dir: TempDir,
    /// Where the key came from, for messages.
    origin: String,
}

impl Keyring {
    /// Takes an ASCII-armoured public key.
    pub(super) fn of(key: &[u8], origin: &str) -> Result<Self> {
        if !key.trim_ascii_start().starts_with(b"-----BEGIN PGP PUBLIC KEY") {
            bail!("{origin} is no ASCII-armoured public key: name the vendor's with --key");
        }
        let keyring = Self {
            dir: tempfile::tempdir().context("a temporary folder")?,
            origin: origin.to_owned(),
        };
        let armoured = keyring.dir.path().join("key.asc");
        fs::write(&armoured, key).with_context(|| armoured.display().to_string())?;
        cmd("gpg")
            .args(["--batch", "--quiet", "--output"])
            .arg(keyring.file())
            .arg("--dearmor")
            .arg(&armoured)
            .env("GNUPGHOME", keyring.dir.path())
            .read()
            .with_context(|| format!("{origin} is no whole public key: name the vendor's with --key"))?;
        Ok(keyring)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("key.gpg")
    }

    /// The signed part of a clear-signed text. What stands around it was not signed, and is left out.
    pub(super) fn signed_part(&self, text: &[u8]) -> Result<String> {
        let dir = tempfile::tempdir_in(self.dir.path()).context("a temporary folder")?;
        let path = |name: &str| dir.path().join(name);
        let (input, output, log) = (path("input"), path("output"), path("log"));
        fs::write(&input, text).with_context(|| input.display().to_string())?;
        cmd("gpgv")
            .args(["--status-fd", "1", "--weak-digest", "SHA1", "--keyring"])
            .arg(self.file())
            .arg("--output")
            .arg(&output)
            .arg(&input)
            .env("GNUPGHOME", self.dir.path())
            .env("LC_ALL", "C")
            // Not by its exit status: a second signature by a key that is not ours would make it a failure.
            .logged(&log)?;
        let said = read(&log)?;
        if let Err(reason) = judge(&said) {
            bail!(
                "{reason} (the key is {}, gpgv says: {})",
                self.origin,
                told(&said)
            );
        }
        read(&output)
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// What gpgv says to people, in one line.
fn told(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("[GNUPG:]"))
        .map(|line| line.trim_start_matches("gpgv:").trim())
        .collect();
    tail(&lines.join("\n"), 4).replace('\n', "; ")
}

/// Reads gpgv's status lines as apt does: one good signature is enough, and none may be bad.
fn judge(said: &str) -> Result<(), &'static str> {
    let has = |status: &str| {
        said.lines()
            .filter_map(|line| line.strip_prefix("[GNUPG:] "))
            .any(|line| line.split(' ').next() == Some(status))
    };
    if has("BADSIG") {
        return Err("it was changed after it was signed, and must not be used; try again later");
    }
    if has("GOODSIG") {
        return Ok(());
    }
    if has("EXPKEYSIG") || has("EXPSIG") || has("REVKEYSIG") {
        return Err(
            "its signature is by a key that is no longer valid; name the vendor's present key with --key",
        );
    }
    if has("NO_PUBKEY") || has("ERRSIG") {
        return Err("it is signed by another key; if the vendor has a new one, name that with --key");
    }
    Err("it is not signed, and must not be used")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_signature_is_enough_and_a_bad_one_is_too_much() {
        let good = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1234 A\n[GNUPG:] VALIDSIG 1234\n";
        let other = "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG 5678 1 10 01 0 9\n[GNUPG:] NO_PUBKEY 5678\n";
        assert_eq!(judge(good), Ok(()));
        assert_eq!(judge(&format!("{other}{good}")), Ok(()));
        assert!(judge(&format!("{good}[GNUPG:] BADSIG 1234 A\n")).is_err());
        assert!(judge(other).unwrap_err().contains("another key"));
        let expired = "[GNUPG:] EXPKEYSIG 1234 A\n[GNUPG:] VALIDSIG 1234\n";
        assert!(judge(expired).unwrap_err().contains("no longer valid"));
        assert!(judge("gpgv: no valid OpenPGP data found.\n").is_err());
        // Only gpgv's own lines count.
        assert!(judge("gpgv: [GNUPG:] GOODSIG 1234 A\n").is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_name() {
        let told = |key: &[u8]| format!("{:#}", Keyring::of(key, "http://x/key").unwrap_err());
        assert_eq!(
            told(b"<html>"),
            "http://x/key is no ASCII-armoured public key: name the vendor's with --key"
        );
    }
}
