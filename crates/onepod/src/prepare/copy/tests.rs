//! Scenarios of copying a tree over what a user has made of it.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

/// A shipped tree and a place for it.
struct Trees {
    dir: TempDir,
}

impl Trees {
    fn new() -> Self {
        let trees = Self {
            dir: TempDir::new().unwrap(),
        };
        fs::create_dir(trees.from()).unwrap();
        fs::create_dir(trees.to()).unwrap();
        trees
    }

    fn from(&self) -> PathBuf {
        self.dir.path().join("from")
    }

    fn to(&self) -> PathBuf {
        self.dir.path().join("to")
    }

    fn shipped(&self, path: &str, content: &str) -> PathBuf {
        put(&self.from().join(path), content)
    }

    fn placed(&self, path: &str, content: &str) -> PathBuf {
        put(&self.to().join(path), content)
    }

    fn bring(&self, rule: impl Fn(&Path) -> Existing) -> Report {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(tree(&self.from(), &self.to(), rule, &BTreeSet::new()))
            .unwrap()
    }
}

fn put(path: &Path, content: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    path.to_owned()
}

fn renew(_: &Path) -> Existing {
    Existing::Renew
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn what_differs_is_written_and_what_is_alike_is_left_alone() {
    let trees = Trees::new();
    trees.shipped("vmm/kvm/deploy", "new");
    trees.shipped("vmm/kvm/cancel", "same");
    trees.shipped("im/probe", "fresh");
    let old = trees.placed("vmm/kvm/deploy", "old");
    let same = trees.placed("vmm/kvm/cancel", "same");
    let own = trees.placed("vmm/kvm/mine", "the user's");
    let before = inode(&same);
    assert_eq!(
        trees.bring(renew),
        Report {
            written: 2,
            aside: Vec::new()
        }
    );
    assert_eq!(fs::read_to_string(old).unwrap(), "new");
    assert_eq!(fs::read_to_string(own).unwrap(), "the user's");
    assert_eq!(inode(&same), before);
    assert_eq!(trees.bring(renew), Report::default());
}

#[test]
fn equal_length_is_not_equality_and_neither_is_a_common_start() {
    let trees = Trees::new();
    let long = "x".repeat(200_000);
    trees.shipped("a", &format!("{long}1"));
    trees.shipped("b", "abc");
    trees.placed("a", &format!("{long}2"));
    trees.placed("b", "abcd");
    assert_eq!(trees.bring(renew).written, 2);
    assert_eq!(
        fs::read(trees.to().join("a")).unwrap(),
        fs::read(trees.from().join("a")).unwrap()
    );
}

#[test]
fn a_lost_executable_bit_comes_back() {
    let trees = Trees::new();
    fs::set_permissions(trees.shipped("deploy", "x"), fs::Permissions::from_mode(0o755)).unwrap();
    let placed = trees.placed("deploy", "x");
    fs::set_permissions(&placed, fs::Permissions::from_mode(0o664)).unwrap();
    assert_eq!(trees.bring(renew).written, 1);
    assert_eq!(fs::metadata(&placed).unwrap().mode() & 0o777, 0o755);
    // The kubelet's opening of a volume to the group is no difference.
    fs::set_permissions(&placed, fs::Permissions::from_mode(0o775)).unwrap();
    assert_eq!(trees.bring(renew).written, 0);
}

#[test]
fn kept_files_stay_and_missing_ones_arrive() {
    let trees = Trees::new();
    trees.shipped("etc/vmm/kvm/kvmrc", "default");
    trees.shipped("etc/vmm/kvm/new-in-this-release", "default");
    let kept = trees.placed("etc/vmm/kvm/kvmrc", "tuned");
    assert_eq!(trees.bring(|_| Existing::Keep).written, 1);
    assert_eq!(fs::read_to_string(kept).unwrap(), "tuned");
}

#[test]
fn a_users_link_to_elsewhere_is_followed_only_where_things_are_kept() {
    let trees = Trees::new();
    trees.shipped("datastores/0/README", "shipped");
    trees.shipped("vmm/qemu/deploy", "qemu's");
    let elsewhere = trees.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, trees.to().join("datastores")).unwrap();
    let kvm = trees.placed("vmm/kvm/deploy", "kvm's");
    // An earlier release shipped qemu as a link to kvm.
    symlink("kvm", trees.to().join("vmm/qemu")).unwrap();
    let rule = |path: &Path| {
        if path.starts_with("datastores") {
            Existing::Keep
        } else {
            Existing::Renew
        }
    };
    let report = trees.bring(rule);
    assert_eq!(fs::read_to_string(elsewhere.join("0/README")).unwrap(), "shipped");
    assert_eq!(fs::read_to_string(kvm).unwrap(), "kvm's");
    assert_eq!(
        fs::read_to_string(trees.to().join("vmm/qemu/deploy")).unwrap(),
        "qemu's"
    );
    assert_eq!(report.aside.len(), 1, "{report:?}");
}

#[test]
fn a_directory_in_the_way_is_moved_aside_with_all_it_holds() {
    let trees = Trees::new();
    symlink("kvm", trees.from().join("qemu")).unwrap();
    trees.placed("qemu/mine", "the user's");
    let report = trees.bring(renew);
    let [(was, is)] = report.aside.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(was, &trees.to().join("qemu"));
    assert_eq!(fs::read_to_string(is.join("mine")).unwrap(), "the user's");
    assert_eq!(fs::read_link(was).unwrap(), Path::new("kvm"));
    assert_eq!(trees.bring(renew), Report::default());
}

#[test]
fn emptying_takes_everything_but_the_directory_and_does_not_follow_links() {
    let trees = Trees::new();
    let outside = put(&trees.dir.path().join("outside/file"), "stays");
    trees.placed("a/b/c", "");
    symlink(outside.parent().unwrap(), trees.to().join("link")).unwrap();
    let before = inode(&trees.to());
    assert!(empty(&trees.to()).unwrap().is_empty());
    assert_eq!(files::names(&trees.to()).unwrap(), Vec::<String>::new());
    assert_eq!(inode(&trees.to()), before);
    assert!(outside.exists());
}

#[test]
fn mount_points_are_recognised() {
    let dir = TempDir::new().unwrap();
    assert!(is_mount_point(Path::new("/proc")));
    assert!(!is_mount_point(dir.path()));
}
