//! The first start: tables, then the objects that every installation has.
//!
//! The order matters to whoever prepares the files: `one_key` exists before the database is touched, the
//! services' password files are made by the user pool, and they must not exist when user 0 does not.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::session::sha256;
use super::{check_version, make_auth_directory, random_hex};
use crate::config::Config;
use crate::db::{Db, DbError};
use crate::log::Log;
use crate::objects::{self, CLUSTER, DATASTORE, GROUP, MARKET, Owner, SECURITY_GROUP, USER, VDC, ZONE};
use crate::place::{Place, home_of};
use crate::release::Release;
use crate::schema;
use crate::store::Store;
use crate::template::{Template, Value};

/// Checks the schema version and makes what is missing.
pub(crate) fn tables(
    db: &Db,
    release: &Release,
    log: &Log,
    server_id: &str,
    bootstrap_only: bool,
) -> Result<(), String> {
    let failed = |_: DbError| "Error bootstrapping database.".to_owned();
    let local = check_version(db, "local_db_versioning", release, log)?;
    let shared = check_version(db, "db_versioning", release, log)?;
    let solo = server_id == "-1";
    if (solo && !local) || bootstrap_only {
        schema::bootstrap_log(db).map_err(failed)?;
    }
    let complete = local && shared;
    if !complete && !solo {
        return Err("Database has to be bootstraped to start oned in HA".to_owned());
    }
    if !local {
        log.info("ONE", "Bootstrapping OpenNebula database, stage 1.");
        schema::bootstrap_local(db, release).map_err(failed)?;
    }
    if !shared {
        log.info("ONE", "Bootstrapping OpenNebula database, stage 2.");
        schema::bootstrap_shared(db, release).map_err(failed)?;
    }
    Ok(())
}

/// Fills the pools whose last id is -1, each alone and its last id at the end, as the real daemon does (7.0.2,
/// `src/group/GroupPool.cc` and its like): one that was interrupted in between is never completed.
pub(crate) fn pools(
    store: &Store,
    place: &Place,
    config: &Config,
    release: &Release,
    log: &Log,
) -> Result<(), String> {
    let failed = |_: DbError| "Error Initializing OpenNebula pools".to_owned();
    let is_new = |kind: objects::Kind| store.last_id(kind.table).map(|last| last == -1).map_err(failed);
    if store.last_id("acl").map_err(failed)? == -1 {
        for rule in 0..3 {
            acl_rule(store, rule).map_err(failed)?;
        }
    }
    if is_new(CLUSTER)? {
        insert(store, CLUSTER, &objects::cluster(0, "default", &[])).map_err(failed)?;
        store.set_last_id(CLUSTER, LAST_RESERVED).map_err(failed)?;
    }
    if is_new(GROUP)? {
        for (oid, name, users) in [(0, "oneadmin", &[0, 1][..]), (1, "users", &[])] {
            insert(store, GROUP, &objects::group(oid, name, users)).map_err(failed)?;
            store
                .db
                .run(
                    "INSERT INTO group_quotas (group_oid, body) VALUES (?, '')",
                    &[&oid.to_string()],
                )
                .map_err(failed)?;
        }
        store.set_last_id(GROUP, LAST_RESERVED).map_err(failed)?;
    }
    let oneadmin = match store.get(USER, 0).map_err(failed)? {
        Some(user) => user.text_at(&["NAME"]).to_owned(),
        None => users(store, place, release, log)?,
    };
    if is_new(DATASTORE)? {
        datastores(store, config, &oneadmin).map_err(failed)?;
    }
    if is_new(ZONE)? {
        // The endpoint is the real daemon's default; it is not changed by PORT.
        let zone = objects::zone(0, "OpenNebula", "http://localhost:2633/RPC2");
        insert(store, ZONE, &zone).map_err(failed)?;
        store.set_last_id(ZONE, LAST_RESERVED).map_err(failed)?;
    }
    let owner = Owner::oneadmin(&oneadmin);
    for (kind, names) in [
        (VDC, &["default"][..]),
        (SECURITY_GROUP, &["default"]),
        (MARKET, &["OpenNebula Public", "Linux Containers"]),
    ] {
        if is_new(kind)? {
            for (oid, name) in (0..).zip(names) {
                insert(store, kind, &objects::plain(kind, oid, &owner, name)).map_err(failed)?;
            }
            // Users of the default VDC may use the default cluster's hosts, datastores and networks.
            for rule in (3..6).filter(|_| kind == VDC) {
                acl_rule(store, rule).map_err(failed)?;
            }
            store.set_last_id(kind, LAST_RESERVED).map_err(failed)?;
        }
    }
    default_quotas(store).map_err(failed)
}

/// Ids of users' own clusters, groups, datastores and their like start after this one.
const LAST_RESERVED: i64 = 99;

fn insert(store: &Store, kind: objects::Kind, body: &crate::xml::Element) -> Result<(), DbError> {
    store.insert(kind, body)?;
    let oid = body.number_at(&["ID"]).unwrap_or_default();
    store.set_last_id(kind, oid)
}

/// One of the rules of the access control list; what it says is not simulated.
fn acl_rule(store: &Store, oid: i64) -> Result<(), DbError> {
    let oid = oid.to_string();
    store.db.run(
        "INSERT INTO acl (oid, userset, resource, rights, zone) VALUES (?, ?, 0, 1, 0)",
        &[&oid, &oid],
    )?;
    store.db.run(
        "REPLACE INTO pool_control (tablename, last_oid) VALUES ('acl', ?)",
        &[&oid],
    )
}

/// The quotas of whoever has none of their own; made when they are first looked for.
fn default_quotas(store: &Store) -> Result<(), DbError> {
    for name in ["DEFAULT_USER_QUOTAS", "DEFAULT_GROUP_QUOTAS"] {
        if store.system_attribute(name)?.is_some() {
            continue;
        }
        let body = objects::with_quotas(crate::xml::Element::new(name)).render();
        store.db.run(
            "INSERT INTO system_attributes (name, body) VALUES (?, ?)",
            &[name, &body],
        )?;
    }
    Ok(())
}

/// `one_auth` as the daemon looks for it: `$ONE_AUTH`, else the home directory of its user.
pub(crate) fn one_auth_file() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ONE_AUTH") {
        return Ok(PathBuf::from(path));
    }
    home_of(rustix::process::getuid().as_raw())
        .map(|home| home.join(".one/one_auth"))
        .ok_or_else(|| "Could not get one_auth file location".to_owned())
}

/// Users 0 and 1 and the services' password files; returns the name of user 0.
fn users(store: &Store, place: &Place, release: &Release, log: &Log) -> Result<String, String> {
    let refuse = |message: String| {
        log.error("ONE", &message);
        message
    };
    let file = one_auth_file().map_err(|e| refuse(format!("Error reading one_auth: {e}")))?;
    let text = fs::read_to_string(&file).map_err(|_| {
        refuse(format!(
            "Error reading one_auth: Could not open file {}",
            file.display()
        ))
    })?;
    let line = text.lines().next().unwrap_or_default();
    let Some((name, password)) = line.split_once(':') else {
        return Err(refuse("Wrong format must be <username>:<password>".to_owned()));
    };
    if name == "serveradmin" {
        return Err(refuse("The name 'serveradmin' is reserved".to_owned()));
    }
    let secret = random_hex();
    make_auth_directory(place);
    for service in release.service_auth_files() {
        let path = place.auth().join(service);
        if path.exists() {
            return Err(refuse(format!(
                "Password file {} already exists but OpenNebula is boostraping the database. Check your database configuration in oned.conf.",
                path.display()
            )));
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut out| writeln!(out, "serveradmin:{secret}"))
            .map_err(|_| refuse(format!("Could not create configuration file {}", path.display())))?;
    }
    let add = |oid: i64, name: &str, password: &str, driver: &str| {
        let body = objects::user(oid, name, password, driver, &[0], &random_hex());
        insert(store, USER, &body)
    };
    add(0, name, &sha256(password), "core")
        .map_err(|e| refuse(format!("Error creating oneadmin user: {e}")))?;
    add(1, "serveradmin", &sha256(&secret), "server_cipher")
        .map_err(|e| refuse(format!("Error creating server_admin user: {e}")))?;
    Ok(name.to_owned())
}

fn datastores(store: &Store, config: &Config, oneadmin: &str) -> Result<(), DbError> {
    let base = config.get("DATASTORE_LOCATION");
    let owner = Owner::oneadmin(oneadmin);
    for (oid, name, kind) in [
        (0, "system", "SYSTEM_DS"),
        (1, "default", "IMAGE_DS"),
        (2, "files", "FILE_DS"),
    ] {
        let mut template = Template::default();
        template
            .attributes
            .push(("TYPE".to_owned(), Value::Single(kind.to_owned())));
        if kind != "SYSTEM_DS" {
            template
                .attributes
                .push(("DS_MAD".to_owned(), Value::Single("fs".to_owned())));
        }
        template
            .attributes
            .push(("TM_MAD".to_owned(), Value::Single("local".to_owned())));
        let template = with_driver_attributes(&template, config);
        insert(
            store,
            DATASTORE,
            &objects::datastore(oid, &owner, name, base, &template),
        )?;
        let ids: Vec<i64> = (0..=oid).collect();
        store.update(CLUSTER, &objects::cluster(0, "default", &ids))?;
        store.db.run(
            "INSERT INTO cluster_datastore_relation (cid, oid) VALUES (0, ?)",
            &[&oid.to_string()],
        )?;
    }
    store.set_last_id(DATASTORE, LAST_RESERVED)
}

/// The template of a datastore with what its transfer driver says in `TM_MAD_CONF`.
pub(crate) fn with_driver_attributes(template: &Template, config: &Config) -> Template {
    let mut all = template.clone();
    let system = template.get("TYPE") == Some("SYSTEM_DS");
    let transfer = template.get("TM_MAD").unwrap_or_default().to_owned();
    let from_driver: &[&str] = if system {
        &["SHARED", "DS_MIGRATE"]
    } else {
        &["LN_TARGET", "CLONE_TARGET"]
    };
    let mut set = |name: &str, value: &str| {
        all.attributes.retain(|(n, _)| n != name);
        all.attributes
            .push((name.to_owned(), Value::Single(value.to_owned())));
    };
    for key in from_driver {
        if let Some(value) = config.named("TM_MAD_CONF", &transfer, key) {
            set(key, value);
        }
    }
    set(
        "ALLOW_ORPHANS",
        config
            .named("TM_MAD_CONF", &transfer, "ALLOW_ORPHANS")
            .unwrap_or("NO"),
    );
    for (name, value) in [
        ("PERSISTENT_SNAPSHOTS", "YES"),
        ("RESTRICTED_DIRS", "/"),
        ("SAFE_DIRS", "/var/tmp"),
    ] {
        if template.get(name).is_none() {
            set(name, value);
        }
    }
    if template.get("DISK_TYPE").is_none() && template.get("TYPE") != Some("FILE_DS") {
        set("DISK_TYPE", "FILE");
    }
    all
}
