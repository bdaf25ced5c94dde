//! Whether oned's first start on a database, its bootstrap, has come to its end.
//!
//! oned's bootstrap can neither be repeated nor is it atomic: an index that exists makes it fail for good, and each pool is
//! filled alone, when its last id is -1 (7.0.2, `src/sql/LogDB.cc`, `src/datastore/DatastorePool.cc`). So a mark in the
//! database tells that a bootstrap has begun on an empty database and whether it is complete, and what must exist is
//! looked at before the mark is trusted. Only a database with the mark, which this program has found empty, is ever
//! emptied, and only while nothing of a user is in it.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// The table of the mark. It is onepod's own and no part of OpenNebula's schema.
pub(crate) const TABLE: &str = "onepod_bootstrap";

/// The most ids that are read from one table: enough to see that there are more than the bootstrap's own.
const MOST_IDS: usize = 64;

/// Objects of a complete bootstrap (7.0.2): table and ids. Users may delete some of them afterwards.
const OBJECTS: [(&str, &[i64]); 9] = [
    ("user_pool", &[0, 1]),
    ("group_pool", &[0, 1]),
    ("cluster_pool", &[0]),
    ("datastore_pool", &[0, 1, 2]),
    ("zone_pool", &[0]),
    ("vdc_pool", &[0]),
    ("secgroup_pool", &[0]),
    ("marketplace_pool", &[0]),
    ("acl", &[0, 1, 2, 3, 4, 5]),
];

/// Objects that no user can delete, whatever the release: without them a database is not a complete one.
const PERMANENT: [(&str, &[i64]); 3] = [("user_pool", &[0]), ("group_pool", &[0]), ("cluster_pool", &[0])];

/// Pools whose first 100 ids are reserved, which their bootstrap says at its end.
const RESERVED: [&str; 7] = [
    "group_pool",
    "cluster_pool",
    "datastore_pool",
    "zone_pool",
    "vdc_pool",
    "secgroup_pool",
    "marketplace_pool",
];

/// The last reserved id.
const LAST_RESERVED: i64 = 99;

/// Tables that OpenNebula fills by itself once it runs.
const FILLED_ALONE: [&str; 2] = ["marketplaceapp_pool", "plan_pool"];

/// How far a bootstrap has come, as the mark in the database says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It has begun on an empty database.
    Begun,
    /// Everything that it makes was seen.
    Complete,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Complete => "complete",
        }
    }

    /// The mark that a row of the table says.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Begun, Self::Complete]
            .into_iter()
            .find(|mark| mark.word() == word)
    }

    /// Statements that write it. `prefix` goes before the table's name.
    pub(super) fn statements(self, prefix: &str) -> [String; 2] {
        [
            format!(
                "CREATE TABLE IF NOT EXISTS {prefix}{TABLE} (id INTEGER PRIMARY KEY, state VARCHAR(16), since VARCHAR(40))"
            ),
            format!(
                "REPLACE INTO {prefix}{TABLE} (id, state, since) VALUES (1, '{}', '{:.0}')",
                self.word(),
                Timestamp::now()
            ),
        ]
    }
}

/// What of a bootstrap, and of users, is in a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// Ids by table, the smallest first.
    ids: BTreeMap<String, Vec<i64>>,
    /// Groups with quotas.
    group_quotas: Vec<i64>,
    /// Datastores of cluster 0.
    cluster_datastores: Vec<i64>,
    /// Last ids by pool.
    last_ids: BTreeMap<String, i64>,
}

/// One question for the inventory: all of them are for numbers, or for words and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// Ids of this table.
    Ids(String),
    GroupQuotas,
    ClusterDatastores,
}

impl Inventory {
    /// The questions for a database with these tables; each answer goes to [`Inventory::answer`].
    pub(super) fn questions(tables: &[String], prefix: &str) -> Vec<(Question, String)> {
        let has = |table: &str| tables.iter().any(|there| there == table);
        let ids = tables
            .iter()
            .filter(|table| table.ends_with("_pool") || *table == "acl")
            .filter(|table| !FILLED_ALONE.contains(&table.as_str()))
            .map(|table| {
                let question = format!("SELECT oid FROM {prefix}{table} ORDER BY oid LIMIT {MOST_IDS}");
                (Question::Ids(table.clone()), question)
            });
        let quotas = has("group_quotas").then(|| {
            let question = format!("SELECT group_oid FROM {prefix}group_quotas LIMIT {MOST_IDS}");
            (Question::GroupQuotas, question)
        });
        let datastores = has("cluster_datastore_relation").then(|| {
            let question =
                format!("SELECT oid FROM {prefix}cluster_datastore_relation WHERE cid = 0 LIMIT {MOST_IDS}");
            (Question::ClusterDatastores, question)
        });
        ids.chain(quotas).chain(datastores).collect()
    }

    /// The question for the last ids, where there is the table for it.
    pub(super) fn last_ids_question(tables: &[String], prefix: &str) -> Option<String> {
        tables
            .iter()
            .any(|table| table == "pool_control")
            .then(|| format!("SELECT tablename, last_oid FROM {prefix}pool_control LIMIT {MOST_IDS}"))
    }

    pub(super) fn answer(&mut self, question: Question, ids: Vec<i64>) {
        match question {
            Question::Ids(table) => drop(self.ids.insert(table, ids)),
            Question::GroupQuotas => self.group_quotas = ids,
            Question::ClusterDatastores => self.cluster_datastores = ids,
        }
    }

    pub(super) fn set_last_ids(&mut self, last_ids: Vec<(String, i64)>) {
        self.last_ids = last_ids.into_iter().collect();
    }

    fn has(&self, table: &str, id: i64) -> bool {
        self.ids.get(table).is_some_and(|ids| ids.contains(&id))
    }

    fn missing_of(&self, objects: &[(&str, &[i64])]) -> Vec<String> {
        objects
            .iter()
            .filter_map(|(table, wanted)| {
                let missing: Vec<String> = wanted
                    .iter()
                    .filter(|id| !self.has(table, **id))
                    .map(i64::to_string)
                    .collect();
                let object = table.trim_end_matches("_pool");
                (!missing.is_empty()).then(|| format!("{object} {}", missing.join(", ")))
            })
            .collect()
    }

    /// What a complete bootstrap would have made and is not there.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = self.missing_of(&OBJECTS);
        for group in [0, 1] {
            if !self.group_quotas.contains(&group) {
                missing.push(format!("quotas of group {group}"));
            }
        }
        for datastore in [0, 1, 2] {
            if !self.cluster_datastores.contains(&datastore) {
                missing.push(format!("datastore {datastore} in cluster 0"));
            }
        }
        for pool in RESERVED {
            if self.last_ids.get(pool).is_none_or(|last| *last < LAST_RESERVED) {
                missing.push(format!("the last id of {pool}"));
            }
        }
        missing
    }

    /// What every database of a front-end in use has, and this one has not.
    pub(crate) fn missing_for_good(&self) -> Vec<String> {
        let mut missing = self.missing_of(&PERMANENT);
        if self.ids.get("zone_pool").is_none_or(Vec::is_empty) {
            missing.push("zone".to_owned());
        }
        missing
    }

    /// Something that no bootstrap makes: the first object of a user.
    pub(crate) fn of_a_user(&self) -> Option<String> {
        self.ids.iter().find_map(|(table, ids)| {
            let own = |id: &i64| match table.as_str() {
                // Rules are made by the bootstrap alone while it is not complete.
                "acl" => true,
                "user_pool" | "group_pool" => *id <= 1,
                pool if RESERVED.contains(&pool) => *id <= LAST_RESERVED,
                _ => false,
            };
            let id = ids.iter().find(|id| !own(id))?;
            Some(format!("{} {id}", table.trim_end_matches("_pool")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a complete bootstrap of 7.0.2 leaves.
    fn complete() -> Inventory {
        let mut inventory = Inventory::default();
        for (table, ids) in OBJECTS {
            inventory.answer(Question::Ids(table.to_owned()), ids.to_vec());
        }
        inventory.answer(Question::GroupQuotas, vec![0, 1]);
        inventory.answer(Question::ClusterDatastores, vec![0, 1, 2]);
        inventory.set_last_ids(RESERVED.map(|pool| (pool.to_owned(), 99)).to_vec());
        inventory
    }

    #[test]
    fn every_part_of_a_bootstrap_is_missed() {
        assert_eq!(complete().missing(), Vec::<String>::new());
        for (table, ids) in OBJECTS {
            for id in ids {
                let mut inventory = complete();
                let left = ids.iter().copied().filter(|other| other != id).collect();
                inventory.answer(Question::Ids(table.to_owned()), left);
                assert_eq!(inventory.missing().len(), 1, "{table} {id}");
            }
        }
        for pool in RESERVED {
            let mut inventory = complete();
            inventory.last_ids.insert(pool.to_owned(), 1);
            assert_eq!(inventory.missing(), [format!("the last id of {pool}")]);
        }
        let mut inventory = complete();
        inventory.answer(Question::GroupQuotas, vec![0]);
        inventory.answer(Question::ClusterDatastores, vec![0, 2]);
        assert_eq!(
            inventory.missing(),
            ["quotas of group 1", "datastore 1 in cluster 0"]
        );
    }

    #[test]
    fn objects_of_users_are_told_from_those_of_the_bootstrap() {
        assert_eq!(complete().of_a_user(), None);
        for (table, id, user) in [
            ("vm_pool", 0, Some("vm 0")),
            ("host_pool", 0, Some("host 0")),
            ("user_pool", 2, Some("user 2")),
            ("group_pool", 100, Some("group 100")),
            ("datastore_pool", 100, Some("datastore 100")),
            ("marketplace_pool", 3, None),
            ("something_new_pool", 0, Some("something_new 0")),
        ] {
            let mut inventory = complete();
            inventory.answer(Question::Ids(table.to_owned()), vec![id]);
            assert_eq!(inventory.of_a_user().as_deref(), user, "{table} {id}");
        }
    }

    #[test]
    fn a_front_end_in_use_may_lack_what_users_may_delete() {
        let mut inventory = complete();
        inventory.answer(Question::Ids("datastore_pool".to_owned()), vec![0, 104]);
        inventory.answer(Question::Ids("acl".to_owned()), vec![7]);
        assert_eq!(inventory.missing_for_good(), Vec::<String>::new());
        inventory.answer(Question::Ids("zone_pool".to_owned()), Vec::new());
        inventory.answer(Question::Ids("cluster_pool".to_owned()), vec![100]);
        assert_eq!(inventory.missing_for_good(), ["cluster 0", "zone"]);
    }

    #[test]
    fn marks_are_read_as_they_are_written() {
        for mark in [Mark::Begun, Mark::Complete] {
            assert_eq!(Mark::from_word(mark.word()), Some(mark));
        }
        assert_eq!(Mark::from_word("perhaps"), None);
    }
}
