//! Reads a release's packages: .deb files by dpkg-deb, unpacked packages, or a folder of files alone. Nothing of them is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::digest::sha256;
use crate::sh::cmd;

/// Texts longer than this, in bytes, are not compared as texts.
const MAX_TEXT: u64 = 1 << 20;
/// Where an unpacked package has its control file.
const CONTROL: &str = "DEBIAN/control";
/// Folders whose files are compared as texts.
const TEXTS: [&str; 4] = [
    "etc/one/",
    "usr/lib/systemd/system/",
    "usr/lib/tmpfiles.d/",
    "usr/lib/one/ruby/onedb/database_schema.rb",
];
/// Folders below those whose files are pages of the web interface and columns of the command line.
const NO_TEXTS: [&str; 2] = ["etc/one/fireedge/sunstone/views/", "etc/one/cli/"];
/// Fields of a control file that are compared.
const FIELDS: [&str; 5] = ["Version", "Pre-Depends", "Depends", "Recommends", "Conflicts"];
/// Where the text of a package's control file is put, under its name.
pub(crate) const PACKAGES: &str = "packages/";

/// The files of a release by their paths in the installed system, and each package as a file below [`PACKAGES`].
pub(crate) type Contents = BTreeMap<String, File>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) digest: String,
    /// Without comments and blank lines, of a file that is compared as a text.
    pub(crate) text: Option<String>,
}

/// # Errors
///
/// When the folder has no file, a package cannot be unpacked, or a package is there twice.
pub(crate) fn read(folder: &Path) -> Result<Contents> {
    let mut paths = BTreeSet::new();
    walk(folder, &mut paths)?;
    let debs: Vec<&PathBuf> = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    let mut contents = Contents::new();
    for deb in &debs {
        let dir = tempfile::tempdir().context("a temporary folder")?;
        let root = dir.path().join("package");
        let unpacked = cmd("dpkg-deb").arg("--raw-extract").arg(deb).arg(&root).read();
        unpacked.with_context(|| format!("{} cannot be unpacked", deb.display()))?;
        add(&root, &mut contents)?;
    }
    if debs.is_empty() {
        let control = |path: &PathBuf| {
            path.ends_with(CONTROL)
                .then(|| path.parent()?.parent().map(Path::to_owned))?
        };
        let mut roots: Vec<PathBuf> = paths.iter().filter_map(control).collect();
        if roots.is_empty() {
            roots.push(folder.to_owned());
        }
        for root in roots {
            add(&root, &mut contents)?;
        }
    }
    if contents.is_empty() {
        bail!(
            "{} has no file: name a folder of packages, unpacked or not",
            folder.display()
        );
    }
    Ok(contents)
}

/// Adds a package, or files without one.
fn add(root: &Path, contents: &mut Contents) -> Result<()> {
    let mut paths = BTreeSet::new();
    walk(root, &mut paths)?;
    for path in paths {
        let told = || path.display().to_string();
        let place = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        if place == CONTROL {
            let (name, text) = package(&fs::read_to_string(&path).with_context(told)?).with_context(told)?;
            let digest = sha256(text.as_bytes());
            let file = File {
                digest,
                text: Some(text),
            };
            if contents.insert(format!("{PACKAGES}{name}"), file).is_some() {
                bail!("{name} is there in two versions: leave one of them");
            }
        } else if !place.starts_with("DEBIAN/") {
            // Before usr was merged, units were below lib.
            let place = place
                .strip_prefix("lib/")
                .map_or(place.clone(), |rest| format!("usr/lib/{rest}"));
            contents.insert(place.clone(), file(&path, &place).with_context(told)?);
        }
    }
    Ok(())
}

fn file(path: &Path, place: &str) -> Result<File> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        let target = fs::read_link(path)?;
        return Ok(File {
            digest: format!("-> {}", target.display()),
            text: None,
        });
    }
    let bytes = fs::read(path)?;
    let is_left_out = NO_TEXTS.iter().any(|folder| place.starts_with(folder));
    let is_text =
        !is_left_out && TEXTS.iter().any(|folder| place.starts_with(folder)) && metadata.len() <= MAX_TEXT;
    Ok(File {
        digest: sha256(&bytes),
        text: is_text
            .then(|| String::from_utf8(bytes).ok())
            .flatten()
            .map(|text| statements(&text)),
    })
}

/// A text without blank lines and lines of comment.
fn statements(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    let kept = lines.filter(|line| !line.is_empty() && !line.trim_start().starts_with(['#', ';']));
    kept.fold(String::new(), |text, line| text + line + "\n")
}

/// The name of a package, and its fields with one relation a line. What the release's packages ask of each other's versions
/// changes with every release, and is left out.
fn package(control: &str) -> Result<(String, String)> {
    let unfolded = control.replace("\n ", " ");
    let fields: BTreeMap<&str, &str> = unfolded
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let name = fields.get("Package").context("it has no field Package")?;
    let mut text = String::new();
    for field in FIELDS {
        let mut relations: Vec<&str> = fields
            .get(field)
            .map_or(Vec::new(), |value| value.split(',').map(str::trim).collect());
        relations.sort_unstable();
        for relation in relations {
            let relation = match relation.split_once(' ') {
                Some((other, _)) if other.starts_with("opennebula") => other,
                _ => relation,
            };
            text += &[field, ": ", relation, "\n"].concat();
        }
    }
    Ok(((*name).to_owned(), text))
}

/// All files and links below a folder. Links are not followed.
fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if fs::symlink_metadata(&path)
            .with_context(|| path.display().to_string())?
            .is_dir()
        {
            walk(&path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}
