//! `versions.json`, the only file that names `OpenNebula` releases: reads it, judges it, writes it.
//!
//! All mistakes of the file are told at once, each with its place. What the vendor has in truth is `release`'s
//! affair: here a release is confirmed when the file says so.

mod file;
mod number;
mod package;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use jiff::Timestamp;

use crate::files;

pub(crate) use number::{Line, Version};
pub(crate) use package::PackageVersion;

/// The package whose version is the release's: the core daemon.
pub(crate) const CORE: &str = "opennebula";

/// Exact versions by the names of the packages.
pub(crate) type Packages = BTreeMap<String, PackageVersion>;

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

/// The file's content. Its default is one of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    default: Line,
    lines: BTreeMap<Line, Entry>,
}

/// One line of releases, such as 7.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    version: Version,
    distribution: String,
    base: String,
    architectures: BTreeSet<Architecture>,
    /// When the vendor signed the index that the packages were read in; none until then.
    index: Option<Timestamp>,
    /// None until the vendor's index was read.
    packages: Option<Packages>,
}

impl Versions {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        file::parse(&text).with_context(|| path.display().to_string())
    }

    /// The release of the default line.
    pub(crate) fn default_release(&self) -> Result<Version> {
        let entry = self.lines.get(&self.default);
        Ok(entry
            .with_context(|| format!("there is no line {}, the default", self.default))?
            .version)
    }

    /// The lines, the oldest first.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = (Line, &Entry)> {
        self.lines.iter().map(|(line, entry)| (*line, entry))
    }

    /// For which architectures a release must be there. Of a release that is not the line's newest nothing is known: none.
    pub(crate) fn architectures_of(&self, release: Version) -> Result<BTreeSet<Architecture>> {
        let line = release.line();
        let entry = self.lines.get(&line);
        let entry = entry.with_context(|| format!("versions.json has no line {line}: add it first"))?;
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
        let text = file::render(self)?;
        let again = file::parse(&text).context("what was to be written would not be accepted again")?;
        if again != *self {
            bail!("what was to be written would be read as something else");
        }
        files::replace(path, &text)
    }
}

impl Entry {
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Distribution and release as the vendor's repository has them in its paths: `Ubuntu/24.04`.
    pub(crate) fn distribution(&self) -> &str {
        &self.distribution
    }

    /// What the image stands on, with its digest.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn architectures(&self) -> &BTreeSet<Architecture> {
        &self.architectures
    }

    /// None until they were confirmed.
    pub(crate) fn packages(&self) -> Option<&Packages> {
        self.packages.as_ref()
    }

    /// The date of the index that they were read in.
    pub(crate) fn index(&self) -> Option<Timestamp> {
        self.index
    }

    /// The same line with what the vendor's index of a date says.
    pub(crate) fn confirmed(
        &self,
        index: Timestamp,
        version: Version,
        packages: Packages,
        architectures: BTreeSet<Architecture>,
    ) -> Self {
        Self {
            version,
            architectures,
            index: Some(index),
            packages: Some(packages),
            ..self.clone()
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A file with lines of which nothing is confirmed: `("7.0", "7.0.0")`; the first is the default.
    pub(crate) fn unconfirmed(lines: &[(&str, &str)]) -> Versions {
        let lines: BTreeMap<Line, Entry> = lines
            .iter()
            .map(|(line, version)| {
                let entry = Entry {
                    version: version.parse().unwrap(),
                    distribution: "Ubuntu/24.04".to_owned(),
                    base: format!("docker.io/library/ubuntu:24.04@sha256:{}", "0".repeat(64)),
                    architectures: BTreeSet::from([Architecture::Amd64]),
                    index: None,
                    packages: None,
                };
                (line.parse().unwrap(), entry)
            })
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
        assert_eq!(
            file::render(&versions).unwrap(),
            fs::read_to_string(&path).unwrap()
        );
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

    #[test]
    fn writing_keeps_the_mode_and_leaves_nothing_beside_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("versions.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let versions = unconfirmed(&[("7.0", "7.0.0"), ("7.10", "7.10.1")]);
        versions.write(&path).unwrap();
        assert_eq!(Versions::read(&path).unwrap(), versions);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("versions.json");
        fs::write(&path, "old").unwrap();
        let versions = unconfirmed(&[("7.0", "7.0.0")]);
        let line = versions.default;
        let entry = versions.lines[&line].confirmed(
            Timestamp::UNIX_EPOCH,
            "7.0.1".parse().unwrap(),
            Packages::new(),
            BTreeSet::from([Architecture::Amd64]),
        );
        let error = versions.with(line, entry).write(&path).unwrap_err();
        assert!(
            format!("{error:#}").contains("lines.7.0.packages: opennebula is not there"),
            "{error:#}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
}
