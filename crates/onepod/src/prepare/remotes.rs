//! Stage remotes: drivers, probes and hooks of the image's release on the volume, and the user's changes beside them.
//!
//! OpenNebula's packages treat `etc` and `hooks` as configuration: what the user changed there stays. Elsewhere the
//! release's files come back, and what the user made of them is moved to `/var/lib/one/.onepod/replaced`. What no
//! release ever had stays. Nothing of the user's is deleted. Which files those are is told by a record of the release
//! before, `/var/lib/one/.onepod/remotes.manifest`, written when all else is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::apply::Place;
use self::entry::{Entry, Tree};
use self::manifest::Manifest;
use self::plan::{Difference, Plan, Step};
use self::scan::{Seen, Stamp, Whose};
use super::files::{self, FileError};
use crate::board::{Board, RemoteDifference, RemoteKind, RemotesReport, Stage};
use crate::paths::Paths;

mod apply;
mod entry;
mod manifest;
mod plan;
mod scan;

/// The directories whose place a link of the user's may take.
const FOLLOWED: [&str; 2] = ["etc", "hooks"];

/// Where `OneForm` has its drivers. At each of its starts it puts links to their IPAM scripts into `ipam`, over the release's own files
/// (`create_symlinks` in `src/form/app/models/driver.rb` since 7.2).
const ONEFORM_DRIVERS: &str = "usr/lib/one/oneform/drivers";

/// How many steps are taken before the event loop has its turn.
const TURN: usize = 16;

/// How many names a line of the log has; `/status` has all of them.
const NAMES: usize = 5;

/// Brings the remotes. The `stage` hears what the operator should know, the `board` everything that differs.
pub(crate) async fn settle(paths: &Paths, board: &Board, stage: &Stage) -> Result<(), FileError> {
    let record = paths.remotes_manifest();
    files::directory(&paths.remotes(), 0o755)?;
    let text = files::read_text(&record)?;
    let old = text.as_deref().and_then(Manifest::parse);
    if text.is_some() && old.is_none() {
        stage.note(&format!(
            "{} cannot be read and counts as missing: what differs from this release is taken for yours",
            record.display()
        ));
    }

    let place = Place {
        image: paths.pristine_data().join("remotes"),
        volume: paths.remotes(),
        aside: unused(&paths.replaced().join(files::stamp())).join("remotes"),
    };
    let shipped = scan::scan(&place.image, Whose::Image).await?;
    let new = read_image(&place.image, &shipped, old.as_ref()).await?;
    let here = scan::scan(&place.volume, Whose::Volume(&FOLLOWED)).await?;
    let mut found = read_volume(&place.volume, &here, &new, old.as_ref()).await?;
    let linked = accept_links_of_oneform(&mut found, &new, paths.root());

    let plan = plan::plan(old.as_ref().map(|old| &old.before), &new, &found);
    for (count, step) in plan.steps.iter().enumerate() {
        if count % TURN == 0 {
            tokio::task::yield_now().await;
        }
        place.take(step)?;
    }

    let mut volume = placed(&place, &new, &found, &here, &plan)?;
    // The record stays as it is when nothing else changed: nothing is written to a volume that may be full.
    let recorded = |path: &PathBuf| Some((path.clone(), *old.as_ref()?.volume.get(path)?));
    volume.extend(linked.iter().filter_map(recorded));
    let release = files::read_text(&paths.release())?.map(|text| text.trim().to_owned());
    let next = Manifest {
        release: release.clone(),
        image: stamps(&shipped),
        volume,
        before: plan::Before {
            tree: new,
            conflicts: plan.conflicts.clone(),
        },
    };
    let next = next.render();
    if text.as_deref() != Some(next.as_str()) {
        files::write(&record, next.as_bytes(), 0o600)?;
    }
    let before = old.and_then(|old| old.release);
    tell(&plan, &place, before.as_deref(), stage);
    board.set_remotes(RemotesReport {
        release,
        before,
        differences: differences(&plan, &place),
    });
    Ok(())
}

/// A path that nothing has yet: two starts may fall into one second.
fn unused(path: &Path) -> PathBuf {
    let mut free = path.to_owned();
    let mut count = 1_u32;
    while free.symlink_metadata().is_ok() {
        count += 1;
        free = PathBuf::from(format!("{}.{count}", path.display()));
    }
    free
}

/// The image's tree. A file whose stamp in the image is the recorded one is not read.
async fn read_image(
    root: &Path,
    shipped: &BTreeMap<PathBuf, Seen>,
    old: Option<&Manifest>,
) -> Result<Tree, FileError> {
    let mut tree = Tree::new();
    for (path, seen) in shipped {
        let entry = match seen {
            Seen::Other(entry) => entry.clone(),
            Seen::Placeholder => continue,
            Seen::File(stamp) => {
                let known = old.filter(|old| old.image.get(path) == Some(stamp));
                match known.and_then(|old| old.before.tree.get(path)) {
                    Some(entry) => entry.clone(),
                    None => scan::read(&root.join(path), stamp).await?,
                }
            }
        };
        tree.insert(path.clone(), entry);
    }
    Ok(tree)
}

/// The volume's tree. A file is read when a release has it too and its stamp is not the recorded one; what is only the
/// user's need not be.
async fn read_volume(
    root: &Path,
    here: &BTreeMap<PathBuf, Seen>,
    new: &Tree,
    old: Option<&Manifest>,
) -> Result<Tree, FileError> {
    let mut tree = Tree::new();
    for (path, seen) in here {
        let entry = match seen {
            Seen::Other(entry) => entry.clone(),
            // The release's file takes its place.
            Seen::Placeholder if new.contains_key(path) => continue,
            Seen::Placeholder => Entry::Unreadable,
            Seen::File(stamp) => match known(path, stamp, old) {
                Some(entry) => entry,
                None if new.contains_key(path)
                    || old.is_some_and(|old| old.before.tree.contains_key(path)) =>
                {
                    scan::read(&root.join(path), stamp).await?
                }
                None => Entry::Unreadable,
            },
        };
        tree.insert(path.clone(), entry);
    }
    Ok(tree)
}

/// Takes `OneForm`'s links to drivers of the image for the release's own files: they are nobody's change. Where the image does not have
/// the driver any more, the release's file is written over the link. Gives the places of the release's files that it took links for.
fn accept_links_of_oneform(found: &mut Tree, new: &Tree, root: &Path) -> Vec<PathBuf> {
    let exists = |entry: &Entry| match entry {
        Entry::Link(target) => target
            .strip_prefix("/")
            .ok()
            .filter(|target| target.starts_with(ONEFORM_DRIVERS))
            .map(|target| root.join(target).exists()),
        _ => None,
    };
    let links: Vec<(PathBuf, bool)> = found
        .iter()
        .filter(|(path, _)| path.starts_with("ipam"))
        .filter_map(|(path, entry)| Some((path.clone(), exists(entry)?)))
        .collect();
    let mut accepted = Vec::new();
    for (path, exists) in links {
        match new.get(&path) {
            Some(entry) if exists => {
                found.insert(path.clone(), entry.clone());
                accepted.push(path.clone());
            }
            None if !exists => continue,
            _ => drop(found.remove(&path)),
        }
        // A directory that OneForm made for them.
        let Some(directory) = path.parent().filter(|directory| !new.contains_key(*directory)) else {
            continue;
        };
        let is_empty = !found
            .keys()
            .any(|other| other != directory && other.starts_with(directory));
        if is_empty {
            found.remove(directory);
        }
    }
    accepted
}

/// What a file on the volume holds by the record, when its size and time are the recorded ones. The kubelet changes
/// other marks when it opens the volume to the pod's group.
fn known(path: &Path, stamp: &Stamp, old: Option<&Manifest>) -> Option<Entry> {
    let recorded = old?.volume.get(path)?;
    let same = (recorded.size, recorded.modified, recorded.executable())
        == (stamp.size, stamp.modified, stamp.executable());
    same.then(|| old?.before.tree.get(path).cloned()).flatten()
}

fn stamps(seen: &BTreeMap<PathBuf, Seen>) -> BTreeMap<PathBuf, Stamp> {
    seen.iter()
        .filter_map(|(path, seen)| match seen {
            Seen::File(stamp) => Some((path.clone(), *stamp)),
            Seen::Other(_) | Seen::Placeholder => None,
        })
        .collect()
}

/// Stamps of the files on the volume that are this release's now.
fn placed(
    place: &Place,
    new: &Tree,
    found: &Tree,
    here: &BTreeMap<PathBuf, Seen>,
    plan: &Plan,
) -> Result<BTreeMap<PathBuf, Stamp>, FileError> {
    let mut placed = stamps(here);
    placed.retain(|path, _| found.get(path) == new.get(path));
    for step in &plan.steps {
        if let Step::Write(path) = step
            && let Some(stamp) = scan::stamp(&place.volume.join(path))?
        {
            placed.insert(path.clone(), stamp);
        }
    }
    Ok(placed)
}

/// Says in the log what was done and what differs.
fn tell(plan: &Plan, place: &Place, before: Option<&str>, stage: &Stage) {
    let count = |which: fn(&Step) -> bool| plan.steps.iter().filter(|step| which(step)).count();
    let (written, removed) = (
        count(|step| matches!(step, Step::Write(_))),
        count(|step| matches!(step, Step::Remove(_))),
    );
    if written + removed > 0 {
        let was = before
            .map(|before| format!(" (before: {before})"))
            .unwrap_or_default();
        tracing::info!(
            "remotes: {written} files of this release written, {removed} of the one before removed{was}"
        );
    }
    let conflicts = paths_of(plan, Difference::Conflict);
    if !conflicts.is_empty() {
        stage.note(&format!(
            "kept as you changed them, although this release changed them too: {}; compare with {}",
            names(&conflicts),
            place.image.display()
        ));
    }
    let replaced = paths_of(plan, Difference::Replaced);
    if !replaced.is_empty() {
        stage.note(&format!(
            "replaced by this release's: {}; yours were moved to {}",
            names(&replaced),
            place.aside.display()
        ));
    }
    let own: Vec<(&str, Vec<&Path>)> = [
        ("changed by you and kept", Difference::Changed),
        ("added by you", Difference::Added),
        ("mounted", Difference::Mounted),
    ]
    .into_iter()
    .map(|(title, difference)| (title, paths_of(plan, difference)))
    .filter(|(_, paths)| !paths.is_empty())
    .collect();
    for (title, paths) in own {
        tracing::info!("remotes: {title}: {}", names(&paths));
    }
}

fn paths_of(plan: &Plan, wanted: Difference) -> Vec<&Path> {
    plan.findings
        .iter()
        .filter(|(_, difference)| *difference == wanted)
        .map(|(path, _)| path.as_path())
        .collect()
}

fn names(paths: &[&Path]) -> String {
    let mut text: Vec<_> = paths
        .iter()
        .take(NAMES)
        .map(|path| path.display().to_string())
        .collect();
    if let Some(more) = paths.len().checked_sub(NAMES).filter(|more| *more > 0) {
        text.push(format!("and {more} more (/status names them)"));
    }
    text.join(", ")
}

fn differences(plan: &Plan, place: &Place) -> Vec<RemoteDifference> {
    plan.findings
        .iter()
        .map(|(path, difference)| {
            let (kind, note) = match difference {
                Difference::Added => (RemoteKind::Added, None),
                Difference::Changed => (RemoteKind::Changed, None),
                Difference::Conflict => (
                    RemoteKind::Conflict,
                    Some(format!(
                        "yours is kept; this release's is {}",
                        place.image.join(path).display()
                    )),
                ),
                Difference::Replaced => (
                    RemoteKind::Replaced,
                    Some(format!("yours was moved to {}", place.aside.join(path).display())),
                ),
                Difference::Mounted => (RemoteKind::Mounted, None),
            };
            RemoteDifference {
                path: path.display().to_string(),
                kind,
                note,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
