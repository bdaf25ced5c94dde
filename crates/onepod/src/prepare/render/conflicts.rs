//! Values of oned.conf with which oned cannot start or the pod's services cannot work, found before anything starts.
//!
//! Sources: `src/nebula/Nebula.cc` (what oned refuses at its start), `src/um/UserPool.cc` (who authenticates whom), 7.0.2.

use oned_conf::Document;

use super::{Problem, RenderError};
use crate::settings::overrides::{Override, Section};
use crate::settings::{Database, Settings};

/// The first value of the edited file that cannot work, whatever is in the database.
pub(super) fn find(document: &Document) -> Option<Problem> {
    let conflict = |setting: &str, reason: String| {
        Some(Problem::Conflict {
            setting: format!("oned: {setting}"),
            reason,
        })
    };
    let drivers = document.get_in("AUTH_MAD", "AUTHN");
    let drivers: Vec<&str> = drivers
        .iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .collect();
    if !drivers.is_empty() && !drivers.contains(&"server_cipher") {
        return conflict(
            "AUTH_MAD/AUTHN",
            format!(
                "must have server_cipher, with which FireEdge, OneFlow and OneGate log in; it is {:?}",
                drivers.join(",")
            ),
        );
    }
    if let Some(driver) = document.get("DEFAULT_AUTH")
        && driver != "default"
        && !driver.is_empty()
        && !drivers.is_empty()
        && !drivers.contains(&&*driver)
    {
        return conflict(
            "DEFAULT_AUTH",
            format!(
                "must be one of AUTH_MAD/AUTHN ({}), or be added there; it is {driver:?}",
                drivers.join(", ")
            ),
        );
    }
    let mode = document.get_in("FEDERATION", "MODE").unwrap_or_default();
    let master = document.get_in("FEDERATION", "MASTER_ONED").unwrap_or_default();
    if matches!(mode.to_ascii_uppercase().as_str(), "SLAVE" | "CACHE") && master.is_empty() {
        return conflict(
            "FEDERATION/MASTER_ONED",
            format!("must be the URL of the master zone's API when FEDERATION/MODE is {mode}"),
        );
    }
    None
}

/// The value with which oned does not bootstrap an empty database, if the settings have one.
pub(super) fn needs_tables(section: Option<&Section>) -> Option<(String, &'static str)> {
    let mut values = section?.attributes.iter().flat_map(Override::values);
    values.find_map(|(place, value)| {
        let (bad, instead) = match place.plain().as_str() {
            "FEDERATION/SERVER_ID" => (value.trim() != "-1", "-1"),
            "FEDERATION/MODE" => (!value.eq_ignore_ascii_case("STANDALONE"), "STANDALONE"),
            _ => return None,
        };
        bad.then(|| (format!("oned: {place} = {value}"), instead))
    })
}

/// Keys of the connection to the database that the other backend has, a sentence for each.
pub(super) fn without_effect(section: &Section, settings: &Settings) -> Vec<String> {
    let (backend, others): (_, &[&str]) = match settings.database() {
        Database::Sqlite => ("sqlite", &["DB/CONNECTIONS", "DB/COMPARE_BINARY", "DB/ENCODING"]),
        Database::MySql(_) => ("mysql", &["DB/TIMEOUT"]),
    };
    let values = section.attributes.iter().flat_map(Override::values);
    values
        .map(|(place, _)| place.plain())
        .filter(|name| others.contains(&name.as_str()))
        .map(|name| {
            format!(
                "{name} (ONEPOD_CONFIG, {}) has no effect with DB_BACKEND {backend}",
                section.file.section
            )
        })
        .collect()
}

/// Refuses settings with which oned does not bootstrap its database, where the database is empty.
pub fn admit_empty(settings: &Settings) -> Result<(), RenderError> {
    match needs_tables(settings.overrides().section("oned")) {
        Some((setting, instead)) => Err(RenderError::EmptyDatabase { setting, instead }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Overrides;

    fn found(text: &str) -> String {
        find(&Document::parse(text).unwrap()).map_or_else(String::new, |problem| problem.to_string())
    }

    #[test]
    fn what_oned_or_the_services_cannot_work_with_is_found() {
        for (text, part) in [
            (
                "AUTH_MAD = [ AUTHN = \"ssh,ldap\" ]\n",
                "AUTH_MAD/AUTHN must have server_cipher",
            ),
            (
                "AUTH_MAD = [ AUTHN = \"ssh, server_cipher\" ]\nDEFAULT_AUTH = \"ldap\"\n",
                "DEFAULT_AUTH must be one of AUTH_MAD/AUTHN (ssh, server_cipher)",
            ),
            (
                "FEDERATION = [ MODE = \"SLAVE\", MASTER_ONED = \"\" ]\n",
                "FEDERATION/MASTER_ONED must be the URL",
            ),
            (
                "FEDERATION = [ MODE = \"SLAVE\", MASTER_ONED = \"http://m:2633/RPC2\" ]\n",
                "",
            ),
            (
                "AUTH_MAD = [ AUTHN = \"ssh, server_cipher\" ]\nDEFAULT_AUTH = \"default\"\n",
                "",
            ),
            ("PORT = 2633\n", ""),
        ] {
            let found = found(text);
            assert!(
                found.contains(part) && found.is_empty() == part.is_empty(),
                "{text}: {found}"
            );
        }
    }

    #[test]
    fn an_empty_database_needs_a_single_server() {
        for (yaml, setting) in [
            (
                "oned:\n  FEDERATION/SERVER_ID: 0\n",
                Some("oned: FEDERATION/SERVER_ID = 0"),
            ),
            (
                "oned:\n  FEDERATION: {MODE: MASTER}\n",
                Some("oned: FEDERATION/MODE = MASTER"),
            ),
            ("oned:\n  FEDERATION: {MODE: STANDALONE, SERVER_ID: -1}\n", None),
            ("monitord:\n  MONITORING_INTERVAL_HOST: 60\n", None),
        ] {
            let overrides = Overrides::parse(yaml).unwrap();
            let found = needs_tables(overrides.section("oned")).map(|(setting, _)| setting);
            assert_eq!(found.as_deref(), setting, "{yaml}");
        }
    }
}
