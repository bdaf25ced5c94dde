//! Sockets on which a network namespace can be reached from outside, as /proc/net lists them, and whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result};
use faults::process;

/// Tables of the kernel, with their protocol and the number of the state in which a socket takes what comes: `LISTEN`, and
/// for UDP the state without a peer. See `proc_pid_net(5)`.
const TABLES: [(&str, &str, &str); 4] = [
    ("tcp", "tcp", "0A"),
    ("tcp6", "tcp", "0A"),
    ("udp", "udp", "07"),
    ("udp6", "udp", "07"),
];

/// A port with its protocol, `2633/tcp`, and the numbers of the sockets.
pub(super) type Ports = BTreeMap<String, BTreeSet<u64>>;

/// Ports that can be reached by other addresses than those of the loopback.
pub(super) fn reachable() -> Result<Ports> {
    let mut ports = Ports::new();
    for (table, protocol, state) in TABLES {
        let path = format!("/proc/self/net/{table}");
        // A kernel without IPv6 has no table of it.
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if table.ends_with('6') => continue,
            Err(error) => return Err(error).context(path),
        };
        for (port, inode) in listening(&text, state) {
            ports
                .entry(format!("{port}/{protocol}"))
                .or_default()
                .insert(inode);
        }
    }
    Ok(ports)
}

/// Ports and sockets of a table's lines.
fn listening(table: &str, wanted: &str) -> Vec<(u16, u64)> {
    let lines = table.lines().skip(1);
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, _, _, inode, ..] = fields[..] else {
                return None;
            };
            let (address, port) = local.split_once(':')?;
            if state != wanted || is_loopback(address) {
                return None;
            }
            Some((u16::from_str_radix(port, 16).ok()?, inode.parse().ok()?))
        })
        .collect()
}

/// Addresses are words of four bytes, each with its lowest byte first.
fn is_loopback(address: &str) -> bool {
    const MAPPED: &str = "0000000000000000FFFF0000";
    let four = address.strip_prefix(MAPPED).unwrap_or(address);
    if four.len() == 8 {
        four.ends_with("7F")
    } else {
        address == "00000000000000000000000001000000"
    }
}

/// The first port that the kernel gives to sockets that did not ask for one.
pub(super) fn first_ephemeral() -> Result<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").context("the range of ports")?;
    let first = text.split_whitespace().next().unwrap_or_default();
    first.parse().context("the range of ports")
}

/// The programs that have one of these sockets open.
pub(super) fn holders(inodes: &BTreeSet<u64>) -> String {
    let targets: BTreeSet<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let holds = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|target| targets.contains(target.to_string_lossy().as_ref()))
    };
    let names: BTreeSet<String> = process::pids()
        .into_iter()
        .filter(holds)
        .filter_map(process::name)
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0A49 00000000:0000 0A 00000000:00000000 00:00000000 00000000  9869        0 11 1 0 100 0 0 10 0
   1: 0100007F:12D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000  9869        0 12 1 0 100 0 0 10 0
   2: 0200007F:0A49 0200007F:9C40 01 00000000:00000000 00:00000000 00000000  9869        0 13 1 0 100 0 0 10 0
";

    #[test]
    fn who_listens_on_every_address_is_found_by_port_and_socket() {
        assert_eq!(listening(TCP, "0A"), [(2633, 11)]);
        assert_eq!(listening(TCP, "01"), []);
    }

    #[test]
    fn loopbacks_of_both_families() {
        for inside in [
            "0100007F",
            "0200007F",
            "00000000000000000000000001000000",
            "0000000000000000FFFF00000100007F",
        ] {
            assert!(is_loopback(inside), "{inside}");
        }
        for outside in [
            "00000000",
            "0100000A",
            "00000000000000000000000000000000",
            "0000000000000000FFFF000000000000",
        ] {
            assert!(!is_loopback(outside), "{outside}");
        }
    }

    #[test]
    fn a_socket_of_this_process_is_found_and_has_a_holder() {
        let socket = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let ports = reachable().unwrap();
        let inodes = &ports[&format!("{port}/tcp")];
        assert_eq!(holders(inodes), process::name(std::process::id()).unwrap());
        drop(socket);
        assert_eq!(holders(inodes), "");
    }
}
