//! A simulated front-end in a directory of its own, with free ports. Everything ends with the value.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test starts the daemon and is its only parent"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const PASSWORD: &str = "secret";
const PROGRAM: &str = env!("CARGO_BIN_EXE_onesim");
const MADS: [&str; 10] = [
    "onemonitord",
    "one_hm",
    "one_vmm_exec",
    "one_vmm_dummy",
    "one_tm",
    "one_auth_mad",
    "one_datastore",
    "one_market",
    "one_ipam",
    "one_sched",
];

/// The dummy drivers of oned.conf and monitord.conf.
pub(crate) const DUMMY_HYPERVISOR: &str = "VM_MAD = [ NAME = \"dummy\", SUNSTONE_NAME = \"Testing\", EXECUTABLE = \"one_vmm_dummy\", TYPE = \"xml\" ]\n";
const DUMMY_MONITOR: &str = "IM_MAD = [ NAME = \"dummy\", SUNSTONE_NAME = \"Dummy\", EXECUTABLE = \"one_im_sh\", ARGUMENTS = \"-r 3 -t 15 -w 90 dummy\", THREADS = 0 ]\n";

pub(crate) fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// A port that nobody uses and no other test gets: below the range that the kernel gives to connections.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 64;
        let port = 12000 + u16::try_from(step % 20000).unwrap();
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// Polls until `holds`; fails after [`PATIENCE`].
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A directory laid out for `ONE_LOCATION`.
pub(crate) struct FrontEnd {
    directory: tempfile::TempDir,
    pub(crate) port: u16,
    pub(crate) hook_port: u16,
    pub(crate) monitor_port: u16,
    pub(crate) scale: &'static str,
    pub(crate) release: &'static str,
    dummy: bool,
}

impl FrontEnd {
    /// As the packages ship it: only drivers that need a hypervisor.
    pub(crate) fn new() -> Self {
        Self::laid_out(false)
    }

    /// With the dummy drivers, which the packages ship as comments.
    pub(crate) fn with_dummy_drivers() -> Self {
        Self::laid_out(true)
    }

    fn laid_out(dummy: bool) -> Self {
        let front = Self {
            directory: tempfile::tempdir().unwrap(),
            port: free_port(),
            hook_port: free_port(),
            monitor_port: free_port(),
            scale: "0.02",
            release: "7.0.0",
            dummy,
        };
        for inside in ["etc", "var/.one", "var/lock", "lib/mads"] {
            fs::create_dir_all(front.path(inside)).unwrap();
        }
        for mad in MADS {
            symlink(PROGRAM, front.path("lib/mads").join(mad)).unwrap();
        }
        front.configure("DB = [ BACKEND = \"sqlite\" ]");
        let monitor = fs::read_to_string(assets().join("etc/monitord.conf")).unwrap();
        let mut monitor = monitor.replace("4124", &front.monitor_port.to_string());
        if dummy {
            monitor += DUMMY_MONITOR;
        }
        fs::write(front.path("etc/monitord.conf"), monitor).unwrap();
        front.write_auth("one_auth", &format!("oneadmin:{PASSWORD}\n"));
        front
    }

    /// The packaged oned.conf with these lines in front: the first of two values wins.
    pub(crate) fn configure(&self, first: &str) {
        let packaged = fs::read_to_string(assets().join("etc/oned.conf")).unwrap();
        let mut text = format!(
            "{first}\nPORT = {}\nLISTEN_ADDRESS = \"127.0.0.1\"\nHOSTNAME = \"localhost\"\nLOG = [ SYSTEM = \"std\", DEBUG_LEVEL = 3 ]\n\
             HM_MAD = [ EXECUTABLE = \"one_hm\", ARGUMENTS = \"-p {} -l {} -b 127.0.0.1\" ]\n{}",
            self.port,
            self.hook_port,
            free_port(),
            packaged.replace(
                "HM_MAD = [\n  EXECUTABLE = \"one_hm\",\n  ARGUMENTS  = \"-p 2101 -l 2102 -b 127.0.0.1\"\n]",
                ""
            )
        );
        if self.dummy {
            text += DUMMY_HYPERVISOR;
        }
        fs::write(self.path("etc/oned.conf"), text).unwrap();
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.directory.path().join(inside)
    }

    pub(crate) fn auth(&self, name: &str) -> PathBuf {
        self.path("var/.one").join(name)
    }

    pub(crate) fn write_auth(&self, name: &str, text: &str) {
        fs::write(self.auth(name), text).unwrap();
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.path("var/lock/.lock")
    }

    /// A command in this front-end's environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("ONE_LOCATION", self.directory.path())
            .env("ONE_AUTH", self.auth("one_auth"))
            .env("ONE_XMLRPC", format!("http://127.0.0.1:{}/RPC2", self.port))
            .env("ONESIM_TIME_SCALE", self.scale)
            .env("ONESIM_RELEASE", self.release)
            .env("ONESIM_CLOUD", assets().join("lib/cloud.rb"))
            .stdin(Stdio::null());
        command
    }

    /// Runs one of the simulator's programs to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(PROGRAM).args(arguments).output().unwrap()
    }

    /// The same with more in the environment.
    pub(crate) fn run_with(&self, arguments: &[&str], more: &[(&str, &str)]) -> Output {
        let mut command = self.command(PROGRAM);
        command.args(arguments).envs(more.iter().copied());
        command.output().unwrap()
    }

    /// Starts oned; its stderr goes to a file.
    pub(crate) fn start(&self) -> Daemon {
        let log = self.path("stderr");
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut command = self.command(PROGRAM);
        Daemon {
            child: command
                .args(["oned", "-f"])
                .stdout(Stdio::null())
                .stderr(file)
                .spawn()
                .unwrap(),
        }
    }

    /// Starts oned and waits until it answers.
    pub(crate) fn up(&self) -> Daemon {
        let mut daemon = self.start();
        until("oned answers", || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "oned ended with {ended:?}:\n{}", self.log());
            self.session_is_good(PASSWORD)
        });
        daemon
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// The body of one call's answer; empty when nobody answers.
    pub(crate) fn call(&self, method: &str, session: &str, rest: &str) -> String {
        let body = format!(
            "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>\
             <param><value><string>{session}</string></value></param>{rest}</params></methodCall>"
        );
        http(self.port, "POST /RPC2", "Content-Type: text/xml\r\n", &body)
            .map_or_else(String::new, |a| a.body)
    }

    pub(crate) fn session_is_good(&self, password: &str) -> bool {
        let session = format!("oneadmin:{password}");
        self.call(
            "one.user.info",
            &session,
            "<param><value><i4>-1</i4></value></param>",
        )
        .contains("<boolean>1</boolean>")
    }
}

/// A running child; killed when the value goes.
pub(crate) struct Daemon {
    pub(crate) child: Child,
}

impl Daemon {
    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// The exit status, within [`PATIENCE`].
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// One request on a connection of its own; `None` when nobody listens.
pub(crate) fn http(port: u16, request: &str, headers: &str, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let text = format!(
        "{request} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// Both outputs as text.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
