//! oned.conf: the database, the front-end's name, the log on stderr, and the overrides.

use super::{Problem, Sheet};
use crate::settings::{Database, Settings};

/// The text with the settings in it.
pub(super) fn edit(text: &str, settings: &Settings) -> Result<String, Problem> {
    let mut sheet = Sheet::read(text)?;
    // To stderr, which the supervisor forwards (OpenNebula 7.0.2 has file, syslog and std).
    sheet.set_in("the pod's log", "LOG", "SYSTEM", "std")?;
    sheet.set("OPENNEBULA_HOSTNAME", "HOSTNAME", settings.hostname())?;
    match settings.database() {
        Database::Sqlite => sheet.set_in("DB_BACKEND", "DB", "BACKEND", "sqlite")?,
        Database::MySql(server) => {
            for (setting, key, value) in [
                ("DB_BACKEND", "BACKEND", "mysql"),
                ("DB_HOST", "SERVER", server.host()),
                ("DB_PORT", "PORT", &server.port().to_string()),
                ("DB_USER", "USER", server.user()),
                ("DB_PASSWORD", "PASSWD", server.password().expose()),
                ("DB_NAME", "DB_NAME", server.name()),
            ] {
                sheet.set_in(setting, "DB", key, value)?;
            }
        }
    }
    sheet.set_overrides("oned", settings.overrides().oned())?;
    Ok(sheet.text())
}
