//! Where everything lives: the vendor's absolute paths, or below `$ONE_LOCATION` as the real one does.

use std::path::{Path, PathBuf};

/// The directories of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    root: Option<PathBuf>,
}

impl Place {
    /// From the environment: `ONE_LOCATION` makes it self-contained.
    pub(crate) fn from_environment() -> Self {
        Self {
            root: std::env::var_os("ONE_LOCATION")
                .filter(|v| !v.is_empty())
                .map(PathBuf::from),
        }
    }

    /// Whether everything is below one directory.
    pub(crate) fn is_self_contained(&self) -> bool {
        self.root.is_some()
    }

    fn at(&self, inside: &str, system: &str) -> PathBuf {
        self.root
            .as_ref()
            .map_or_else(|| PathBuf::from(system), |root| root.join(inside))
    }

    /// Configuration: oned.conf and the rest.
    pub(crate) fn etc(&self) -> PathBuf {
        self.at("etc", "/etc/one")
    }

    /// State: one.db, .one, datastores.
    pub(crate) fn var(&self) -> PathBuf {
        self.at("var", "/var/lib/one")
    }

    /// Log files.
    pub(crate) fn log(&self) -> PathBuf {
        self.at("var", "/var/log/one")
    }

    /// Driver programs.
    pub(crate) fn mads(&self) -> PathBuf {
        self.at("lib/mads", "/usr/lib/one/mads")
    }

    /// The migration tool's schema and migrators.
    pub(crate) fn onedb(&self) -> PathBuf {
        self.at("lib/ruby/onedb", "/usr/lib/one/ruby/onedb")
    }

    /// The lock file of oned, an empty one created with `O_EXCL`.
    pub(crate) fn lock(&self) -> PathBuf {
        self.at("var/lock/.lock", "/var/lock/one/one")
    }

    /// The directory of the keys and the password files.
    pub(crate) fn auth(&self) -> PathBuf {
        self.var().join(".one")
    }

    /// The datastores' base path, with the double slash that the real one prints.
    pub(crate) fn datastores(&self) -> String {
        format!("{}//datastores", self.var().display())
    }
}

/// The home directory of a uid in /etc/passwd; oned looks its user up there, not in `$HOME`.
pub(crate) fn home_of(uid: u32) -> Option<PathBuf> {
    let passwd = std::fs::read_to_string(Path::new("/etc/passwd")).ok()?;
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| PathBuf::from(fields.get(5).copied().unwrap_or("/")))
    })
}
