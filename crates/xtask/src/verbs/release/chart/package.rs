//! Packs the chart with helm and indexes it. Helm 4 keeps the times of files, so that one chart gives one archive, byte for
//! byte, whenever it is packed; helm 3 writes the time of packing, and is not used here.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::digest::sha256;
use crate::release::chart::{Image, version_of, with_image};
use crate::sh::cmd;

const NAME: &str = "opennebula";
/// The time of every file in the archive, in seconds since 1970: 2025-07-01, as in the image.
const EPOCH: u64 = 1_751_328_000;

/// Packs the folder `chart`, and makes an index of the package; returns what was made.
pub(super) fn package(
    helm: &Path,
    chart: &Path,
    out: &Path,
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
    let helm = |words: &[&str]| cmd(helm).args(words);
    helm(&["package"])
        .arg(&stage)
        .arg("--destination")
        .arg(out)
        .read()?;
    helm(&["repo", "index"])
        .arg(out)
        .args(url.map_or(Vec::new(), |url| vec!["--url", url]))
        .read()?;
    let version = version_of(&read(&stage.join("Chart.yaml"))?)?;
    let archive = out.join(format!("{NAME}-{version}.tgz"));
    let bytes = fs::read(&archive).with_context(|| format!("helm made no {}", archive.display()))?;
    Ok(format!("{} sha256:{}", archive.display(), sha256(&bytes)))
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
