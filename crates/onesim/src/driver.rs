//! Driver programs: they say `INIT SUCCESS`, do their one job and end when oned's pipe closes.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use crate::config;
use crate::db::Db;
use crate::log::Log;
use crate::oned;
use crate::place::Place;
use crate::template::{Template, Value};

#[expect(clippy::print_stdout, reason = "drivers talk to oned over stdout")]
fn ready() {
    println!("INIT SUCCESS -");
    let _ = io::stdout().flush();
}

fn until_pipe_closes() {
    let mut buffer = [0; 1024];
    while io::stdin().read(&mut buffer).is_ok_and(|n| n > 0) {}
}

/// A driver that has nothing to do.
pub(crate) fn idle() -> u8 {
    ready();
    until_pipe_closes();
    0
}

/// Accepts connections and keeps them open without a word.
fn hold_connections(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = [0; 1024];
                while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
            });
        }
    });
}

/// `one_hm -p 2101 -l 2102 -b 127.0.0.1`: the publisher and the reply socket of the hook manager.
pub(crate) fn hook_manager(arguments: &[String]) -> u8 {
    let option = |flag: &str, default: &str| {
        let at = arguments.iter().position(|a| a == flag);
        at.and_then(|i| arguments.get(i + 1))
            .cloned()
            .unwrap_or_else(|| default.to_owned())
    };
    let address = option("-b", "127.0.0.1");
    for port in [option("-p", "2101"), option("-l", "2102")] {
        let Ok(port) = port.parse::<u16>() else { return 255 };
        match TcpListener::bind((address.as_str(), port)) {
            Ok(listener) => hold_connections(listener),
            Err(_) => return 255,
        }
    }
    idle()
}

/// The monitor daemon: listens on 4124 with TCP and UDP and writes monitor.log.
pub(crate) fn monitord(_arguments: &[String]) -> u8 {
    let place = Place::from_environment();
    let Ok(conf) = config::read(&place.etc().join("monitord.conf")) else {
        return 255;
    };
    let system = conf.get_in("LOG", "SYSTEM").unwrap_or("file").to_lowercase();
    let log = match system.as_str() {
        "file" => Log::file(&place.log().join("monitor.log")),
        _ => Ok(Log::stderr()),
    };
    // Without its log it does not start, and then neither does oned.
    let Ok(log) = log else { return 255 };
    log.info("MON", "Init Monitor Log system");
    log.info(
        "MON",
        &format!(
            "Starting Monitor Daemon\n{RULE}\n       Monitor Configuration File       \n{RULE}\n{}{RULE}",
            dump(&conf)
        ),
    );
    let address = conf.get_in("NETWORK", "ADDRESS").unwrap_or("0.0.0.0").to_owned();
    let port = conf
        .get_in("NETWORK", "PORT")
        .and_then(|p| p.parse().ok())
        .unwrap_or(4124);
    let Some((tcp, udp)) = listeners(&address, port) else {
        log.error("MON", &format!("Could not bind {address} port {port}"));
        return 255;
    };
    // Its own pool of database connections, beside oned's.
    let Ok(_pool) = own_pool(&place, &conf) else {
        log.error("MON", "Could not open connect to database server");
        return 255;
    };
    hold_connections(tcp);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while udp.recv(&mut buffer).is_ok() {}
    });
    log.info("DrM", "Loading drivers.");
    for name in config::names(&conf, "IM_MAD") {
        log.info("DrM", &format!("Loading driver: {name}"));
        log.info("DrM", &format!("\tDriver loaded: {name}"));
    }
    log.info("HMM", "Raft status: SOLO");
    ready();
    until_pipe_closes();
    log.info("MON", "All monitor drivers finalized, exiting");
    0
}

const RULE: &str = "----------------------------------------";

/// The connections of monitord.conf to the database of oned.conf; nothing for sqlite.
fn own_pool(place: &Place, conf: &Template) -> Result<Option<Db>, String> {
    let config = config::Config::load(place)?;
    if config.get_in("DB", "BACKEND", "") != "mysql" {
        return Ok(None);
    }
    let count = oned::connections(conf.get_in("DB", "CONNECTIONS").unwrap_or("15"));
    Db::mysql(oned::mysql_address(&config), count)
        .map(Some)
        .map_err(|e| e.0)
}

fn listeners(address: &str, port: u16) -> Option<(TcpListener, UdpSocket)> {
    let ip = match address {
        "::" => std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        other => other.parse().ok()?,
    };
    let bind = |at: SocketAddr| Some((TcpListener::bind(at).ok()?, UdpSocket::bind(at).ok()?));
    // A kernel without IPv6 has no "::"; then the same port on IPv4.
    bind(SocketAddr::new(ip, port)).or_else(|| {
        let v6_is_missing = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err();
        (v6_is_missing && ip.is_ipv6()).then(|| bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))))?
    })
}

fn dump(conf: &Template) -> String {
    let mut lines: Vec<String> = conf
        .attributes
        .iter()
        .map(|(name, value)| match value {
            Value::Single(text) => format!("{name}={text}\n"),
            Value::Vector(pairs) => {
                let mut parts: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
                parts.sort();
                format!("{name}={}\n", parts.join(","))
            }
        })
        .collect();
    lines.sort();
    lines.concat()
}
