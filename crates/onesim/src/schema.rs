//! OpenNebula's tables: names and columns as in the 7.0 schema.
//!
//! The two bootstrap stages are kept apart, as a federation slave has only the first; the simulator makes
//! both. Nothing here migrates: that is `onedb`.

use crate::clock;
use crate::db::{Db, DbError};
use crate::release::Release;

/// The columns that most pools have.
const POOL: &str = "oid INTEGER PRIMARY KEY, name VARCHAR(128), body MEDIUMTEXT, uid INTEGER, gid INTEGER, \
                    owner_u INTEGER, group_u INTEGER, other_u INTEGER";

fn pool(table: &str, more: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {table} ({POOL}{more})")
}

fn table(name: &str, columns: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {name} ({columns})")
}

/// A table that must not exist: the real daemon makes these without a condition (7.0.2, `src/nebula/SystemDB.cc`).
fn new_table(name: &str, columns: &str) -> String {
    format!("CREATE TABLE {name} ({columns})")
}

/// Local tables, stage 1.
fn local_tables() -> Vec<String> {
    vec![
        table(
            "vm_pool",
            "oid INTEGER PRIMARY KEY, name VARCHAR(128), body MEDIUMTEXT, uid INTEGER, gid INTEGER, \
             state INTEGER, lcm_state INTEGER, resched INTEGER, owner_u INTEGER, group_u INTEGER, \
             other_u INTEGER, short_body MEDIUMTEXT, body_json JSON",
        ),
        table(
            "vm_monitoring",
            "vmid INTEGER, last_poll INTEGER, body MEDIUMTEXT, PRIMARY KEY(vmid, last_poll)",
        ),
        table(
            "history",
            "vid INTEGER, seq INTEGER, body MEDIUMTEXT, stime INTEGER, etime INTEGER, PRIMARY KEY(vid, seq)",
        ),
        table(
            "vm_showback",
            "vmid INTEGER, year INTEGER, month INTEGER, body MEDIUMTEXT, PRIMARY KEY(vmid, year, month)",
        ),
        table(
            "host_pool",
            "oid INTEGER PRIMARY KEY, name VARCHAR(128), body MEDIUMTEXT, state INTEGER, uid INTEGER, \
             gid INTEGER, owner_u INTEGER, group_u INTEGER, other_u INTEGER, cid INTEGER",
        ),
        table(
            "host_monitoring",
            "hid INTEGER, last_mon_time INTEGER, body MEDIUMTEXT, PRIMARY KEY(hid, last_mon_time)",
        ),
        pool("network_pool", ", pid INTEGER, UNIQUE(name,uid)"),
        pool("image_pool", ", UNIQUE(name,uid)"),
        pool("template_pool", ""),
        pool("datastore_pool", ""),
        pool("cluster_pool", ", UNIQUE(name)"),
        table(
            "cluster_datastore_relation",
            "cid INTEGER, oid INTEGER, PRIMARY KEY(cid, oid)",
        ),
        table(
            "cluster_network_relation",
            "cid INTEGER, oid INTEGER, PRIMARY KEY(cid, oid)",
        ),
        table("cluster_vnc_bitmap", "id INTEGER, map LONGTEXT, PRIMARY KEY(id)"),
        table(
            "document_pool",
            "oid INTEGER PRIMARY KEY, name VARCHAR(128), body MEDIUMTEXT, type INTEGER, uid INTEGER, \
             gid INTEGER, owner_u INTEGER, group_u INTEGER, other_u INTEGER",
        ),
        table("user_quotas", "user_oid INTEGER PRIMARY KEY, body MEDIUMTEXT"),
        table("group_quotas", "group_oid INTEGER PRIMARY KEY, body MEDIUMTEXT"),
        pool("secgroup_pool", ", UNIQUE(name,uid)"),
        pool("vrouter_pool", ""),
        pool("vmgroup_pool", ", UNIQUE(name,uid)"),
        pool("vn_template_pool", ""),
        pool("hook_pool", ", type INTEGER"),
        table(
            "hook_log",
            "hkid INTEGER, exeid INTEGER, timestamp INTEGER, rc INTEGER, body MEDIUMTEXT, PRIMARY KEY(hkid, exeid)",
        ),
        pool("backupjob_pool", ", priority INTEGER, outdated_vms INTEGER"),
        table(
            "schedaction_pool",
            "oid INTEGER PRIMARY KEY, parent_id INTEGER, type VARCHAR(128), body MEDIUMTEXT, time INTEGER, done INTEGER",
        ),
        table(
            "plan_pool",
            "cid INTEGER PRIMARY KEY, state INTEGER, body MEDIUMTEXT",
        ),
        new_table(
            "pool_control",
            "tablename VARCHAR(32) PRIMARY KEY, last_oid BIGINT UNSIGNED",
        ),
        new_table(
            "local_db_versioning",
            "oid INTEGER PRIMARY KEY, version VARCHAR(256), timestamp INTEGER, comment VARCHAR(256), is_slave BOOLEAN",
        ),
        table(
            "system_attributes",
            "name VARCHAR(128) PRIMARY KEY, body MEDIUMTEXT",
        ),
    ]
}

/// Shared (federation) tables, stage 2.
fn shared_tables() -> Vec<String> {
    vec![
        pool("group_pool", ", UNIQUE(name)"),
        pool("user_pool", ", UNIQUE(name)"),
        table(
            "acl",
            "oid INT PRIMARY KEY, userset BIGINT, resource BIGINT, rights BIGINT, zone BIGINT, UNIQUE(userset, resource, rights, zone)",
        ),
        pool("zone_pool", ", UNIQUE(name)"),
        pool("vdc_pool", ", UNIQUE(name)"),
        pool("marketplace_pool", ""),
        pool("marketplaceapp_pool", ", UNIQUE(name,uid)"),
        new_table(
            "db_versioning",
            "oid INTEGER PRIMARY KEY, version VARCHAR(256), timestamp INTEGER, comment VARCHAR(256)",
        ),
    ]
}

/// The table of log records, made before the others. Its indexes can be made once: a bootstrap that was interrupted here
/// fails for good, as the real one does (7.0.2, `src/sql/LogDB.cc`).
pub(crate) fn bootstrap_log(db: &Db) -> Result<(), DbError> {
    db.run(
        &table(
            "logdb",
            "log_index BIGINT UNSIGNED PRIMARY KEY, term INTEGER, sqlcmd MEDIUMTEXT, timestamp INTEGER, \
             fed_index BIGINT UNSIGNED, applied BOOLEAN",
        ),
        &[],
    )?;
    db.run("CREATE INDEX fed_index_idx on logdb (fed_index)", &[])?;
    db.run("CREATE INDEX applied_idx on logdb (applied)", &[])
}

/// Stage 1 with its version row.
pub(crate) fn bootstrap_local(db: &Db, release: &Release) -> Result<(), DbError> {
    for statement in local_tables() {
        db.run(&statement, &[])?;
    }
    db.run(
        "INSERT INTO local_db_versioning (oid, version, timestamp, comment, is_slave) VALUES (0, ?, ?, ?, 0)",
        &[release.schema(), &clock::now().to_string(), &comment(release)],
    )
}

/// Stage 2 with its version row.
pub(crate) fn bootstrap_shared(db: &Db, release: &Release) -> Result<(), DbError> {
    for statement in shared_tables() {
        db.run(&statement, &[])?;
    }
    db.run(
        "INSERT INTO db_versioning (oid, version, timestamp, comment) VALUES (0, ?, ?, ?)",
        &[release.schema(), &clock::now().to_string(), &comment(release)],
    )
}

fn comment(release: &Release) -> String {
    format!("OpenNebula {} daemon bootstrap", release.number())
}

/// The newest version in a versioning table; `None` when there is none **or the query failed** (the real
/// daemon does not tell the two apart).
pub(crate) fn version_in(db: &Db, table: &str) -> Option<String> {
    let sql = format!("SELECT version FROM {table} WHERE oid=(SELECT MAX(oid) FROM {table})");
    let rows = db.query(&sql, &[]).ok()?;
    rows.into_iter()
        .next()?
        .into_iter()
        .next()
        .filter(|v| !v.is_empty())
}
