//! A front-end for tests: the parts of the image and the volume under one directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use onepod::board::{Board, StageView};
use onepod::identity::Identity;
use onepod::log::{Format, Log};
use onepod::paths::Paths;
use onepod::prepare::{self, PrepareError, Tools};
use onepod::reaper::Reaper;
use onepod::settings::{self, Settings};
use tempfile::TempDir;

/// Files of the packages, as small as they can be: path below /usr/share/onepod, content.
const SHIPPED: [(&str, &str); 11] = [
    ("release", "7.0.0\n"),
    (
        "services.toml",
        "[services.idle]\ncommand = [\"/bin/sleep\", \"1000\"]\nreadiness = { file = \"/proc/self\" }\n",
    ),
    (
        "etc/oned.conf",
        "LOG = [ SYSTEM = \"file\", DEBUG_LEVEL = 3 ]\nDB = [ BACKEND = \"sqlite\", TIMEOUT = 2500 ]\n",
    ),
    (
        "etc/monitord.conf",
        "NETWORK = [ ADDRESS = \"0.0.0.0\", MONITOR_ADDRESS = \"auto\", PORT = 4124 ]\n",
    ),
    ("etc/oneflow-server.conf", ":host: 127.0.0.1\n:port: 2474\n"),
    ("etc/onegate-server.conf", ":host: 127.0.0.1\n:port: 5030\n"),
    ("etc/schedulers/rank.conf", "DEFAULT_SCHED = [ POLICY = 1 ]\n"),
    ("data/remotes/vmm/kvm/deploy", "#!/bin/sh\necho this release\n"),
    ("data/remotes/im/run_probes", "#!/bin/sh\necho probes\n"),
    ("data/remotes/etc/vmm/kvm/kvmrc", "SHUTDOWN_TIMEOUT=180\n"),
    ("data/remotes/etc/vmm/kvm/new", "NEW=1\n"),
];

/// Where the vendor's migration tool says which schema it needs; this image needs 7.0.0.
const SCHEMA: (&str, &str) = (
    "usr/lib/one/ruby/onedb/database_schema.rb",
    "    LATEST_DB_VERSION = '7.0.0'\n    LATEST_LOCAL_DB_VERSION = '7.0.0'\n",
);

/// Statements for a database that OpenNebula with this schema has in use, as far as the stages look at it.
pub(crate) fn in_use(schema: &str) -> Vec<String> {
    let pool = |name: &str| {
        [
            format!("CREATE TABLE {name} (oid INTEGER PRIMARY KEY, name VARCHAR(256), body TEXT)"),
            format!("INSERT INTO {name} VALUES (0, '{name}', '')"),
        ]
    };
    let pools = ["user_pool", "group_pool", "cluster_pool", "zone_pool"].map(pool);
    let versions = [
        "CREATE TABLE db_versioning (oid INTEGER PRIMARY KEY, version VARCHAR(256), timestamp INTEGER)"
            .to_owned(),
        format!("INSERT INTO db_versioning VALUES (0, '{schema}', 0)"),
        "CREATE TABLE local_db_versioning (oid INTEGER PRIMARY KEY, version VARCHAR(256), timestamp INTEGER)"
            .to_owned(),
        format!("INSERT INTO local_db_versioning VALUES (0, '{schema}', 0)"),
    ];
    pools.into_iter().flatten().chain(versions).collect()
}

/// A front-end.
pub(crate) struct Front {
    pub(crate) dir: TempDir,
    pub(crate) paths: Paths,
    pub(crate) tools: Tools,
}

impl Front {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let paths = Paths::new(dir.path());
        for (path, content) in SHIPPED {
            put(&paths.share().join(path), content);
        }
        put(&dir.path().join(SCHEMA.0), SCHEMA.1);
        let uid = rustix::process::getuid().as_raw();
        put(
            &paths.passwd(),
            &format!("oneadmin:x:{uid}:0::/var/lib/one:/bin/bash\n"),
        );
        // What services.toml names has to be in the image.
        let sleep = dir.path().join("bin/sleep");
        put(&sleep, "");
        for program in [sleep, paths.pristine_data().join("remotes/vmm/kvm/deploy")] {
            fs::set_permissions(program, Permissions::from_mode(0o755)).unwrap();
        }
        Self {
            dir,
            paths,
            tools: tools(),
        }
    }

    /// Makes the mount points of a pod, and does something with each. The volume may be somebody else's.
    pub(crate) fn mount_points(&self, prepare_each: impl Fn(&Path)) {
        for path in [
            self.paths.etc_one(),
            self.paths.root().join("run"),
            self.paths.log(),
            self.paths.data(),
        ] {
            fs::create_dir_all(&path).unwrap();
            prepare_each(&path);
        }
    }

    /// Puts a file on the volume.
    pub(crate) fn volume(&self, path: &str, content: &str) -> PathBuf {
        let path = self.paths.data().join(path);
        put(&path, content);
        path
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.paths.data().join(path)).unwrap()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.paths.data().join(path).exists()
    }

    /// Goes through all stages; what they left on the board.
    pub(crate) async fn prepare(&self, pairs: &[(&str, &str)]) -> Result<Vec<StageView>, PrepareError> {
        let board = Board::new();
        prepare::prepare(&settle(pairs), &self.paths, &board, &self.tools).await?;
        Ok(board.stages())
    }

    /// Every file below the volume and /etc/one, with its mode and content.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        for root in [self.paths.data(), self.paths.etc_one()] {
            collect(&root, &mut found);
        }
        found
    }
}

/// What the stages would run programs with; these scenarios run none.
fn tools() -> Tools {
    let nowhere = fs::File::options().write(true).open("/dev/null").unwrap();
    Tools {
        reaper: Reaper::default(),
        log: Log::start(Format::Text, nowhere.into()).unwrap(),
        identity: Identity::default(),
    }
}

/// Settings from an environment that names the host.
pub(crate) fn settle(pairs: &[(&str, &str)]) -> Settings {
    let named = [("OPENNEBULA_HOSTNAME", "opennebula-0")];
    let environment = named
        .iter()
        .chain(pairs)
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    settings::settle(environment).unwrap()
}

/// Everything that the stages told the operator.
pub(crate) fn notes(stages: &[StageView]) -> String {
    stages
        .iter()
        .flat_map(|stage| stage.notes.clone())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Permission bits of a file or directory.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn put(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn collect(directory: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), (mode(&path), Vec::new()));
            collect(&path, found);
        } else {
            found.insert(path.clone(), (mode(&path), fs::read(&path).unwrap()));
        }
    }
}
