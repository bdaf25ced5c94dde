//! The log of each virtual machine: where the real one writes it, in its format.
//!
//! `/var/log/one/ID.log`, or `vms/ID/vm.log` below /var/lib/one with `LOG = [ USE_VMS_LOCATION = "YES" ]` and in a
//! self-contained installation (`Nebula::get_vm_log_filename`). With another `LOG/SYSTEM` than `file` there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::Oned;
use crate::log::Log;

const STATES: [&str; 10] = [
    "INIT",
    "PENDING",
    "HOLD",
    "ACTIVE",
    "STOPPED",
    "SUSPENDED",
    "DONE",
    "FAILED",
    "POWEROFF",
    "UNDEPLOYED",
];

/// Writes what became of a machine.
pub(crate) fn moved(oned: &Oned, oid: i64, state: i64, lcm: i64) {
    let name = usize::try_from(state).ok().and_then(|state| STATES.get(state));
    line(oned, oid, &format!("New state is {}", name.unwrap_or(&"INIT")));
    if state == 3 {
        let lcm = match lcm {
            1 => "PROLOG",
            2 => "BOOT",
            3 => "RUNNING",
            36 => "BOOT_FAILURE",
            _ => "LCM_INIT",
        };
        line(oned, oid, &format!("New LCM state is {lcm}"));
    }
}

fn line(oned: &Oned, oid: i64, text: &str) {
    if !oned
        .config
        .get_in("LOG", "SYSTEM", "file")
        .eq_ignore_ascii_case("file")
    {
        return;
    }
    let own = oned.place.var().join("vms").join(oid.to_string());
    let made = fs::create_dir_all(&own);
    // A machine that cannot be logged runs all the same.
    let _ = made.and_then(|()| fs::set_permissions(&own, fs::Permissions::from_mode(0o700)));
    let in_own = oned.place.is_self_contained()
        || oned
            .config
            .get_in("LOG", "USE_VMS_LOCATION", "NO")
            .eq_ignore_ascii_case("yes");
    let path = if in_own {
        own.join("vm.log")
    } else {
        oned.place.log().join(format!("{oid}.log"))
    };
    if let Ok(log) = Log::file(&path) {
        log.info("VM", text);
    }
}
