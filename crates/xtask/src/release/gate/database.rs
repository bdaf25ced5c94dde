//! A database of vulnerabilities for Trivy that has the planted libraries alone: three pages of bbolt's file format
//! (`internal/common` of go.etcd.io/bbolt). Trivy's own database comes from a registry that a test must not need.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

const PAGE_SIZE: usize = 4096;
/// Bytes of a page's header, of an element in a page, and of a bucket's header.
const HEADER: usize = 16;
const LEAF: u16 = 2;
const META: u16 = 4;

/// Writes `trivy.db` and `metadata.json`: every version of `planted` has a CRITICAL vulnerability, as gem and as node module.
pub(super) fn write(dir: &Path) -> Result<()> {
    let advisory = json!({"planted": {"CVE-2026-0001": "{\"VulnerableVersions\": [\">= 0\"]}"}});
    let source = "{\"ID\": \"ghsa\", \"Name\": \"planted\", \"URL\": \"https://example.org\"}";
    let buckets = json!({
        "data-source": {"npm::planted": source, "rubygems::planted": source},
        "npm::planted": advisory,
        "rubygems::planted": advisory,
        "vulnerability": {"CVE-2026-0001": "{\"Title\": \"planted\", \"Severity\": \"CRITICAL\"}"},
    });
    // The second page would be another version of the first, and is not needed.
    let mut file = meta();
    file.resize(2 * PAGE_SIZE, 0);
    file.extend(leaf(2, &buckets));
    file.resize(3 * PAGE_SIZE, 0);
    let metadata =
        json!({"Version": 2, "UpdatedAt": "2026-01-01T00:00:00Z", "NextUpdate": "2100-01-01T00:00:00Z"});
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(dir.join("trivy.db"), file))
        .and_then(|()| fs::write(dir.join("metadata.json"), metadata.to_string()))
        .with_context(|| dir.display().to_string())
}

fn header(id: u64, flags: u16, count: usize) -> Vec<u8> {
    let count = u16::try_from(count).unwrap_or_default();
    [
        &id.to_le_bytes()[..],
        &flags.to_le_bytes(),
        &count.to_le_bytes(),
        &[0; 4],
    ]
    .concat()
}

/// The root is page 2 of 3, and no page has a list of free ones; the sum is FNV-1a.
fn meta() -> Vec<u8> {
    let numbers = [0xED0C_DAED_u32, 2, 4096, 0].map(u32::to_le_bytes).concat();
    let meta = [numbers, [2, 0, u64::MAX, 3, 0].map(u64::to_le_bytes).concat()].concat();
    let sum = meta.iter().fold(0xCBF2_9CE4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    });
    [header(0, META, 0), meta, sum.to_le_bytes().to_vec()].concat()
}

/// A page of keys, in order, with their values; that of a bucket is a header and a page of its own.
fn leaf(id: u64, bucket: &Value) -> Vec<u8> {
    let entries: Vec<_> = bucket.as_object().into_iter().flatten().collect();
    let (mut elements, mut data) = (Vec::new(), Vec::new());
    for (number, (key, value)) in entries.iter().enumerate() {
        let (is_bucket, value) = match value.as_str() {
            Some(text) => (0, text.as_bytes().to_vec()),
            None => (1, [vec![0; HEADER], leaf(0, value)].concat()),
        };
        let position = HEADER * (entries.len() - number) + data.len();
        for word in [is_bucket, position, key.len(), value.len()] {
            elements.extend(u32::try_from(word).unwrap_or_default().to_le_bytes());
        }
        data.extend([key.as_bytes(), &value].concat());
    }
    [header(id, LEAF, entries.len()), elements, data].concat()
}
