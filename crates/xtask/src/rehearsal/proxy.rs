//! A proxy in front of a registry on this machine that answers some requests itself, as a registry in trouble would. It
//! knows just enough HTTP for one client that sends small bodies with their length; each connection serves one request.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// More than any body that is sent through here.
const TOO_LARGE: u64 = 64 << 20;

/// What goes wrong, for requests of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) method: &'static str,
    /// A part of the path.
    pub(crate) path: &'static str,
    pub(crate) trouble: Trouble,
    /// How many requests it meets.
    pub(crate) times: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// The registry never sees the request: this status, and this header, come instead.
    Answer(&'static str, &'static str),
    /// The registry does what it is asked, and its answer is lost.
    LostAnswer,
}

/// The proxy, until the program ends.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    faults: Vec<Fault>,
    seen: Vec<String>,
}

impl Proxy {
    pub(crate) fn start(registry: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
        let address = listener.local_addr().context("127.0.0.1")?;
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&shared);
                // A client that goes away is its own affair.
                thread::spawn(move || serve(stream, registry, &script));
            }
        });
        Ok(Self { address, script })
    }

    /// What goes wrong from now on; none, nothing.
    pub(crate) fn inject(&self, faults: &[Fault]) {
        let mut script = locked(&self.script);
        script.faults = faults.to_vec();
        script.seen.clear();
    }

    /// The requests since then, as `PUT /v2/…`.
    pub(crate) fn seen(&self) -> Vec<String> {
        locked(&self.script).seen.clone()
    }
}

fn locked(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut client: TcpStream, registry: SocketAddr, script: &Mutex<Script>) -> io::Result<()> {
    let request = Request::read(&client)?;
    let trouble = {
        let mut script = locked(script);
        script.seen.push(format!("{} {}", request.method, request.target));
        let fits = |fault: &Fault| {
            fault.times > 0 && fault.method == request.method && request.target.contains(fault.path)
        };
        let position = script.faults.iter().position(fits);
        position.map(|at| {
            script.faults[at].times -= 1;
            script.faults[at].trouble
        })
    };
    if let Some(Trouble::Answer(status, header)) = trouble {
        return write!(
            client,
            "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let mut server = TcpStream::connect(registry)?;
    write!(server, "{} {} HTTP/1.1\r\n", request.method, request.target)?;
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("connection") {
            write!(server, "{name}: {value}\r\n")?;
        }
    }
    server.write_all(b"Connection: close\r\n\r\n")?;
    server.write_all(&request.body)?;
    if let Some(Trouble::LostAnswer) = trouble {
        io::copy(&mut server, &mut io::sink())?;
        return client.shutdown(Shutdown::Both);
    }
    io::copy(&mut server, &mut client).map(|_| ())
}

/// A request with its body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads one, to the end of the body that its length announces.
    pub(crate) fn read(stream: &TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut words = first.split_whitespace().map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut request = Self {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        let length = request
            .header("Content-Length")
            .and_then(|length| length.parse().ok());
        reader
            .take(length.unwrap_or(0).min(TOO_LARGE))
            .read_to_end(&mut request.body)?;
        Ok(request)
    }

    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }
}
