//! Gives an image that was found good its tags: the very bytes that were looked at, under further names.
//!
//! Nothing is built and nothing is copied here. What is set is looked at once more just before and just after; a tag of a
//! release that is there already is never set to something else.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};

use super::published::published;
use super::table::columns;
use super::tags::{LATEST, Latest, Tags, assign};
use crate::registry::{Contents, Digest, Kind, Repository, read};
use crate::versions::{Version, Versions};

/// Whether tags are set, or it is only said which would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Set,
    Rehearse,
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Promotion {
    how: How,
    steps: Vec<Step>,
    latest: Latest,
    after: Digest,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    tag: String,
    before: Option<Digest>,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It names the image already.
    None,
    /// It named nothing.
    New,
    /// It named another image.
    Moved,
}

/// Gives `digest` the tags of `release`, by what the registry has now.
pub(crate) fn promote(
    repository: &Repository,
    digest: &Digest,
    release: Version,
    versions: &Versions,
    how: How,
) -> Result<Promotion> {
    let contents = read(repository, digest)?;
    judge(&contents, release, versions)?;
    let published = published(repository)?;
    let tags = assign(release, Some(digest), versions.default_release()?, &published)?;
    let steps = steps(&tags, digest, |tag| published.get(tag).cloned());
    if how == How::Set {
        let mut set: Vec<&str> = Vec::new();
        for step in steps.iter().filter(|step| step.change != Change::None) {
            apply(repository, step, &contents).with_context(|| stopped(&set))?;
            set.push(&step.tag);
        }
    }
    Ok(Promotion {
        how,
        steps,
        latest: tags.latest,
        after: digest.clone(),
    })
}

/// Whether it is what may be published: complete is what could be read.
fn judge(contents: &Contents, release: Version, versions: &Versions) -> Result<()> {
    let digest = &contents.manifest.digest;
    if contents.kind != Kind::Index {
        bail!(
            "{digest} is the image of one architecture: `cargo xtask release candidate` makes the index that is published"
        );
    }
    contents.expect_release(&release.to_string())?;
    let line = release.line();
    let entry = versions.lines().find(|(known, _)| *known == line);
    let (_, entry) = entry.with_context(|| format!("versions.json has no line {line}: add it first"))?;
    let wanted: BTreeSet<String> = entry
        .architectures()
        .iter()
        .map(|architecture| format!("linux/{architecture}"))
        .collect();
    let there = contents.platforms();
    let missing: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|platform| !there.contains(platform))
        .collect();
    if !missing.is_empty() {
        bail!(
            "{digest} has no image for {}, and versions.json wants one for the line {line}",
            missing.join(", ")
        );
    }
    Ok(())
}

fn steps(tags: &Tags, digest: &Digest, named: impl Fn(&str) -> Option<Digest>) -> Vec<Step> {
    let step = |tag: String| {
        let before = named(&tag);
        let change = match &before {
            None => Change::New,
            Some(before) if before == digest => Change::None,
            Some(_) => Change::Moved,
        };
        Step { tag, before, change }
    };
    tags.names().into_iter().map(step).collect()
}

/// Sets one tag, if it still names what it named when this was planned.
fn apply(repository: &Repository, step: &Step, contents: &Contents) -> Result<()> {
    let tag = &step.tag;
    if *tag != LATEST && step.change == Change::Moved {
        bail!("{tag} names another image already, and never changes");
    }
    let now = repository.digest(tag)?;
    if now != step.before {
        bail!("{tag} was set by somebody else meanwhile: run it again, and it will be planned anew");
    }
    repository.put_manifest(tag, &contents.manifest)
}

fn stopped(set: &[&str]) -> String {
    if set.is_empty() {
        "no tag was changed".to_owned()
    } else {
        format!(
            "{} was set and the rest was not: run it again, and it goes on from there",
            set.join(", ")
        )
    }
}

impl Promotion {
    /// The tags of the image, the one that never changes first.
    pub(crate) fn tags(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.tag.as_str()).collect()
    }

    /// Whether there was nothing to do.
    pub(crate) fn is_nothing(&self) -> bool {
        self.steps.iter().all(|step| step.change == Change::None)
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![["tag", "before", "after", ""].map(str::to_owned)];
        for step in &self.steps {
            rows.push([
                step.tag.clone(),
                step.before
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string),
                self.after.to_string(),
                match (step.change, self.how) {
                    (Change::None, _) => "as before",
                    (_, How::Rehearse) => "would be set",
                    (Change::New, How::Set) => "new",
                    (Change::Moved, How::Set) => "moved",
                }
                .to_owned(),
            ]);
        }
        let mut text = columns(&rows);
        if let Latest::Stays(reason) = &self.latest {
            text.push_str(&format!("\n{LATEST} stays as it is: {reason}\n"));
        }
        text.push_str(match (self.is_nothing(), self.how) {
            (true, _) => "\nnothing to do: the image has its tags",
            (false, How::Set) => "\nthe image has its tags",
            (false, How::Rehearse) => "\nnothing was set (--dry-run)",
        });
        text
    }
}

#[cfg(test)]
mod tests;
