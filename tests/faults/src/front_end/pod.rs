//! What outlives a container in a pod: the volume, the emptyDirs, the Secrets as the kubelet mounts them, the environment.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::bundle::{Access, Bind};
use super::container::Patience;
use crate::mariadb;

/// The image's user and group.
pub const ONEADMIN: u32 = 9869;

/// Whom a container runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its user.
    pub user: u32,
    /// Its group, and the one that owns volume and emptyDirs.
    pub group: u32,
}

impl Identity {
    /// The image's own.
    pub const ONEADMIN: Self = Self {
        user: ONEADMIN,
        group: ONEADMIN,
    };
}

/// What a container may do with its image's file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Read it, as the chart has it.
    ReadOnly,
    /// Write it too, as Docker has it.
    Writable,
}

/// The name under which the front-end knows its database.
const DATABASE_HOST: &str = "opennebula-mariadb";

/// Writable places beside the volume.
const EMPTY_DIRS: &[(&str, &str)] = &[
    ("etc", "/etc/one"),
    ("run", "/run"),
    ("log", "/var/log/one"),
    ("tmp", "/tmp"),
    ("var-tmp", "/var/tmp"),
];

/// Keys of the front-end's Secret, with the setting that names each key's file.
const KEYS: &[(&str, &str)] = &[
    ("oneadmin-password", "ONEADMIN_PASSWORD_FILE"),
    ("one-key", "ONE_KEY_FILE"),
    ("fireedge-key", "FIREEDGE_KEY_FILE"),
    ("serveradmin-secret", "SERVERADMIN_SECRET_FILE"),
];

/// A pod without a container.
#[derive(Debug)]
pub struct Pod {
    dir: PathBuf,
    /// Its host name.
    pub hostname: String,
    /// What its containers run: the image's own command, unless it is changed.
    pub command: Vec<String>,
    /// Settings, beside those that name the files of Secrets.
    pub environment: BTreeMap<String, String>,
    /// What its containers may do with the image.
    pub root: Root,
    /// How long is waited for its containers.
    pub patience: Patience,
    identity: Identity,
    /// Containers that were started in it.
    pub(super) started: u32,
    secret: BTreeMap<String, String>,
    database: String,
    without: Vec<&'static str>,
    kind: Kind,
}

/// Whose pod it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The chart's.
    Chart,
    /// Somebody's who has set nothing: no Secret is mounted.
    Bare,
}

impl Pod {
    /// A pod with an empty volume; `secret` is what its Secret has, `database` the password of the database.
    pub fn new(dir: &Path, secret: BTreeMap<String, String>, database: &str) -> Result<Self> {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let environment = [
            ("DB_BACKEND", "mysql"),
            ("DB_HOST", DATABASE_HOST),
            ("DB_NAME", mariadb::NAME),
            ("DB_USER", mariadb::USER),
            ("DB_PASSWORD_FILE", "/run/secrets/database/password"),
            ("ONEPOD_LOG_FORMAT", "text"),
        ];
        let keys = KEYS.iter().filter(|(key, _)| secret.contains_key(*key));
        let files =
            keys.map(|(key, setting)| ((*setting).to_owned(), format!("/run/secrets/opennebula/{key}")));
        let mut pod = Self {
            hostname: format!("{name}-0"),
            command: ["/usr/local/bin/onepod", "run"].map(str::to_owned).to_vec(),
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into_iter()
                .chain(files)
                .collect(),
            root: Root::ReadOnly,
            patience: Patience::default(),
            identity: Identity::ONEADMIN,
            dir: dir.to_owned(),
            started: 0,
            secret,
            database: database.to_owned(),
            without: Vec::new(),
            kind: Kind::Chart,
        };
        pod.furnish(&["localhost", DATABASE_HOST])?;
        pod.mount_secret("secret-opennebula", &pod.secret)?;
        pod.database_password(database)?;
        Ok(pod)
    }

    /// A pod of somebody who has set nothing: an empty volume, no Secret, and no environment but the image's, which is
    /// given here beside the image's command.
    pub fn bare(
        dir: &Path,
        identity: Identity,
        command: Vec<String>,
        environment: BTreeMap<String, String>,
    ) -> Result<Self> {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let pod = Self {
            hostname: format!("{name}-0"),
            command,
            environment,
            root: Root::ReadOnly,
            patience: Patience::default(),
            identity,
            dir: dir.to_owned(),
            started: 0,
            secret: BTreeMap::new(),
            database: String::new(),
            without: Vec::new(),
            kind: Kind::Bare,
        };
        pod.furnish(&["localhost"])?;
        Ok(pod)
    }

    /// The places that outlive a container, and what the runtime writes for every one; `names` are those of the loopback.
    fn furnish(&self, names: &[&str]) -> Result<()> {
        fs::create_dir_all(&self.dir)?;
        self.new_volume()?;
        self.empty()?;
        let hosts = format!("127.0.0.1 {}\n127.0.0.2 {}\n", names.join(" "), self.hostname);
        fs::write(self.dir.join("hosts"), hosts)?;
        fs::write(self.dir.join("hostname"), format!("{}\n", self.hostname))?;
        fs::write(self.dir.join("resolv.conf"), "")?;
        Ok(())
    }

    /// Whom its containers run as.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Where its containers can write: the place here, and the place in the container.
    #[must_use]
    pub fn writable(&self) -> Vec<(PathBuf, String)> {
        let writable = |bind: Bind| (bind.access == Access::Write).then_some((bind.from, bind.to));
        self.binds().into_iter().filter_map(writable).collect()
    }

    /// Where anything of the pod's lies in its containers.
    #[must_use]
    pub fn mounts(&self) -> Vec<String> {
        self.binds().into_iter().map(|bind| bind.to).collect()
    }

    /// Where a file of the pod's own lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The volume, `/var/lib/one` in the container.
    #[must_use]
    pub fn volume(&self) -> PathBuf {
        self.dir.join("volume")
    }

    /// An empty volume instead of the one that is there; that one is lost.
    pub fn new_volume(&self) -> Result<()> {
        let mode = match self.kind {
            Kind::Chart => 0o2777,
            Kind::Bare => 0o2775,
        };
        fresh(&self.volume(), self.identity.group, mode)
    }

    /// Takes the volume of another pod, as two pods on one node can.
    pub fn share_volume(&self, other: &Self) -> Result<()> {
        fs::remove_dir_all(self.volume())?;
        symlink(other.volume(), self.volume())?;
        Ok(())
    }

    /// What a new pod has instead of what was there: empty emptyDirs.
    pub fn empty(&self) -> Result<()> {
        EMPTY_DIRS
            .iter()
            .try_for_each(|(name, _)| fresh(&self.dir.join(name), self.identity.group, 0o2777))
    }

    /// Leaves a mount out from now on, by its place in the container.
    pub fn without(&mut self, target: &'static str) {
        self.without.push(target);
    }

    /// Leaves no mount out any more.
    pub fn with_all(&mut self) {
        self.without.clear();
    }

    /// Changes a key of the front-end's Secret, or takes it away, as the kubelet brings it into a running container.
    pub fn change_secret(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self.secret.insert(key.to_owned(), value.to_owned()),
            None => self.secret.remove(key),
        };
        self.mount_secret("secret-opennebula", &self.secret)
    }

    /// Changes the Secret with the database's password in the same way.
    pub fn database_password(&mut self, password: &str) -> Result<()> {
        password.clone_into(&mut self.database);
        let secret = BTreeMap::from([("password".to_owned(), password.to_owned())]);
        self.mount_secret("secret-database", &secret)
    }

    /// The last message of the last container, as Kubernetes would show it.
    #[must_use]
    pub fn last_message(&self) -> String {
        fs::read_to_string(self.dir.join("termination-log")).unwrap_or_default()
    }

    /// All values that the pod's Secret has now, by key.
    #[must_use]
    pub fn secret(&self) -> &BTreeMap<String, String> {
        &self.secret
    }

    /// The password of the database in the Secret.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// What the container sees of the pod.
    pub(super) fn binds(&self) -> Vec<Bind> {
        let bind = |name: &str, to: &str, access| Bind {
            from: self.dir.join(name),
            to: to.to_owned(),
            access,
        };
        let mut binds = vec![
            bind("hosts", "/etc/hosts", Access::Read),
            bind("hostname", "/etc/hostname", Access::Read),
            bind("resolv.conf", "/etc/resolv.conf", Access::Read),
            bind("volume", "/var/lib/one", Access::Write),
        ];
        binds.extend(EMPTY_DIRS.iter().map(|(name, to)| bind(name, to, Access::Write)));
        if self.kind == Kind::Chart {
            binds.push(bind("secret-opennebula", "/run/secrets/opennebula", Access::Read));
            binds.push(bind("secret-database", "/run/secrets/database", Access::Read));
        }
        binds.push(bind("termination-log", "/dev/termination-log", Access::Write));
        binds.retain(|bind| !self.without.contains(&bind.to.as_str()));
        binds
    }

    /// Puts a Secret's keys in place as the kubelet does it: files in a folder of this moment, `..data` pointing to it by
    /// one rename, and a link by each key's name.
    fn mount_secret(&self, mount: &str, secret: &BTreeMap<String, String>) -> Result<()> {
        let mount = self.dir.join(mount);
        fs::create_dir_all(&mount)?;
        let old = fs::read_link(mount.join("..data")).ok();
        let number: u64 = rand::random();
        let now = format!("..{number:020}");
        fs::create_dir(mount.join(&now))?;
        for (key, value) in secret {
            let file = mount.join(&now).join(key);
            fs::write(&file, value)?;
            chown(&file, Some(0), Some(ONEADMIN))?;
            fs::set_permissions(&file, Permissions::from_mode(0o440))?;
        }
        symlink(&now, mount.join("..data_tmp"))?;
        fs::rename(mount.join("..data_tmp"), mount.join("..data"))?;
        for entry in fs::read_dir(&mount)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with("..") && !secret.contains_key(&name) {
                fs::remove_file(entry.path())?;
            }
        }
        for key in secret.keys().filter(|key| !mount.join(key).is_symlink()) {
            symlink(format!("..data/{key}"), mount.join(key))?;
        }
        if let Some(old) = old {
            fs::remove_dir_all(mount.join(old))?;
        }
        Ok(())
    }
}

/// An empty folder as the kubelet makes it for an `fsGroup`: root's, the group may write and inherits.
fn fresh(dir: &Path, group: u32, mode: u32) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    fs::create_dir_all(dir)?;
    chown(dir, Some(0), Some(group))?;
    fs::set_permissions(dir, Permissions::from_mode(mode))?;
    Ok(())
}
