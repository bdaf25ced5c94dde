//! `image report`: what the image weighs, what is in it and why, beside what an earlier image of this name consisted of,
//! all built on one base in one run; writes the tables of docs/image.md. Nothing fails because of a figure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::images::Layer;
use crate::machine::Distribution;
use crate::platform::{self, Weighed};
use crate::progress::Progress;
use crate::repo::Repo;

/// Where a line of `image/packages` belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    OpenNebula,
    System,
    Remove,
}

/// A line of `image/packages`.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    kind: Kind,
    name: &'a str,
    reason: &'a str,
}

/// The lines of `image/packages`; one that is none of them is a mistake.
fn entries(text: &str) -> Result<Vec<Entry<'_>>> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut words = line.splitn(2, char::is_whitespace);
            let kind = match words.next() {
                Some("opennebula") => Some(Kind::OpenNebula),
                Some("system") => Some(Kind::System),
                Some("remove") => Some(Kind::Remove),
                _ => None,
            };
            let (name, reason) = words
                .next()
                .and_then(|rest| rest.trim().split_once(char::is_whitespace))
                .unwrap_or_default();
            kind.filter(|_| !reason.trim().is_empty())
                .map(|kind| Entry {
                    kind,
                    name,
                    reason: reason.trim(),
                })
                .with_context(|| format!("image/packages: \"{line}\" is not KIND NAME REASON"))
        })
        .collect()
}

/// Installed packages with their size in KiB, from dpkg's status file.
fn installed(status: &str) -> BTreeMap<&str, u64> {
    let value = |stanza: &'_ str, key: &str| -> Option<String> {
        stanza
            .lines()
            .find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
    };
    status
        .split("\n\n")
        .filter(|stanza| value(stanza, "Status:").is_some_and(|state| state.ends_with(" installed")))
        .filter_map(|stanza| {
            let name = stanza.lines().find_map(|line| line.strip_prefix("Package: "))?;
            let size = value(stanza, "Installed-Size:").and_then(|size| size.parse().ok());
            Some((name, size.unwrap_or_default()))
        })
        .collect()
}

pub(super) fn write(repo: &Repo, progress: &mut Progress) -> Result<()> {
    let weighed = platform::weighed(repo, progress)?;
    let path = repo.root.join("docs/image.md");
    let page = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (kept, _) = page
        .split_once(MARK)
        .with_context(|| format!("{} has no line \"{MARK}\"", path.display()))?;
    let tables = tables(repo, &weighed)?;
    fs::write(&path, format!("{kept}{MARK}\n\n{tables}")).with_context(|| path.display().to_string())
}

/// What is behind this line is written anew.
const MARK: &str = "<!-- What follows is written by `cargo xtask image report`. -->";

fn tables(repo: &Repo, weighed: &Weighed) -> Result<String> {
    let listed = fs::read_to_string(repo.root.join("image/packages")).context("image/packages")?;
    let entries = entries(&listed)?;
    let status = |root: &Path| {
        let path = root.join("var/lib/dpkg/status");
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let (ours, earlier) = (status(&weighed.ours.rootfs)?, status(&weighed.earlier_root)?);
    let (ours, earlier) = (installed(&ours), installed(&earlier));
    let mut text = format!(
        "## What it weighs\n\nMeasured on release {}, built on {} with {}. Sizes are of layers as they are stored in a registry (gzip) \
         and unpacked.\n\n",
        repo.release,
        Distribution::read().name,
        match &repo.repository {
            None =>
                "**simulated packages** of OpenNebula: what the vendor's own packages weigh comes on top of both images alike"
                    .to_owned(),
            Some(repository) => format!("the packages of {}", repository.address),
        }
    );
    text.push_str("| layer | compressed | unpacked |\n|---|--:|--:|\n");
    layers(&mut text, &weighed.layers)?;
    text.push_str("\nBeside it what an earlier image of this name consisted of (`tests/image/earlier`), built on the same base in the \
                   same run:\n\n| layer | compressed | unpacked |\n|---|--:|--:|\n");
    layers(&mut text, &weighed.earlier)?;
    difference(&mut text, "Only in ours", &ours, &earlier)?;
    difference(&mut text, "Only in the earlier one", &earlier, &ours)?;
    for (kind, title, head) in [
        (
            Kind::OpenNebula,
            "OpenNebula's packages",
            "package | why it is there",
        ),
        (
            Kind::System,
            "The distribution's packages",
            "package | why it is there",
        ),
        (Kind::Remove, "What is taken out again", "path | why"),
    ] {
        write!(text, "\n## {title}\n\n| {head} |\n|---|---|\n")?;
        for entry in entries.iter().filter(|entry| entry.kind == kind) {
            writeln!(
                text,
                "| `{}` | {} |",
                entry.name.trim_end_matches('?'),
                entry.reason
            )?;
        }
    }
    let sum: u64 = ours.values().sum();
    write!(
        text,
        "\nWith everything that these depend on, and the base, there are {} packages, {} MiB by their own account.\n",
        ours.len(),
        sum / 1024
    )?;
    Ok(text)
}

fn layers(text: &mut String, layers: &[Layer]) -> Result<()> {
    for layer in layers {
        writeln!(
            text,
            "| {} | {} | {} |",
            layer.made_by,
            mib(layer.compressed),
            mib(layer.unpacked)
        )?;
    }
    let sum = |size: fn(&Layer) -> u64| mib(layers.iter().map(size).sum());
    writeln!(
        text,
        "| **all** | **{}** | **{}** |",
        sum(|layer| layer.compressed),
        sum(|layer| layer.unpacked)
    )?;
    Ok(())
}

fn difference(
    text: &mut String,
    title: &str,
    one: &BTreeMap<&str, u64>,
    other: &BTreeMap<&str, u64>,
) -> Result<()> {
    let only: Vec<String> = one
        .iter()
        .filter(|(name, _)| !other.contains_key(*name))
        .map(|(name, size)| format!("{name} ({size} KiB)"))
        .collect();
    writeln!(text, "\n{title}, {} packages: {}.", only.len(), only.join(", "))?;
    Ok(())
}

fn mib(bytes: u64) -> String {
    let tenths = bytes * 10 / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_mistakes_are_named() {
        let text = "# why\n\nopennebula opennebula-form?   OneForm, since 7.2\nremove /usr/bin/npm  for build time\n";
        let read = entries(text).unwrap();
        assert_eq!(
            read[0],
            Entry {
                kind: Kind::OpenNebula,
                name: "opennebula-form?",
                reason: "OneForm, since 7.2"
            }
        );
        assert_eq!((read[1].kind, read[1].name), (Kind::Remove, "/usr/bin/npm"));
        for wrong in ["system rsync", "other x y", "system  "] {
            let error = entries(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong.trim()), "{error}");
        }
    }

    #[test]
    fn the_image_s_own_list_has_a_reason_for_everything() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/packages");
        let text = fs::read_to_string(root).unwrap();
        assert!(entries(&text).unwrap().len() > 10);
    }

    #[test]
    fn only_what_is_installed_counts() {
        let status = "Package: a\nStatus: install ok installed\nInstalled-Size: 12\n\n\
                      Package: b\nStatus: deinstall ok config-files\nInstalled-Size: 3\n";
        assert_eq!(installed(status), BTreeMap::from([("a", 12)]));
    }

    #[test]
    fn sizes_are_told_in_tenths() {
        assert_eq!(mib(1024 * 1024 * 3 / 2), "1.5 MiB");
        assert_eq!(mib(0), "0.0 MiB");
    }
}
