//! The text of `versions.json`: what its JSON may look like, and the one way in which it is written.
//!
//! JSON's own mistakes (a key that is unknown, missing or there twice) are told one at a time, by line and column;
//! those of the values all at once, by the names that lead to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::marker::PhantomData;

use anyhow::{Context as _, Result, bail};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Architecture, Entry, Line, PackageVersion, Packages, Presence, Version, Versions, packages_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVersions {
    default: String,
    #[serde(deserialize_with = "unique")]
    lines: BTreeMap<String, RawEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    version: String,
    confirmed: bool,
    distribution: String,
    base: String,
    architectures: Vec<String>,
    /// When the vendor signed the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    #[serde(deserialize_with = "unique")]
    packages: BTreeMap<String, Option<String>>,
}

/// As it is written: the lines are in the order of their numbers.
#[derive(Serialize)]
struct Written {
    default: Line,
    lines: BTreeMap<Line, RawEntry>,
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a text; the error has every mistake.
pub(super) fn parse(text: &str) -> Result<Versions> {
    let raw: RawVersions =
        serde_json::from_str(text).context("correct this, or take the file from version control")?;
    let mut mistakes = Mistakes::default();
    let mut lines = BTreeMap::new();
    for (name, raw) in raw.lines {
        let place = format!("lines.{name}");
        let line = mistakes.take(&place, name.parse());
        if let Some(line) = line
            && let Some(entry) = entry(line, raw, &place, &mut mistakes)
        {
            lines.insert(line, entry);
        }
    }
    let default: Option<Line> = mistakes.take("default", raw.default.parse());
    if let Some(default) = default
        && !lines.contains_key(&default)
        && mistakes.0.is_empty()
    {
        mistakes.add("default", format!("there is no line {default}"));
    }
    match default {
        Some(default) if mistakes.0.is_empty() => Ok(Versions { default, lines }),
        _ => bail!("{mistakes}"),
    }
}

/// Pretty-printed, always in the same order.
pub(super) fn render(versions: &Versions) -> Result<String> {
    let raw = |line: Line, entry: &Entry| RawEntry {
        version: entry.version.to_string(),
        confirmed: entry.packages.is_some(),
        distribution: entry.distribution.clone(),
        base: entry.base.clone(),
        architectures: entry.architectures.iter().map(ToString::to_string).collect(),
        index: entry.index.map(|date| date.to_string()),
        packages: match &entry.packages {
            Some(packages) => packages
                .iter()
                .map(|(name, version)| (name.clone(), Some(version.to_string())))
                .collect(),
            None => packages_of(line)
                .into_iter()
                .map(|(name, _)| (name.to_owned(), None))
                .collect(),
        },
    };
    let written = Written {
        default: versions.default,
        lines: versions
            .lines
            .iter()
            .map(|(line, entry)| (*line, raw(*line, entry)))
            .collect(),
    };
    let text = serde_json::to_string_pretty(&written).context("the new content")?;
    Ok(text + "\n")
}

fn entry(line: Line, raw: RawEntry, place: &str, mistakes: &mut Mistakes) -> Option<Entry> {
    let version = mistakes.take(&format!("{place}.version"), version(line, &raw.version));
    mistakes.take(&format!("{place}.distribution"), distribution(&raw.distribution));
    mistakes.take(&format!("{place}.base"), base(&raw.base));
    let architectures = architectures(&raw.architectures, &format!("{place}.architectures"), mistakes);
    let index = raw.index.and_then(|text| {
        let read = text
            .parse()
            .with_context(|| format!("\"{text}\" is no time, such as 2026-07-26T10:00:00Z"));
        mistakes.take(&format!("{place}.index"), read)
    });
    let known: BTreeMap<&str, Presence> = packages_of(line).into_iter().collect();
    let place = format!("{place}.packages");
    for (name, presence) in &known {
        let may_be_absent = raw.confirmed && *presence == Presence::Optional;
        if !may_be_absent && !raw.packages.contains_key(*name) {
            mistakes.add(
                &place,
                format!("{name} is not there, and is installed of this line"),
            );
        }
    }
    let mut packages = Packages::new();
    for (name, text) in raw.packages {
        let place = format!("{place}.{name}");
        if !known.contains_key(name.as_str()) {
            mistakes.add(&place, "nothing of this name is installed of this line");
        }
        match (text, raw.confirmed) {
            (Some(text), true) => {
                if let Some(found) = mistakes.take(&place, package(version, &text)) {
                    packages.insert(name, found);
                }
            }
            (None, false) => {}
            (None, true) => mistakes.add(
                &place,
                "null, though the line is confirmed: let `cargo xtask release detect` fill it in",
            ),
            (Some(_), false) => mistakes.add(
                &place,
                "a version, though the line is not confirmed: it is null until `cargo xtask release detect` has read it",
            ),
        }
    }
    Some(Entry {
        version: version?,
        distribution: raw.distribution,
        base: raw.base,
        architectures,
        index,
        packages: raw.confirmed.then_some(packages),
    })
}

fn version(line: Line, text: &str) -> Result<Version> {
    let version: Version = text.parse()?;
    if version.line() != line {
        bail!("{version} is not of the line {line}");
    }
    if version.is_preview() {
        bail!("{version} is a pre-release, and those are not built");
    }
    Ok(version)
}

/// It becomes a part of an address.
fn distribution(text: &str) -> Result<()> {
    let plain = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
        part.starts_with(|first: char| first.is_ascii_alphanumeric()) && part.bytes().all(allowed)
    };
    match text.split_once('/') {
        Some((name, release)) if plain(name) && plain(release) => Ok(()),
        _ => bail!("\"{text}\" is no distribution: a name and a release are, such as Ubuntu/24.04"),
    }
}

fn base(text: &str) -> Result<()> {
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    let Some((name, digest)) = text.split_once('@') else {
        bail!("\"{text}\" has no digest: an image by its tag alone may be another one tomorrow");
    };
    if name.is_empty() || !name.bytes().all(named) {
        bail!("\"{name}\" is no name of an image");
    }
    match digest.strip_prefix("sha256:") {
        Some(digits) if digits.len() == 64 && digits.bytes().all(hexadecimal) => Ok(()),
        _ => bail!("\"{digest}\" is no digest: sha256: and 64 hexadecimal digits in lower case are"),
    }
}

fn architectures(texts: &[String], place: &str, mistakes: &mut Mistakes) -> BTreeSet<Architecture> {
    let mut found = BTreeSet::new();
    for text in texts {
        if let Some(architecture) = mistakes.take(place, text.parse())
            && !found.insert(architecture)
        {
            mistakes.add(place, format!("{architecture} is there twice"));
        }
    }
    if texts.is_empty() {
        mistakes.add(place, "there is none");
    }
    found
}

fn package(release: Option<Version>, text: &str) -> Result<PackageVersion> {
    let version: PackageVersion = text.parse()?;
    match release {
        Some(release) if release != version.release() => {
            bail!("{version} is not of the release {release}")
        }
        _ => Ok(version),
    }
}

/// What is wrong with the values, each with its place.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn add(&mut self, place: &str, what: impl Display) {
        self.0.push(format!("{place}: {what}"));
    }

    fn take<T>(&mut self, place: &str, value: Result<T>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(place, format!("{error:#}"));
                None
            }
        }
    }
}

impl Display for Mistakes {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let s = if count == 1 { "" } else { "s" };
        write!(to, "{count} mistake{s}")?;
        self.0.iter().try_for_each(|mistake| write!(to, "\n  {mistake}"))
    }
}

/// A JSON object in which no name is there twice, as after a merge that went wrong.
fn unique<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Unique<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Unique<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, to: &mut Formatter<'_>) -> fmt::Result {
            to.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, T>()? {
                if all.contains_key(&name) {
                    return Err(A::Error::custom(format!("\"{name}\" is there twice")));
                }
                all.insert(name, value);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_map(Unique(PhantomData))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::versions::tests::unconfirmed;

    const CONFIRMED: &str = r#"{
  "default": "7.0",
  "lines": {
    "7.0": {
      "version": "7.0.1",
      "confirmed": true,
      "distribution": "Ubuntu/24.04",
      "base": "docker.io/library/ubuntu:24.04@sha256:0000000000000000000000000000000000000000000000000000000000000000",
      "architectures": [
        "amd64",
        "arm64"
      ],
      "index": "2025-10-22T08:00:00Z",
      "packages": {
        "opennebula": "7.0.1-1",
        "opennebula-fireedge": "7.0.1-1",
        "opennebula-flow": "7.0.1-1",
        "opennebula-gate": "7.0.1-1",
        "opennebula-guacd": "7.0.1-1.5.5+1-1",
        "opennebula-migration": "7.0.1-1",
        "opennebula-tools": "7.0.1-1.ce"
      }
    }
  }
}
"#;

    #[test]
    fn what_was_read_is_written_to_the_byte() {
        assert_eq!(render(&parse(CONFIRMED).unwrap()).unwrap(), CONFIRMED);
    }

    #[test]
    fn lines_are_in_the_order_of_their_numbers() {
        let text = render(&unconfirmed(&[
            ("7.10", "7.10.0"),
            ("7.2", "7.2.0"),
            ("7.4", "7.4.0"),
        ]))
        .unwrap();
        let at = |line: &str| text.find(&format!("    \"{line}\": {{")).unwrap();
        assert!(at("7.2") < at("7.4") && at("7.4") < at("7.10"), "{text}");
        assert!(text.contains("\"opennebula-ks\": null"), "{text}");
        assert!(text.ends_with("}\n"), "{text}");
    }

    fn refused(changes: &[(&str, &str)]) -> String {
        let mut text = CONFIRMED.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        format!("{:#}", parse(&text).unwrap_err())
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place() {
        assert_snapshot!(refused(&[
            ("\"7.0.1\"", "\"7.2.1\""),
            ("Ubuntu/24.04", "../Ubuntu"),
            ("sha256:0", "sha256:G"),
            ("\"amd64\"", "\"mips\""),
            ("opennebula-flow", "opennebula-form"),
            ("\"7.0.1-1.ce\"", "null"),
            ("\"7.0.1-1.5.5+1-1\"", "\"7.0.1~rc1-1\""),
            ("\"default\": \"7.0\"", "\"default\": \"7\""),
        ]), @r#"
        9 mistakes
          lines.7.0.version: 7.2.1 is not of the line 7.0
          lines.7.0.distribution: "../Ubuntu" is no distribution: a name and a release are, such as Ubuntu/24.04
          lines.7.0.base: "sha256:G000000000000000000000000000000000000000000000000000000000000000" is no digest: sha256: and 64 hexadecimal digits in lower case are
          lines.7.0.architectures: no image is built for "mips": amd64 and arm64 are known
          lines.7.0.packages: opennebula-flow is not there, and is installed of this line
          lines.7.0.packages.opennebula-form: nothing of this name is installed of this line
          lines.7.0.packages.opennebula-guacd: "7.0.1~rc1-1" is not a version of a plain release: "7.0.1~rc1" is not a valid release: it must be three numbers such as 7.0.1, or four such as 7.0.1.1
          lines.7.0.packages.opennebula-tools: null, though the line is confirmed: let `cargo xtask release detect` fill it in
          default: "7" is no line: two numbers are, such as 7.0
        "#);
    }

    #[test]
    fn the_default_is_one_of_the_lines() {
        assert_snapshot!(refused(&[("\"default\": \"7.0\"", "\"default\": \"8.0\"")]), @"
        1 mistake
          default: there is no line 8.0
        ");
    }

    #[test]
    fn releases_and_packages_belong_together() {
        assert_snapshot!(refused(&[("\"7.0.1\"", "\"7.0.80\"")]), @"
        1 mistake
          lines.7.0.version: 7.0.80 is a pre-release, and those are not built
        ");
        assert_snapshot!(refused(&[("\"opennebula\": \"7.0.1-1\"", "\"opennebula\": \"7.0.2-1\"")]), @"
        1 mistake
          lines.7.0.packages.opennebula: 7.0.2-1 is not of the release 7.0.1
        ");
        assert_snapshot!(refused(&[("\"confirmed\": true", "\"confirmed\": false"), ("\"7.0.1-1\"", "null")]), @"
        6 mistakes
          lines.7.0.packages.opennebula-fireedge: a version, though the line is not confirmed: it is null until `cargo xtask release detect` has read it
          lines.7.0.packages.opennebula-flow: a version, though the line is not confirmed: it is null until `cargo xtask release detect` has read it
          lines.7.0.packages.opennebula-gate: a version, though the line is not confirmed: it is null until `cargo xtask release detect` has read it
          lines.7.0.packages.opennebula-guacd: a version, though the line is not confirmed: it is null until `cargo xtask release detect` has read it
          lines.7.0.packages.opennebula-migration: a version, though the line is not confirmed: it is null until `cargo xtask release detect` has read it
          lines.7.0.packages.opennebula-tools: a version, though the line is not confirmed: it is null until `cargo xtask release detect` has read it
        ");
    }

    #[test]
    fn a_release_may_lack_what_is_optional_of_its_line_and_nothing_else() {
        let of_7_4 = CONFIRMED.replace("7.0", "7.4");
        let versions = parse(&of_7_4).unwrap();
        assert_eq!(render(&versions).unwrap(), of_7_4);
        assert_snapshot!(refused(&[("        \"opennebula-gate\": \"7.0.1-1\",\n", "")]), @"
        1 mistake
          lines.7.0.packages: opennebula-gate is not there, and is installed of this line
        ");
    }

    #[test]
    fn the_date_of_the_index_is_a_time() {
        assert_snapshot!(refused(&[("2025-10-22T08:00:00Z", "yesterday")]), @r#"
        1 mistake
          lines.7.0.index: "yesterday" is no time, such as 2026-07-26T10:00:00Z: failed to parse four digit integer as year: invalid digit, expected 0-9 but got y
        "#);
    }

    #[test]
    fn a_base_has_its_digest() {
        assert_snapshot!(
            refused(&[("@sha256:0000000000000000000000000000000000000000000000000000000000000000", "")]),
            @r#"
        1 mistake
          lines.7.0.base: "docker.io/library/ubuntu:24.04" has no digest: an image by its tag alone may be another one tomorrow
        "#
        );
    }

    #[test]
    fn keys_that_are_unknown_or_there_twice_have_a_line_and_a_column() {
        assert_snapshot!(refused(&[("\"distribution\"", "\"distro\"")]), @"correct this, or take the file from version control: unknown field `distro`, expected one of `version`, `confirmed`, `distribution`, `base`, `architectures`, `index`, `packages` at line 7 column 14");
        assert_snapshot!(refused(&[("\"opennebula-tools\"", "\"opennebula\"")]), @r#"correct this, or take the file from version control: "opennebula" is there twice at line 22 column 7"#);
        assert_snapshot!(refused(&[("\"amd64\",\n        \"arm64\"", "")]), @"
        1 mistake
          lines.7.0.architectures: there is none
        ");
    }
}
