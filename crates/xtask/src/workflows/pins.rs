//! `uses:`: another's action by the full hash of a commit, with its release beside it; ours by a path that is there.
//!
//! Whether the hash is that release's cannot be known without the forge: it is cross-checked by whoever pins it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::File;

/// Actions that are pinned by a tag, each with the reason.
const BY_TAG: [(&str, &str); 0] = [];

/// Commits that are pinned and that no release has, each with the reason.
const UNRELEASED: [(&str, &str, &str); 1] = [(
    "helm/chart-releaser-action",
    "3e001cb8c68933439c7e721650f20a07a1a5c61e",
    "v1.7.0 ends with 1 after all of its work where packaging is skipped (helm/chart-releaser-action#171); this commit mends it",
)];

/// What is wrong in one file.
pub(super) fn of_file(file: &File, files: &[File]) -> Vec<String> {
    uses(&file.text)
        .filter_map(|(number, action, comment)| {
            judge(action, comment, files)
                .err()
                .map(|what| format!("line {number}: {what}"))
        })
        .collect()
}

/// Actions of the parsed file that the lines do not show, so that no comment could be beside them.
pub(super) fn hidden(text: &str, value: &Value) -> Vec<String> {
    let shown: Vec<&str> = uses(text).map(|(_, action, _)| action).collect();
    used(value)
        .into_iter()
        .filter(|action| !shown.contains(action))
        .map(|action| {
            format!("uses {action} in another form than `uses: NAME@HASH # vX.Y.Z` on a line of its own")
        })
        .collect()
}

fn used(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(action) if name == "uses" => vec![action],
                _ => used(value),
            })
            .collect(),
        Value::Array(all) => all.iter().flat_map(used).collect(),
        _ => Vec::new(),
    }
}

/// What is wrong between files: one action at two commits.
pub(super) fn of_all(files: &[File]) -> Vec<String> {
    let mut commits: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for file in files {
        for (_, action, _) in uses(&file.text) {
            if let Some((name, commit)) = action.split_once('@') {
                commits
                    .entry(name)
                    .or_default()
                    .entry(commit)
                    .or_insert(&file.path);
            }
        }
    }
    commits
        .iter()
        .filter(|(_, commits)| commits.len() > 1)
        .map(|(name, commits)| {
            let places: Vec<String> = commits
                .iter()
                .map(|(commit, path)| format!("{commit} in {path}"))
                .collect();
            format!("{name} is used at several commits: {}", places.join(", "))
        })
        .collect()
}

/// Number of the line, what is used, and the comment behind it.
fn uses(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim_start();
        let rest = line
            .strip_prefix("- ")
            .unwrap_or(line)
            .trim_start()
            .strip_prefix("uses:")?;
        let (action, comment) = rest.split_once('#').unwrap_or((rest, ""));
        Some((index + 1, action.trim().trim_matches(['"', '\'']), comment.trim()))
    })
}

fn judge(action: &str, comment: &str, files: &[File]) -> Result<(), String> {
    if let Some(path) = action.strip_prefix("./") {
        let there = [path.to_owned(), format!("{path}/action.yml")]
            .iter()
            .any(|path| files.iter().any(|file| &file.path == path));
        return if there {
            Ok(())
        } else {
            Err(format!("{action} is not in this repository"))
        };
    }
    if let Some(image) = action.strip_prefix("docker://") {
        return match image.split_once("@sha256:") {
            Some((_, digest)) if hexadecimal(digest, 64) => Ok(()),
            _ => Err(format!("{action} has no digest")),
        };
    }
    let Some((name, reference)) = action.split_once('@') else {
        return Err(format!("{action} has no commit: NAME@HASH # vX.Y.Z"));
    };
    if BY_TAG.iter().any(|(listed, _)| *listed == name) {
        return Ok(());
    }
    if !hexadecimal(reference, 40) {
        return Err(format!(
            "{name} is pinned by \"{reference}\", which its owner can move: the full hash of the commit is asked for"
        ));
    }
    let unreleased = UNRELEASED
        .iter()
        .any(|(listed, commit, _)| *listed == name && *commit == reference);
    if !unreleased && !release(comment) {
        return Err(format!(
            "{name} has no release beside its hash, but \"{comment}\": `# vX.Y.Z` is asked for"
        ));
    }
    Ok(())
}

fn hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// `vX.Y.Z`, and nothing else.
fn release(comment: &str) -> bool {
    let numbers: Vec<&str> = comment.strip_prefix('v').unwrap_or_default().split('.').collect();
    numbers.len() == 3
        && numbers
            .iter()
            .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
