//! oned.conf with the daemon's built-in defaults, and the dump of it that goes to the log and to
//! /var/lib/one/config.
//!
//! A vector in the file replaces the default vector as a whole, as the real daemon does.

use std::fmt::Write as _;
use std::path::Path;

use crate::place::Place;
use crate::template::{Template, Value};

/// The settled configuration.
#[derive(Debug)]
pub(crate) struct Config {
    template: Template,
}

/// DB keys whose values the dump hides.
const HIDDEN_DB_KEYS: [&str; 6] = ["BACKEND", "DB_NAME", "PASSWD", "PORT", "SERVER", "USER"];

impl Config {
    /// Reads oned.conf; `Err` is the text that the real daemon prints on stdout.
    pub(crate) fn load(place: &Place) -> Result<Self, String> {
        let mut template = read(&place.etc().join("oned.conf"))?;
        let has = |name: &str, t: &Template| t.attributes.iter().any(|(n, _)| n == name);
        for (name, value) in singles(place) {
            if !has(name, &template) {
                template.attributes.push((name.to_owned(), Value::Single(value)));
            }
        }
        for (name, pairs) in VECTORS {
            if !has(name, &template) {
                let pairs = pairs
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect();
                template
                    .attributes
                    .push(((*name).to_owned(), Value::Vector(pairs)));
            }
        }
        // A driver that the file does not name keeps its built-in description.
        for (name, keys, rows) in DRIVERS {
            for row in *rows {
                let known = template.attributes.iter().any(|(n, value)| match value {
                    Value::Vector(pairs) => n == name && value_of(pairs, "NAME") == row[0],
                    Value::Single(_) => false,
                });
                if !known {
                    let pairs = keys
                        .iter()
                        .zip(*row)
                        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                        .collect();
                    template
                        .attributes
                        .push(((*name).to_owned(), Value::Vector(pairs)));
                }
            }
        }
        Ok(Self { template })
    }

    /// A single attribute; empty when it is absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.template.get(name).unwrap_or_default()
    }

    /// A single attribute as a number.
    pub(crate) fn number(&self, name: &str, default: f64) -> f64 {
        self.get(name).trim().parse().unwrap_or(default)
    }

    /// A key of a vector; `default` when it or the vector is absent.
    pub(crate) fn get_in<'a>(&'a self, vector: &str, key: &str, default: &'a str) -> &'a str {
        self.template.get_in(vector, key).unwrap_or(default)
    }

    /// All vectors of that name.
    pub(crate) fn vectors(&self, name: &str) -> Vec<&[(String, String)]> {
        self.template
            .attributes
            .iter()
            .filter_map(|(n, v)| match v {
                Value::Vector(pairs) if n == name => Some(pairs.as_slice()),
                _ => None,
            })
            .collect()
    }

    /// A key of the vector of that name whose NAME is `which`.
    pub(crate) fn named(&self, vector: &str, which: &str, key: &str) -> Option<&str> {
        let found = self
            .vectors(vector)
            .into_iter()
            .find(|p| value_of(p, "NAME") == which)?;
        found.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The whole configuration as `one.system.config` answers it to oneadmin.
    pub(crate) fn to_xml(&self) -> String {
        self.template.to_xml("OPENNEBULA_CONFIGURATION").render()
    }

    /// The dump: sorted, one attribute per line, what identifies the database as `***`.
    pub(crate) fn dump(&self) -> String {
        let mut sorted: Vec<&(String, Value)> = self.template.attributes.iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut out = String::new();
        for (name, value) in sorted {
            let _ = match value {
                Value::Single(text) => writeln!(out, "{name}={text}"),
                Value::Vector(pairs) => {
                    let mut pairs: Vec<&(String, String)> = pairs.iter().collect();
                    pairs.sort();
                    let hidden = |k: &str| name == "DB" && HIDDEN_DB_KEYS.contains(&k);
                    let parts: Vec<String> = pairs
                        .iter()
                        .map(|(k, v)| format!("{k}={}", if hidden(k) { "***" } else { v.as_str() }))
                        .collect();
                    writeln!(out, "{name}={}", parts.join(","))
                }
            };
        }
        out
    }
}

/// The value of a key in the pairs of a vector; empty when absent.
pub(crate) fn value_of<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    pairs
        .iter()
        .find(|(k, _)| k == key)
        .map_or("", |(_, v)| v.as_str())
}

/// The `NAME` of each vector of that name: the drivers that a file configures.
pub(crate) fn names(template: &Template, vector: &str) -> Vec<String> {
    let named = |(name, value): &(String, Value)| match value {
        Value::Vector(pairs) if name == vector => Some(value_of(pairs, "NAME").to_owned()),
        _ => None,
    };
    template.attributes.iter().filter_map(named).collect()
}

/// Reads a configuration file; the error is what the real parser prints.
pub(crate) fn read(path: &Path) -> Result<Template, String> {
    let prefix = "\nError while parsing configuration file: ";
    let bytes = std::fs::read(path).map_err(|_| format!("{prefix}Error opening template file"))?;
    Template::parse(&String::from_utf8_lossy(&bytes))
        .map_err(|e| format!("{prefix}{} at line {}, columns 0:0", e.message, e.line))
}

fn singles(place: &Place) -> Vec<(&'static str, String)> {
    let mut all: Vec<(&str, String)> = SINGLES.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
    all.push(("DATASTORE_LOCATION", place.datastores()));
    all
}

/// Built-in defaults of single attributes.
const SINGLES: &[(&str, &str)] = &[
    ("ACTION_TIMEOUT", "120"),
    ("API_LIST_ORDER", "DESC"),
    ("COLD_MIGRATE_MODE", "0"),
    ("CONTEXT_ALLOW_ETH_UPDATES", "NO"),
    ("CONTEXT_RESTRICTED_DIRS", "/etc"),
    ("CONTEXT_SAFE_DIRS", ""),
    ("DATASTORE_CAPACITY_CHECK", "YES"),
    ("DEFAULT_AUTH", "default"),
    ("DEFAULT_CDROM_DEVICE_PREFIX", "hd"),
    ("DEFAULT_DEVICE_PREFIX", "hd"),
    ("DEFAULT_IMAGE_PERSISTENT", ""),
    ("DEFAULT_IMAGE_PERSISTENT_NEW", ""),
    ("DEFAULT_IMAGE_TYPE", "OS"),
    ("DEFAULT_UMASK", "177"),
    ("DRS_INTERVAL", "600"),
    ("DS_MONITOR_VM_DISK", "10"),
    ("ENABLE_OTHER_PERMISSIONS", "YES"),
    ("KEEPALIVE_MAX_CONN", "30"),
    ("KEEPALIVE_TIMEOUT", "15"),
    ("LISTEN_ADDRESS", "0.0.0.0"),
    ("LIVE_RESCHEDS", "0"),
    ("LOG_CALL_FORMAT", "Req:%i UID:%u IP:%A %m invoked %l"),
    ("MAC_PREFIX", "02:00"),
    ("MANAGER_TIMER", "15"),
    ("MAX_ACTIONS_PER_CLUSTER", "10"),
    ("MAX_ACTIONS_PER_HOST", "2"),
    ("MAX_BACKUPS", "5"),
    ("MAX_BACKUPS_HOST", "2"),
    ("MAX_CONN", "15"),
    ("MAX_CONN_BACKLOG", "15"),
    ("MESSAGE_SIZE", "1073741824"),
    ("MONITORING_INTERVAL_DATASTORE", "300"),
    ("MONITORING_INTERVAL_MARKET", "600"),
    ("NETWORK_SIZE", "254"),
    ("PCI_PASSTHROUGH_BUS", "0x01"),
    ("PORT", "2633"),
    ("RPC_LOG", "NO"),
    ("SCHED_MAX_WND_LENGTH", "7"),
    ("SCHED_MAX_WND_TIME", "30"),
    ("SCHED_RETRY_TIME", "60"),
    ("SCRIPTS_REMOTE_DIR", "/var/tmp/one"),
    ("SESSION_EXPIRATION_TIME", "0"),
    ("SHOWBACK_ONLY_RUNNING", "NO"),
    ("TIMEOUT", "15"),
    (
        "VM_ADMIN_OPERATIONS",
        "migrate, delete, recover, retry, deploy, resched, backup, restore",
    ),
    (
        "VM_MANAGE_OPERATIONS",
        "undeploy, hold, release, stop, suspend, resume, reboot, poweroff, disk-attach, nic-attach, \
         disk-snapshot, terminate, disk-resize, snapshot, updateconf, rename, resize, update, disk-saveas, \
         sched-action, sg-attach, pci-attach",
    ),
    ("VM_MONITORING_EXPIRATION_TIME", "14400"),
    ("VM_SNAPSHOT_FACTOR", "0"),
    ("VM_SUBMIT_ON_HOLD", "NO"),
    ("VM_USE_OPERATIONS", ""),
];

/// Built-in defaults of vectors.
const VECTORS: &[(&str, &[(&str, &str)])] = &[
    ("DB", &[("BACKEND", "sqlite"), ("TIMEOUT", "2500")]),
    (
        "DEFAULT_COST",
        &[("CPU_COST", "0"), ("DISK_COST", "0"), ("MEMORY_COST", "0")],
    ),
    (
        "FEDERATION",
        &[
            ("MASTER_ONED", ""),
            ("MODE", "STANDALONE"),
            ("SERVER_ID", "-1"),
            ("ZONE_ID", "0"),
        ],
    ),
    ("HOOK_LOG_CONF", &[("LOG_RETENTION", "10")]),
    (
        "LOG",
        &[
            ("DEBUG_LEVEL", "3"),
            ("SYSTEM", "file"),
            ("USE_VMS_LOCATION", "NO"),
        ],
    ),
    (
        "RAFT",
        &[
            ("BROADCAST_TIMEOUT_MS", "500"),
            ("ELECTION_TIMEOUT_MS", "1500"),
            ("LIMIT_PURGE", "100000"),
            ("LOG_PURGE_TIMEOUT", "600"),
            ("LOG_RETENTION", "500000"),
            ("XMLRPC_TIMEOUT_MS", "100"),
        ],
    ),
    (
        "SCHED_MAD",
        &[
            ("ARGUMENTS", "-t 15 -p rank -o one_drs"),
            ("EXECUTABLE", "one_sched"),
        ],
    ),
    ("VLAN_IDS", &[("RESERVED", "0, 1, 4095"), ("START", "2")]),
    ("VNC_PORTS", &[("RESERVED", ""), ("START", "5900")]),
    ("VXLAN_IDS", &[("START", "2")]),
];

/// Built-in descriptions of drivers: attribute, its keys, one row for each driver.
type Drivers = (
    &'static str,
    &'static [&'static str],
    &'static [&'static [&'static str]],
);

const DRIVERS: &[Drivers] = &[
    (
        "TM_MAD_CONF",
        &[
            "NAME",
            "LN_TARGET",
            "CLONE_TARGET",
            "SHARED",
            "DS_MIGRATE",
            "DRIVER",
        ],
        &[
            &["dummy", "NONE", "SYSTEM", "YES", "YES", ""],
            &["lvm", "NONE", "SELF", "YES", "NO", ""],
            &["fs_lvm", "SYSTEM", "SYSTEM", "YES", "NO", "raw"],
            &["fs_lvm_ssh", "SYSTEM", "SYSTEM", "YES", "NO", "raw"],
            &["shared", "NONE", "SYSTEM", "YES", "YES", ""],
            &["qcow2", "NONE", "SYSTEM", "YES", "NO", "qcow2"],
            &["ssh", "SYSTEM", "SYSTEM", "NO", "YES", ""],
            &["local", "SYSTEM", "SYSTEM", "NO", "YES", ""],
            &["ceph", "NONE", "SELF", "YES", "NO", "raw"],
            &["dev", "NONE", "NONE", "YES", "NO", ""],
        ],
    ),
    (
        "DS_MAD_CONF",
        &["NAME", "REQUIRED_ATTRS", "PERSISTENT_ONLY"],
        &[
            &["dev", "DISK_TYPE", "YES"],
            &["iscsi_libvirt", "DISK_TYPE,ISCSI_HOST", "YES"],
            &["dummy", "", "NO"],
            &["fs", "", "NO"],
            &["lvm", "DISK_TYPE", "NO"],
            &["shared", "", "NO"],
            &["ssh", "", "NO"],
            &["vmfs", "BRIDGE_LIST", "NO"],
            &[
                "ceph",
                "DISK_TYPE,BRIDGE_LIST,CEPH_HOST,CEPH_USER,CEPH_SECRET",
                "NO",
            ],
        ],
    ),
    (
        "MARKET_MAD_CONF",
        &["NAME", "REQUIRED_ATTRS", "APP_ACTIONS"],
        &[
            &["one", "", "monitor"],
            &["http", "BASE_URL,PUBLIC_DIR", "create, delete, monitor"],
            &[
                "s3",
                "ACCESS_KEY_ID,SECRET_ACCESS_KEY,REGION,BUCKET",
                "create, delete, monitor",
            ],
            &["linuxcontainers", "", "monitor"],
        ],
    ),
    (
        "AUTH_MAD_CONF",
        &[
            "NAME",
            "PASSWORD_CHANGE",
            "DRIVER_MANAGED_GROUPS",
            "DRIVER_MANAGED_GROUP_ADMIN",
            "MAX_TOKEN_TIME",
        ],
        &[
            &["core", "YES", "NO", "NO", "-1"],
            &["public", "NO", "NO", "NO", "-1"],
            &["ssh", "YES", "NO", "NO", "-1"],
            &["x509", "NO", "NO", "NO", "-1"],
            &["ldap", "YES", "YES", "YES", "86400"],
            &["saml", "YES", "YES", "YES", "86400"],
            &["server_cipher", "NO", "NO", "NO", "-1"],
            &["server_x509", "NO", "NO", "NO", "-1"],
        ],
    ),
    (
        "VN_MAD_CONF",
        &["NAME", "BRIDGE_TYPE"],
        &[
            &["dummy", "linux"],
            &["802.1Q", "linux"],
            &["fw", "linux"],
            &["ovswitch", "openvswitch"],
            &["vxlan", "linux"],
            &["ovswitch_vxlan", "openvswitch"],
            &["bridge", "linux"],
            &["elastic", "linux"],
            &["nodeport", "linux"],
        ],
    ),
];
