//! Scenarios on a file system: an image's remotes, a volume with what a user made of them, and starts.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::prepare::scratch::{self, Scratch};

/// An image and a volume.
struct Front {
    root: Scratch,
}

impl Front {
    fn new() -> Self {
        let root = Scratch::new();
        files::private_directory(&root.paths.own_data()).unwrap();
        Self { root }
    }

    /// Makes the image another release's, with these files in its remotes. Like a package's, they all have one time.
    fn ship<const N: usize>(&self, release: &str, files: [(&str, &str); N]) {
        let image = self.root.paths.pristine_data().join("remotes");
        let _ = fs::remove_dir_all(&image);
        fs::create_dir_all(&image).unwrap();
        fs::write(self.root.paths.release(), release).unwrap();
        for (path, content) in files {
            let path = put(&image.join(path), content);
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            fs::File::open(path).unwrap().set_modified(time).unwrap();
        }
    }

    fn remote(&self, path: &str) -> PathBuf {
        self.root.paths.remotes().join(path)
    }

    fn change(&self, path: &str, content: &str) -> PathBuf {
        put(&self.remote(path), content)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.remote(path)).unwrap()
    }

    /// Starts; what the operator is told, and every difference with its kind.
    fn start(&self) -> Told {
        let board = Board::new();
        let stage = board.stage("remotes");
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(settle(&self.root.paths, &board, &stage))
            .unwrap();
        stage.done();
        Told::by(&board)
    }

    /// Starts, and is killed after so many turns. True when it came to its end.
    fn start_and_kill(&self, turns: usize) -> bool {
        let board = Board::new();
        let stage = board.stage("remotes");
        let mut start = pin!(settle(&self.root.paths, &board, &stage));
        let mut context = Context::from_waker(Waker::noop());
        (0..turns).any(|_| start.as_mut().poll(&mut context).is_ready())
    }

    fn all(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.root.paths.remotes()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let content = fs::read_to_string(&path).unwrap();
                    found.insert(
                        path.strip_prefix(self.root.paths.remotes()).unwrap().to_owned(),
                        content,
                    );
                }
            }
        }
        found
    }

    /// The only file below the directory of what was replaced.
    fn replaced(&self, path: &str) -> String {
        let times: Vec<_> = fs::read_dir(self.root.paths.replaced()).unwrap().collect();
        let [Ok(time)] = times.as_slice() else {
            panic!("{times:?}")
        };
        fs::read_to_string(time.path().join("remotes").join(path)).unwrap()
    }
}

fn put(path: &Path, content: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    path.to_owned()
}

/// What a start has told.
#[derive(Debug, PartialEq)]
struct Told {
    notes: String,
    differences: Vec<(String, RemoteKind)>,
    releases: (Option<String>, Option<String>),
}

impl Told {
    fn by(board: &Board) -> Self {
        let report = board.remotes().unwrap();
        Self {
            notes: scratch::notes(board),
            differences: report
                .differences
                .into_iter()
                .map(|one| (one.path, one.kind))
                .collect(),
            releases: (report.before, report.release),
        }
    }

    fn differences(&self) -> Vec<(&str, RemoteKind)> {
        self.differences
            .iter()
            .map(|(path, kind)| (path.as_str(), *kind))
            .collect()
    }
}

const OLD: [(&str, &str); 6] = [
    ("VERSION", "7.0.2"),
    ("vmm/kvm/deploy", "deploy of the old release"),
    ("vmm/kvm/cancel", "cancel"),
    ("im/probes/dropped", "a probe"),
    ("etc/vmm/kvm/kvmrc", "TIMEOUT=1"),
    ("hooks/ft/fence_host.sh", "fence"),
];

const NEW: [(&str, &str); 6] = [
    ("VERSION", "7.2.0"),
    ("vmm/kvm/deploy", "deploy of the new release"),
    ("vmm/kvm/cancel", "cancel"),
    ("vmm/kvm/resize", "resize"),
    ("etc/vmm/kvm/kvmrc", "TIMEOUT=2"),
    ("hooks/ft/fence_host.sh", "fence better"),
];

fn shipped(files: [(&str, &str); 6]) -> BTreeMap<PathBuf, String> {
    files
        .into_iter()
        .map(|(path, content)| (path.into(), content.to_owned()))
        .collect()
}

#[test]
fn an_upgrade_of_untouched_remotes_leaves_the_new_releases_and_nothing_else() {
    let front = Front::new();
    front.ship("7.0.2", OLD);
    front.start();
    assert_eq!(front.all(), shipped(OLD));
    front.ship("7.2.0", NEW);
    let told = front.start();
    assert_eq!(front.all(), shipped(NEW));
    assert!(
        !front.remote("im").exists(),
        "an empty directory of the old release is left"
    );
    assert_eq!((told.notes.as_str(), told.differences()), ("", Vec::new()));
    assert_eq!(
        told.releases,
        (Some("7.0.2".to_owned()), Some("7.2.0".to_owned()))
    );
    assert!(!front.root.paths.replaced().exists());
    assert_eq!(
        fs::metadata(front.remote("vmm/kvm/deploy")).unwrap().mode() & 0o777,
        0o755
    );
}

#[test]
fn a_second_start_touches_nothing() {
    let front = Front::new();
    front.ship("7.0.2", OLD);
    front.start();
    let marks = |path: PathBuf| {
        let found = fs::metadata(path).unwrap();
        (found.ino(), found.mtime(), found.mtime_nsec(), found.ctime_nsec())
    };
    let watched = || {
        (
            marks(front.root.paths.remotes_manifest()),
            marks(front.remote("vmm/kvm/deploy")),
            marks(front.remote("etc/vmm/kvm/kvmrc")),
        )
    };
    let before = watched();
    front.start();
    assert_eq!(watched(), before);
}

#[test]
fn what_the_user_changed_is_kept_or_moved_aside_and_named() {
    let front = Front::new();
    front.ship("7.0.2", OLD);
    front.start();
    front.change("vmm/kvm/cancel", "mine");
    front.change("im/probes/dropped", "my probe");
    front.change("im/probes/own", "mine");
    front.change("etc/vmm/kvm/kvmrc", "TIMEOUT=600");
    front.change("etc/vmm/kvm/own.conf", "mine");
    front.ship("7.2.0", NEW);
    let told = front.start();
    let mut wanted = shipped(NEW);
    wanted.extend([
        ("im/probes/own".into(), "mine".to_owned()),
        ("etc/vmm/kvm/kvmrc".into(), "TIMEOUT=600".to_owned()),
        ("etc/vmm/kvm/own.conf".into(), "mine".to_owned()),
    ]);
    assert_eq!(front.all(), wanted);
    assert_eq!(front.replaced("vmm/kvm/cancel"), "mine");
    assert_eq!(front.replaced("im/probes/dropped"), "my probe");
    let lasting = [
        ("etc/vmm/kvm/kvmrc", RemoteKind::Conflict),
        ("etc/vmm/kvm/own.conf", RemoteKind::Added),
        ("im/probes/own", RemoteKind::Added),
    ];
    assert_eq!(
        told.differences(),
        [
            lasting[0],
            lasting[1],
            ("im/probes/dropped", RemoteKind::Replaced),
            lasting[2],
            ("vmm/kvm/cancel", RemoteKind::Replaced),
        ]
    );
    for part in ["etc/vmm/kvm/kvmrc", "vmm/kvm/cancel", ".onepod/replaced/"] {
        assert!(told.notes.contains(part), "{part} is not in {}", told.notes);
    }
    // The same again, without what is no longer there.
    let told = front.start();
    assert_eq!(
        told.differences(),
        [lasting[0], lasting[1], ("im", RemoteKind::Added)]
    );
    assert!(told.notes.contains("kvmrc"), "{}", told.notes);
    // Merged.
    front.change("etc/vmm/kvm/kvmrc", "TIMEOUT=602");
    let told = front.start();
    assert_eq!(told.differences()[0], ("etc/vmm/kvm/kvmrc", RemoteKind::Changed));
    assert_eq!(told.notes, "");
}

// Same length, and within the clock's resolution of the start: only its time tells.
#[test]
fn a_change_right_after_the_start_is_seen() {
    let front = Front::new();
    front.ship("7.0.2", OLD);
    front.start();
    front.change("etc/vmm/kvm/kvmrc", "TIMEOUT=9");
    assert_eq!(
        front.start().differences(),
        [("etc/vmm/kvm/kvmrc", RemoteKind::Changed)]
    );
}

// Volumes of versions that kept no record.
#[test]
fn without_a_record_nothing_of_the_users_is_lost() {
    for record in [
        None,
        Some("onepod remotes 1\t7.0.2\nd\tvmm\n"),
        Some("\0\u{fffd}"),
    ] {
        let front = Front::new();
        front.ship("7.2.0", NEW);
        front.change("vmm/kvm/deploy", "who knows whose");
        front.change("vmm/kvm/cancel", "cancel");
        front.change("etc/vmm/kvm/kvmrc", "TIMEOUT=600");
        front.change("hooks/own/alert.sh", "mine");
        if let Some(record) = record {
            put(&front.root.paths.remotes_manifest(), record);
        }
        let told = front.start();
        assert_eq!(front.text("vmm/kvm/deploy"), "deploy of the new release");
        assert_eq!(front.replaced("vmm/kvm/deploy"), "who knows whose");
        assert_eq!(front.text("etc/vmm/kvm/kvmrc"), "TIMEOUT=600");
        assert_eq!(front.text("hooks/own/alert.sh"), "mine");
        assert_eq!(
            told.notes.contains("remotes.manifest"),
            record.is_some(),
            "{}",
            told.notes
        );
        assert!(Manifest::parse(&fs::read_to_string(front.root.paths.remotes_manifest()).unwrap()).is_some());
    }
}

// The kubelet gives every file of a volume with fsGroup to the group, and opens it to it.
#[test]
fn a_volume_opened_to_the_group_is_no_change() {
    let front = Front::new();
    front.ship("7.0.2", OLD);
    front.start();
    for path in ["vmm/kvm/deploy", "etc/vmm/kvm/kvmrc"] {
        fs::set_permissions(front.remote(path), Permissions::from_mode(0o775)).unwrap();
    }
    let deploy = fs::metadata(front.remote("vmm/kvm/deploy")).unwrap().ino();
    assert_eq!(front.start().differences(), []);
    assert_eq!(
        fs::metadata(front.remote("vmm/kvm/deploy")).unwrap().ino(),
        deploy
    );
    // The driver that nobody can execute any more is mended.
    fs::set_permissions(front.remote("vmm/kvm/deploy"), Permissions::from_mode(0o664)).unwrap();
    assert_eq!(front.start().differences(), []);
    assert_eq!(
        fs::metadata(front.remote("vmm/kvm/deploy")).unwrap().mode() & 0o777,
        0o755
    );
}

#[test]
fn links_are_compared_by_their_target_and_never_followed_into() {
    let front = Front::new();
    front.ship("7.0.2", OLD);
    let image = front.root.paths.pristine_data().join("remotes");
    symlink("kvm", image.join("vmm/qemu")).unwrap();
    front.start();
    assert_eq!(fs::read_link(front.remote("vmm/qemu")).unwrap(), Path::new("kvm"));
    // The next release has a directory there.
    front.ship(
        "7.2.0",
        [("vmm/qemu/deploy", "qemu's"), ("vmm/kvm/deploy", "kvm's")],
    );
    let told = front.start();
    assert_eq!(
        (front.text("vmm/qemu/deploy"), front.text("vmm/kvm/deploy")),
        ("qemu's".to_owned(), "kvm's".to_owned())
    );
    assert_eq!(told.differences(), []);
    // A user's link in the place of a driver's directory goes aside; what it points to is not touched.
    let own = put(&front.root.paths.data().join("own/deploy"), "mine");
    fs::remove_dir_all(front.remote("vmm/qemu")).unwrap();
    symlink(own.parent().unwrap(), front.remote("vmm/qemu")).unwrap();
    let told = front.start();
    assert_eq!(told.differences(), [("vmm/qemu", RemoteKind::Replaced)]);
    assert_eq!(front.text("vmm/qemu/deploy"), "qemu's");
    assert_eq!(fs::read_to_string(own).unwrap(), "mine");
}

#[test]
fn links_of_oneform_are_nobodys_change() {
    let front = Front::new();
    front.ship(
        "7.4.0",
        [
            ("ipam/dummy/get_address", "get"),
            ("ipam/dummy/free_address", "free"),
        ],
    );
    front.start();
    let drivers = "/usr/lib/one/oneform/drivers";
    let link = |driver: &str, script: &str| {
        let at = front.remote(&format!("ipam/{driver}/{script}"));
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&at);
        symlink(format!("{drivers}/{driver}/ipam/{script}"), &at).unwrap();
        at
    };
    let driver = |driver: &str, script: &str| {
        let root = front.root.paths.root();
        put(
            &root.join(format!("usr/lib/one/oneform/drivers/{driver}/ipam/{script}")),
            "get",
        )
    };
    let dummy = driver("dummy", "get_address");
    driver("onprem", "get_address");
    let links = [link("dummy", "get_address"), link("onprem", "get_address")];

    let record = || fs::read_to_string(front.root.paths.remotes_manifest()).unwrap();
    let before = record();
    let told = front.start();
    assert!(told.differences().is_empty(), "{:?}", told.differences());
    assert_eq!(record(), before);
    assert!(links.iter().all(|link| link.is_symlink()));
    assert!(!front.root.paths.replaced().exists());

    // A user's own link is a change, and one whose driver is gone makes room for the release's file.
    fs::remove_file(dummy).unwrap();
    let own = front.remote("ipam/dummy/free_address");
    fs::remove_file(&own).unwrap();
    symlink("/etc/hostname", &own).unwrap();
    let told = front.start();
    assert_eq!(
        told.differences(),
        [("ipam/dummy/free_address", RemoteKind::Replaced)]
    );
    assert_eq!(front.text("ipam/dummy/get_address"), "get");
}

#[test]
fn configuration_that_lies_elsewhere_is_filled_there() {
    let front = Front::new();
    front.ship("7.0.2", OLD);
    let elsewhere = front.root.paths.data().join("my-etc");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::create_dir_all(front.root.paths.remotes()).unwrap();
    symlink(&elsewhere, front.remote("etc")).unwrap();
    assert_eq!(front.start().differences(), []);
    assert_eq!(
        fs::read_to_string(elsewhere.join("vmm/kvm/kvmrc")).unwrap(),
        "TIMEOUT=1"
    );
    assert!(front.remote("etc").is_symlink());
}

#[test]
fn a_start_that_is_killed_anywhere_is_finished_by_the_next() {
    let prepared = || {
        let front = Front::new();
        front.ship("7.0.2", OLD);
        front.start();
        front.change("vmm/kvm/cancel", "mine");
        front.change("etc/vmm/kvm/kvmrc", "TIMEOUT=600");
        front.ship("7.2.0", NEW);
        // Enough to need more than one turn.
        let image = front.root.paths.pristine_data().join("remotes");
        for number in 0..80 {
            put(
                &image.join(format!("many/{number}")),
                &format!("content {number}"),
            );
        }
        front
    };
    let whole = prepared();
    whole.start();
    let mut turns = 0;
    loop {
        let front = prepared();
        let ended = front.start_and_kill(turns);
        put(&front.remote("vmm/.onepod-abc123"), "half a file");
        front.start();
        assert_eq!(front.all(), whole.all(), "after {turns} turns");
        assert_eq!(front.replaced("vmm/kvm/cancel"), "mine");
        if ended {
            break;
        }
        turns += 1;
    }
    assert!(turns > 3, "it never gave way");
}
