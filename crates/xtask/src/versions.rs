//! `versions.json`, the only file that names `OpenNebula` releases: reads it, judges it, writes it.
//!
//! What the vendor has in truth is `release`'s affair.

mod number;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::files;

pub(crate) use number::{Line, Version};

/// The package whose version is the release's: the core daemon.
pub(crate) const CORE: &str = "opennebula";

/// Whether a package belongs to every release of its lines. `image/packages` marks the others with a `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Always,
    /// An image can be built without it: its service is then left out.
    Optional,
}

/// The packages that are installed of a line. `OneForm` came with 7.2, `OneKS` with 7.4.
pub(crate) fn packages_of(line: Line) -> Vec<(&'static str, Presence)> {
    let mut packages: Vec<(&'static str, Presence)> = [
        CORE,
        "opennebula-fireedge",
        "opennebula-flow",
        "opennebula-gate",
        "opennebula-guacd",
        "opennebula-migration",
        "opennebula-tools",
    ]
    .map(|name| (name, Presence::Always))
    .to_vec();
    for (since, name) in [
        (Line::new(7, 2), "opennebula-form"),
        (Line::new(7, 4), "opennebula-ks"),
    ] {
        if line >= since {
            packages.push((name, Presence::Optional));
        }
    }
    packages
}

/// What images are built for. Docker and Debian call both by the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Architecture {
    Amd64,
    Arm64,
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "amd64" => Ok(Self::Amd64),
            "arm64" => Ok(Self::Arm64),
            other => bail!("no image is built for \"{other}\": amd64 and arm64 are known"),
        }
    }
}

impl Display for Architecture {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        })
    }
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Versions {
    default: Line,
    lines: BTreeMap<Line, Entry>,
}

/// One line of releases, such as 7.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The newest release.
    pub(crate) version: Version,
    /// Distribution and release as the vendor's repository has them in its paths: `Ubuntu/24.04`.
    pub(crate) distribution: String,
    /// What the image stands on, with its digest.
    pub(crate) base: String,
    /// Those for which the release has all packages.
    pub(crate) architectures: BTreeSet<Architecture>,
    /// When the vendor signed the index that said so; none until it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<Timestamp>,
}

/// Types that stand in the file as they are written for people.
macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text! { Line Version Architecture }

impl Versions {
    /// Reads the file. The error has the first mistake, by its line and column or by the names that lead to it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let read = || {
            let versions: Self = serde_json::from_str(&fs::read_to_string(path)?)?;
            versions.judge()?;
            Ok(versions)
        };
        read().map_err(|error: Error| {
            error.context(format!(
                "{}: correct this, or take the file from version control",
                path.display()
            ))
        })
    }

    fn judge(&self) -> Result<()> {
        self.default_release()?;
        for (line, entry) in &self.lines {
            let version = entry.version;
            if version.line() != *line || version.is_preview() {
                bail!(
                    "lines.{line}.version: {version} is not a release of this line that is built: a pre-release never is"
                );
            }
            if entry.architectures.is_empty() {
                bail!("lines.{line}.architectures: must not be empty");
            }
            if !entry.base.contains("@sha256:") {
                bail!(
                    "lines.{line}.base: \"{}\" has no digest: an image by its tag alone may be another one tomorrow",
                    entry.base
                );
            }
        }
        Ok(())
    }

    /// The release of the default line.
    pub(crate) fn default_release(&self) -> Result<Version> {
        let entry = self.lines.get(&self.default);
        let entry = entry.with_context(|| format!("default: there is no line {}", self.default))?;
        Ok(entry.version)
    }

    /// The lines, the oldest first.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = (Line, &Entry)> {
        self.lines.iter().map(|(line, entry)| (*line, entry))
    }

    /// A line by its name.
    pub(crate) fn line(&self, line: Line) -> Result<&Entry> {
        self.lines.get(&line).with_context(|| {
            let names: Vec<String> = self.lines.keys().map(ToString::to_string).collect();
            format!("versions.json has no line {line}, it has {}", names.join(", "))
        })
    }

    /// For which architectures a release must be there. Of a release that is not the line's newest nothing is known: none.
    pub(crate) fn architectures_of(&self, release: Version) -> Result<BTreeSet<Architecture>> {
        let entry = self.line(release.line())?;
        Ok(if entry.version == release {
            entry.architectures.clone()
        } else {
            BTreeSet::new()
        })
    }

    /// The same with another entry of a line.
    pub(crate) fn with(mut self, line: Line, entry: Entry) -> Self {
        self.lines.insert(line, entry);
        self
    }

    /// Replaces the file at once or not at all; its mode stays.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        self.judge()?;
        files::replace(path, &self.text()?)
    }

    fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use insta::assert_snapshot;

    use super::*;

    /// A file of these lines for amd64: `("7.0", "7.0.0")`; the first is the default.
    pub(crate) fn versions(lines: &[(&str, &str)]) -> Versions {
        let entry = |version: &str| Entry {
            version: version.parse().unwrap(),
            distribution: "Ubuntu/24.04".to_owned(),
            base: format!("docker.io/library/ubuntu:24.04@sha256:{}", "0".repeat(64)),
            architectures: BTreeSet::from([Architecture::Amd64]),
            index: None,
        };
        let lines: BTreeMap<Line, Entry> = lines
            .iter()
            .map(|(line, version)| (line.parse().unwrap(), entry(version)))
            .collect();
        let default = *lines.keys().next().unwrap();
        Versions { default, lines }
    }

    fn of_the_repository() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn the_repository_s_file_is_as_it_would_be_written() {
        let path = of_the_repository().join("versions.json");
        let versions = Versions::read(&path).unwrap();
        assert_eq!(versions.text().unwrap(), fs::read_to_string(&path).unwrap());
    }

    #[test]
    fn the_dockerfile_s_defaults_are_those_of_the_default_line() {
        let root = of_the_repository();
        let versions = Versions::read(&root.join("versions.json")).unwrap();
        let dockerfile = fs::read_to_string(root.join("image/Dockerfile")).unwrap();
        let argument = |name: &str| {
            let start = format!("ARG {name}=");
            dockerfile
                .lines()
                .find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        };
        assert_eq!(
            argument("ONE_VERSION"),
            Some(versions.default_release().unwrap().to_string())
        );
        assert_eq!(
            argument("BASE_IMAGE"),
            Some(versions.lines[&versions.default].base.clone())
        );
        assert_eq!(
            argument("ONE_REPOSITORY_FINGERPRINT").as_deref(),
            Some(crate::release::VENDOR_FINGERPRINT)
        );
    }

    #[test]
    fn each_line_installs_what_it_has() {
        let count = |line: &str| packages_of(line.parse().unwrap()).len();
        assert_eq!((count("7.0"), count("7.2"), count("7.4")), (7, 8, 9));
        assert_eq!((count("7.10"), count("8.0")), (9, 9));
    }

    #[test]
    fn the_image_installs_the_same_packages_and_leaves_out_the_same() {
        let list = fs::read_to_string(of_the_repository().join("image/packages")).unwrap();
        let mut of_the_image: Vec<&str> = list
            .lines()
            .filter_map(|line| line.strip_prefix("opennebula "))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        let newest: Line = "7.4".parse().unwrap();
        let mut known: Vec<String> = packages_of(newest)
            .into_iter()
            .map(|(name, presence)| match presence {
                Presence::Always => name.to_owned(),
                Presence::Optional => format!("{name}?"),
            })
            .collect();
        of_the_image.sort_unstable();
        known.sort_unstable();
        assert_eq!(of_the_image, known);
    }

    /// What is said of the file with one text in the place of another.
    fn refused(from: &str, to: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = versions(&[("7.0", "7.0.1")]).text().unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(file.path(), text.replacen(from, to, 1)).unwrap();
        let error = format!("{:#}", Versions::read(file.path()).unwrap_err());
        error.replace(&file.path().display().to_string(), "FILE")
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let all = [
            ("\"default\": \"7.0\"", "\"default\": \"7.2\""),
            ("\"default\": \"7.0\"", "\"default\": \"7\""),
            ("7.0.1", "7.2.1"),
            ("7.0.1", "7.0.80"),
            ("7.0.1", "7.0.1-1"),
            ("\"amd64\"", ""),
            ("amd64", "armhf"),
            ("@sha256:", "#"),
            ("\"distribution\"", "\"distro\""),
            ("}", ""),
        ];
        let told: Vec<String> = all.iter().map(|(from, to)| refused(from, to)).collect();
        assert_snapshot!(told.join("\n"), @r#"
        FILE: correct this, or take the file from version control: default: there is no line 7.2
        FILE: correct this, or take the file from version control: "7" is no line: two numbers are, such as 7.0 at line 2 column 16
        FILE: correct this, or take the file from version control: lines.7.0.version: 7.2.1 is not a release of this line that is built: a pre-release never is
        FILE: correct this, or take the file from version control: lines.7.0.version: 7.0.80 is not a release of this line that is built: a pre-release never is
        FILE: correct this, or take the file from version control: "7.0.1-1" is not a valid release: it must be three numbers such as 7.0.1, or four such as 7.0.1.1 at line 5 column 26
        FILE: correct this, or take the file from version control: lines.7.0.architectures: must not be empty
        FILE: correct this, or take the file from version control: no image is built for "armhf": amd64 and arm64 are known at line 10 column 7
        FILE: correct this, or take the file from version control: lines.7.0.base: "docker.io/library/ubuntu:24.04#0000000000000000000000000000000000000000000000000000000000000000" has no digest: an image by its tag alone may be another one tomorrow
        FILE: correct this, or take the file from version control: unknown field `distro`, expected one of `version`, `distribution`, `base`, `architectures`, `index` at line 6 column 14
        FILE: correct this, or take the file from version control: EOF while parsing an object at line 14 column 0
        "#);
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let good = versions(&[("7.0", "7.0.1"), ("7.10", "7.10.0")]);
        good.write(file.path()).unwrap();
        assert_eq!(Versions::read(file.path()).unwrap(), good);
        let line = good.default;
        let bad = Entry {
            architectures: BTreeSet::new(),
            ..good.lines[&line].clone()
        };
        assert!(good.clone().with(line, bad).write(file.path()).is_err());
        assert_eq!(Versions::read(file.path()).unwrap(), good);
    }
}
