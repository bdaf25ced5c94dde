//! What happens by itself: hosts and datastores are monitored, pending VMs are placed.
//!
//! One loop with a short tick. All periods come from oned.conf and are scaled like the fixed waits. A VM
//! waits for `SCHED_MAX_WND_TIME`, then needs a monitored host with room and a monitored shared system
//! datastore; otherwise it is tried again after `SCHED_RETRY_TIME`.
//!
//! Drivers that no file configures do nothing: without `IM_MAD` a host stays in INIT, without `VM_MAD` a VM ends in
//! `BOOT_FAILURE` (7.0.2: `HostMonitorManager::start_host_monitor`, `VirtualMachineManager::trigger_deploy`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Oned, vm_log};
use crate::clock;
use crate::config;
use crate::db::DbError;
use crate::log::{Log, stamp};
use crate::objects::{self, DATASTORE, HOST, VM};
use crate::store::Store;
use crate::xml::Element;

/// Seconds after the start at which datastores are monitored first.
const FIRST_MONITORING: f64 = 15.0;
/// Seconds from a host's creation to its first data, or to the failure of a host that cannot be reached.
const HOST_ANSWERS: f64 = 1.0;
/// Seconds until monitord looks again at a host whose driver is not there (`MANAGER_TIMER`).
const MONITORD_LOOKS: f64 = 15.0;
/// The VM state ACTIVE, and what its life cycle comes to.
const ACTIVE: i64 = 3;
const RUNNING: i64 = 3;
const BOOT_FAILURE: i64 = 36;

/// Seconds from the start until the driver of the public marketplace has given up on its name, without internet.
const MARKETPLACE_FAILS: f64 = 27.0;

struct Rounds {
    started: Instant,
    /// How often the public marketplace was monitored.
    marketplace_monitored: u64,
    monitored: u64,
    window: Option<Instant>,
    refused: HashMap<i64, Instant>,
    /// When each new host is looked at next.
    new_hosts: HashMap<i64, Instant>,
    /// The drivers that monitord has loaded.
    monitors: Vec<String>,
    /// Where monitord writes; none when its lines are lost.
    monitor_log: Option<Log>,
}

/// Starts the loop in the background.
pub(crate) fn run(oned: &Arc<Oned>) {
    let oned = Arc::clone(oned);
    std::thread::spawn(move || {
        let conf = config::read(&oned.place.etc().join("monitord.conf")).unwrap_or_default();
        let to_file = conf
            .get_in("LOG", "SYSTEM")
            .is_none_or(|system| system.eq_ignore_ascii_case("file"));
        let log = || Log::file(&oned.place.log().join("monitor.log")).ok();
        let mut rounds = Rounds {
            started: Instant::now(),
            marketplace_monitored: 0,
            monitored: 0,
            window: None,
            refused: HashMap::new(),
            new_hosts: HashMap::new(),
            monitors: config::names(&conf, "IM_MAD"),
            monitor_log: to_file.then(log).flatten(),
        };
        let tick = clock::scaled(0.5).max(Duration::from_millis(50));
        loop {
            clock::pause(tick);
            let turn = oned.turn.lock();
            // A lost database is tried again at the next tick.
            let _ = monitor_hosts(&oned, &mut rounds)
                .and_then(|()| monitor_datastores(&oned, &mut rounds))
                .and_then(|()| place(&oned, &mut rounds));
            drop(turn);
            monitor_marketplace(&oned, &mut rounds);
        }
    });
}

fn monitor_hosts(oned: &Oned, rounds: &mut Rounds) -> Result<(), DbError> {
    let rows = oned
        .store
        .db
        .query("SELECT oid FROM host_pool WHERE state = 0", &[])?;
    let fresh: Vec<i64> = rows.iter().filter_map(|r| r.first()?.parse().ok()).collect();
    rounds.new_hosts.retain(|oid, _| fresh.contains(oid));
    for oid in fresh {
        let now = Instant::now();
        let due = rounds
            .new_hosts
            .entry(oid)
            .or_insert_with(|| now + clock::scaled(HOST_ANSWERS));
        if now < *due {
            continue;
        }
        let Some(mut host) = oned.store.get(HOST, oid)? else {
            continue;
        };
        let driver = host.text_at(&["IM_MAD"]).to_owned();
        if !rounds.monitors.contains(&driver) {
            *due = now + clock::scaled(MONITORD_LOOKS);
            if let Some(log) = &rounds.monitor_log {
                log.error("HMM", &format!("start_monitor: Cannot find driver {driver}"));
            }
            continue;
        }
        if driver == "dummy" {
            objects::monitored_dummy(&mut host);
        } else {
            // There is nothing to log in to.
            host.set("PREV_STATE", 0);
            host.set("STATE", 3);
            oned.log
                .error("HMM", &format!("Unable to monitor host id: {oid}"));
        }
        oned.store.update(HOST, &host)?;
    }
    Ok(())
}

/// The public marketplace without internet, as clusters and simulators have it: a command, a backtrace of Ruby line by
/// line, and an error of several lines (7.0.2; the places in the vendor's files are not).
fn monitor_marketplace(oned: &Oned, rounds: &mut Rounds) {
    let interval = oned.config.number("MONITORING_INTERVAL_MARKET", 600.0).max(1.0);
    let due = clock::scaled(MARKETPLACE_FAILS)
        + clock::scaled(interval) * u32::try_from(rounds.marketplace_monitored).unwrap_or(u32::MAX);
    if rounds.started.elapsed() < due {
        return;
    }
    rounds.marketplace_monitored += 1;
    let cause = "socket.rb:1:in `getaddrinfo': Failed to open TCP connection to marketplace.opennebula.io:443 (getaddrinfo: \
                 Temporary failure in name resolution) (SocketError)";
    let frames = ["from http.rb:1:in `connect'", "from monitor:1:in `<main>'"];
    oned.log
        .line("MKP", 'D', "Monitoring marketplace OpenNebula Public (0)");
    oned.log.info(
        "MKP",
        "Command execution failed (exit code: 1): /var/lib/one/remotes/market/one/monitor PE1BUktFVD4=",
    );
    for line in std::iter::once(cause).chain(frames) {
        oned.log.info("MKP", line);
    }
    let error = std::iter::once(cause)
        .chain(frames)
        .collect::<Vec<_>>()
        .join("\n");
    oned.log
        .error("MKP", &format!("Error monitoring marketplace 0: {error}"));
}

/// The numbers that the dummy drivers report, in MB: total, free, used.
const DUMMY_SPACE: [u64; 3] = [4_796_800, 3_333_260, 1_429_920];

fn monitor_datastores(oned: &Oned, rounds: &mut Rounds) -> Result<(), DbError> {
    let interval = clock::scaled(
        oned.config
            .number("MONITORING_INTERVAL_DATASTORE", 300.0)
            .max(1.0),
    );
    let first = clock::scaled(FIRST_MONITORING);
    let elapsed = rounds.started.elapsed();
    let Some(since_first) = elapsed.checked_sub(first) else {
        return Ok(());
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive count"
    )]
    let due = (since_first.as_secs_f64() / interval.as_secs_f64().max(0.001)) as u64 + 1;
    if due <= rounds.monitored {
        return Ok(());
    }
    rounds.monitored = due;
    for datastore in oned.store.all(DATASTORE)? {
        monitor_datastore(oned, datastore)?;
    }
    Ok(())
}

/// Asks one datastore for its space; the real daemon also does so right after one was created.
pub(crate) fn monitor_datastore(oned: &Oned, mut datastore: Element) -> Result<(), DbError> {
    let system = datastore.text_at(&["TYPE"]) == "1";
    let shared = datastore.text_at(&["TEMPLATE", "SHARED"]) == "YES";
    // A system datastore that is not shared lives on the hosts: their probes report it.
    if system && !shared {
        return Ok(());
    }
    let space = if datastore.text_at(&["TM_MAD"]) == "dummy" {
        DUMMY_SPACE
    } else {
        space_of(oned)
    };
    for (name, value) in ["TOTAL_MB", "FREE_MB", "USED_MB"].iter().zip(space) {
        datastore.set(name, value);
    }
    let (oid, name) = (
        datastore.text_at(&["ID"]).to_owned(),
        datastore.text_at(&["NAME"]).to_owned(),
    );
    oned.store.update(DATASTORE, &datastore)?;
    oned.log.info(
        "ImM",
        &format!("Datastore {name} ({oid}) successfully monitored."),
    );
    Ok(())
}

fn space_of(oned: &Oned) -> [u64; 3] {
    let Ok(space) = rustix::fs::statvfs(oned.place.var()) else {
        return [0; 3];
    };
    let megabytes = |blocks: u64| blocks.saturating_mul(space.f_frsize) / 1_048_576;
    [
        megabytes(space.f_blocks),
        megabytes(space.f_bavail),
        megabytes(space.f_blocks.saturating_sub(space.f_bfree)),
    ]
}

fn place(oned: &Oned, rounds: &mut Rounds) -> Result<(), DbError> {
    let rows = oned
        .store
        .db
        .query("SELECT oid FROM vm_pool WHERE state = 1 ORDER BY oid", &[])?;
    let pending: Vec<i64> = rows.iter().filter_map(|r| r.first()?.parse().ok()).collect();
    rounds.refused.retain(|oid, _| pending.contains(oid));
    let new = pending
        .iter()
        .filter(|oid| !rounds.refused.contains_key(oid))
        .count();
    if new == 0 {
        rounds.window = None;
    } else if rounds.window.is_none() {
        rounds.window = Some(Instant::now());
    }
    let window = clock::scaled(oned.config.number("SCHED_MAX_WND_TIME", 30.0));
    let retry = clock::scaled(oned.config.number("SCHED_RETRY_TIME", 60.0));
    let length = oned.config.number("SCHED_MAX_WND_LENGTH", 7.0);
    #[expect(clippy::cast_precision_loss, reason = "a count of VMs")]
    let full = new > 0 && new as f64 >= length;
    let closed = rounds.window.is_some_and(|opened| opened.elapsed() >= window);
    let again = rounds.refused.values().any(|since| since.elapsed() >= retry);
    if !(full || closed || again) {
        return Ok(());
    }
    rounds.window = None;
    for oid in pending {
        let Some(vm) = oned.store.get(VM, oid)? else {
            continue;
        };
        match choose(oned, &vm)? {
            Ok((host, datastore)) => {
                rounds.refused.remove(&oid);
                let name = host.text_at(&["NAME"]).to_owned();
                let lcm = deploy(oned, vm, host, datastore)?;
                oned.log.info(
                    "VM",
                    &format!("[VM {oid}] New state is ACTIVE, LCM state {lcm}, on {name}"),
                );
            }
            Err(why) => {
                rounds.refused.insert(oid, Instant::now());
                refuse(oned, vm, why)?;
            }
        }
    }
    Ok(())
}

/// A host with room and a system datastore, or why there is none.
fn choose(oned: &Oned, vm: &Element) -> Result<Result<(Element, i64), &'static str>, DbError> {
    let datastores = oned.store.all(DATASTORE)?;
    let usable = datastores.iter().rev().find(|d| {
        d.text_at(&["TYPE"]) == "1"
            && d.text_at(&["STATE"]) == "0"
            && d.text_at(&["TEMPLATE", "SHARED"]) == "YES"
            && d.number_at(&["TOTAL_MB"]).unwrap_or(0) > 0
            && meets(d, vm.text_at(&["USER_TEMPLATE", "SCHED_DS_REQUIREMENTS"]))
    });
    let Some(datastore) = usable.and_then(|d| d.number_at(&["ID"])) else {
        return Ok(Err("Cannot dispatch VM: No system datastores found"));
    };
    let (cpu, memory) = demand(vm);
    let mut hosts: Vec<Element> = oned.store.all(HOST)?;
    let wish = vm.text_at(&["USER_TEMPLATE", "SCHED_REQUIREMENTS"]);
    hosts.retain(|h| h.text_at(&["STATE"]) == "2" && meets(h, wish));
    hosts.sort_by_key(|h| h.number_at(&["HOST_SHARE", "RUNNING_VMS"]).unwrap_or(0));
    let room = |host: &Element, max: &str, used: &str| {
        let share = |name| host.number_at(&["HOST_SHARE", name]).unwrap_or(0);
        share(max) - share(used)
    };
    let host = hosts
        .into_iter()
        .find(|h| room(h, "MAX_CPU", "CPU_USAGE") >= cpu && room(h, "MAX_MEM", "MEM_USAGE") >= memory);
    Ok(host
        .map(|h| (h, datastore))
        .ok_or("Cannot dispatch VM: No hosts found"))
}

/// Whether an object meets requirements of the form `NAME = value`, joined by `&` or `|` (which bind in this
/// order, without parentheses). Other operators are not simulated and hold.
fn meets(object: &Element, requirements: &str) -> bool {
    let term = |text: &str| {
        let Some((name, wanted)) = text.split_once('=') else {
            return true;
        };
        if name.ends_with(['!', '<', '>']) || name.contains('(') {
            return true;
        }
        let (name, wanted) = (name.trim(), wanted.trim().trim_matches('"'));
        [object.text_at(&[name]), object.text_at(&["TEMPLATE", name])].contains(&wanted)
    };
    requirements.trim().is_empty() || requirements.split('|').any(|all| all.split('&').all(term))
}

/// CPU in hundredths, memory in KiB.
fn demand(vm: &Element) -> (i64, i64) {
    let number = |name| {
        vm.text_at(&["TEMPLATE", name])
            .trim()
            .parse::<f64>()
            .unwrap_or(0.0)
    };
    #[expect(clippy::cast_possible_truncation, reason = "small positive numbers")]
    let demand = (
        (number("CPU") * 100.0).round() as i64,
        (number("MEMORY") * 1024.0) as i64,
    );
    demand
}

fn refuse(oned: &Oned, mut vm: Element, why: &str) -> Result<(), DbError> {
    let oid = vm.text_at(&["ID"]).to_owned();
    oned.log.info("SCM", &format!("VM {oid}: {why}"));
    if let Some(template) = vm.child_mut("USER_TEMPLATE") {
        template.replace(Element::cdata("SCHED_MESSAGE", format!("{}: {why}", stamp())));
    }
    oned.store.update(VM, &vm)
}

/// Puts a VM on a host: prolog, boot and running follow at once with the dummy drivers. Gives the LCM state that it
/// came to.
pub(crate) fn deploy(
    oned: &Oned,
    mut vm: Element,
    mut host: Element,
    datastore: i64,
) -> Result<i64, DbError> {
    let store = &oned.store;
    let oid = vm.number_at(&["ID"]).unwrap_or(-1);
    let host_id = host.number_at(&["ID"]).unwrap_or(-1);
    let host_name = host.text_at(&["NAME"]).to_owned();
    let vmm = host.text_at(&["VM_MAD"]).to_owned();
    let tm = store
        .get(DATASTORE, datastore)?
        .map(|d| d.text_at(&["TM_MAD"]).to_owned())
        .unwrap_or_default();
    let now = clock::now();
    let record = objects::history(oid, (host_id, &host_name), &vmm, datastore, &tm, now);
    store.db.run(
        "REPLACE INTO history (vid, seq, body, stime, etime) VALUES (?, 0, ?, ?, 0)",
        &[&oid.to_string(), &record.render(), &now.to_string()],
    )?;
    if let Some(records) = vm.child_mut("HISTORY_RECORDS") {
        records.children = vec![record];
    }
    if let Some(template) = vm.child_mut("USER_TEMPLATE") {
        template.children.retain(|c| c.name != "SCHED_MESSAGE");
    }
    let loaded = oned.config.named("VM_MAD", &vmm, "NAME").is_some();
    if loaded {
        let name = vm.text_at(&["NAME"]).to_owned();
        vm.set("DEPLOY_ID", format!("{host_name}:{name}:{vmm}"));
    } else {
        oned.log.error(
            "VMM",
            &format!("[VM {oid}] deploy_action, error getting driver {vmm}"),
        );
    }
    change_share(&mut host, &vm, 1);
    if let Some(vms) = host.child_mut("VMS") {
        vms.children.push(Element::leaf("ID", oid));
    }
    store.update(HOST, &host)?;
    let last = if loaded { RUNNING } else { BOOT_FAILURE };
    // PROLOG, BOOT, and what comes of it.
    for lcm in [1, 2, last] {
        move_to(&mut vm, ACTIVE, lcm);
        store.update(VM, &vm)?;
        vm_log::moved(oned, oid, ACTIVE, lcm);
    }
    Ok(last)
}

/// Takes a VM from its host's books.
pub(crate) fn leave_host(store: &Store, vm: &Element) -> Result<(), DbError> {
    let record = vm.child("HISTORY_RECORDS").and_then(|h| h.children.last());
    let Some(host_id) = record.and_then(|r| r.number_at(&["HID"])) else {
        return Ok(());
    };
    let Some(mut host) = store.get(HOST, host_id)? else {
        return Ok(());
    };
    let oid = vm.text_at(&["ID"]);
    change_share(&mut host, vm, -1);
    if let Some(vms) = host.child_mut("VMS") {
        vms.children.retain(|c| c.text != oid);
    }
    store.update(HOST, &host)
}

fn change_share(host: &mut Element, vm: &Element, sign: i64) {
    let (cpu, memory) = demand(vm);
    if let Some(share) = host.child_mut("HOST_SHARE") {
        for (name, change) in [("MEM_USAGE", memory), ("CPU_USAGE", cpu), ("RUNNING_VMS", 1)] {
            let now = share.number_at(&[name]).unwrap_or(0) + sign * change;
            share.set(name, now.max(0));
        }
    }
}

/// Sets state and LCM state, keeping the previous ones.
pub(crate) fn move_to(vm: &mut Element, state: i64, lcm: i64) {
    let (before, lcm_before) = (
        vm.text_at(&["STATE"]).to_owned(),
        vm.text_at(&["LCM_STATE"]).to_owned(),
    );
    vm.set("PREV_STATE", before);
    vm.set("PREV_LCM_STATE", lcm_before);
    vm.set("STATE", state);
    vm.set("LCM_STATE", lcm);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_compare_ids_names_and_template_values() {
        let object = Element::new("DATASTORE")
            .with(Element::leaf("ID", 100))
            .with(Element::new("TEMPLATE").with(Element::cdata("TM_MAD", "dummy")));
        for (text, wanted) in [
            ("", true),
            ("ID=100", true),
            ("ID = \"100\"", true),
            ("ID=101", false),
            ("ID=101 | TM_MAD = dummy", true),
            ("ID=100 & TM_MAD = ssh", false),
        ] {
            assert_eq!(meets(&object, text), wanted, "{text:?}");
        }
    }
}
