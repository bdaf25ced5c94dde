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
use crate::objects::{self, CLUSTER, DATASTORE, GROUP, Owner, USER, ZONE};
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

/// Fills the pools that are empty.
pub(crate) fn pools(
    store: &Store,
    place: &Place,
    config: &Config,
    release: &Release,
    log: &Log,
) -> Result<(), String> {
    let failed = |_: DbError| "Error Initializing OpenNebula pools".to_owned();
    let exists = |kind| store.get(kind, 0).map(|found| found.is_some()).map_err(failed);
    if !exists(CLUSTER)? {
        insert(store, CLUSTER, &objects::cluster(0, "default", &[0, 1, 2]), 99).map_err(failed)?;
    }
    if !exists(GROUP)? {
        insert(store, GROUP, &objects::group(0, "oneadmin", &[0, 1]), 1).map_err(failed)?;
        insert(store, GROUP, &objects::group(1, "users", &[]), 99).map_err(failed)?;
    }
    let oneadmin = match store.get(USER, 0).map_err(failed)? {
        Some(user) => user.text_at(&["NAME"]).to_owned(),
        None => users(store, place, release, log)?,
    };
    if !exists(ZONE)? {
        // The endpoint is the real daemon's default; it is not changed by PORT.
        insert(
            store,
            ZONE,
            &objects::zone(0, "OpenNebula", "http://localhost:2633/RPC2"),
            99,
        )
        .map_err(failed)?;
    }
    if !exists(DATASTORE)? {
        datastores(store, config, &oneadmin).map_err(failed)?;
    }
    Ok(())
}

fn insert(
    store: &Store,
    kind: objects::Kind,
    body: &crate::xml::Element,
    last_id: i64,
) -> Result<(), DbError> {
    store.insert(kind, body)?;
    store.set_last_id(kind, last_id)
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
    let add = |oid: i64, name: &str, password: &str, driver: &str, last: i64| {
        let body = objects::user(oid, name, password, driver, &[0], &random_hex());
        insert(store, USER, &body, last)
    };
    add(0, name, &sha256(password), "core", 0)
        .map_err(|e| refuse(format!("Error creating oneadmin user: {e}")))?;
    add(1, "serveradmin", &sha256(&secret), "server_cipher", 1)
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
        // The user's own datastores start at 100.
        insert(
            store,
            DATASTORE,
            &objects::datastore(oid, &owner, name, base, &template),
            99,
        )?;
    }
    Ok(())
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
