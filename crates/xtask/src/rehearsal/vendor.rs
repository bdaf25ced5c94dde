//! A vendor of the rehearsal's own: a key that lives as long as the value, and apt indexes that are signed with it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::digest::sha256;
use crate::sh::cmd;

/// A signing key without a passphrase, in a folder of its own.
#[derive(Debug)]
pub(crate) struct Key(TempDir);

impl Key {
    pub(crate) fn make() -> Result<Self> {
        let key = Self(tempfile::tempdir().context("a temporary folder")?);
        key.gpg(&[
            "--passphrase",
            "",
            "--quick-generate-key",
            "vendor",
            "ed25519",
            "sign",
            "never",
        ])?;
        Ok(key)
    }

    fn gpg(&self, args: &[&str]) -> Result<String> {
        cmd("gpg")
            .env("GNUPGHOME", self.0.path())
            .args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"])
            .args(args)
            .read()
    }

    /// Writes the public key, ASCII-armoured.
    pub(crate) fn export(&self, to: &Path) -> Result<()> {
        fs::write(to, self.gpg(&["--armor", "--export"])?).with_context(|| to.display().to_string())
    }

    /// What a signature of it is told by.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        let said = self.gpg(&["--with-colons", "--list-keys"])?;
        let line = said.lines().find(|line| line.starts_with("fpr:"));
        line.and_then(|line| line.split(':').nth(9))
            .map(str::to_owned)
            .with_context(|| format!("gpg names no fingerprint: {said}"))
    }

    /// Writes a text with its signature around it.
    pub(crate) fn sign(&self, text: &str, to: &Path) -> Result<()> {
        let plain = to.with_extension("plain");
        fs::write(&plain, text).with_context(|| plain.display().to_string())?;
        let [plain, to] = [&plain, to].map(|path| path.display().to_string());
        self.gpg(&["--output", &to, "--clearsign", &plain]).map(|_| ())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // The agent that gpg started for this folder ends with it.
        cmd("gpgconf")
            .env("GNUPGHOME", self.0.path())
            .args(["--kill", "all"])
            .succeeds();
    }
}

/// The folder of a line's or a release's suite below that of the repositories.
pub(crate) fn suite(repositories: &Path, folder: &str) -> PathBuf {
    repositories.join(folder).join("Ubuntu/24.04/dists/stable")
}

/// The time as a signed index has it.
pub(crate) fn now() -> String {
    at(SignedDuration::ZERO)
}

/// The time some while from now, or before it.
pub(crate) fn at(from_now: SignedDuration) -> String {
    let time = Timestamp::now().saturating_add(from_now).unwrap_or_default();
    rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap_or_default()
        .replace("GMT", "UTC")
}

/// Publishes lists of packages, by Debian's names of the architectures: each plain and packed, and an index of them that is
/// signed and has these fields beside those of the lists, such as `Date: …`.
pub(crate) fn publish(suite: &Path, key: &Key, lists: &[(&str, String)], fields: &str) -> Result<()> {
    if suite.exists() {
        fs::remove_dir_all(suite).with_context(|| suite.display().to_string())?;
    }
    let mut sums = String::new();
    for (architecture, list) in lists {
        let binary = suite.join(format!("opennebula/binary-{architecture}"));
        fs::create_dir_all(&binary).with_context(|| binary.display().to_string())?;
        let (plain, packed) = (binary.join("Packages"), binary.join("Packages.gz"));
        fs::write(&plain, list).with_context(|| plain.display().to_string())?;
        cmd("gzip").args(["-9", "-n", "--keep"]).arg(&plain).read()?;
        for file in [&plain, &packed] {
            let bytes = fs::read(file).with_context(|| file.display().to_string())?;
            let path = file.strip_prefix(suite).unwrap_or(file).display();
            let _ = writeln!(sums, " {} {:>9} {path}", sha256(&bytes), bytes.len());
        }
    }
    let names: Vec<&str> = lists.iter().map(|(architecture, _)| *architecture).collect();
    let release = format!(
        "Origin: OpenNebula\nSuite: stable\n{fields}\nArchitectures: {}\nComponents: opennebula\nSHA256:\n{sums}",
        names.join(" ")
    );
    key.sign(&release, &suite.join("InRelease"))
}
