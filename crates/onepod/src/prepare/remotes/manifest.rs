//! The record on the volume of what this release brought, for the comparison at the next start.
//!
//! A text of one line for each place: kind, what is there, stamps, path; fields are separated by tabs, and bytes that
//! are no plain text are written as %XX. A record that is not whole counts as none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::entry::{Content, Digest, Entry};
use super::plan::Before;
use super::scan::Stamp;

const TITLE: &str = "onepod remotes 1";

/// What the record holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The release, when the image names it.
    pub(super) release: Option<String>,
    /// What it shipped, and the conflicts that are open.
    pub(super) before: Before,
    /// Stamps of its files in the image.
    pub(super) image: BTreeMap<PathBuf, Stamp>,
    /// Stamps of its files on the volume.
    pub(super) volume: BTreeMap<PathBuf, Stamp>,
}

impl Manifest {
    /// Writes it down.
    pub(super) fn render(&self) -> String {
        let mut text = format!(
            "{TITLE}\t{}\n",
            self.release.as_deref().map(escape_text).unwrap_or_default()
        );
        for (path, entry) in &self.before.tree {
            let line = match entry {
                Entry::Directory => "d".to_owned(),
                Entry::Link(target) => format!("l\t{}", escape(target)),
                Entry::File(content) => {
                    let conflict = self.before.conflicts.get(path).map(Digest::to_string);
                    format!(
                        "{}\t{}\t{}\t{}\t{}",
                        if content.executable { "x" } else { "f" },
                        content.digest,
                        stamp(self.image.get(path)),
                        stamp(self.volume.get(path)),
                        conflict.as_deref().unwrap_or("-")
                    )
                }
                // No release ships these.
                Entry::Unreadable | Entry::Mount => continue,
            };
            let _ = writeln!(text, "{line}\t{}", escape(path));
        }
        let _ = writeln!(text, "end\t{}", text.lines().count());
        text
    }

    /// Reads it back; nothing when it is not whole, or of another kind.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix('\n')?;
        let (body, end) = body.rsplit_once('\n')?;
        let lines: usize = end.strip_prefix("end\t")?.parse().ok()?;
        if body.lines().count() != lines {
            return None;
        }
        let mut lines = body.lines();
        let release = lines.next()?.strip_prefix(TITLE)?.strip_prefix('\t')?;
        let mut manifest = Self {
            release: Some(release.to_owned()).filter(|release| !release.is_empty()),
            ..Self::default()
        };
        lines.try_for_each(|line| manifest.line(line))?;
        Some(manifest)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.split('\t').collect();
        let (path, entry) = match *fields.as_slice() {
            ["d", path] => (unescape(path)?, Entry::Directory),
            ["l", target, path] => (unescape(path)?, Entry::Link(unescape(target)?)),
            [kind @ ("f" | "x"), digest, image, volume, conflict, path] => {
                let path = unescape(path)?;
                take_stamp(image, &path, &mut self.image)?;
                take_stamp(volume, &path, &mut self.volume)?;
                if conflict != "-" {
                    self.before
                        .conflicts
                        .insert(path.clone(), Digest::parse(conflict)?);
                }
                let content = Content {
                    digest: Digest::parse(digest)?,
                    executable: kind == "x",
                };
                (path, Entry::File(content))
            }
            _ => return None,
        };
        self.before.tree.insert(path, entry);
        Some(())
    }
}

fn stamp(stamp: Option<&Stamp>) -> String {
    stamp.map_or_else(
        || "-".to_owned(),
        |at| format!("{}:{}:{}:{:o}", at.size, at.modified, at.changed, at.mode),
    )
}

/// Reads a stamp into the map of stamps; nothing when it is none.
fn take_stamp(text: &str, path: &Path, into: &mut BTreeMap<PathBuf, Stamp>) -> Option<()> {
    if text == "-" {
        return Some(());
    }
    let mut parts = text.split(':');
    let stamp = Stamp {
        size: parts.next()?.parse().ok()?,
        modified: parts.next()?.parse().ok()?,
        changed: parts.next()?.parse().ok()?,
        mode: u32::from_str_radix(parts.next()?, 8).ok()?,
    };
    if parts.next().is_some() {
        return None;
    }
    into.insert(path.to_owned(), stamp);
    Some(())
}

fn escape_text(text: &str) -> String {
    escape(Path::new(text))
}

fn escape(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '%' || character.is_control() {
                let mut bytes = [0; 4];
                hexadecimal(&mut text, character.encode_utf8(&mut bytes).as_bytes());
            } else {
                text.push(character);
            }
        }
        hexadecimal(&mut text, chunk.invalid());
    }
    text
}

fn hexadecimal(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "%{byte:02X}");
    }
}

fn unescape(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = PathBuf> {
        prop::collection::vec(
            any::<u8>().prop_filter("a name", |byte| ![0, b'/'].contains(byte)),
            1..12,
        )
        .prop_map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)))
    }

    fn some_stamp() -> impl Strategy<Value = Option<Stamp>> {
        prop::option::of(
            (any::<u64>(), any::<i64>(), any::<i64>(), 0_u32..0o10000).prop_map(
                |(size, modified, changed, mode)| Stamp {
                    size,
                    modified: modified.into(),
                    changed: changed.into(),
                    mode,
                },
            ),
        )
    }

    fn manifest() -> impl Strategy<Value = Manifest> {
        let digest = || any::<[u8; 32]>().prop_map(Digest);
        let file = (
            digest(),
            any::<bool>(),
            some_stamp(),
            some_stamp(),
            prop::option::of(digest()),
        );
        let entry = prop_oneof![
            Just((Entry::Directory, None, None, None)),
            name().prop_map(|target| (Entry::Link(target), None, None, None)),
            file.prop_map(|(digest, executable, image, volume, conflict)| {
                (
                    Entry::File(Content { digest, executable }),
                    image,
                    volume,
                    conflict,
                )
            }),
        ];
        let places = prop::collection::btree_map(name(), entry, 0..8);
        (prop::option::of("[0-9.]{1,6}"), places).prop_map(|(release, places)| {
            let mut manifest = Manifest {
                release,
                ..Manifest::default()
            };
            for (path, (entry, image, volume, conflict)) in places {
                manifest.before.tree.insert(path.clone(), entry);
                manifest.image.extend(image.map(|stamp| (path.clone(), stamp)));
                manifest.volume.extend(volume.map(|stamp| (path.clone(), stamp)));
                manifest
                    .before
                    .conflicts
                    .extend(conflict.map(|digest| (path.clone(), digest)));
            }
            manifest
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(manifest in manifest()) {
            prop_assert_eq!(Manifest::parse(&manifest.render()), Some(manifest));
        }

        #[test]
        fn a_part_of_a_record_is_none(manifest in manifest(), cut in any::<prop::sample::Index>()) {
            let text = manifest.render();
            let end = cut.index(text.len());
            prop_assume!(text.is_char_boundary(end));
            prop_assert_eq!(Manifest::parse(&text[..end]), None);
        }

        #[test]
        fn no_text_does_harm(text in "(onepod remotes 1\t\n)?[dflx]?[\t\n%:0-9a-f/ -]{0,80}(\nend\t[0-9]\n)?") {
            let _ = Manifest::parse(&text);
        }
    }
}
