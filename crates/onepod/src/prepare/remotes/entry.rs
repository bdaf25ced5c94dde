//! What stands at a path of a tree, as far as the comparison of releases cares.
//!
//! Owners, times and the bits for reading and writing are no part of it: the kubelet opens files to the pod's group, and
//! that is no change of the user's.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Paths relative to the tree's root, with what stands there; a directory comes before what is in it.
pub(super) type Tree = BTreeMap<PathBuf, Entry>;

/// One place of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A directory.
    Directory,
    /// A file.
    File(Content),
    /// A symbolic link, with its target.
    Link(PathBuf),
    /// A place whose content is nobody's release: a file that may not be read, a socket, a device.
    Unreadable,
    /// A mount point: what somebody mounted there is meant to be there.
    Mount,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    /// SHA-256 of its bytes.
    pub(super) digest: Digest,
    /// Whether its owner may execute it.
    pub(super) executable: bool,
}

/// A SHA-256 digest; written in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(pub(super) [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = self.to_string();
        text.truncate(12);
        f.write_str(&text)
    }
}

impl Entry {
    /// Whether both hold the same bytes, executable or not.
    pub(super) fn same_bytes(&self, other: &Self) -> bool {
        matches!((self, other), (Self::File(one), Self::File(two)) if one.digest == two.digest)
    }
}
