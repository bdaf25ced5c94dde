//! The unpacked image as a list of files. Links are not followed: they lead out of it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Link,
    /// Sockets, pipes, devices.
    Other,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place in the image, from the root: `/usr/bin/ruby`.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// Permissions with setuid, setgid and sticky.
    pub(crate) mode: u32,
    /// Bytes.
    pub(crate) size: u64,
}

impl Entry {
    /// The last part of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Everything below a folder, in the order of the paths; an entry comes before what is in it.
pub(crate) fn walk(root: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    below(root, "", &mut entries)?;
    Ok(entries)
}

fn below(root: &Path, place: &str, entries: &mut Vec<Entry>) -> Result<()> {
    let folder = root.join(place.trim_start_matches('/'));
    let shown = || folder.display().to_string();
    let mut children = fs::read_dir(&folder)
        .with_context(shown)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(shown)?;
    children.sort_by_key(fs::DirEntry::file_name);
    for child in children {
        let path = format!("{place}/{}", child.file_name().to_string_lossy());
        let about = child.metadata().with_context(|| path.clone())?; // of the link itself
        let kind = match about.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_file() => Kind::File,
            kind if kind.is_symlink() => Kind::Link,
            _ => Kind::Other,
        };
        entries.push(Entry {
            path: path.clone(),
            kind,
            mode: about.mode() & 0o7777,
            size: about.len(),
        });
        if kind == Kind::Directory {
            below(root, &path, entries)?;
        }
    }
    Ok(())
}

/// Whether something has this place in the image, be it a link to nowhere. Links to folders on the way are relative in
/// images (`/bin` to `usr/bin`), and so do not lead out of it.
pub(crate) fn has(root: &Path, path: &str) -> bool {
    fs::symlink_metadata(root.join(path.trim_start_matches('/'))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_listed_and_no_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/file"), "12345").unwrap();
        std::os::unix::fs::symlink("/", root.path().join("b")).unwrap();
        let entries = walk(root.path()).unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.path.as_str(), entry.kind))
            .collect();
        assert_eq!(
            told,
            [
                ("/a", Kind::Directory),
                ("/a/file", Kind::File),
                ("/b", Kind::Link)
            ]
        );
        assert_eq!((entries[1].size, entries[1].name()), (5, "file"));
        assert!(has(root.path(), "/b") && !has(root.path(), "/c"));
    }
}
