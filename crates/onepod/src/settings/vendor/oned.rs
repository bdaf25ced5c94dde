//! oned.conf. Sources: the file itself; `src/template/OpenNebulaTemplate.cc` and `src/nebula/Nebula.cc` for what is not
//! in it.

use super::Line::{V7_0, V7_2, V7_4};
use super::{Form, Key, Kind, by, key, word};

const LOG_LEVEL: Kind = Kind::whole(0, 5);
const UMASK: Kind = Kind::Form(Form {
    words: "three octal digits, in quotes",
    pattern: "^[0-7]{3}$",
    fits: |text| text.len() == 3 && text.bytes().all(|byte| matches!(byte, b'0'..=b'7')),
});
const MAC_PREFIX: Kind = Kind::Form(Form {
    words: "two bytes in hexadecimal digits with a colon between them",
    pattern: "^[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}$",
    fits: |text| {
        text.split(':').count() == 2
            && text
                .split(':')
                .all(|byte| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit()))
    },
});
const HEX_BYTE: Kind = Kind::Form(Form {
    words: "a number of two hexadecimal digits, 0x in front",
    pattern: "^0x[0-9A-Fa-f]{2}$",
    fits: |text| {
        text.strip_prefix("0x")
            .is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    },
});
const RANGES: Kind = Kind::Form(Form {
    words: "numbers or ranges with a colon (6810:6820), separated by commas",
    pattern: "^( *[0-9]+(:[0-9]+)? *(, *[0-9]+(:[0-9]+)? *)*)?$",
    fits: |text| {
        text.is_empty()
            || text.split(',').all(|part| {
                let part = part.trim_matches(' ');
                part.split(':').count() <= 2
                    && part
                        .split(':')
                        .all(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
            })
    },
});
/// Seconds, with -1 for never.
const SECONDS_OR_NEVER: Kind = Kind::whole(-1, i32::MAX as i64);
const PERMISSIONS: &str = "Operations on a virtual machine that need this permission";
const DATABASE: &str = "Connection to the database";
const DRIVER: &str = "Program of the driver, a path or a name in /usr/lib/one/mads";
const ARGUMENTS: &str = "Arguments of the driver";
const RESTRICTED: &str = "Attributes that only the group oneadmin may set";
const ENCRYPTED: &str = "Attributes that are kept encrypted with one_key";
const INHERITED: &str = "Attributes that virtual machines take over from it";
const VDC: &str = "Permissions of a VDC's group on what is added to it";
const HA: &str = "Timing of the replication between servers of one zone";

// A table: one line a key.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("LOG/SYSTEM", Kind::OneOf(&["file", "syslog", "std"]), "file", "Where oned's log goes")
        .decided("the pod's log follows what oned writes"),
    key("LOG/DEBUG_LEVEL", LOG_LEVEL, "3", "Detail of oned's log: 0 errors, 1 warnings, 2 information, 3 to 5 more and more"),
    key("LOG/USE_VMS_LOCATION", Kind::Switch, "NO", "Keep the logs of virtual machines in /var/lib/one/vms instead of /var/log/one"),
    key("MANAGER_TIMER", Kind::MORE, "15", "Seconds between the runs of oned's periodic work; no monitoring interval can be shorter"),
    key("MONITORING_INTERVAL_DATASTORE", Kind::MORE, "300", "Seconds between two looks at each datastore"),
    key("MONITORING_INTERVAL_MARKET", Kind::MORE, "600", "Seconds between two looks at each marketplace"),
    key("DS_MONITOR_VM_DISK", Kind::COUNT, "10", "Number of datastore intervals between two looks at the disks of virtual machines; 0 for none"),
    key("SCRIPTS_REMOTE_DIR", Kind::Text, "/var/tmp/one", "Directory of the drivers on hypervisors"),
    key("DB/BACKEND", Kind::OneOf(&["sqlite", "mysql"]), "sqlite", DATABASE).decided("use DB_BACKEND"),
    word("DB/SERVER", Kind::Address, "localhost", DATABASE).decided("use DB_HOST"),
    word("DB/PORT", Kind::PORT, "0, the server's usual port", DATABASE).decided("use DB_PORT"),
    word("DB/USER", Kind::Text, "oneadmin", DATABASE).decided("use DB_USER"),
    word("DB/PASSWD", Kind::Text, "", DATABASE).decided("use DB_PASSWORD or DB_PASSWORD_FILE").secret(),
    word("DB/DB_NAME", Kind::Text, "opennebula", DATABASE).decided("use DB_NAME"),
    word("DB/CONNECTIONS", Kind::whole(1, 10_000), "25", "Connections of oned to the database server; monitord has its own"),
    word("DB/COMPARE_BINARY", Kind::Switch, "NO", "Compare names with regard to case in MariaDB and MySQL"),
    word("DB/ENCODING", Kind::Text, "that of the database", "Character set of the connections to the database server"),
    key("DB/TIMEOUT", Kind::whole(100, i32::MAX as i64), "2500", "Milliseconds to wait for the lock of an sqlite file"),
    word("DB/ERRORS_LIMIT", SECONDS_OR_NEVER, "25", "Errors of the database in a row after which oned ends, with several servers in a zone; -1 for never"),
    key("VNC_PORTS/START", Kind::PORT, "5900", "First port of the consoles of virtual machines"),
    key("VNC_PORTS/RESERVED", RANGES, "32768:65536", "Ports that consoles do not get"),
    key("MAX_BACKUPS", Kind::COUNT, "5", "Backups that run at the same time"),
    key("MAX_BACKUPS_HOST", Kind::COUNT, "2", "Backups that run on a host at the same time"),
    key("PORT", Kind::PORT, "2633", "Port of the API")
        .decided("the services of the pod and its probes reach the API at 2633"),
    key("LISTEN_ADDRESS", Kind::OneOf(&["0.0.0.0", "::"]), "0.0.0.0", "Addresses of the API: IPv4, or IPv6 and IPv4"),
    key("GRPC_PORT", Kind::PORT, "2634", "Port of the gRPC API").since(V7_2),
    key("GRPC_LISTEN_ADDRESS", Kind::Address, "0.0.0.0", "Address of the gRPC API").since(V7_2),
    word("HOSTNAME", Kind::Address, "the host's name", "Name under which hypervisors reach the front-end")
        .decided("use OPENNEBULA_HOSTNAME"),
    key("API_LIST_ORDER", Kind::OneOf(&["ASC", "DESC"]), "DESC", "Order of the objects in lists, by their number"),
    key("VM_SUBMIT_ON_HOLD", Kind::Switch, "NO", "New virtual machines wait on hold instead of being scheduled"),
    key("FEDERATION/MODE", Kind::OneOf(&["STANDALONE", "MASTER", "SLAVE"]), "STANDALONE", "Role of this zone in a federation"),
    key("FEDERATION/ZONE_ID", Kind::COUNT, "0", "Number of this zone, as the master gave it"),
    key("FEDERATION/SERVER_ID", SECONDS_OR_NEVER, "-1", "Number of this server in a zone of several; -1 for one server"),
    key("FEDERATION/MASTER_ONED", Kind::Text, "", "URL of the master zone's API"),
    key("FEDERATION/MASTER_ONED_GRPC", Kind::Text, "", "Address of the master zone's gRPC API").since(V7_2),
    key("RAFT/LIMIT_PURGE", Kind::MORE, "100000", HA),
    key("RAFT/LOG_RETENTION", Kind::MORE, "250000", HA),
    key("RAFT/LOG_PURGE_TIMEOUT", Kind::MORE, "60", HA),
    key("RAFT/ELECTION_TIMEOUT_MS", Kind::whole(10, i32::MAX as i64), "5000", HA),
    key("RAFT/BROADCAST_TIMEOUT_MS", Kind::whole(10, i32::MAX as i64), "500", HA),
    key("RAFT/XMLRPC_TIMEOUT_MS", Kind::COUNT, "1000", HA),
    word("RAFT_LEADER_HOOK/COMMAND", Kind::Text, "", "Program that runs when this server becomes leader"),
    word("RAFT_LEADER_HOOK/ARGUMENTS", Kind::Text, "", "Its arguments"),
    word("RAFT_FOLLOWER_HOOK/COMMAND", Kind::Text, "", "Program that runs when this server stops being leader"),
    word("RAFT_FOLLOWER_HOOK/ARGUMENTS", Kind::Text, "", "Its arguments"),
    key("DEFAULT_COST/CPU_COST", COST, "0", "Cost of a CPU and hour, where a virtual machine has none of its own"),
    key("DEFAULT_COST/MEMORY_COST", COST, "0", "Cost of a megabyte of memory and hour"),
    key("DEFAULT_COST/DISK_COST", COST, "0", "Cost of a megabyte of disk and hour"),
    key("SHOWBACK_ONLY_RUNNING", Kind::Switch, "no", "Only running virtual machines cost something"),
    key("MAX_CONN", Kind::whole(1, 65535), "15", "Connections that the API serves at the same time"),
    key("MAX_CONN_BACKLOG", Kind::whole(1, 65535), "15", "Connections that wait for the API"),
    key("KEEPALIVE_TIMEOUT", Kind::COUNT, "15", "Seconds that a connection stays open between two calls"),
    key("KEEPALIVE_MAX_CONN", Kind::MORE, "30", "Calls on one connection"),
    key("TIMEOUT", Kind::MORE, "15", "Seconds that the API waits for a silent client"),
    key("RPC_LOG", Kind::Switch, "NO", "Log every call to /var/log/one/one_xmlrpc.log"),
    key("MESSAGE_SIZE", Kind::whole(1, i64::MAX), "1073741824", "Longest answer of the API in bytes"),
    word("LOG_CALL_FORMAT", Kind::Text, "Req:%i UID:%u IP:%A %m invoked %l20", "Form of a logged call; the percent signs stand for request, user, address, method, parameters"),
    key("LOG_RESULT_LENGTH", Kind::COUNT, "20", "Characters of an answer in the log").since(V7_4),
    key("NETWORK_SIZE", Kind::MORE, "254", "Size of a virtual network for which none is given"),
    key("MAC_PREFIX", MAC_PREFIX, "02:00", "First bytes of generated MAC addresses"),
    key("MAC_GLOBAL_SPACE", Kind::Switch, "NO", "Take MAC addresses from one pool for all virtual networks").since(V7_4),
    key("VLAN_IDS/START", Kind::whole(0, 4095), "2", "First VLAN number that is given out"),
    key("VLAN_IDS/RESERVED", RANGES, "0, 1, 4095", "VLAN numbers that are not given out"),
    key("VXLAN_IDS/START", Kind::whole(0, 16_777_215), "2", "First VXLAN number that is given out"),
    key("PCI_PASSTHROUGH_BUS", HEX_BYTE, "0x01", "Bus of devices that are passed through to guests"),
    key("CONTEXT_RESTRICTED_DIRS", Kind::Text, "/etc", "Directories from which no context file is taken, separated by blanks"),
    key("CONTEXT_SAFE_DIRS", Kind::Text, "", "Exceptions from these, separated by blanks"),
    key("CONTEXT_ALLOW_ETH_UPDATES", Kind::Switch, "NO", "Let users change the addresses in a context"),
    key("DATASTORE_LOCATION", Kind::Text, "/var/lib/one/datastores", "Directory of the datastores, the same on the hypervisors"),
    key("DATASTORE_CAPACITY_CHECK", Kind::Switch, "yes", "Refuse an image for which the datastore has no room"),
    key("DEFAULT_DEVICE_PREFIX", Kind::OneOf(&["hd", "sd", "vd"]), "sd", "Kind of disk devices: IDE, SCSI, virtio"),
    word("DEFAULT_CDROM_DEVICE_PREFIX", Kind::OneOf(&["hd", "sd", "vd"]), "hd", "The same for CD-ROMs").until(V7_0),
    key("DEFAULT_IMAGE_TYPE", Kind::OneOf(&["OS", "CDROM", "DATABLOCK"]), "OS", "Kind of an image for which none is given"),
    key("DEFAULT_IMAGE_PERSISTENT", Kind::OneOf(&["", "YES", "NO"]), "", "Whether clones and saved disks are persistent; empty as the original"),
    key("DEFAULT_IMAGE_PERSISTENT_NEW", Kind::OneOf(&["", "YES", "NO"]), "", "Whether new images are persistent; empty for no"),
    key("VM_SNAPSHOT_FACTOR", Kind::Decimal { min: 0, max: i32::MAX as i64 }, "0", "Part of a disk's size that is counted for its snapshots; 0.1 is a tenth"),
    word("IM_MAD[NAME]/EXECUTABLE", Kind::Text, "onemonitord", DRIVER),
    word("IM_MAD[NAME]/ARGUMENTS", Kind::Text, "-c monitord.conf", ARGUMENTS),
    word("IM_MAD[NAME]/THREADS", Kind::COUNT, "8", "Threads for monitoring messages"),
    word("VM_MAD[NAME]/SUNSTONE_NAME", Kind::Text, "by driver", "Name in the web interface"),
    word("VM_MAD[NAME]/EXECUTABLE", Kind::Text, "one_vmm_exec", DRIVER),
    word("VM_MAD[NAME]/ARGUMENTS", Kind::Text, "by driver", ARGUMENTS),
    word("VM_MAD[NAME]/DEFAULT", Kind::Text, "by driver", "File below /etc/one with the driver's defaults"),
    word("VM_MAD[NAME]/TYPE", Kind::OneOf(&["kvm", "qemu", "xml", "xen", "lxc", "vmware"]), "by driver", "Form of the deployment files"),
    word("VM_MAD[NAME]/KEEP_SNAPSHOTS", Kind::Switch, "by driver", "Keep snapshots over power cycles and live migrations"),
    word("VM_MAD[NAME]/LIVE_RESIZE", Kind::Switch, "by driver", "CPUs and memory can be added while a machine runs"),
    word("VM_MAD[NAME]/SUPPORT_SHAREABLE", Kind::Switch, "by driver", "Disks can be shared between machines"),
    word("VM_MAD[NAME]/IMPORTED_VMS_ACTIONS", Kind::Text, "by driver", "Actions on machines that OpenNebula did not create, separated by commas"),
    key("TM_MAD/EXECUTABLE", Kind::Text, "one_tm", DRIVER),
    word("TM_MAD/ARGUMENTS", Kind::Text, "by release", ARGUMENTS),
    key("DATASTORE_MAD/EXECUTABLE", Kind::Text, "one_datastore", DRIVER),
    word("DATASTORE_MAD/ARGUMENTS", Kind::Text, "by release", ARGUMENTS),
    key("MARKET_MAD/EXECUTABLE", Kind::Text, "one_market", DRIVER),
    key("MARKET_MAD/ARGUMENTS", Kind::Text, "-t 15 -m http,s3,one,linuxcontainers", ARGUMENTS),
    key("IPAM_MAD/EXECUTABLE", Kind::Text, "one_ipam", DRIVER),
    key("IPAM_MAD/ARGUMENTS", Kind::Text, "-t 1 -i dummy,aws,equinix,vultr,scaleway", ARGUMENTS),
    key("SCHED_MAD/EXECUTABLE", Kind::Text, "one_sched", DRIVER),
    key("SCHED_MAD/ARGUMENTS", Kind::Text, "-t 15 -p rank -o one_drs", "Arguments of the scheduler's driver; -p names the scheduler that places, -o the one that balances"),
    key("SCHED_MAX_WND_TIME", Kind::COUNT, "10", "Seconds that pending machines are gathered before they are placed"),
    key("SCHED_MAX_WND_LENGTH", Kind::MORE, "7", "Pending machines after which they are placed at once"),
    key("SCHED_RETRY_TIME", Kind::MORE, "60", "Seconds until a machine for which there was no room is tried again"),
    key("MAX_ACTIONS_PER_HOST", Kind::MORE, "1", "Deployments and migrations on a host at the same time"),
    key("MAX_ACTIONS_PER_CLUSTER", Kind::MORE, "30", "Deployments and migrations in a cluster at the same time"),
    key("ACTION_TIMEOUT", Kind::MORE, "300", "Seconds after which a planned action has failed"),
    key("LIVE_RESCHEDS", Kind::whole(0, 1), "0", "Rescheduled machines migrate live (1) or cold (0)"),
    key("COLD_MIGRATE_MODE", Kind::whole(0, 2), "0", "A cold migration saves (0), powers off (1) or cuts the power (2)"),
    key("DRS_INTERVAL", SECONDS_OR_NEVER, "600", "Seconds between the runs that balance clusters; -1 for never"),
    key("HM_MAD/EXECUTABLE", Kind::Text, "one_hm", DRIVER),
    key("HM_MAD/ARGUMENTS", Kind::Text, "-p 2101 -l 2102 -b 127.0.0.1", ARGUMENTS).decided(HOOKS),
    key("HOOK_LOG_CONF/LOG_RETENTION", Kind::COUNT, "20", "Runs of each hook that are kept in the database"),
    key("AUTH_MAD/EXECUTABLE", Kind::Text, "one_auth_mad", DRIVER),
    by("AUTH_MAD/AUTHN", Kind::List, &[(V7_0, "ssh,x509,ldap,server_cipher,server_x509"), (V7_2, "ssh,x509,ldap,server_cipher,server_x509,saml")], "Ways to log in; the services of the pod need server_cipher"),
    key("DEFAULT_AUTH", Kind::Text, "default", "Way to log in for users that OpenNebula does not know yet"),
    key("SESSION_EXPIRATION_TIME", Kind::COUNT, "900", "Seconds for which a login is remembered; 0 for none"),
    key("ENABLE_OTHER_PERMISSIONS", Kind::Switch, "YES", "Users can share with everybody"),
    key("DEFAULT_UMASK", UMASK, "177", "Permissions that a new object does not get, as in Unix"),
    word("ONEGATE_ENDPOINT", Kind::Url, "", "URL of OneGate as virtual machines reach it"),
    word("VM_ADMIN_OPERATIONS", Kind::List, "migrate, delete, recover, retry, deploy, resched, backup, restore", PERMISSIONS),
    word("VM_MANAGE_OPERATIONS", Kind::List, "the vendor's list", PERMISSIONS),
    word("VM_USE_OPERATIONS", Kind::List, "none", PERMISSIONS),
    key("DEFAULT_VDC_HOST_ACL", Kind::Text, "MANAGE", VDC),
    key("DEFAULT_VDC_VNET_ACL", Kind::Text, "USE", VDC),
    key("DEFAULT_VDC_DATASTORE_ACL", Kind::Text, "USE", VDC),
    key("DEFAULT_VDC_CLUSTER_HOST_ACL", Kind::Text, "MANAGE", VDC),
    key("DEFAULT_VDC_CLUSTER_NET_ACL", Kind::Text, "USE", VDC),
    key("DEFAULT_VDC_CLUSTER_DATASTORE_ACL", Kind::Text, "USE", VDC),
    word("VM_RESTRICTED_ATTR", Kind::Repeated, THEIRS, RESTRICTED),
    word("IMAGE_RESTRICTED_ATTR", Kind::Repeated, THEIRS, RESTRICTED),
    word("VNET_RESTRICTED_ATTR", Kind::Repeated, THEIRS, RESTRICTED),
    word("USER_RESTRICTED_ATTR", Kind::Repeated, THEIRS, RESTRICTED),
    word("GROUP_RESTRICTED_ATTR", Kind::Repeated, THEIRS, RESTRICTED),
    word("CLUSTER_ENCRYPTED_ATTR", Kind::Repeated, "none", ENCRYPTED),
    word("VM_ENCRYPTED_ATTR", Kind::Repeated, THEIRS, ENCRYPTED),
    word("HOST_ENCRYPTED_ATTR", Kind::Repeated, "none", ENCRYPTED),
    word("VNET_ENCRYPTED_ATTR", Kind::Repeated, "none", ENCRYPTED),
    word("USER_ENCRYPTED_ATTR", Kind::Repeated, THEIRS, ENCRYPTED),
    word("DATASTORE_ENCRYPTED_ATTR", Kind::Repeated, THEIRS, ENCRYPTED),
    word("IMAGE_ENCRYPTED_ATTR", Kind::Repeated, "none", ENCRYPTED),
    word("DOCUMENT_ENCRYPTED_ATTR", Kind::Repeated, THEIRS, ENCRYPTED),
    word("INHERIT_DATASTORE_ATTR", Kind::Repeated, THEIRS, INHERITED),
    word("INHERIT_IMAGE_ATTR", Kind::Repeated, THEIRS, INHERITED),
    word("INHERIT_VNET_ATTR", Kind::Repeated, THEIRS, INHERITED),
    word("QUOTA_VM_ATTRIBUTE", Kind::Repeated, "none", "Attributes of virtual machines that quotas count"),
    word("TM_MAD_CONF[NAME]/LN_TARGET", TARGET, "by driver", "Where the disk of a persistent image lies"),
    word("TM_MAD_CONF[NAME]/CLONE_TARGET", TARGET, "by driver", "Where the copy of another image lies"),
    word("TM_MAD_CONF[NAME]/SHARED", Kind::Switch, "by driver", "All hosts see the same system datastore"),
    word("TM_MAD_CONF[NAME]/DS_MIGRATE", Kind::Switch, "by driver", "Machines can move to another system datastore"),
    word("TM_MAD_CONF[NAME]/DS_LIVE_MIGRATE", Kind::Switch, "by driver", "The same while they run").since(V7_2),
    word("TM_MAD_CONF[NAME]/DS_MIGRATE_SNAP", Kind::Switch, "by driver", "The same with snapshots").since(V7_2),
    word("TM_MAD_CONF[NAME]/DRIVER", Kind::Text, "by driver", "Format of the disks"),
    word("TM_MAD_CONF[NAME]/DISK_TYPE", Kind::Text, "by driver", "Kind of the disks"),
    word("TM_MAD_CONF[NAME]/TM_MAD_SYSTEM", Kind::List, "by driver", "Other drivers that the system datastore may have"),
    word("TM_MAD_CONF[NAME]/LN_TARGET_SSH", TARGET, "by driver", "LN_TARGET with the system datastore's driver ssh"),
    word("TM_MAD_CONF[NAME]/CLONE_TARGET_SSH", TARGET, "by driver", "CLONE_TARGET with the system datastore's driver ssh"),
    word("TM_MAD_CONF[NAME]/DISK_TYPE_SSH", Kind::Text, "by driver", "DISK_TYPE with the system datastore's driver ssh"),
    word("TM_MAD_CONF[NAME]/LN_TARGET_SHARED", TARGET, "by driver", "LN_TARGET with the system datastore's driver shared").until(V7_0),
    word("TM_MAD_CONF[NAME]/CLONE_TARGET_SHARED", TARGET, "by driver", "CLONE_TARGET with the system datastore's driver shared").until(V7_0),
    word("TM_MAD_CONF[NAME]/DISK_TYPE_SHARED", Kind::Text, "by driver", "DISK_TYPE with the system datastore's driver shared").until(V7_0),
    word("TM_MAD_CONF[NAME]/ALLOW_ORPHANS", Kind::OneOf(&["YES", "NO", "MIXED", "FORMAT", "LINEAR"]), "by driver", "How snapshots depend on each other"),
    word("TM_MAD_CONF[NAME]/PERSISTENT_SNAPSHOTS", Kind::Switch, "by driver", "Snapshots are saved with a persistent image"),
    word("DS_MAD_CONF[NAME]/REQUIRED_ATTRS", Kind::List, "by driver", "Attributes that such a datastore must have"),
    word("DS_MAD_CONF[NAME]/PERSISTENT_ONLY", Kind::Switch, "by driver", "It holds persistent images only"),
    word("DS_MAD_CONF[NAME]/MARKETPLACE_ACTIONS", Kind::Text, "by driver", "What marketplaces can do with it"),
    word("DS_MAD_CONF[NAME]/DATASTORE_CAPACITY_CHECK", Kind::Switch, "by driver", "DATASTORE_CAPACITY_CHECK for this driver").since(V7_2),
    word("MARKET_MAD_CONF[NAME]/SUNSTONE_NAME", Kind::Text, "by driver", "Name in the web interface"),
    word("MARKET_MAD_CONF[NAME]/REQUIRED_ATTRS", Kind::List, "by driver", "Attributes that such a marketplace must have"),
    word("MARKET_MAD_CONF[NAME]/APP_ACTIONS", Kind::List, "by driver", "What can be done with its appliances"),
    word("MARKET_MAD_CONF[NAME]/PUBLIC", Kind::Switch, "by driver", "It is one of the public ones"),
    word("AUTH_MAD_CONF[NAME]/PASSWORD_CHANGE", Kind::Switch, "by driver", "Users can change their own password"),
    word("AUTH_MAD_CONF[NAME]/PASSWORD_REQUIRED", Kind::Switch, "by driver", "A new user needs a password"),
    word("AUTH_MAD_CONF[NAME]/DRIVER_MANAGED_GROUPS", Kind::Switch, "by driver", "The driver decides the groups of a user"),
    word("AUTH_MAD_CONF[NAME]/DRIVER_MANAGED_GROUP_ADMIN", Kind::Switch, "by driver", "The driver decides who administers a group"),
    word("AUTH_MAD_CONF[NAME]/MAX_TOKEN_TIME", SECONDS_OR_NEVER, "by driver", "Longest life of a login token in seconds; -1 without limit, 0 for no tokens"),
    word("VN_MAD_CONF[NAME]/BRIDGE_TYPE", Kind::List, "by driver", "Kind of bridge that the driver uses"),
];

const COST: Kind = Kind::Decimal {
    min: 0,
    max: i32::MAX as i64,
};
const TARGET: Kind = Kind::OneOf(&["NONE", "SELF", "SYSTEM"]);
const THEIRS: &str = "the vendor's list, which is replaced";
const HOOKS: &str = "onehem, OneFlow and FireEdge expect its events at ports 2101 and 2102";
