//! The managers that have driver processes: which, in which order, and what the log says of each.

use std::time::Instant;

use super::drivers::Drivers;
use super::{Oned, bootstrap};
use crate::clock;
use crate::config::value_of;

/// Seconds that loading the drivers takes; with the fixed 2.5 s below, XML-RPC answers after 4.8 s.
const DRIVER_LOAD_SECONDS: f64 = 2.2;
/// A manager and its drivers, as the log names them.
struct Manager {
    module: &'static str,
    loading: &'static str,
    attribute: &'static str,
    driver: &'static str,
    loaded: &'static str,
    starting: &'static str,
    started: &'static str,
}

/// The managers with drivers, in the order of the start. The virtual machine manager names each driver.
const MANAGERS: [Manager; 8] = [
    Manager {
        module: "HKM",
        loading: "Loading Hook Manager driver.",
        attribute: "HM_MAD",
        driver: "hook_exe",
        loaded: "\tHook Manager loaded",
        starting: "Starting Hook Manager...",
        started: "Hook Manager started.",
    },
    Manager {
        module: "VMM",
        loading: "Loading Virtual Machine Manager drivers.",
        attribute: "VM_MAD",
        driver: "",
        loaded: "",
        starting: "Starting Virtual Machine Manager...",
        started: "Virtual Machine Manager started.",
    },
    Manager {
        module: "TrM",
        loading: "Loading Transfer Manager driver.",
        attribute: "TM_MAD",
        driver: "transfer_exe",
        loaded: "\tTransfer manager driver loaded",
        starting: "Starting Transfer Manager...",
        started: "Transfer Manager started.",
    },
    Manager {
        module: "AuM",
        loading: "Loading Auth. Manager driver.",
        attribute: "AUTH_MAD",
        driver: "auth_exe",
        loaded: "\tAuth Manager loaded",
        starting: "Starting Auth Manager...",
        started: "Authorization Manager started.",
    },
    Manager {
        module: "ImM",
        loading: "Loading Image Manager driver.",
        attribute: "DATASTORE_MAD",
        driver: "image_exe",
        loaded: "\tImage Manager loaded",
        starting: "Starting Image Manager...",
        started: "Image Manager started.",
    },
    Manager {
        module: "MKP",
        loading: "Loading Marketplace Manager driver.",
        attribute: "MARKET_MAD",
        driver: "market_exe",
        loaded: "\tMarketplace Manager loaded",
        starting: "Starting Marketplace Manager...",
        started: "Marketplace Manager started.",
    },
    Manager {
        module: "IPM",
        loading: "Loading IPAM Manager driver.",
        attribute: "IPAM_MAD",
        driver: "ipam_exe",
        loaded: "\tIPAM Manager loaded",
        starting: "Starting IPAM Manager...",
        started: "IPAM Manager started.",
    },
    Manager {
        module: "SCM",
        loading: "Loading Scheduler Manager drivers.",
        attribute: "SCHED_MAD",
        driver: "sched_exe",
        loaded: "\tScheduler Manager loaded",
        starting: "Starting Scheduler Manager...",
        started: "Scheduler Manager started.",
    },
];

/// Starts the driver processes; each one's failure ends the start.
pub(crate) fn load(oned: &Oned, drivers: &mut Drivers) -> Result<(), String> {
    let begin = Instant::now();
    let mads = oned.place.mads();
    let log = &oned.log;
    let has_one_auth = bootstrap::one_auth_file().is_ok_and(|file| file.exists());
    for manager in MANAGERS {
        if manager.attribute == "MARKET_MAD" && !has_one_auth {
            // Observed: with a database but without one_auth the start gets as far as this.
            return Err("Could not start the Marketplace Manager".to_owned());
        }
        log.info(manager.module, manager.loading);
        for pairs in oned.config.vectors(manager.attribute) {
            let name = value_of(pairs, "NAME");
            if manager.driver.is_empty() {
                let kind = value_of(pairs, "TYPE").to_uppercase();
                log.info(manager.module, &format!("\tLoading driver: {name} ({kind})"));
            } else {
                log.info("DrM", &format!("Loading driver: {}", manager.driver));
            }
            drivers
                .start(&mads, value_of(pairs, "EXECUTABLE"), value_of(pairs, "ARGUMENTS"))
                .map_err(|why| {
                    log.error("ONE", &format!("Could not load driver: {why}"));
                    "Could not load an OpenNebula driver".to_owned()
                })?;
            if manager.driver.is_empty() {
                log.info(manager.module, &format!("\tDriver {name} loaded."));
            } else {
                log.info("DrM", &format!("\tDriver loaded: {}", manager.driver));
            }
        }
        if !manager.loaded.is_empty() {
            log.info(manager.module, manager.loaded);
        }
        log.info(manager.module, manager.starting);
        log.info("Lis", manager.started);
        if manager.attribute == "HM_MAD" {
            log.info("ONE", "oned started in solo mode.");
        }
    }
    clock::pause(clock::scaled(DRIVER_LOAD_SECONDS).saturating_sub(begin.elapsed()));
    Ok(())
}
