//! The layers of an image in a folder of the Open Container Initiative's layout, and what they weigh. Reads only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::sh::cmd;

/// A layer as a registry stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Of its content, unpacked: the same for the same files.
    pub(crate) digest: String,
    /// The instruction that made it, shortened for people.
    pub(crate) made_by: String,
    /// Bytes in the registry.
    pub(crate) compressed: u64,
    /// Bytes of its archive.
    pub(crate) unpacked: u64,
}

/// The layers of the one image in the folder, the base's first.
pub(super) fn read(folder: &Path) -> Result<Vec<Layer>> {
    let json = |path: PathBuf| -> Result<Value> {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    };
    let blob = |digest: &Value| -> Result<PathBuf> {
        let digest = digest.as_str().context("a blob without a digest")?;
        Ok(folder.join("blobs").join(digest.replace(':', "/")))
    };
    let index = json(folder.join("index.json"))?;
    let manifest = json(blob(&index["manifests"][0]["digest"])?)?;
    let configuration = json(blob(&manifest["config"]["digest"])?)?;
    let (stored, digests) = (
        array(&manifest["layers"])?,
        array(&configuration["rootfs"]["diff_ids"])?,
    );
    let made_by = instructions(&configuration["history"]);
    if stored.len() != digests.len() {
        bail!(
            "the image has {} layers and {} digests",
            stored.len(),
            digests.len()
        );
    }
    stored
        .iter()
        .zip(digests)
        .enumerate()
        .map(|(number, (layer, digest))| {
            Ok(Layer {
                digest: digest.as_str().unwrap_or_default().to_owned(),
                made_by: made_by.get(number).cloned().unwrap_or_default(),
                compressed: layer["size"].as_u64().context("a layer without a size")?,
                unpacked: unpacked(&blob(&layer["digest"])?)?,
            })
        })
        .collect()
}

fn array(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("an image without layers")
}

fn unpacked(archive: &Path) -> Result<u64> {
    cmd("sh")
        .args(["-c", "gzip --decompress --stdout \"$1\" | wc -c", "sh"])
        .arg(archive)
        .read()?
        .trim()
        .parse()
        .with_context(|| archive.display().to_string())
}

/// The instructions that made a layer, in order; the first one that is there made the base.
fn instructions(history: &Value) -> Vec<String> {
    let all = history.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter(|entry| entry["empty_layer"] != true)
        .enumerate()
        .map(|(number, entry)| match entry["created_by"].as_str() {
            _ if number == 0 => "the base".to_owned(),
            Some(text) => short(text),
            None => String::new(),
        })
        .collect()
}

/// What an instruction is about, in a few words.
fn short(instruction: &str) -> String {
    const KNOWN: [(&str, &str); 7] = [
        ("--image", "`onepod check --image`, which writes nothing"),
        ("remotes-kept", "a copy of the remotes"),
        ("install.sh", "packages (`image/install.sh`)"),
        ("services.toml", "`services.toml`"),
        ("/usr/local/bin/onepod", "`onepod`"),
        (
            "supervisor",
            "its set-up: gnupg, wget, supervisor, sudo, systemd, …",
        ),
        ("opennebula-fireedge", "packages of OpenNebula"),
    ];
    let known = KNOWN.iter().find(|(word, _)| instruction.contains(word));
    known.map_or_else(
        // Within a table.
        || {
            instruction
                .chars()
                .filter(|&letter| letter != '|')
                .take(60)
                .collect()
        },
        |(_, name)| (*name).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instructions_without_a_layer_are_left_out() {
        let history = json!([
            {"created_by": "ADD rootfs.tar"},
            {"created_by": "ARG x", "empty_layer": true},
            {"created_by": "|1 /bin/sh -c bash /mnt/install.sh"},
            {"created_by": "COPY a b"},
        ]);
        assert_eq!(
            instructions(&history),
            ["the base", "packages (`image/install.sh`)", "COPY a b"]
        );
    }
}
