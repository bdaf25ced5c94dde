//! The vendor's apt repositories, read by apt itself.
//!
//! Each repository gets a root of its own in a temporary folder: sources, key, lists and cache. apt verifies the signature, the
//! key's fingerprint, the dates and every checksum; none of that is done here. Of the machine only the way to the network is
//! taken over, never its sources, keys or preferences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tempfile::TempDir;

use super::plan::Index;
use crate::apt;
use crate::images::VENDOR;
use crate::sh::{Cmd, cmd, which};
use crate::versions::{Architecture, Line, Presence, Version, packages_of};

/// The suite and the component that the vendor uses.
const SUITE: &str = "stable";
const COMPONENT: &str = "opennebula";

/// The fingerprint of the key that signs the vendor's repositories since 2023. Source: the public Puppet modules that pin it
/// beside the address of `repo2.key`; whoever launches the project compares it once with the key itself (docs/releasing.md).
pub(crate) const VENDOR_FINGERPRINT: &str = "0B2D385C7C9304B11A0367B905A05927906DC27C";

/// Programs that are run, and the packages that bring them.
const PROGRAMS: [(&str, &str); 3] = [("apt-get", "apt"), ("apt-cache", "apt"), ("gpgv", "gpgv")];
/// apt's own way to fetch a file.
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// Which repositories are the vendor's, and whose signature counts.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Vendor {
    /// The folder of the vendor's apt repositories
    #[arg(long, value_name = "URL", default_value = VENDOR)]
    pub(crate) repository: String,
    /// The key that the indexes are signed with; without it repo2.key in the repository
    #[arg(long, value_name = "URL-OR-FILE")]
    pub(crate) key: Option<String>,
    /// The key's fingerprint: a signature of any other key in the file does not count
    #[arg(long, value_name = "HEX", default_value = VENDOR_FINGERPRINT)]
    pub(crate) fingerprint: String,
}

impl Default for Vendor {
    fn default() -> Self {
        Self {
            repository: VENDOR.to_owned(),
            key: None,
            fingerprint: VENDOR_FINGERPRINT.to_owned(),
        }
    }
}

/// The vendor's repositories, one for each release and line.
#[derive(Debug)]
pub(crate) struct Repository {
    address: String,
    fingerprint: String,
    /// The key's file and the roots.
    dir: TempDir,
    key: PathBuf,
}

impl Repository {
    /// Gets the key, by its address or from a file.
    pub(crate) fn open(vendor: &Vendor) -> Result<Self> {
        for (program, package) in PROGRAMS {
            if which(program).is_none() {
                bail!("{program} is missing: apt-get install {package}, or run this on Debian or Ubuntu");
            }
        }
        let address = vendor.repository.trim_end_matches('/').to_owned();
        let fingerprint = fingerprint(&vendor.fingerprint)?;
        let dir = tempfile::tempdir().context("a temporary folder")?;
        let origin = vendor
            .key
            .clone()
            .unwrap_or_else(|| format!("{address}/repo2.key"));
        let fetched = dir.path().join("key");
        if origin.contains("://") {
            let root = Root::make(&dir.path().join("key-root"), "")?;
            let said = root.run(cmd(HELPER).args(["download-file", &origin]).arg(&fetched))?;
            if !said.ok {
                bail!(
                    "the key {origin} cannot be had ({}): name the vendor's key with --key",
                    said.mistakes()
                );
            }
        } else {
            fs::copy(&origin, &fetched)
                .with_context(|| format!("the key {origin}: name the vendor's with --key"))?;
        }
        // apt goes by the name's end.
        let bytes = fs::read(&fetched).with_context(|| fetched.display().to_string())?;
        let armoured = bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP PUBLIC KEY");
        let key = fetched.with_extension(if armoured { "asc" } else { "gpg" });
        fs::rename(&fetched, &key).with_context(|| key.display().to_string())?;
        Ok(Self {
            address,
            fingerprint,
            dir,
            key,
        })
    }

    /// The address of the signed index in a folder such as `7.0/Ubuntu/24.04`.
    pub(crate) fn index_of(&self, folder: &str) -> String {
        format!("{}/{folder}/dists/{SUITE}/InRelease", self.address)
    }

    /// What a folder has of a line's packages; none when there is no such folder.
    pub(crate) fn read(&self, folder: &str, line: Line) -> Result<Option<Index>> {
        let Some(root) = self.update(folder)? else {
            return Ok(None);
        };
        let names: Vec<&str> = packages_of(line).into_iter().map(|(name, _)| name).collect();
        let mut packages: BTreeMap<Architecture, BTreeSet<(String, String)>> = BTreeMap::new();
        for (name, version, architecture) in root.madison(&names)? {
            packages.entry(architecture).or_default().insert((name, version));
        }
        Ok(Some(Index {
            address: self.index_of(folder),
            date: root.date().with_context(|| self.index_of(folder))?,
            packages,
        }))
    }

    /// Downloads what is installed of a release, and the packages of the same folder that those depend on; false when there is
    /// no such folder.
    pub(crate) fn download(&self, folder: &str, release: Version, to: &Path) -> Result<bool> {
        let Some(root) = self.update(folder)? else {
            return Ok(false);
        };
        root.prefer(release)?;
        let wanted = packages_of(release.line());
        let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
        let all = root.with_dependencies(&names)?;
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let rows = root.madison(&all)?.into_iter();
        let there: BTreeSet<String> = rows
            .filter(|(_, version, architecture)| {
                *architecture == Architecture::Amd64 && Version::of_package(version) == Some(release)
            })
            .map(|(name, ..)| name)
            .collect();
        let missing: Vec<&str> = wanted
            .iter()
            .filter(|(name, presence)| *presence == Presence::Always && !there.contains(*name))
            .map(|(name, _)| *name)
            .collect();
        if !missing.is_empty() {
            bail!(
                "{} has no {} of {release}: name another with --repository, or a folder of packages",
                self.index_of(folder),
                missing.join(", ")
            );
        }
        let said = root.run(cmd("apt-get").arg("download").args(there).dir(to))?;
        if !said.ok {
            bail!("{}", self.refusal(folder, &said));
        }
        Ok(true)
    }

    /// A root with a folder's lists, verified; none when there is no such folder.
    fn update(&self, folder: &str) -> Result<Option<Root>> {
        let sources = format!(
            "Types: deb\nURIs: {}/{folder}\nSuites: {SUITE}\nComponents: {COMPONENT}\nSigned-By: {} {}\n",
            self.address,
            self.key.display(),
            self.fingerprint
        );
        let path = self.dir.path().join(folder.replace('/', "_"));
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        let root = Root::make(&path, &sources)?;
        let said = root.run(cmd("apt-get").arg("update"))?;
        match (said.ok, said.is_absent()) {
            (true, _) => Ok(Some(root)),
            (false, true) => Ok(None),
            (false, false) => bail!("{}", self.refusal(folder, &said)),
        }
    }

    /// What apt says, and what to do about it.
    fn refusal(&self, folder: &str, said: &Said) -> String {
        let mistakes = said.mistakes();
        let advice = ADVICE
            .iter()
            .find(|(words, _)| mistakes.contains(words))
            .map_or(OTHERWISE, |(_, advice)| advice);
        format!(
            "{} cannot be used: apt says \"{mistakes}\": {}",
            self.index_of(folder),
            advice.replace("FINGERPRINT", &self.fingerprint)
        )
    }
}

/// Words of apt's, with what they mean for whoever reads them.
const ADVICE: [(&str, &str); 9] = [
    (
        "GOODSIG",
        "it is signed by another key than FINGERPRINT; if the vendor has announced a new key, pin that one's fingerprint",
    ),
    (
        "NO_PUBKEY",
        "it is signed by another key than FINGERPRINT; if the vendor has announced a new key, pin that one's fingerprint",
    ),
    ("BADSIG", "it was changed after it was signed; do not use it"),
    ("Clearsigned file isn't valid", "it is not signed; do not use it"),
    (
        "is expired",
        "it is an old one that somebody serves again, or the vendor has stopped signing; look at the mirror",
    ),
    (
        "not valid yet",
        "it is dated in the future; look at this machine's clock",
    ),
    (
        "Unable to parse",
        "it is signed and broken; try again later, and tell the vendor if it stays so",
    ),
    (
        "Hash Sum mismatch",
        "that is not what the vendor signed; it may be so for a moment while something is published, so try again later",
    ),
    (
        "unexpected size",
        "that is not what the vendor signed; it may be so for a moment while something is published, so try again later",
    ),
];
const OTHERWISE: &str = "try again later, or name another with --repository and --key";

/// 40 hexadecimal digits, as apt takes them.
fn fingerprint(text: &str) -> Result<String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("--fingerprint \"{text}\" is not the fingerprint of a key, which has 40 hexadecimal digits");
    }
    Ok(digits.to_ascii_uppercase())
}

/// A folder in which apt finds everything of its own.
#[derive(Debug)]
struct Root(PathBuf);

impl Root {
    fn make(path: &Path, sources: &str) -> Result<Self> {
        let root = Self(path.to_owned());
        let told = || path.display().to_string();
        for folder in ["etc", "state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(path.join(folder)).with_context(told)?;
        }
        for (name, text) in [
            ("status", ""),
            ("etc/preferences", ""),
            ("etc/vendor.sources", sources),
            ("apt.conf", &root.settings()?),
        ] {
            fs::write(path.join(name), text).with_context(told)?;
        }
        Ok(root)
    }

    /// Both architectures are asked for wherever this runs; what the machine says of dates does not hold here.
    fn settings(&self) -> Result<String> {
        let mut text = apt::network_settings()?;
        let path = self.0.display();
        let _ = write!(
            text,
            "Dir \"{path}/\";\nDir::Etc \"etc\";\nDir::Etc::main \"/dev/null\";\nDir::Etc::parts \"/dev/null\";\n\
             Dir::Etc::sourcelist \"{path}/etc/vendor.sources\";\nDir::Etc::sourceparts \"/dev/null\";\n\
             Dir::Etc::preferences \"{path}/etc/preferences\";\nDir::Etc::preferencesparts \"/dev/null\";\n\
             Dir::Etc::trusted \"/dev/null\";\nDir::Etc::trustedparts \"/dev/null\";\n\
             Dir::State \"state\";\nDir::State::status \"{path}/status\";\nDir::Cache \"cache\";\n\
             APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; \"arm64\"; }};\nAPT::Sandbox::User \"root\";\n\
             APT::Update::Error-Mode \"any\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
             Acquire::Check-Date \"true\";\nAcquire::Check-Valid-Until \"true\";\n"
        );
        Ok(text)
    }

    fn run(&self, command: Cmd) -> Result<Said> {
        let log = self.0.join("said");
        let status = command
            .env("APT_CONFIG", self.0.join("apt.conf"))
            .env("LC_ALL", "C")
            .logged(&log)?;
        let text = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        Ok(Said {
            ok: status.success(),
            text,
            root: self.0.clone(),
        })
    }

    /// Every version of some packages: name, version, and the architecture of the list that has it.
    fn madison(&self, names: &[&str]) -> Result<BTreeSet<(String, String, Architecture)>> {
        let foreign = names.iter().map(|name| format!("{name}:arm64"));
        let said = self.run(cmd("apt-cache").arg("madison").args(names).args(foreign))?;
        if !said.ok && !said.text.contains("No packages found") {
            bail!(
                "the verified lists cannot be read: apt says \"{}\"",
                said.mistakes()
            );
        }
        let rows: Vec<Row> = said.text.lines().filter_map(row).collect();
        let architectures: BTreeSet<Architecture> = rows
            .iter()
            .filter_map(|(_, _, architecture)| architecture.parse().ok())
            .collect();
        // A list of its own for packages of all architectures belongs to each of the others.
        Ok(rows
            .into_iter()
            .flat_map(|(name, version, of)| {
                architectures
                    .iter()
                    .filter(move |architecture| of == "all" || of == architecture.to_string())
                    .map(move |architecture| (name.to_owned(), version.to_owned(), *architecture))
            })
            .collect())
    }

    /// When the index was signed.
    fn date(&self) -> Result<Timestamp> {
        let lists = self.0.join("state/lists");
        let mut files = fs::read_dir(&lists)
            .with_context(|| lists.display().to_string())?
            .flatten()
            .map(|entry| entry.path());
        let release = files
            .find(|path| path.to_string_lossy().ends_with("Release"))
            .context("apt has kept no signed index")?;
        let text = fs::read_to_string(&release).with_context(|| release.display().to_string())?;
        let date = text
            .lines()
            .find_map(|line| line.strip_prefix("Date: "))
            .context("it has no Date, and could be of any age")?;
        date_of(date).with_context(|| format!("its Date is \"{date}\""))
    }

    /// Takes a release's packages where there are newer ones too.
    fn prefer(&self, release: Version) -> Result<()> {
        let file = self.0.join("etc/preferences");
        fs::write(
            &file,
            format!("Package: *\nPin: version {release}-*\nPin-Priority: 1001\n"),
        )
        .with_context(|| file.display().to_string())
    }

    /// The packages, and all of the same lists that they depend on.
    fn with_dependencies(&self, names: &[&str]) -> Result<BTreeSet<String>> {
        let without = [
            "--no-recommends",
            "--no-suggests",
            "--no-conflicts",
            "--no-breaks",
            "--no-replaces",
            "--no-enhances",
        ];
        let known: Vec<String> = self.madison(names)?.into_iter().map(|(name, ..)| name).collect();
        let said = self.run(
            cmd("apt-cache")
                .args(["depends", "--recurse"])
                .args(without)
                .args(&known),
        )?;
        // A package of these lists stands at the line's beginning; one of elsewhere between < and >.
        let reached = said
            .text
            .lines()
            .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
            .map(|line| line.trim().to_owned());
        Ok(reached.chain(known.iter().cloned()).collect())
    }
}

/// `Tue, 01 Jul 2025 10:00:00 UTC`, as apt repositories write it; RFC 2822 has GMT or +0000 in the last place.
fn date_of(text: &str) -> Result<Timestamp> {
    let text = text.trim().replace("UTC", "+0000");
    Ok(rfc2822::parse(&text)?.timestamp())
}

/// Name, version, and the architecture whose list has it, or `all`.
type Row<'a> = (&'a str, &'a str, &'a str);

/// A row of `apt-cache madison`: `opennebula:arm64 | 7.4.1-1 | http://… stable/opennebula arm64 Packages`.
fn row(line: &str) -> Option<Row<'_>> {
    let mut cells = line.split('|').map(str::trim);
    let (name, version, source) = (cells.next()?, cells.next()?, cells.next()?);
    let architecture = source.strip_suffix(" Packages")?.split_whitespace().next_back()?;
    Some((name.split(':').next()?, version, architecture))
}

/// Parts of what apt says after the cause: what follows from it, and advice for a machine's own lists.
const FOLLOW_UPS: [&str; 5] = [
    "Some index files failed",
    "is not signed.",
    "You may want to run apt-get update",
    "The package cache file is corrupted",
    "Download Failed",
];

/// What apt printed, and whether it was content.
#[derive(Debug)]
struct Said {
    ok: bool,
    text: String,
    root: PathBuf,
}

impl Said {
    /// Whether there is no such repository: apt says so of a 404 alone.
    fn is_absent(&self) -> bool {
        self.text.contains("does not have a Release file")
    }

    /// The errors, each once; what follows from one of them is left out.
    fn mistakes(&self) -> String {
        let mut seen = BTreeSet::new();
        let mistakes: Vec<&str> = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("E: ").or_else(|| line.strip_prefix("W: ")))
            .filter(|line| !FOLLOW_UPS.iter().any(|words| line.contains(words)))
            .filter(|line| seen.insert(*line))
            .collect();
        if mistakes.is_empty() {
            return self.text.lines().last().unwrap_or_default().to_owned();
        }
        // The temporary folder is gone when somebody reads this.
        mistakes
            .join("; ")
            .replace(&format!("{}/", self.root.display()), "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_list_s_architecture() {
        let found =
            row("opennebula:arm64 |    7.4.1-1 | http://h/7.4/Ubuntu/24.04 stable/opennebula arm64 Packages");
        assert_eq!(found, Some(("opennebula", "7.4.1-1", "arm64")));
        for line in [
            "E: No packages found",
            "a | 1 | http://h stable/x Sources",
            "a | 1",
            "",
        ] {
            assert_eq!(row(line), None, "{line}");
        }
    }

    #[test]
    fn dates_are_utc_by_either_name() {
        for text in [
            "Tue, 01 Jul 2025 10:00:00 UTC",
            "Tue, 01 Jul 2025 10:00:00 +0000",
            "Tue, 01 Jul 2025 12:00:00 +0200",
        ] {
            assert_eq!(
                date_of(text).unwrap().to_string(),
                "2025-07-01T10:00:00Z",
                "{text}"
            );
        }
        assert!(date_of("yesterday").is_err());
    }

    #[test]
    fn a_fingerprint_has_40_digits() {
        assert_eq!(
            fingerprint("0b2d 385c 7c93 04b1 1a03  67b9 05a0 5927 906d c27c").unwrap(),
            VENDOR_FINGERPRINT
        );
        for text in ["", "906DC27C", "0B2D385C7C9304B11A0367B905A05927906DC27X"] {
            let told = fingerprint(text).unwrap_err().to_string();
            assert!(told.starts_with(&format!("--fingerprint \"{text}\"")), "{told}");
        }
    }

    #[test]
    fn errors_are_told_once_and_without_what_follows_from_them() {
        let said = Said {
            ok: false,
            text: "Err:1 x\nW: GPG error: x: BADSIG 1\nE: The repository 'x' is not signed.\nW: GPG error: x: BADSIG 1\n".to_owned(),
            root: PathBuf::from("/tmp/x"),
        };
        assert_eq!(said.mistakes(), "GPG error: x: BADSIG 1");
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let vendor = Vendor {
            key: Some("/no/such/key".to_owned()),
            ..Vendor::default()
        };
        let error = Repository::open(&vendor).unwrap_err();
        assert!(
            format!("{error:#}").starts_with("the key /no/such/key: name the vendor's with --key: "),
            "{error:#}"
        );
    }
}
