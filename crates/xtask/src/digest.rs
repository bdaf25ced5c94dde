//! Digests: one short number for the content of files, so that what is made of them is made again only when they
//! changed; and the plain SHA-256 of bytes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Collects what something is made of.
#[derive(Default)]
pub(crate) struct Inputs(Sha256);

impl Inputs {
    /// A word, such as a version.
    pub(crate) fn word(mut self, word: &str) -> Self {
        self.0.update((word.len() as u64).to_le_bytes());
        self.0.update(word);
        self
    }

    /// A file's content, or a folder's: names and contents, in order, without what version control ignores by dots.
    pub(crate) fn path(mut self, path: &Path) -> Result<Self> {
        if path.is_dir() {
            let mut entries: Vec<_> = fs::read_dir(path)
                .and_then(Iterator::collect::<Result<_, _>>)
                .with_context(|| path.display().to_string())?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                self = self
                    .word(&entry.file_name().to_string_lossy())
                    .path(&entry.path())?;
            }
            return Ok(self);
        }
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        Ok(self)
    }

    /// The first 16 hexadecimal digits of the digest.
    pub(crate) fn number(self) -> String {
        hexadecimal(&self.0.finalize()[..8])
    }
}

/// The SHA-256 of bytes in hexadecimal digits, as Debian's indexes have it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_anywhere_changes_the_number() {
        let dir = tempfile::tempdir().unwrap();
        let number = || Inputs::default().path(dir.path()).unwrap().number();
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/x"), "1").unwrap();
        let first = number();
        assert_eq!(first, number());
        fs::write(dir.path().join("a/x"), "2").unwrap();
        let second = number();
        assert_ne!(first, second);
        fs::rename(dir.path().join("a/x"), dir.path().join("a/y")).unwrap();
        assert_ne!(second, number());
    }

    #[test]
    fn words_do_not_run_together() {
        assert_ne!(
            Inputs::default().word("ab").word("c").number(),
            Inputs::default().word("a").word("bc").number()
        );
    }
}
