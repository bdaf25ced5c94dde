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

    fn bring(&self) -> usize {
        self.bring_but(&[])
    }

    fn bring_but(&self, skip: &[&str]) -> usize {
        let skip = skip.iter().map(|path| self.to().join(path)).collect();
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(tree(&self.from(), &self.to(), &skip))
            .unwrap()
    }
}

fn put(path: &Path, content: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    path.to_owned()
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn what_is_missing_arrives_and_what_stands_there_stays() {
    let trees = Trees::new();
    trees.shipped("schedulers/rank.conf", "default");
    trees.shipped("schedulers/new.conf", "default");
    fs::set_permissions(trees.shipped("run", "x"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("run", trees.from().join("link")).unwrap();
    let own = trees.placed("schedulers/rank.conf", "tuned");
    assert_eq!(trees.bring(), 3);
    assert_eq!(fs::read_to_string(own).unwrap(), "tuned");
    let run = trees.to().join("run");
    assert_eq!(fs::metadata(&run).unwrap().mode() & 0o777, 0o755);
    assert_eq!(fs::read_link(trees.to().join("link")).unwrap(), Path::new("run"));
    let before = inode(&run);
    assert_eq!((trees.bring(), inode(&run)), (0, before));
}

#[test]
fn what_is_brought_keeps_its_time() {
    let trees = Trees::new();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::open(trees.shipped("a", "x"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    trees.bring();
    assert_eq!(
        fs::metadata(trees.to().join("a")).unwrap().modified().unwrap(),
        time
    );
}

#[test]
fn a_users_link_to_a_directory_is_followed_and_one_to_a_file_is_not() {
    let trees = Trees::new();
    trees.shipped("datastores/0/README", "shipped");
    trees.shipped("vms/README", "shipped");
    let elsewhere = trees.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, trees.to().join("datastores")).unwrap();
    let own = trees.placed("vms", "the user's");
    trees.bring();
    assert_eq!(fs::read_to_string(elsewhere.join("0/README")).unwrap(), "shipped");
    assert_eq!(fs::read_to_string(own).unwrap(), "the user's");
}

#[test]
fn what_is_skipped_is_skipped_with_all_below() {
    let trees = Trees::new();
    trees.shipped("remotes/vmm/deploy", "shipped");
    trees.shipped("remotes2", "shipped");
    fs::create_dir(trees.to().join("remotes")).unwrap();
    assert_eq!(trees.bring_but(&["remotes"]), 1);
    assert_eq!(files::names(&trees.to()).unwrap(), ["remotes", "remotes2"]);
    assert_eq!(
        files::names(&trees.to().join("remotes")).unwrap(),
        Vec::<String>::new()
    );
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
