//! What is to be done so that the remotes are this release's and nothing of the user's is lost. Pure.
//!
//! Three trees are compared: the release that was here before (`old`, from its manifest), this one (`new`), and what
//! stands on the volume (`found`). Beneath `etc` and `hooks`, which OpenNebula's packages treat as configuration, what
//! the user changed stays; elsewhere it is moved aside. A plan can be cut off after any step: planning again from there
//! leads to the same end.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::entry::{Digest, Entry, Tree};

/// The release before, as its manifest has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// What it shipped.
    pub(super) tree: Tree,
    /// Files of the user's that a later release changed too: their digests when that was seen.
    pub(super) conflicts: BTreeMap<PathBuf, Digest>,
}

/// One step, in the order of execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Move what stands there out of the tree, with all that is in it.
    Aside(PathBuf),
    /// Remove a file or link that a release brought.
    Remove(PathBuf),
    /// Remove a directory that a release brought, if nothing is in it.
    RemoveDirectory(PathBuf),
    /// Make a directory.
    Make(PathBuf),
    /// Bring this release's file or link, over the file or link that stands there.
    Write(PathBuf),
}

/// What differs from this release, or did until this plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    /// The user's, and no release's.
    Added,
    /// Changed by the user and kept.
    Changed,
    /// Changed by the user and by a release since, and kept as the user has it.
    Conflict,
    /// Changed by the user and moved aside.
    Replaced,
    /// Mounted there, and left alone.
    Mounted,
}

/// Steps and findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// What to do.
    pub(super) steps: Vec<Step>,
    /// What the operator should know.
    pub(super) findings: Vec<(PathBuf, Difference)>,
    /// The conflicts that the next start has to know of.
    pub(super) conflicts: BTreeMap<PathBuf, Digest>,
}

/// Whether changes of the user's stay in place there.
pub(super) fn is_configuration(path: &Path) -> bool {
    ["etc", "hooks"]
        .into_iter()
        .any(|root| path != Path::new(root) && path.starts_with(root))
}

/// How the places below a place are to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    /// As they are.
    Found,
    /// As empty: what was there goes with the step for the place above.
    Gone,
    /// Not at all: the place above is the user's.
    Theirs,
}

/// Plans. Without a release before, everything that differs counts as changed by the user.
pub(super) fn plan(old: Option<&Before>, new: &Tree, found: &Tree) -> Plan {
    let mut planner = Planner {
        old,
        found,
        plan: Plan::default(),
        emptied: Vec::new(),
    };
    let mut paths: Vec<&PathBuf> = new.keys().chain(found.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut above: Vec<(&Path, Below)> = Vec::new();
    for path in paths {
        while above.last().is_some_and(|(parent, _)| !path.starts_with(parent)) {
            above.pop();
        }
        let below = match above.last() {
            None | Some((_, Below::Found)) => planner.place(path, new.get(path), found.get(path)),
            Some((_, Below::Gone)) => planner.place(path, new.get(path), None),
            Some((_, Below::Theirs)) => Below::Theirs,
        };
        above.push((path, below));
    }
    // The deepest first.
    let emptied = planner.emptied.into_iter().rev();
    planner.plan.steps.extend(emptied.map(Step::RemoveDirectory));
    planner.plan
}

struct Planner<'a> {
    old: Option<&'a Before>,
    found: &'a Tree,
    plan: Plan,
    /// Directories of the old release that this one does not have.
    emptied: Vec<PathBuf>,
}

impl<'a> Planner<'a> {
    fn place(&mut self, path: &Path, new: Option<&Entry>, found: Option<&Entry>) -> Below {
        let Some(found) = found else {
            match new {
                Some(Entry::Directory) => self.step(Step::Make, path),
                Some(_) => self.step(Step::Write, path),
                None => {}
            }
            return Below::Gone;
        };
        match (new, found) {
            (_, Entry::Mount) => {
                self.find(path, Difference::Mounted);
                Below::Theirs
            }
            (Some(new), found) if new == found => Below::Found,
            (Some(new), found) => self.differing(path, new, found),
            (None, Entry::Directory) => match self.old(path) {
                Some(Entry::Directory) => {
                    self.emptied.push(path.to_owned());
                    Below::Found
                }
                _ => self.theirs(path, Difference::Added),
            },
            (None, found) => match self.old(path) {
                None => self.theirs(path, Difference::Added),
                Some(old) if old == found => {
                    self.step(Step::Remove, path);
                    Below::Gone
                }
                Some(_) if is_configuration(path) => self.theirs(path, Difference::Changed),
                Some(_) => {
                    self.aside(path);
                    Below::Gone
                }
            },
        }
    }

    /// A place that this release has, and where something else stands.
    fn differing(&mut self, path: &Path, new: &Entry, found: &Entry) -> Below {
        let unchanged = match found {
            Entry::Directory => self.is_unchanged_directory(path),
            found => self.old(path) == Some(found),
        };
        if unchanged || (!is_configuration(path) && self.is_release_content(path, new, found)) {
            self.clear(path, new, found);
        } else if is_configuration(path) {
            return self.keep(path, new, found);
        } else if self.holds_a_mount(path) {
            return self.theirs(path, Difference::Mounted);
        } else {
            self.aside(path);
        }
        let step = match new {
            Entry::Directory => Step::Make,
            _ => Step::Write,
        };
        self.step(step, path);
        Below::Gone
    }

    /// Takes away what a release brought, unless writing replaces it anyway.
    fn clear(&mut self, path: &Path, new: &Entry, found: &Entry) {
        if *found == Entry::Directory {
            for (below, entry) in self.beneath(path).into_iter().rev() {
                match entry {
                    Entry::Directory => self.step(Step::RemoveDirectory, below),
                    _ => self.step(Step::Remove, below),
                }
            }
            self.step(Step::RemoveDirectory, path);
        } else if *new == Entry::Directory {
            self.step(Step::Remove, path);
        }
    }

    fn keep(&mut self, path: &Path, new: &Entry, found: &Entry) -> Below {
        let digest = match found {
            Entry::File(content) => Some(content.digest),
            _ => None,
        };
        let seen = self.old.and_then(|old| old.conflicts.get(path)).copied();
        let renewed = self.old.is_some() && self.old(path) != Some(new);
        if !renewed && (seen.is_none() || seen != digest) {
            return self.theirs(path, Difference::Changed);
        }
        if let Some(digest) = digest {
            self.plan.conflicts.insert(path.to_owned(), digest);
        }
        self.theirs(path, Difference::Conflict)
    }

    /// Whether a file's bytes are a release's, and only whether it is executable differs.
    fn is_release_content(&self, path: &Path, new: &Entry, found: &Entry) -> bool {
        new.same_bytes(found) || self.old(path).is_some_and(|old| old.same_bytes(found))
    }

    fn holds_a_mount(&self, path: &Path) -> bool {
        self.beneath(path)
            .into_iter()
            .any(|(_, entry)| *entry == Entry::Mount)
    }

    fn is_unchanged_directory(&self, path: &Path) -> bool {
        self.old(path) == Some(&Entry::Directory)
            && self
                .beneath(path)
                .into_iter()
                .all(|(path, entry)| self.old(path) == Some(entry))
    }

    /// What stands beneath a directory.
    fn beneath(&self, path: &Path) -> Vec<(&'a Path, &'a Entry)> {
        self.found
            .range::<Path, _>((Bound::Excluded(path), Bound::Unbounded))
            .map(|(beneath, entry)| (beneath.as_path(), entry))
            .take_while(|(beneath, _)| beneath.starts_with(path))
            .collect()
    }

    fn old(&self, path: &Path) -> Option<&Entry> {
        self.old?.tree.get(path)
    }

    fn step(&mut self, step: fn(PathBuf) -> Step, path: &Path) {
        self.plan.steps.push(step(path.to_owned()));
    }

    fn aside(&mut self, path: &Path) {
        self.step(Step::Aside, path);
        self.find(path, Difference::Replaced);
    }

    fn theirs(&mut self, path: &Path, difference: Difference) -> Below {
        self.find(path, difference);
        Below::Theirs
    }

    fn find(&mut self, path: &Path, difference: Difference) {
        self.plan.findings.push((path.to_owned(), difference));
    }
}

#[cfg(test)]
mod tests;
