//! The files by which `onedb upgrade` gets to this release's schema: without them the image takes no older database.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::context::Context;
use crate::findings::Findings;
use crate::release::Release;

/// Folder of the migration tool.
const ONEDB: &str = "usr/lib/one/ruby/onedb";

pub(super) fn run(context: &Context) -> Result<String> {
    judge(&context.rootfs, context.release)
}

fn judge(rootfs: &Path, release: Release) -> Result<String> {
    let schema = release.schema();
    let mut findings = Findings::default();
    let mut seen = Vec::new();
    for part in ["shared", "local"] {
        let folder = format!("{ONEDB}/{part}");
        // What the vendor compiles has another ending.
        let wanted = [format!("_to_{schema}.rb"), format!("_to_{schema}.rbm")];
        let entries = fs::read_dir(rootfs.join(&folder)).into_iter().flatten().flatten();
        let mut steps: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| wanted.iter().any(|end| name.ends_with(end)))
            .collect();
        steps.sort();
        findings.unless(!steps.is_empty(), || {
            format!("/{folder} has no *_to_{schema}.rb: the package opennebula-migration brings it")
        });
        seen.extend(steps.into_iter().map(|step| format!("{part} {step}")));
    }
    findings.or(seen.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_need_the_step_of_the_line() {
        let dir = std::env::temp_dir().join(format!("image-contract-{}", std::process::id()));
        let onedb = dir.join(ONEDB);
        for part in ["shared", "local"] {
            fs::create_dir_all(onedb.join(part)).unwrap();
        }
        let of =
            |release: &str| judge(&dir, release.parse().unwrap()).unwrap_or_else(|error| error.to_string());
        fs::write(onedb.join("shared/6.10.0_to_7.0.0.rb"), "").unwrap();
        assert_eq!(
            of("7.0.2"),
            "/usr/lib/one/ruby/onedb/local has no *_to_7.0.0.rb: the package opennebula-migration brings it"
        );
        fs::write(onedb.join("local/6.10.0_to_7.0.0.rb"), "").unwrap();
        assert_eq!(
            of("7.0.2.1"),
            "shared 6.10.0_to_7.0.0.rb, local 6.10.0_to_7.0.0.rb"
        );
        assert!(of("7.2.0").contains("shared has no *_to_7.2.0.rb"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
