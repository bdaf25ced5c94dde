//! Probes: whether a service does its work, asked again and again while it runs.
//!
//! However many clients ask for health, a probe runs at its own pace. Deliberately absent: what follows from an answer.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use one_xmlrpc::{Client, Endpoint, Error, UserRef};
use rustix::process::Pid;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::beat;
use super::config::Readiness;
use crate::http::{self, Ask};
use crate::prepare::credentials::login;

/// Time between two questions to a service that is not ready.
const EAGER: Duration = Duration::from_millis(50);

/// A service that is not ready after this long is asked as rarely as one that was ready before: whatever it waits for, it
/// is not a start any more.
const EAGER_FOR: Duration = Duration::from_secs(30);

/// Time between two questions to an essential service that is ready: 4.1 s.
const STEADY: Duration = beat::BEAT;

/// Time between two questions to another service that is ready, 16.4 s: nothing waits for the answer, and an idle pod shall
/// sleep.
const SELDOM: Duration = beat::BEAT.saturating_mul(4);

/// A service that was ready and is not has this long between two questions.
const RETURNING: Duration = Duration::from_millis(500);

/// A question without an answer for this long is answered with no.
const PATIENCE: Duration = Duration::from_secs(3);

/// A probe of one run of a service.
#[derive(Debug)]
pub struct Probe {
    question: Question,
    steady: Duration,
}

#[derive(Debug)]
enum Question {
    Notify(UnixDatagram),
    Http(Method, String),
    Tcp(String),
    XmlRpc { endpoint: Endpoint, auth_file: PathBuf },
    File(PathBuf),
    Connected { address: SocketAddr, pid: Pid },
    Listening { port: u16, pid: Pid },
}

/// What is needed to make a probe.
#[derive(Debug)]
pub struct Run<'a> {
    /// The service's process.
    pub pid: Pid,
    /// The socket for `READY=1`, bound before the process was started; only for services that use it.
    pub notify: Option<UnixDatagram>,
    /// File with user and password for oned.
    pub auth_file: &'a Path,
    /// Whether the pod's readiness hangs on the answer.
    pub essential: bool,
}

impl Probe {
    /// The probe for one run of a service; none when it needs a socket and has not got one.
    #[must_use]
    pub fn new(readiness: &Readiness, run: Run<'_>) -> Option<Self> {
        let question = match readiness.clone() {
            Readiness::Notify => Question::Notify(run.notify?),
            Readiness::Http(method, url) => Question::Http(method, url),
            Readiness::Tcp(address) => Question::Tcp(address),
            Readiness::XmlRpc(endpoint) => Question::XmlRpc {
                endpoint,
                auth_file: run.auth_file.to_owned(),
            },
            Readiness::File(path) => Question::File(path),
            Readiness::Connected(address) => Question::Connected {
                address,
                pid: run.pid,
            },
            Readiness::Listening(port) => Question::Listening { port, pid: run.pid },
        };
        Some(Self {
            question,
            steady: if run.essential { STEADY } else { SELDOM },
        })
    }

    /// Asks until it is dropped, tells every answer that differs from the one before, and counts each with its time.
    pub async fn watch(self, tell: impl Fn(Result<(), String>), count: impl Fn(Duration, bool)) {
        let mut before: Option<Result<(), String>> = None;
        let mut was_ready = false;
        let began = Instant::now();
        loop {
            let asked = Instant::now();
            let answer = match timeout(PATIENCE, self.ask()).await {
                Ok(answer) => answer,
                // A service that notifies is waited for as long as it takes.
                Err(_) if matches!(self.question, Question::Notify(_)) => {
                    Err("has not said READY=1 yet".to_owned())
                }
                Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            };
            let ready = answer.is_ok();
            if !matches!(self.question, Question::Notify(_)) {
                count(asked.elapsed(), ready);
            }
            if before.as_ref() != Some(&answer) {
                tell(answer.clone());
                before = Some(answer);
            }
            was_ready |= ready;
            match (&self.question, ready) {
                // It says so once; after that only its end changes anything.
                (Question::Notify(_), true) => return,
                (Question::Notify(_), false) => {}
                (_, true) => sleep_until(beat::next(self.steady)).await,
                (_, false) if was_ready || began.elapsed() > EAGER_FOR => sleep(RETURNING).await,
                (_, false) => sleep(EAGER).await,
            }
        }
    }

    /// One question; the error is the cause for people.
    async fn ask(&self) -> Result<(), String> {
        match &self.question {
            Question::Notify(socket) => notified(socket).await.map_err(|error| error.to_string()),
            Question::Http(method, url) => {
                match http::status(url, Ask::new(method.clone()), PATIENCE).await {
                    Ok(_) => Ok(()),
                    Err(error) => Err(error.to_string()),
                }
            }
            Question::Tcp(address) => match TcpStream::connect(address).await {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("cannot connect to {address}: {error}")),
            },
            Question::XmlRpc { endpoint, auth_file } => login(endpoint, auth_file).await,
            Question::File(path) => match fs::metadata(path) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
            Question::Connected { address, pid } => match connected(*pid, *address) {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("is not connected to {address}")),
                Err(error) => Err(format!("cannot see its connections: {error}")),
            },
            Question::Listening { port, pid } => match listening(*pid, *port) {
                Ok(true) => Ok(()),
                Ok(false) => Err(format!("does not listen on port {port}")),
                Err(error) => Err(format!("cannot see where it listens: {error}")),
            },
        }
    }
}

/// Binds the socket for `READY=1`.
pub fn notify_socket(path: &Path) -> io::Result<UnixDatagram> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => UnixDatagram::bind(path),
    }
}

/// Waits for `READY=1` on a line of its own, see `sd_notify(3)`.
async fn notified(socket: &UnixDatagram) -> io::Result<()> {
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).await?;
        let mut lines = message
            .get(..length)
            .unwrap_or_default()
            .split(|byte| *byte == b'\n');
        if lines.any(|line| line == b"READY=1") {
            return Ok(());
        }
    }
}

/// Asks oned who we are, with the credentials as they are now: the operator may have changed them. While it is not
/// certain which password is in force, any that is accepted shows that oned does its work.
async fn login(endpoint: &Endpoint, auth_file: &Path) -> Result<(), String> {
    let candidates = login::candidates(auth_file).map_err(|error| error.to_string())?;
    let mut refusal = format!(
        "{} does not exist or holds no line name:password",
        auth_file.display()
    );
    for candidate in candidates {
        let credentials = candidate
            .credentials()
            .map_err(|error| format!("{}: {error}", auth_file.display()))?;
        let client = Client::new(endpoint.clone(), credentials).with_timeout(PATIENCE);
        match client.user_info(UserRef::Caller).await {
            Ok(_) => return Ok(()),
            Err(error @ Error::Authentication { .. }) => {
                refusal = format!(
                    "{error} oned has lost its database, or oneadmin has another password than {}: then set \
                     ONEADMIN_PASSWORD to it",
                    auth_file.display()
                );
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(refusal)
}

/// Whether a process holds an established TCP connection to an address.
fn connected(pid: Pid, address: SocketAddr) -> io::Result<bool> {
    let table = if address.is_ipv4() { "tcp" } else { "tcp6" };
    let remote = hexadecimal(address);
    holds(pid, table, |socket| {
        socket.remote == remote && socket.state == ESTABLISHED
    })
}

/// Whether a process listens on a TCP port, on whatever address.
fn listening(pid: Pid, port: u16) -> io::Result<bool> {
    let port = format!(":{port:04X}");
    let matches = |socket: &Socket<'_>| socket.local.ends_with(&port) && socket.state == LISTEN;
    // Without IPv6 there is no second table.
    Ok(holds(pid, "tcp", matches)? || holds(pid, "tcp6", matches).unwrap_or(false))
}

/// States of `/proc/net/tcp`, see `include/net/tcp_states.h` of Linux.
const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// A row of `/proc/net/tcp`.
struct Socket<'a> {
    local: &'a str,
    remote: &'a str,
    state: &'a str,
    inode: u64,
}

impl<'a> Socket<'a> {
    /// Number, local address, other side, state, queues, timer, retransmissions, uid, timeout, inode: see `proc_pid_net(5)`.
    fn parse(row: &'a str) -> Option<Self> {
        let mut fields = row.split_ascii_whitespace().skip(1);
        Some(Self {
            local: fields.next()?,
            remote: fields.next()?,
            state: fields.next()?,
            inode: fields.nth(5)?.parse().ok()?,
        })
    }
}

/// Whether a process holds a socket of this kind: the table has those of its network, `/proc/PID/fd` its own by inode.
fn holds(pid: Pid, table: &str, matches: impl Fn(&Socket<'_>) -> bool) -> io::Result<bool> {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let table = fs::read_to_string(process.join("net").join(table))?;
    let inodes: Vec<u64> = table
        .lines()
        .skip(1)
        .filter_map(Socket::parse)
        .filter(|socket| matches(socket))
        .map(|socket| socket.inode)
        .collect();
    if inodes.is_empty() {
        return Ok(false);
    }
    Ok(fs::read_dir(process.join("fd"))?
        .filter_map(Result::ok)
        .filter_map(|descriptor| fs::metadata(descriptor.path()).ok())
        .any(|file| inodes.contains(&file.ino())))
}

/// An address as `/proc/net/tcp` writes it: each group of four bytes as a number of this machine, then the port.
fn hexadecimal(address: SocketAddr) -> String {
    let bytes: Vec<u8> = match address {
        SocketAddr::V4(address) => address.ip().octets().to_vec(),
        SocketAddr::V6(address) => address.ip().octets().to_vec(),
    };
    let words = bytes
        .chunks_exact(4)
        .filter_map(|word| word.try_into().ok())
        .map(u32::from_ne_bytes);
    let words: Vec<String> = words.map(|word| format!("{word:08X}")).collect();
    format!("{}:{:04X}", words.concat(), address.port())
}

/// A name for a service's notify socket below onepod's own directory.
#[must_use]
pub fn notify_path(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("notify-{service}.sock"))
}

#[cfg(test)]
mod tests;
