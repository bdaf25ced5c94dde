//! The texts of an apt repository: a suite's Release, and the lists of packages that it vouches for. Pure: a Release
//! that comes in here was verified, and it is the caller who hands over the bytes that it vouches for.

use std::collections::BTreeMap;
use std::mem;

use anyhow::{Context as _, Result, bail};

use crate::digest::sha256;
use crate::versions::Architecture;

/// What a repository has, as far as images are built from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// The address of the signed index, for messages.
    pub(crate) address: String,
    pub(crate) packages: BTreeMap<Architecture, Vec<Package>>,
}

/// A package in a list. Its version may be of any form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// What the vendor signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// Debian's names, `all` among them where those packages have a list of their own.
    pub(super) architectures: Vec<String>,
    sums: BTreeMap<String, Sum>,
}

/// Size and digest of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    size: usize,
    sha256: String,
}

impl Release {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut stanzas = stanzas(text)?;
        let (Some(fields), true) = (stanzas.pop(), stanzas.is_empty()) else {
            bail!("a Release is one stanza of fields, and this is not");
        };
        let field = |name: &str| {
            let value = fields.get(&name.to_ascii_lowercase()).map(String::as_str);
            value.with_context(|| format!("the Release has no field {name}"))
        };
        let mut sums = BTreeMap::new();
        for line in field("SHA256")?.lines().filter(|line| !line.is_empty()) {
            let (name, sum) = Sum::parse(line)?;
            sums.insert(name, sum);
        }
        let architectures = field("Architectures")?;
        Ok(Self {
            architectures: architectures.split_whitespace().map(str::to_owned).collect(),
            sums,
        })
    }

    /// What the file must be, by its path in the suite; none when the Release does not know it.
    pub(super) fn sum(&self, path: &str) -> Option<&Sum> {
        self.sums.get(path)
    }
}

impl Sum {
    /// Reads a line of the field: digest, size, path.
    fn parse(line: &str) -> Result<(String, Self)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [digest, size, path] = words[..]
            && let Ok(sum) = Self::of(digest, size)
        {
            return Ok((path.to_owned(), sum));
        }
        bail!("the Release's field SHA256 has the line \"{line}\", which is no digest, size and path");
    }

    /// A digest in hexadecimal digits and a size in bytes, as the repository's texts have them.
    pub(super) fn of(digest: &str, size: &str) -> Result<Self> {
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("\"{digest}\" is no SHA256");
        }
        let size = size.parse().with_context(|| format!("\"{size}\" is no size"))?;
        let sha256 = digest.to_ascii_lowercase();
        Ok(Self { size, sha256 })
    }

    /// Whether these are the bytes that were signed for.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<()> {
        if bytes.len() != self.size {
            bail!(
                "it has {} bytes, and the signed Release says {}",
                bytes.len(),
                self.size
            );
        }
        let found = sha256(bytes);
        if found != self.sha256 {
            bail!(
                "its SHA256 is {found}, and the signed Release says {}",
                self.sha256
            );
        }
        Ok(())
    }
}

/// Reads a list of packages.
pub(super) fn packages(text: &str) -> Result<Vec<Package>> {
    let mut found = Vec::new();
    for (number, mut fields) in stanzas(text)?.into_iter().enumerate() {
        let mut field = |name: &str| {
            let value = fields.remove(&name.to_ascii_lowercase());
            value
                .filter(|value| !value.is_empty())
                .with_context(|| format!("stanza {} has no field {name}", number + 1))
        };
        found.push(Package {
            name: field("Package")?,
            version: field("Version")?,
        });
    }
    Ok(found)
}

/// Fields by their names in lower case; the lines of a long value are separated by line ends.
pub(super) type Stanza = BTreeMap<String, String>;

/// Reads a text in Debian's control format, deb822(5).
pub(super) fn stanzas(text: &str) -> Result<Vec<Stanza>> {
    let mut all = Vec::new();
    let mut stanza = Stanza::new();
    let mut last = None;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if line.trim().is_empty() {
            if !stanza.is_empty() {
                all.push(mem::take(&mut stanza));
            }
            last = None;
        } else if line.starts_with([' ', '\t']) {
            let value = last.as_ref().and_then(|name| stanza.get_mut(name));
            let value: &mut String =
                value.with_context(|| format!("line {number} continues a field, and there is none"))?;
            value.push('\n');
            value.push_str(line.trim());
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.to_ascii_lowercase();
            if stanza.insert(name.clone(), value.trim().to_owned()).is_some() {
                bail!("line {number} has the field {name} for the second time");
            }
            last = Some(name);
        } else {
            bail!("line {number} is no field");
        }
    }
    if !stanza.is_empty() {
        all.push(stanza);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_vouches_for_its_files() {
        let text = "Origin: x\nArchitectures: amd64 arm64\nSHA256:\n \
                    ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad       3 opennebula/binary-amd64/Packages\n";
        let release = Release::parse(text).unwrap();
        assert_eq!(release.architectures, ["amd64", "arm64"]);
        let sum = release.sum("opennebula/binary-amd64/Packages").unwrap();
        sum.check(b"abc").unwrap();
        let told = |bytes: &[u8]| sum.check(bytes).unwrap_err().to_string();
        assert_eq!(told(b"ab"), "it has 2 bytes, and the signed Release says 3");
        assert!(
            told(b"abd").starts_with(
                "its SHA256 is a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9"
            ),
            "{}",
            told(b"abd")
        );
        assert_eq!(release.sum("opennebula/binary-arm64/Packages"), None);
    }

    #[test]
    fn what_is_no_release_is_refused() {
        let told = |text: &str| Release::parse(text).unwrap_err().to_string();
        assert_eq!(told(""), "a Release is one stanza of fields, and this is not");
        assert_eq!(
            told("a: b\n\na: b\n"),
            "a Release is one stanza of fields, and this is not"
        );
        assert_eq!(told("Architectures: amd64\n"), "the Release has no field SHA256");
        assert_eq!(told("SHA256:\n"), "the Release has no field Architectures");
        assert_eq!(
            told("Architectures: amd64\nSHA256:\n abc 3 x\n"),
            "the Release's field SHA256 has the line \"abc 3 x\", which is no digest, size and path"
        );
        assert_eq!(told("<html>\n"), "line 1 is no field");
    }

    #[test]
    fn a_list_has_a_name_and_a_version_in_each_stanza() {
        let text = "\nPackage: opennebula\nVersion: 7.0.1-1\nDescription: a\n b: c\n .\n\n\nPACKAGE: opennebula-flow\nVersion:7.0.1-1\n";
        let found: Vec<(String, String)> = packages(text)
            .unwrap()
            .into_iter()
            .map(|package| (package.name, package.version))
            .collect();
        let pair = |name: &str| (name.to_owned(), "7.0.1-1".to_owned());
        assert_eq!(found, [pair("opennebula"), pair("opennebula-flow")]);
        assert_eq!(packages("\n\n").unwrap(), []);
    }

    #[test]
    fn broken_lists_are_refused_with_the_place() {
        let told = |text: &str| packages(text).unwrap_err().to_string();
        assert_eq!(
            told("Package: a\nVersion: 1\n\nPackage: b\n"),
            "stanza 2 has no field Version"
        );
        assert_eq!(told(" x\n"), "line 1 continues a field, and there is none");
        assert_eq!(
            told("Package: a\nPackage: b\n"),
            "line 2 has the field package for the second time"
        );
    }
}
