//! monitord.conf: the address that hosts send their monitoring to, and the overrides.
//!
//! Its log stays in the file that the supervisor follows: with the log on stderr its lines are lost, because oned gives
//! its drivers none (seen with 7.0.2).

use super::{Problem, Sheet};
use crate::settings::Settings;

/// The text with the settings in it.
pub(super) fn edit(text: &str, settings: &Settings) -> Result<String, Problem> {
    let mut sheet = Sheet::read(text)?;
    sheet.set_in(
        "OPENNEBULA_MONITOR_ADDRESS",
        "NETWORK",
        "MONITOR_ADDRESS",
        settings.monitor_address(),
    )?;
    sheet.set_overrides("monitord", settings.overrides().monitord())?;
    Ok(sheet.text())
}
