//! monitord.conf and schedulers/rank.conf. Sources: the files themselves, `src/monitor/src/monitor/
//! MonitorConfigTemplate.cc` and `src/schedm_mad/remotes/rank/src/sched/SchedulerTemplate.cc`.

use super::Line::V7_2;
use super::{Key, Kind, key, word};

const PERIOD: &str = "Seconds between two reports of a host";

// A table: one line a key.
#[rustfmt::skip]
pub(super) const MONITORD: &[Key] = &[
    key("MANAGER_TIMER", Kind::MORE, "15", "Seconds between two looks for silent hosts"),
    key("MONITORING_INTERVAL_HOST", Kind::MORE, "180", "Seconds of silence after which a host's probes are started again; more than MANAGER_TIMER"),
    key("HOST_MONITORING_EXPIRATION_TIME", Kind::COUNT, "43200", "Seconds that measurements of hosts are kept; 0 for none at all"),
    key("VM_MONITORING_EXPIRATION_TIME", Kind::COUNT, "43200", "Seconds that measurements of virtual machines are kept; 0 for none at all"),
    key("DB/CONNECTIONS", Kind::whole(1, 10_000), "15", "Connections of monitord to the database server, beside those of oned"),
    key("LOG/SYSTEM", Kind::OneOf(&["FILE", "syslog"]), "FILE", "Where monitord's log goes")
        .decided("the pod's log follows the file that monitord writes"),
    key("LOG/DEBUG_LEVEL", Kind::whole(0, 5), "3", "Detail of monitord's log: 0 errors, 1 warnings, 2 information, 3 to 5 more and more"),
    key("NETWORK/ADDRESS", Kind::Address, "::", "Address on which reports of hosts are taken"),
    key("NETWORK/MONITOR_ADDRESS", Kind::Address, "auto", "Address to which hosts send their reports")
        .decided("use OPENNEBULA_MONITOR_ADDRESS"),
    key("NETWORK/PORT", Kind::PORT, "4124", "Port of the reports, TCP and UDP, here and as hosts reach it"),
    key("NETWORK/THREADS", Kind::whole(1, 1024), "8", "Threads for the reports"),
    key("NETWORK/PUBKEY", Kind::Text, "", "File of the public key by which reports are encrypted; empty for none"),
    key("NETWORK/PRIKEY", Kind::Text, "", "File of the private key to it"),
    key("PROBES_PERIOD/BEACON_HOST", Kind::MORE, "30", "Seconds between two signs of life of a host"),
    key("PROBES_PERIOD/SYSTEM_HOST", Kind::MORE, "600", "Seconds between two reports of what a host is made of"),
    key("PROBES_PERIOD/MONITOR_HOST", Kind::MORE, "120", PERIOD),
    key("PROBES_PERIOD/STATE_VM", Kind::MORE, "5", "Seconds between two reports of the states of virtual machines"),
    key("PROBES_PERIOD/EXEC_VM", Kind::MORE, "5", "Seconds between two looks for results of commands in virtual machines").since(V7_2),
    key("PROBES_PERIOD/MONITOR_VM", Kind::MORE, "30", "Seconds between two reports of what virtual machines use"),
    key("PROBES_PERIOD/SYNC_STATE_VM", Kind::MORE, "180", "Seconds of silence after which a host reports all of its virtual machines"),
    word("IM_MAD[NAME]/SUNSTONE_NAME", Kind::Text, "by driver", "Name in the web interface"),
    word("IM_MAD[NAME]/EXECUTABLE", Kind::Text, "one_im_ssh", "Program of the driver, a path or a name in /usr/lib/one/mads"),
    word("IM_MAD[NAME]/ARGUMENTS", Kind::Text, "by driver", "Arguments of the driver"),
    word("IM_MAD[NAME]/THREADS", Kind::COUNT, "0", "Threads of the driver"),
];

// A table: one line a key.
#[rustfmt::skip]
pub(super) const RANK: &[Key] = &[
    key("MEMORY_SYSTEM_DS_SCALE", Kind::Decimal { min: 0, max: i32::MAX as i64 }, "0", "Part of a machine's memory that is added to what it needs of the system datastore, for checkpoints"),
    key("MAX_HOST", Kind::MORE, "1", "Virtual machines that one round brings to a host"),
    key("DIFFERENT_VNETS", Kind::Switch, "YES", "Interfaces of a machine that ask for any network get different ones"),
    key("DEFAULT_SCHED/POLICY", Kind::whole(0, 4), "1", "Choice of the host: 0 packs, 1 spreads, 2 by load, 3 by RANK, 4 by PRIORITY"),
    word("DEFAULT_SCHED/RANK", Kind::Text, "", "Expression over a host's attributes; the host with the highest value wins"),
    key("DEFAULT_DS_SCHED/POLICY", Kind::whole(0, 3), "1", "Choice of the datastore: 0 packs, 1 spreads, 2 by RANK, 3 by PRIORITY"),
    word("DEFAULT_DS_SCHED/RANK", Kind::Text, "", "Expression over a datastore's attributes"),
    key("DEFAULT_NIC_SCHED/POLICY", Kind::whole(0, 3), "1", "Choice of the network: 0 packs, 1 spreads, 2 by RANK, 3 by PRIORITY"),
    word("DEFAULT_NIC_SCHED/RANK", Kind::Text, "", "Expression over a network's attributes"),
    key("LOG/SYSTEM", Kind::OneOf(&["file", "syslog", "std"]), "file", "Where the scheduler's log goes")
        .decided("the pod's log follows the file that the scheduler writes"),
    key("LOG/DEBUG_LEVEL", Kind::whole(0, 5), "3", "Detail of the scheduler's log: 0 errors to 5 every decision"),
];
