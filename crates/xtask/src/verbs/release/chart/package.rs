//! Packs the chart with helm and indexes it. Helm 4 keeps the times of files, so that one chart gives one archive, byte for
//! byte, whenever it is packed; helm 3 writes the time of packing, and is not used here.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};

use crate::digest::sha256;
use crate::release::chart::{Image, Known, look_up, version_of, with_image};
use crate::sh::cmd;

const NAME: &str = "opennebula";
/// The time of every file in the archive, in seconds since 1970: 2025-07-01, as in the image.
const EPOCH: u64 = 1_751_328_000;

/// Packs the folder `chart`; returns what was done. `out` is changed only when all went well.
pub(super) fn package(
    helm: &Path,
    chart: &Path,
    out: &Path,
    merge: Option<&Path>,
    url: Option<&str>,
    image: Option<&Image>,
) -> Result<String> {
    let dir = tempfile::tempdir().context("a temporary folder")?;
    let stage = dir.path().join(NAME);
    copy(chart, &stage)?;
    if let Some(image) = image {
        let [chart, images] = ["Chart.yaml", "images.txt"].map(|name| read(&stage.join(name)));
        for (name, text) in with_image(&chart?, &images?, image)? {
            write(&stage.join(name), &text)?;
        }
    }
    let packed = dir.path().join("packed");
    cmd(helm)
        .args(["package".as_ref(), stage.as_os_str()])
        .arg("--destination")
        .arg(&packed)
        .read()?;

    let description = stage.join("Chart.yaml");
    let version = version_of(&read(&description)?)?;
    let name = format!("{NAME}-{version}.tgz");
    let bytes = fs::read(packed.join(&name)).with_context(|| format!("helm made no {name}"))?;
    let digest = sha256(&bytes);
    let published = merge.map(read).transpose()?;
    let known = match (&published, merge) {
        (Some(index), Some(path)) => {
            look_up(index, NAME, &version, &digest).with_context(|| path.display().to_string())?
        }
        _ => Known::Not,
    };
    let (index, said) = match known {
        Known::Other(other) => bail!(
            "{NAME} {version} is published already with the digest {other}, and this package has {digest}: what is published stays \
             as it is, so give the chart a newer version with `cargo xtask release chart version`"
        ),
        Known::Same => (published.unwrap_or_default(), "is in the index already, as it is"),
        Known::Not => {
            let mut command = cmd(helm).args(["repo", "index"]).arg(&packed);
            if let Some(url) = url {
                command = command.args(["--url", url]);
            }
            if let Some(merge) = merge {
                command = command.arg("--merge").arg(merge);
            }
            command.read()?;
            let index = read(&packed.join("index.yaml"))?;
            if look_up(&index, NAME, &version, &digest)? != Known::Same {
                bail!("helm made an index without {NAME} {version} {digest}");
            }
            if let Some(published) = &published {
                keeps(published, &index)?;
            }
            (index, "was put into the index")
        }
    };
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    for (name, bytes) in [
        (name.as_str(), bytes.as_slice()),
        ("index.yaml", index.as_bytes()),
    ] {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(format!("{} sha256:{digest} {said}", out.join(name).display()))
}

/// Fails unless the new index has every version that the old one has.
fn keeps(old: &str, new: &str) -> Result<()> {
    let versions = |text: &str| -> Result<Vec<String>> {
        let value: serde_json::Value = serde_saphyr::from_str(text)?;
        let charts = value["entries"].as_object().into_iter().flatten();
        Ok(charts
            .flat_map(|(name, entries)| {
                let entries = entries.as_array().into_iter().flatten();
                entries.map(move |entry| format!("{name} {}", entry["version"].as_str().unwrap_or_default()))
            })
            .collect())
    };
    let kept = versions(new)?;
    let lost: Vec<String> = versions(old)?
        .into_iter()
        .filter(|version| !kept.contains(version))
        .collect();
    if !lost.is_empty() {
        bail!("helm's new index lacks what is published: {}", lost.join(", "));
    }
    Ok(())
}

/// Copies a chart's files, each with one and the same time.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry.with_context(|| from.display().to_string())?.path();
        let copied = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &copied)?;
        } else {
            fs::copy(&path, &copied).with_context(|| path.display().to_string())?;
            settle(&copied)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())?;
    settle(path)
}

/// Gives a file the time of all.
fn settle(path: &Path) -> Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH);
    File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(time))
        .with_context(|| path.display().to_string())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}
