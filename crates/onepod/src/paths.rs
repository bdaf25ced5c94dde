//! Every absolute path that onepod touches, under one root: `/` in production, a temporary directory in tests.
//!
//! Names only: nothing here looks at the file system.

use std::path::{Path, PathBuf};

/// The paths under one root.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// All paths under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Configuration of OpenNebula, filled anew by every start: `/etc/one`.
    #[must_use]
    pub fn etc_one(&self) -> PathBuf {
        self.root.join("etc/one")
    }

    /// Configuration of oned.
    #[must_use]
    pub fn oned_conf(&self) -> PathBuf {
        self.etc_one().join("oned.conf")
    }

    /// Configuration of monitord.
    #[must_use]
    pub fn monitord_conf(&self) -> PathBuf {
        self.etc_one().join("monitord.conf")
    }

    /// The volume, oneadmin's home: `/var/lib/one`.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root.join("var/lib/one")
    }

    /// When daily timers last ran, a file for each: they are not forgotten with the pod.
    #[must_use]
    pub fn timers(&self) -> PathBuf {
        self.data().join(".onepod/timers")
    }

    /// oned's database when the backend is sqlite.
    #[must_use]
    pub fn sqlite(&self) -> PathBuf {
        self.data().join("one.db")
    }

    /// What is kept for a restore.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.data().join("backups")
    }

    /// Dumps of the database, made before it is migrated.
    #[must_use]
    pub fn dumps(&self) -> PathBuf {
        self.backups().join("db")
    }

    /// Drivers and probes of OpenNebula, of the packages and of the user.
    #[must_use]
    pub fn remotes(&self) -> PathBuf {
        self.data().join("remotes")
    }

    /// What onepod itself keeps on the volume.
    #[must_use]
    pub fn own_data(&self) -> PathBuf {
        self.data().join(".onepod")
    }

    /// The record of the remotes that a release brought.
    #[must_use]
    pub fn remotes_manifest(&self) -> PathBuf {
        self.own_data().join("remotes.manifest")
    }

    /// What had to make room for a release's files, a directory for each time.
    #[must_use]
    pub fn replaced(&self) -> PathBuf {
        self.own_data().join("replaced")
    }

    /// Datastores of the front-end.
    #[must_use]
    pub fn datastores(&self) -> PathBuf {
        self.data().join("datastores")
    }

    /// Deployment files and logs of virtual machines.
    #[must_use]
    pub fn vms(&self) -> PathBuf {
        self.data().join("vms")
    }

    /// Terraform's files of `OneForm`'s provisions, on the volume: they name machines that cost money, and the database learns
    /// of them only when Terraform has finished.
    #[must_use]
    pub fn oneform(&self) -> PathBuf {
        self.data().join("oneform")
    }

    /// Credentials of OpenNebula (`one_auth` and its companions).
    #[must_use]
    pub fn auth_dir(&self) -> PathBuf {
        self.data().join(".one")
    }

    /// Name and password of oneadmin.
    #[must_use]
    pub fn one_auth(&self) -> PathBuf {
        self.auth_dir().join("one_auth")
    }

    /// The key that encrypts `*_ENCRYPTED_ATTR` in the database.
    #[must_use]
    pub fn one_key(&self) -> PathBuf {
        self.auth_dir().join("one_key")
    }

    /// The key of `FireEdge`'s sessions and console tokens.
    #[must_use]
    pub fn fireedge_key(&self) -> PathBuf {
        self.auth_dir().join("fireedge_key")
    }

    /// oneadmin's SSH keys and configuration.
    #[must_use]
    pub fn ssh_dir(&self) -> PathBuf {
        self.data().join(".ssh")
    }

    /// The key by which the front-end's SSH server is known.
    #[must_use]
    pub fn ssh_host_key(&self) -> PathBuf {
        self.ssh_dir().join("ssh_host_ed25519_key")
    }

    /// Configuration of the SSH server.
    #[must_use]
    pub fn sshd_config(&self) -> PathBuf {
        self.run_onepod().join("sshd_config")
    }

    /// What the SSH client reads after its user's own configuration.
    #[must_use]
    pub fn ssh_client_config(&self) -> PathBuf {
        self.run_onepod().join("ssh_config")
    }

    /// The packages' SSH client configuration as it was last brought to oneadmin's.
    #[must_use]
    pub fn ssh_config_base(&self) -> PathBuf {
        self.own_data().join("ssh_config")
    }

    /// Directories for temporary files.
    #[must_use]
    pub fn temporary(&self) -> [PathBuf; 2] {
        ["tmp", "var/tmp"].map(|path| self.root.join(path))
    }

    /// The users of the system.
    #[must_use]
    pub fn passwd(&self) -> PathBuf {
        self.root.join("etc/passwd")
    }

    /// The groups of the system.
    #[must_use]
    pub fn group(&self) -> PathBuf {
        self.root.join("etc/group")
    }

    /// The SSH client configuration that the packages recommend for oneadmin.
    #[must_use]
    pub fn vendor_ssh_config(&self) -> PathBuf {
        self.root.join("usr/share/one/ssh/etc/config")
    }

    /// Log files: `/var/log/one`.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("var/log/one")
    }

    /// Sockets of OpenNebula: `/run/one`.
    #[must_use]
    pub fn run_one(&self) -> PathBuf {
        self.root.join("run/one")
    }

    /// Control sockets of the SSH client.
    #[must_use]
    pub fn ssh_socks(&self) -> PathBuf {
        self.run_one().join("ssh-socks")
    }

    /// Directory of oned's lock: `/run/lock/one`, which oned calls `/var/lock/one`.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("run/lock/one")
    }

    /// oned's lock, an empty file.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.lock().join("one")
    }

    /// Sockets and files of onepod itself.
    #[must_use]
    pub fn run_onepod(&self) -> PathBuf {
        self.root.join("run/onepod")
    }

    /// The socket through which onepod takes commands.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.run_onepod().join("control")
    }

    /// What the image keeps for onepod: `/usr/share/onepod`.
    #[must_use]
    pub fn share(&self) -> PathBuf {
        self.root.join("usr/share/onepod")
    }

    /// The packages' `/etc/one` as they installed it.
    #[must_use]
    pub fn pristine_etc(&self) -> PathBuf {
        self.share().join("etc")
    }

    /// The packages' `/var/lib/one` as they installed it.
    #[must_use]
    pub fn pristine_data(&self) -> PathBuf {
        self.share().join("data")
    }

    /// The OpenNebula release that the image carries: one line.
    #[must_use]
    pub fn release(&self) -> PathBuf {
        self.share().join("release")
    }

    /// The services to supervise.
    #[must_use]
    pub fn services(&self) -> PathBuf {
        self.share().join("services.toml")
    }
}
