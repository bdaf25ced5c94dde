//! Objects in the database: every read and write of a pool goes through here.
//!
//! The tables are the only copy of the state, so that a restart, another process or a restored dump sees
//! what the last call left.

use crate::db::{Db, DbError};
use crate::objects::{self, Kind};
use crate::xml::{self, Element};

/// The pools of one database.
#[derive(Debug)]
pub(crate) struct Store {
    /// The database itself.
    pub(crate) db: Db,
}

impl Store {
    /// The body of one object.
    pub(crate) fn get(&self, kind: Kind, oid: i64) -> Result<Option<Element>, DbError> {
        let sql = format!("SELECT body FROM {} WHERE oid = ?", kind.table);
        let rows = self.db.query(&sql, &[&oid.to_string()])?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .and_then(|body| xml::parse(body)))
    }

    /// The id of the object of that name.
    pub(crate) fn id_of(&self, kind: Kind, name: &str) -> Result<Option<i64>, DbError> {
        let sql = format!("SELECT oid FROM {} WHERE name = ?", kind.table);
        let rows = self.db.query(&sql, &[name])?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .and_then(|oid| oid.parse().ok()))
    }

    /// All bodies, newest id first (`API_LIST_ORDER` DESC).
    pub(crate) fn all(&self, kind: Kind) -> Result<Vec<Element>, DbError> {
        let sql = format!("SELECT body FROM {} ORDER BY oid DESC", kind.table);
        let rows = self.db.query(&sql, &[])?;
        Ok(rows
            .iter()
            .filter_map(|row| row.first())
            .filter_map(|body| xml::parse(body))
            .collect())
    }

    /// The last id of a pool, which the real daemon keeps in `pool_control`; -1 before the first.
    pub(crate) fn last_id(&self, table: &str) -> Result<i64, DbError> {
        let rows = self
            .db
            .query("SELECT last_oid FROM pool_control WHERE tablename = ?", &[table])?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .and_then(|oid| oid.parse().ok())
            .unwrap_or(-1))
    }

    /// The next id of a pool.
    pub(crate) fn next_id(&self, kind: Kind) -> Result<i64, DbError> {
        let next = self.last_id(kind.table)? + 1;
        self.set_last_id(kind, next)?;
        Ok(next)
    }

    /// Sets the last id of a pool.
    pub(crate) fn set_last_id(&self, kind: Kind, last: i64) -> Result<(), DbError> {
        self.db.run(
            "REPLACE INTO pool_control (tablename, last_oid) VALUES (?, ?)",
            &[kind.table, &last.to_string()],
        )
    }

    /// Writes a new object; user and group are those of the body.
    pub(crate) fn insert(&self, kind: Kind, body: &Element) -> Result<(), DbError> {
        let oid = body.text_at(&["ID"]).to_owned();
        let name = body.text_at(&["NAME"]).to_owned();
        let uid = number_or(body, "UID", 0);
        let gid = number_or(body, "GID", 0);
        let (more, marks) = match kind.table {
            "host_pool" => (", state, cid", ", 0, 0"),
            "vm_pool" => (", state, lcm_state, resched", ", 0, 0, 0"),
            "network_pool" => (", pid", ", -1"),
            "document_pool" => (", type", ", 0"),
            _ => ("", ""),
        };
        let sql = format!(
            "INSERT INTO {} (oid, name, body, uid, gid, owner_u, group_u, other_u{more}) VALUES (?, ?, ?, ?, ?, 1, 0, 0{marks})",
            kind.table
        );
        self.db.run(&sql, &[&oid, &name, &body.render(), &uid, &gid])?;
        self.side_columns(kind, body)
    }

    /// Writes the changed body of an object.
    pub(crate) fn update(&self, kind: Kind, body: &Element) -> Result<(), DbError> {
        let sql = format!("UPDATE {} SET name = ?, body = ? WHERE oid = ?", kind.table);
        self.db.run(
            &sql,
            &[body.text_at(&["NAME"]), &body.render(), body.text_at(&["ID"])],
        )?;
        self.side_columns(kind, body)
    }

    /// Removes an object.
    pub(crate) fn remove(&self, kind: Kind, oid: i64) -> Result<(), DbError> {
        self.db.run(
            &format!("DELETE FROM {} WHERE oid = ?", kind.table),
            &[&oid.to_string()],
        )
    }

    /// Columns that repeat a part of the body.
    fn side_columns(&self, kind: Kind, body: &Element) -> Result<(), DbError> {
        let oid = body.text_at(&["ID"]);
        match kind.table {
            "host_pool" => self.db.run(
                "UPDATE host_pool SET state = ?, cid = ? WHERE oid = ?",
                &[body.text_at(&["STATE"]), body.text_at(&["CLUSTER_ID"]), oid],
            ),
            "document_pool" => self.db.run(
                "UPDATE document_pool SET type = ? WHERE oid = ?",
                &[body.text_at(&["TYPE"]), oid],
            ),
            "vm_pool" => {
                let json = format!("{{\"VM\":{{\"ID\":\"{oid}\"}}}}");
                self.db.run(
                    "UPDATE vm_pool SET state = ?, lcm_state = ?, short_body = ?, body_json = ? WHERE oid = ?",
                    &[
                        body.text_at(&["STATE"]),
                        body.text_at(&["LCM_STATE"]),
                        &objects::short_vm(body).render(),
                        &json,
                        oid,
                    ],
                )
            }
            _ => Ok(()),
        }
    }

    /// A system attribute, such as the default quotas.
    pub(crate) fn system_attribute(&self, name: &str) -> Result<Option<Element>, DbError> {
        let rows = self
            .db
            .query("SELECT body FROM system_attributes WHERE name = ?", &[name])?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .and_then(|body| xml::parse(body)))
    }
}

fn number_or(body: &Element, name: &str, default: i64) -> String {
    body.number_at(&[name]).unwrap_or(default).to_string()
}
