//! Scenarios of planning, and properties over random trees: nothing of the user's is lost, what nobody changed is this
//! release's, and a plan that was cut off leads to the same end.

use proptest::prelude::*;

use super::*;
use crate::prepare::remotes::entry::Content;

/// A volume in memory: the tree, and what was moved aside.
#[derive(Debug, Clone, PartialEq)]
struct Volume {
    tree: Tree,
    aside: Vec<(PathBuf, Entry)>,
}

impl Volume {
    fn new(tree: &Tree) -> Self {
        Self {
            tree: tree.clone(),
            aside: Vec::new(),
        }
    }

    /// Does what the step says, and fails where a file system would.
    fn step(&mut self, step: &Step, new: &Tree) {
        match step {
            Step::Aside(path) => {
                let moved: Vec<_> = self.beneath(path);
                assert!(!moved.is_empty(), "{path:?} is not there");
                for path in moved {
                    let entry = self.tree.remove(&path).unwrap();
                    assert_ne!(entry, Entry::Mount, "{path:?}");
                    self.aside.push((path, entry));
                }
            }
            Step::Remove(path) => {
                let removed = self.tree.remove(path);
                assert!(
                    !matches!(removed, None | Some(Entry::Directory | Entry::Mount)),
                    "{path:?}: {removed:?}"
                );
            }
            Step::RemoveDirectory(path) => {
                assert_eq!(self.tree.get(path), Some(&Entry::Directory), "{path:?}");
                if self.beneath(path).len() == 1 {
                    self.tree.remove(path);
                }
            }
            Step::Make(path) => {
                self.stands_in_a_directory(path);
                assert_eq!(self.tree.insert(path.clone(), Entry::Directory), None, "{path:?}");
            }
            Step::Write(path) => {
                self.stands_in_a_directory(path);
                let over = self.tree.insert(path.clone(), new[path].clone());
                assert!(!matches!(over, Some(Entry::Directory | Entry::Mount)), "{path:?}");
            }
        }
    }

    /// The path and all paths below it.
    fn beneath(&self, path: &Path) -> Vec<PathBuf> {
        let paths = self.tree.keys().filter(|at| at.starts_with(path));
        paths.cloned().collect()
    }

    fn stands_in_a_directory(&self, path: &Path) {
        let parent = path.parent().unwrap();
        assert!(
            parent == Path::new("") || self.tree.get(parent) == Some(&Entry::Directory),
            "{path:?} has no directory"
        );
    }

    /// Plans and does the first `steps` of the plan.
    fn renew(&mut self, old: Option<&Before>, new: &Tree, steps: usize) -> Plan {
        let plan = plan(old, new, &self.tree);
        for step in plan.steps.iter().take(steps) {
            self.step(step, new);
        }
        plan
    }
}

fn file(content: u8) -> Entry {
    Entry::File(Content {
        digest: Digest([content; 32]),
        executable: true,
    })
}

fn plain(content: u8) -> Entry {
    Entry::File(Content {
        digest: Digest([content; 32]),
        executable: false,
    })
}

/// A tree with the directories that its paths need.
fn tree<const N: usize>(entries: [(&str, Entry); N]) -> Tree {
    let mut tree = Tree::new();
    for (path, entry) in entries {
        add(&mut tree, Path::new(path), entry);
    }
    tree
}

/// Adds an entry, unless a file is in the way.
fn add(tree: &mut Tree, path: &Path, entry: Entry) {
    let parents: Vec<_> = path
        .ancestors()
        .skip(1)
        .filter(|at| *at != Path::new(""))
        .collect();
    let free = |at: &&Path| matches!(tree.get(*at), None | Some(Entry::Directory));
    if !parents.iter().all(free) || tree.keys().any(|at| at.starts_with(path)) {
        return;
    }
    for parent in parents {
        tree.insert(parent.to_owned(), Entry::Directory);
    }
    tree.insert(path.to_owned(), entry);
}

fn before(tree: &Tree) -> Before {
    Before {
        tree: tree.clone(),
        conflicts: BTreeMap::new(),
    }
}

fn found<const N: usize>(findings: [(&str, Difference); N]) -> Vec<(PathBuf, Difference)> {
    findings
        .into_iter()
        .map(|(path, difference)| (PathBuf::from(path), difference))
        .collect()
}

#[test]
fn on_an_empty_volume_everything_is_brought() {
    let new = tree([("vmm/kvm/deploy", file(1)), ("etc/vmm/kvm/kvmrc", plain(1))]);
    let mut volume = Volume::new(&Tree::new());
    let plan = volume.renew(None, &new, usize::MAX);
    assert_eq!((volume.tree, plan.findings), (new, Vec::new()));
}

#[test]
fn drivers_are_renewed_and_what_the_user_made_of_them_is_moved_aside() {
    let old = tree([
        ("vmm/deploy", file(1)),
        ("vmm/cancel", file(1)),
        ("im/dropped", file(1)),
    ]);
    let new = tree([
        ("vmm/deploy", file(2)),
        ("vmm/cancel", file(1)),
        ("vmm/fresh", file(2)),
    ]);
    let mut here = old.clone();
    here.extend(tree([("vmm/cancel", file(9)), ("vmm/mine", file(9))]));
    let mut volume = Volume::new(&here);
    let plan = volume.renew(Some(&before(&old)), &new, usize::MAX);
    let mut wanted = new;
    wanted.extend(tree([("vmm/mine", file(9))]));
    assert_eq!(volume.tree, wanted);
    assert_eq!(volume.aside, [(PathBuf::from("vmm/cancel"), file(9))]);
    assert_eq!(
        plan.findings,
        found([
            ("vmm/cancel", Difference::Replaced),
            ("vmm/mine", Difference::Added)
        ])
    );
}

#[test]
fn configuration_follows_the_release_until_the_user_changes_it() {
    let old = tree([
        ("etc/same", plain(1)),
        ("etc/changed", plain(1)),
        ("etc/both", plain(1)),
        ("etc/dropped", plain(1)),
        ("hooks/dropped-and-changed", plain(1)),
    ]);
    let new = tree([
        ("etc/same", plain(2)),
        ("etc/changed", plain(1)),
        ("etc/both", plain(2)),
    ]);
    let here = tree([
        ("etc/same", plain(1)),
        ("etc/changed", plain(9)),
        ("etc/both", plain(9)),
        ("etc/dropped", plain(1)),
        ("hooks/dropped-and-changed", plain(9)),
        ("hooks/own/alert.sh", file(9)),
    ]);
    let mut volume = Volume::new(&here);
    let plan = volume.renew(Some(&before(&old)), &new, usize::MAX);
    let mut wanted = here;
    wanted.insert(PathBuf::from("etc/same"), plain(2));
    wanted.remove(Path::new("etc/dropped"));
    assert_eq!(volume, Volume::new(&wanted));
    assert_eq!(
        plan.findings,
        found([
            ("etc/both", Difference::Conflict),
            ("etc/changed", Difference::Changed),
            ("hooks/dropped-and-changed", Difference::Changed),
            ("hooks/own", Difference::Added),
        ])
    );
}

#[test]
fn a_conflict_is_told_until_the_user_has_seen_to_it() {
    let old = tree([("etc/kvmrc", plain(1))]);
    let new = tree([("etc/kvmrc", plain(2))]);
    let here = tree([("etc/kvmrc", plain(9))]);
    let first = plan(Some(&before(&old)), &new, &here);
    assert_eq!(first.findings, found([("etc/kvmrc", Difference::Conflict)]));
    let next = Before {
        tree: new.clone(),
        conflicts: first.conflicts.clone(),
    };
    assert_eq!(plan(Some(&next), &new, &here), first);
    let merged = plan(Some(&next), &new, &tree([("etc/kvmrc", plain(10))]));
    assert_eq!(merged.findings, found([("etc/kvmrc", Difference::Changed)]));
    assert!(merged.conflicts.is_empty());
}

// An old volume: whose change a difference is cannot be told.
#[test]
fn without_a_record_nothing_is_removed_and_nothing_overwritten() {
    let new = tree([
        ("vmm/deploy", file(2)),
        ("etc/kvmrc", plain(2)),
        ("vmm/cancel", file(1)),
    ]);
    let here = tree([
        ("vmm/deploy", file(1)),
        ("vmm/cancel", file(1)),
        ("vmm/old", file(1)),
        ("etc/kvmrc", plain(1)),
    ]);
    let mut volume = Volume::new(&here);
    let plan = volume.renew(None, &new, usize::MAX);
    assert_eq!(volume.aside, [(PathBuf::from("vmm/deploy"), file(1))]);
    assert_eq!(
        plan.findings,
        found([
            ("etc/kvmrc", Difference::Changed),
            ("vmm/deploy", Difference::Replaced),
            ("vmm/old", Difference::Added),
        ])
    );
}

#[test]
fn a_lost_executable_bit_comes_back_and_nothing_is_moved_for_it() {
    let new = tree([("vmm/deploy", file(1))]);
    let here = tree([("vmm/deploy", plain(1))]);
    let mut volume = Volume::new(&here);
    let plan = volume.renew(None, &new, usize::MAX);
    assert_eq!(volume, Volume::new(&new));
    assert!(plan.findings.is_empty(), "{:?}", plan.findings);
    // Where this release has a directory, too.
    let next = tree([("vmm/deploy/kvm", file(2))]);
    let mut volume = Volume::new(&here);
    volume.renew(Some(&before(&new)), &next, usize::MAX);
    assert_eq!(volume, Volume::new(&next));
}

#[test]
fn directories_and_files_change_places() {
    let old = tree([
        ("qemu", Entry::Link("kvm".into())),
        ("lib/a", file(1)),
        ("lib/b/c", file(1)),
    ]);
    let new = tree([("qemu/deploy", file(2)), ("lib", file(2))]);
    let mut volume = Volume::new(&old);
    let plan = volume.renew(Some(&before(&old)), &new, usize::MAX);
    assert_eq!(volume, Volume::new(&new));
    assert!(plan.findings.is_empty(), "{:?}", plan.findings);
    // With a file of the user's in it, the directory goes aside as a whole.
    let mut here = old.clone();
    here.extend(tree([("lib/mine", file(9))]));
    let mut volume = Volume::new(&here);
    volume.renew(Some(&before(&old)), &new, usize::MAX);
    assert_eq!(volume.tree, new);
    assert!(
        volume.aside.contains(&(PathBuf::from("lib/mine"), file(9))),
        "{:?}",
        volume.aside
    );
}

#[test]
fn what_is_mounted_is_left_alone_with_all_that_is_in_it() {
    let old = tree([("vmm/deploy", file(1)), ("im/probes/a", file(1))]);
    let new = tree([("vmm/deploy", file(2)), ("im/probes", file(2))]);
    let here = tree([("vmm/deploy", Entry::Mount), ("im/probes/a", Entry::Mount)]);
    let plan = plan(Some(&before(&old)), &new, &here);
    assert_eq!(plan.steps, []);
    assert_eq!(
        plan.findings,
        found([
            ("im/probes", Difference::Mounted),
            ("vmm/deploy", Difference::Mounted)
        ])
    );
}

fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let first = prop::sample::select(vec!["etc", "hooks", "a", "b"]);
    (first, prop::collection::vec(name, 0..3))
        .prop_map(|(first, names)| std::iter::once(first).chain(names).collect())
}

fn leaf(kinds: u8) -> impl Strategy<Value = Entry> {
    (0..kinds, 0_u8..3).prop_map(|(kind, content)| match kind {
        0..=2 => file(content),
        3 => plain(content),
        4 => Entry::Link(PathBuf::from(["x", "y", "z"][usize::from(content)])),
        5 => Entry::Directory,
        6 => Entry::Unreadable,
        _ => Entry::Mount,
    })
}

/// A tree: one that stands already with changes, so that trees have much in common.
fn changed(from: Tree, kinds: u8) -> impl Strategy<Value = Tree> {
    let changes = prop::collection::vec((path(), prop::option::of(leaf(kinds))), 0..8);
    changes.prop_map(move |changes| {
        let mut tree = from.clone();
        for (path, entry) in changes {
            tree.retain(|at, _| !at.starts_with(&path));
            if let Some(entry) = entry {
                add(&mut tree, &path, entry);
            }
        }
        tree
    })
}

/// The release before, this one, and the volume.
fn trees() -> impl Strategy<Value = (Option<Before>, Tree, Tree)> {
    let releases = changed(Tree::new(), 6).prop_flat_map(|old| (Just(old.clone()), changed(old, 6)));
    releases.prop_flat_map(|(old, new)| {
        let here = prop_oneof![changed(old.clone(), 8), changed(new.clone(), 8)];
        (prop::option::weighted(0.8, Just(before(&old))), Just(new), here)
    })
}

/// Whether every file that no release brought is still there, in its place or aside.
fn nothing_is_lost(
    old: Option<&Before>,
    new: &Tree,
    here: &Tree,
    volume: &Volume,
) -> Result<(), TestCaseError> {
    for (path, entry) in here {
        let shipped = |tree: &Tree| {
            tree.get(path)
                .is_some_and(|at| at == entry || at.same_bytes(entry))
        };
        if *entry == Entry::Directory || shipped(new) || old.is_some_and(|old| shipped(&old.tree)) {
            continue;
        }
        let kept =
            volume.tree.get(path) == Some(entry) || volume.aside.contains(&(path.clone(), entry.clone()));
        prop_assert!(kept, "{path:?} {entry:?} is lost");
    }
    Ok(())
}

/// Whether everything that is not reported as the user's is this release's.
fn the_rest_is_this_release(
    new: &Tree,
    here: &Tree,
    volume: &Volume,
    plan: &Plan,
) -> Result<(), TestCaseError> {
    let theirs: Vec<_> = plan
        .findings
        .iter()
        .filter(|(_, difference)| *difference != Difference::Replaced)
        .map(|(path, _)| path)
        .collect();
    let is_theirs = |path: &Path| theirs.iter().any(|theirs| path.starts_with(theirs));
    for (path, entry) in new {
        prop_assert!(
            is_theirs(path) || volume.tree.get(path) == Some(entry),
            "{path:?} is not renewed"
        );
    }
    for path in volume.tree.keys() {
        let holds_theirs = theirs.iter().any(|theirs| theirs.starts_with(path));
        prop_assert!(
            is_theirs(path) || holds_theirs || new.contains_key(path),
            "{path:?} is left over"
        );
    }
    for (path, _) in here.iter().filter(|(_, entry)| **entry == Entry::Mount) {
        prop_assert_eq!(volume.tree.get(path), Some(&Entry::Mount));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_of_the_users_is_lost_and_the_rest_is_this_releases((old, new, here) in trees()) {
        let mut volume = Volume::new(&here);
        let plan = volume.renew(old.as_ref(), &new, usize::MAX);
        nothing_is_lost(old.as_ref(), &new, &here, &volume)?;
        the_rest_is_this_release(&new, &here, &volume, &plan)?;
    }

    #[test]
    fn a_second_start_has_nothing_to_do((old, new, here) in trees()) {
        let mut volume = Volume::new(&here);
        let first = volume.renew(old.as_ref(), &new, usize::MAX);
        let next = Before { tree: new.clone(), conflicts: first.conflicts.clone() };
        let second = plan(Some(&next), &new, &volume.tree);
        prop_assert_eq!(second.steps, []);
        prop_assert_eq!(&second.conflicts, &first.conflicts);
        let third = plan(Some(&Before { tree: new.clone(), conflicts: second.conflicts.clone() }), &new, &volume.tree);
        prop_assert_eq!(third.findings, second.findings);
    }

    #[test]
    fn a_start_that_was_cut_off_is_finished_by_the_next((old, new, here) in trees(), cut in 0_usize..12) {
        let mut whole = Volume::new(&here);
        whole.renew(old.as_ref(), &new, usize::MAX);
        let mut volume = Volume::new(&here);
        volume.renew(old.as_ref(), &new, cut);
        let plan = volume.renew(old.as_ref(), &new, usize::MAX);
        nothing_is_lost(old.as_ref(), &new, &here, &volume)?;
        the_rest_is_this_release(&new, &here, &volume, &plan)?;
        prop_assert_eq!(volume, whole);
    }
}
