//! Small images, pushed by digest: a layer of one file, and labels as image/Dockerfile sets them. They stand in for images
//! whose building takes minutes; nothing can run in them.

use anyhow::Result;
use serde_json::json;

use crate::registry::{ANNOTATION_VERSION, Digest, Manifest, Repository};
use crate::versions::Architecture;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Pushes an image of a release; `text` makes it differ from others.
pub(crate) fn push(
    repository: &Repository,
    release: &str,
    architecture: Architecture,
    text: &str,
) -> Result<Digest> {
    let layer = tar(
        "release",
        format!("{release} {architecture}\n{text}\n").as_bytes(),
    );
    let config = json!({
        "architecture": architecture.to_string(),
        "os": "linux",
        "config": {"Labels": {ANNOTATION_VERSION: release}},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer).as_str()]},
    });
    let config = serde_json::to_vec(&config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": repository.put_blob(&config)?.as_str(), "size": config.len()},
        "layers": [{"mediaType": LAYER, "digest": repository.put_blob(&layer)?.as_str(), "size": layer.len()}],
    });
    let bytes = serde_json::to_vec(&manifest)?;
    let manifest = Manifest {
        media_type: MANIFEST.to_owned(),
        digest: Digest::of(&bytes),
        bytes,
    };
    repository.put_manifest(manifest.digest.as_str(), &manifest)?;
    Ok(manifest.digest)
}

/// An archive of one file (POSIX ustar), of no time and root's.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    // To the end of the block, and two blocks of nothing.
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sh::cmd;

    #[test]
    fn tar_reads_the_layer() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("layer.tar");
        std::fs::write(&file, tar("release", b"7.0.0\n")).unwrap();
        let read = cmd("tar")
            .args(["--extract", "--to-stdout", "--file"])
            .arg(&file)
            .read();
        assert_eq!(read.unwrap(), "7.0.0");
    }
}
