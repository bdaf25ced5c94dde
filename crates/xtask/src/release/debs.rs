//! The packages of a repository as files: which of them make up a release, and where they lie. Pure.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};

use super::index::{Sum, stanzas};
use crate::versions::{PackageVersion, Version, installed};

/// A package in a list, with what is needed to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deb {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Below the repository's folder.
    pub(super) path: String,
    pub(super) sum: Sum,
    /// Names of the packages that it depends on, each alternative.
    depends: BTreeSet<String>,
}

/// Reads a list of packages.
pub(super) fn debs(text: &str) -> Result<Vec<Deb>> {
    let mut found = Vec::new();
    for stanza in stanzas(text)? {
        let field = |name: &str| {
            let value = stanza
                .get(&name.to_ascii_lowercase())
                .filter(|value| !value.is_empty());
            value.with_context(|| {
                let package = stanza.get("package").map_or("", String::as_str);
                format!("the stanza of the package \"{package}\" has no field {name}")
            })
        };
        let path = field("Filename")?;
        let plain = path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
        if !plain || path.contains(':') {
            bail!("a package lies at \"{path}\", which is no path below the repository");
        }
        let depends = ["pre-depends", "depends"]
            .iter()
            .filter_map(|field| stanza.get(*field))
            .flat_map(|value| value.split([',', '|']))
            .filter_map(|relation| relation.trim().split([' ', '(', ':']).next())
            .map(str::to_owned)
            .collect();
        found.push(Deb {
            name: field("Package")?.clone(),
            version: field("Version")?.clone(),
            path: path.trim_start_matches("./").to_owned(),
            sum: Sum::of(field("SHA256")?, field("Size")?)?,
            depends,
        });
    }
    Ok(found)
}

/// What is installed of a release, and the packages of the same repository that those depend on; the newest of each.
pub(crate) fn of_release(all: &[Deb], release: Version) -> Result<Vec<Deb>> {
    let is_of = |deb: &&Deb| {
        let version = deb.version.parse::<PackageVersion>();
        version.is_ok_and(|version| version.release() == release)
    };
    let mut newest: BTreeMap<&str, (&Deb, PackageVersion)> = BTreeMap::new();
    for deb in all.iter().filter(is_of) {
        let version: PackageVersion = deb.version.parse()?;
        match newest.get(deb.name.as_str()) {
            Some((_, known)) if *known >= version => {}
            _ => {
                newest.insert(&deb.name, (deb, version));
            }
        }
    }
    let names = installed(release.line());
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !newest.contains_key(name))
        .collect();
    if !missing.is_empty() {
        bail!(
            "it has no {} of {release}: name another with --repository, or a folder of packages",
            missing.join(", ")
        );
    }
    let mut wanted: Vec<&str> = names;
    let mut chosen: BTreeMap<&str, &Deb> = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if let Some((deb, _)) = newest.get(name)
            && chosen.insert(name, deb).is_none()
        {
            wanted.extend(deb.depends.iter().map(String::as_str));
        }
    }
    Ok(chosen.into_values().cloned().collect())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn list(packages: &[(&str, &str, &str)]) -> String {
        let mut text = String::new();
        for (name, version, depends) in packages {
            let _ = write!(
                text,
                "Package: {name}\nVersion: {version}\nDepends: {depends}\nFilename: pool/{name}_{version}.deb\nSize: 3\nSHA256: {}\n\n",
                "0".repeat(64)
            );
        }
        text
    }

    fn chosen(packages: &[(&str, &str, &str)], release: &str) -> Result<Vec<String>> {
        let debs = of_release(&debs(&list(packages))?, release.parse()?)?;
        Ok(debs
            .into_iter()
            .map(|deb| format!("{} {}", deb.name, deb.version))
            .collect())
    }

    #[test]
    fn a_release_is_what_is_installed_and_what_that_depends_on() {
        let mut all: Vec<(&str, &str, &str)> = installed("7.0".parse().unwrap())
            .into_iter()
            .map(|name| (name, "7.0.1-1", "opennebula-common (= 7.0.1-1), ruby | jruby"))
            .collect();
        all.extend([
            (
                "opennebula",
                "7.0.1-2",
                "opennebula-common (= 7.0.1-2), opennebula-libs",
            ),
            ("opennebula", "7.0.2-1", ""),
            ("opennebula-common", "7.0.1-1", ""),
            ("opennebula-libs", "7.0.1-1", "opennebula (>= 7)"),
            ("opennebula-node-kvm", "7.0.1-1", ""),
        ]);
        assert_eq!(
            chosen(&all, "7.0.1").unwrap(),
            [
                "opennebula 7.0.1-2",
                "opennebula-common 7.0.1-1",
                "opennebula-fireedge 7.0.1-1",
                "opennebula-flow 7.0.1-1",
                "opennebula-gate 7.0.1-1",
                "opennebula-guacd 7.0.1-1",
                "opennebula-libs 7.0.1-1",
                "opennebula-migration 7.0.1-1",
                "opennebula-tools 7.0.1-1",
            ]
        );
        let told = chosen(&all[1..], "7.0.2").unwrap_err().to_string();
        assert!(
            told.starts_with("it has no opennebula-fireedge, opennebula-flow"),
            "{told}"
        );
    }

    #[test]
    fn a_package_lies_in_the_repository() {
        for path in ["../x.deb", "/etc/x.deb", "http://x/y.deb", "a//b.deb"] {
            let text = list(&[("a", "1", "")]).replace("pool/a_1.deb", path);
            assert!(debs(&text).unwrap_err().to_string().contains(path), "{path}");
        }
        let text = list(&[("a", "1", "")]);
        assert!(debs(&text.replace("Size: 3", "Size: x")).is_err());
        let told = debs(&text.replace("SHA256", "MD5")).unwrap_err().to_string();
        assert_eq!(told, "the stanza of the package \"a\" has no field SHA256");
    }
}
