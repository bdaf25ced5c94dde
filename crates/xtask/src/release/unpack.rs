//! Reads what a release's packages hold: .deb files by dpkg-deb, or folders that are unpacked already, a release's files
//! at their places in the source included. Nothing of them is run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::report::{Contents, File, Package, is_read, place};
use crate::digest::sha256;
use crate::sh::{cmd, which};

/// More than any text that is looked into has, in bytes.
const LONGEST: u64 = 1 << 20;
/// Where an unpacked package has its control file.
const CONTROL: &str = "DEBIAN/control";

/// Reads a folder: .deb files anywhere in it; or a folder for each package, with DEBIAN in it; or the files of a system.
pub(crate) fn read(folder: &Path) -> Result<Contents> {
    let mut found = Vec::new();
    walk(folder, folder, &mut found)?;
    let debs: Vec<&PathBuf> = found
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    let mut contents = Contents::default();
    if !debs.is_empty() {
        if which("dpkg-deb").is_none() {
            bail!("dpkg-deb is missing: apt-get install dpkg");
        }
        for deb in debs {
            let dir = tempfile::tempdir().context("a temporary folder")?;
            let root = dir.path().join("package");
            cmd("dpkg-deb")
                .arg("--raw-extract")
                .arg(folder.join(deb))
                .arg(&root)
                .read()
                .with_context(|| format!("{} cannot be unpacked", deb.display()))?;
            add(&root, &mut contents)?;
        }
        return Ok(contents);
    }
    let roots: Vec<PathBuf> = found
        .iter()
        .filter_map(|(path, _)| path.to_str()?.strip_suffix(CONTROL).map(|root| folder.join(root)))
        .collect();
    if roots.is_empty() {
        add(folder, &mut contents)?;
    }
    for root in roots {
        add(&root, &mut contents)?;
    }
    if contents.files.is_empty() {
        bail!(
            "{} has no file: name a folder of packages, unpacked or not",
            folder.display()
        );
    }
    Ok(contents)
}

/// Adds a package, or files without one.
fn add(root: &Path, contents: &mut Contents) -> Result<()> {
    let control = root.join(CONTROL);
    if control.is_file() {
        let text = fs::read_to_string(&control).with_context(|| control.display().to_string())?;
        let (name, package) = package(&text).with_context(|| control.display().to_string())?;
        if contents.packages.insert(name.clone(), package).is_some() {
            bail!("{name} is there in two versions: leave one of them");
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found)?;
    for (path, metadata) in found {
        if path.starts_with("DEBIAN") {
            continue;
        }
        let from = root.join(&path);
        let told = || from.display().to_string();
        let place = place(&path.to_string_lossy());
        let file = if metadata.is_symlink() {
            let target = fs::read_link(&from).with_context(told)?;
            File {
                digest: format!("-> {}", target.display()),
                ..File::default()
            }
        } else {
            let bytes = fs::read(&from).with_context(told)?;
            let read = is_read(&place) && metadata.len() <= LONGEST;
            File {
                digest: sha256(&bytes),
                mode: metadata.permissions().mode() & 0o7777,
                text: read.then(|| String::from_utf8(bytes).ok()).flatten(),
            }
        };
        contents.files.insert(place, file);
    }
    Ok(())
}

/// The name and the fields of a control file.
fn package(text: &str) -> Result<(String, Package)> {
    let [fields] = super::control::stanzas(text)?
        .try_into()
        .ok()
        .context("it is not one stanza")?;
    let mut fields: BTreeMap<String, String> = fields;
    let mut take = |name: &str| {
        fields
            .remove(name)
            .with_context(|| format!("it has no field {name}"))
    };
    let (name, version) = (take("package")?, take("version")?);
    Ok((name, Package { version, fields }))
}

/// All files and links below a folder, by their paths from `top`, in order. Links are not followed.
fn walk(top: &Path, folder: &Path, found: &mut Vec<(PathBuf, fs::Metadata)>) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(|| folder.display().to_string())?;
    entries.sort();
    for path in entries {
        let metadata = fs::symlink_metadata(&path).with_context(|| path.display().to_string())?;
        if metadata.is_dir() {
            walk(top, &path, found)?;
        } else if metadata.is_file() || metadata.is_symlink() {
            let relative = path.strip_prefix(top).unwrap_or(&path).to_owned();
            found.push((relative, metadata));
        }
    }
    Ok(())
}
