//! Whether the database server allows as many connections as OpenNebula opens at its start: oned opens all of
//! `DB/CONNECTIONS` at once and exits when one is refused, and so does monitord (`src/sql/MySqlDB.cc`, 7.0.2).

use mysql_async::prelude::Queryable as _;

use super::database::mysql::{self, Login};
use crate::settings::overrides::Override;
use crate::settings::{Database, Settings};

/// What oned and monitord open where nothing is set (oned.conf and monitord.conf, 7.0 to 7.4).
const DEFAULTS: [(&str, u64); 2] = [("oned", 25), ("monitord", 15)];

/// What onepod itself and the vendor's tools need beside these.
const OWN: u64 = 3;

/// The server's limit is too low.
#[derive(Debug, thiserror::Error)]
#[error(
    "database {host}:{port}: the server allows {allowed} connections ({variable}), and oned and monitord open {oned} and \
     {monitord} at their start: raise {variable}, or lower DB/CONNECTIONS of oned or monitord (ONEPOD_CONFIG, config of \
     the chart)"
)]
pub struct CapacityError {
    host: String,
    port: u16,
    allowed: u64,
    variable: &'static str,
    oned: u64,
    monitord: u64,
}

/// Refuses a server whose limit is too low. What cannot be asked is not refused: the stage database says why.
pub(super) async fn admit(settings: &Settings) -> Result<(), CapacityError> {
    let Database::MySql(server) = settings.database() else {
        return Ok(());
    };
    let Ok(Login::In(mut connection)) = mysql::log_in(server).await else {
        return Ok(());
    };
    let limits: Result<Option<(u64, u64)>, _> = connection
        .query_first("SELECT @@global.max_connections, @@session.max_user_connections")
        .await;
    let _ = connection.disconnect().await;
    let Ok(Some((all, of_user))) = limits else {
        return Ok(());
    };
    // 0 stands for no limit of the user's.
    let (allowed, variable) = if of_user > 0 && of_user < all {
        (of_user, "max_user_connections")
    } else {
        (all, "max_connections")
    };
    let [oned, monitord] =
        DEFAULTS.map(|(section, default)| connections(settings, section).unwrap_or(default));
    if oned + monitord + OWN <= allowed {
        return Ok(());
    }
    Err(CapacityError {
        host: server.host().to_owned(),
        port: server.port(),
        allowed,
        variable,
        oned,
        monitord,
    })
}

/// What is set for the program of that section.
fn connections(settings: &Settings, section: &str) -> Option<u64> {
    let attributes = &settings.overrides().section(section)?.attributes;
    let mut values = attributes.iter().flat_map(Override::values);
    let (_, value) = values.find(|(place, _)| place.plain() == "DB/CONNECTIONS")?;
    value.trim().parse().ok()
}
