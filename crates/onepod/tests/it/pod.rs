//! A pod for tests: `onepod` as PID 1 under `unshare`, with services that are shell scripts.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getuid, kill_process};
use tempfile::TempDir;

/// A condition that does not come true within this has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until a condition is true; fails with `what` when it never is.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: not within {} s",
            PATIENCE.as_secs()
        );
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two looks at a condition with a deadline"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// `unshare` with a PID namespace of its own, in which the command that follows is PID 1.
pub(crate) fn in_namespace() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    if !getuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}

/// A process that a test has started and waits for.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    exit: Option<i32>,
}

impl Process {
    /// Starts a command; its standard output comes back where it was asked for.
    #[expect(
        clippy::disallowed_methods,
        clippy::zombie_processes,
        reason = "tests have no reaper of their own; exit() waits"
    )]
    pub(crate) fn start(command: &mut Command) -> (Self, Option<ChildStdout>) {
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take();
        (
            Self {
                pid: Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(),
                exit: None,
            },
            stdout,
        )
    }

    /// Its exit code, once it has one; 128 and the number for a signal.
    #[expect(clippy::disallowed_methods, reason = "tests have no reaper of their own")]
    pub(crate) fn exit(&mut self) -> Option<i32> {
        if self.exit.is_none() {
            self.exit = rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG)
                .unwrap()
                .map(|(_, status)| {
                    status
                        .exit_status()
                        .unwrap_or_else(|| 128 + status.terminating_signal().unwrap())
                });
        }
        self.exit
    }

    /// The root directory as this process sees it, with what is mounted there for it alone.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid.as_raw_nonzero()))
    }

    /// Signals it.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Signals its only child: PID 1 of the namespace that `unshare` has made.
    pub(crate) fn signal_only_child(&self, signal: Signal) {
        kill_process(until("PID 1", || self.child()), signal).unwrap();
    }

    /// The number of its only child as seen from outside of the namespace.
    pub(crate) fn child(&self) -> Option<Pid> {
        let pid = self.pid.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        Pid::from_raw(children.split_ascii_whitespace().next()?.parse().ok()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit().is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
            until("the killed process has gone", || self.exit());
        }
    }
}

/// Services of a test, written down as services.toml.
#[derive(Debug)]
pub(crate) struct Services {
    directory: TempDir,
    text: String,
    environment: Vec<(&'static str, &'static str)>,
}

impl Services {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            text: "stop_within_seconds = 20\n".to_owned(),
            environment: Vec::new(),
        }
    }

    /// A setting of the pod.
    pub(crate) fn environment(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A service that writes `start NAME` and `stop NAME` to the file `events`, is ready at once, and ends when asked to.
    pub(crate) fn good(self, name: &str, more: &str) -> Self {
        let body = "trap 'echo stop $NAME >> events; exit 0' TERM; while :; do sleep 0.05 & wait $!; done";
        self.script(
            name,
            &format!("echo start $NAME >> events; touch ready-$NAME; {body}"),
            more,
        )
    }

    /// A service that runs a script in the test's directory. It is ready when it makes the file `ready-NAME`.
    pub(crate) fn script(mut self, name: &str, script: &str, more: &str) -> Self {
        let directory = self.directory().display().to_string();
        let path = self.write_script(name, script);
        write!(
            self.text,
            "[services.{name}]\ncommand = [\"/bin/sh\", \"{}\"]\nreadiness = {{ file = \"{directory}/ready-{name}\" }}\n\
             remove_before_start = [\"{directory}/ready-{name}\"]\n{more}\n",
            path.display(),
        )
        .unwrap();
        self
    }

    /// A task or timer (`section` is `tasks` or `timers`) that runs a script in the test's directory.
    pub(crate) fn short(mut self, section: &str, name: &str, script: &str, more: &str) -> Self {
        let path = self.write_script(name, script);
        writeln!(
            self.text,
            "[{section}.{name}]\ncommand = [\"/bin/sh\", \"{}\"]\n{more}",
            path.display(),
        )
        .unwrap();
        self
    }

    fn write_script(&self, name: &str, script: &str) -> PathBuf {
        let directory = self.directory().display();
        let path = self.directory().join(format!("{name}.sh"));
        fs::write(&path, format!("NAME={name}; cd {directory}\n{script}\n")).unwrap();
        path
    }

    /// Starts the pod, its output read as it comes.
    pub(crate) fn start(self) -> Pod {
        let (mut pod, stdout) = self.start_unread();
        pod.read(stdout);
        pod
    }

    /// Starts the pod with nobody reading its output yet.
    pub(crate) fn start_unread(self) -> (Pod, ChildStdout) {
        let services = self.directory().join("services.toml");
        fs::write(&services, &self.text).unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = in_namespace();
        command
            .arg(env!("CARGO_BIN_EXE_onepod"))
            .arg("supervise")
            .arg("--services")
            .arg(services)
            .arg("--root")
            .arg(self.directory())
            .env_clear()
            .env("ONEPOD_LISTEN", listen.to_string())
            .envs(self.environment)
            .stdout(Stdio::piped());
        let (process, stdout) = Process::start(&mut command);
        let pod = Pod {
            directory: self.directory,
            process,
            listen,
            shown: Arc::default(),
            reader: None,
        };
        (pod, stdout.unwrap())
    }
}

/// A running pod.
#[derive(Debug)]
pub(crate) struct Pod {
    directory: TempDir,
    process: Process,
    pub(crate) listen: SocketAddr,
    shown: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Pod {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Begins to read the pod's output.
    pub(crate) fn read(&mut self, stdout: ChildStdout) {
        let shown = Arc::clone(&self.shown);
        self.reader = Some(std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                *shown.lock().unwrap() += &(line.unwrap() + "\n");
            }
        }));
    }

    /// The pod's output so far.
    pub(crate) fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// The lines that services wrote to a file.
    pub(crate) fn lines(&self, file: &str) -> Vec<String> {
        fs::read_to_string(self.path(file))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Status code and body of a GET; none while nobody listens.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.listen, path).ok()
    }

    /// The whole answer to a GET, with more lines in its head.
    pub(crate) fn ask_raw(&self, path: &str, head: &str) -> String {
        ask_raw(self.listen, path, head).unwrap()
    }

    /// Waits until a path of the endpoint answers with 200.
    pub(crate) fn until_ok(&self, path: &str) {
        until(path, || self.get(path).filter(|(status, _)| *status == 200));
    }

    /// What `/status` says of a service; there are none while the pod only begins.
    pub(crate) fn service(&self, name: &str) -> serde_json::Value {
        until("the services", || {
            let status = self.status();
            let services = status["services"].as_array()?;
            services.iter().find(|service| service["name"] == name).cloned()
        })
    }

    pub(crate) fn status(&self) -> serde_json::Value {
        let (_, body) = until("/status", || self.get("/status"));
        serde_json::from_str(&body).unwrap()
    }

    /// Signals PID 1 of the pod from outside, as a container engine does.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(until("PID 1", || self.process.child()), signal).unwrap();
    }

    /// How many descriptors PID 1 has open.
    pub(crate) fn descriptors(&self) -> usize {
        let init = until("PID 1", || self.process.child());
        fs::read_dir(format!("/proc/{}/fd", init.as_raw_nonzero()))
            .unwrap()
            .count()
    }

    /// Signals a process by its number inside of the pod.
    pub(crate) fn signal_inside(&self, pid: u64, signal: Signal) {
        let init = until("PID 1", || self.process.child());
        let outside = until("the process", || outside_number(init, pid));
        kill_process(outside, signal).unwrap();
    }

    /// Waits for the pod's end; its exit code and all its output, as far as it was read.
    pub(crate) fn end(mut self) -> (i32, String) {
        let code = until("the pod's end", || self.process.exit());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (code, self.shown())
    }

    /// Asks the pod to stop and waits for its end.
    pub(crate) fn stop(self) -> (i32, String) {
        self.signal(Signal::TERM);
        self.end()
    }
}

/// The number here of the process that is `inside` in the PID namespace of `init`, see `NSpid` in `proc_pid_status(5)`.
fn outside_number(init: Pid, inside: u64) -> Option<Pid> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = namespace(&init.as_raw_nonzero().to_string())?;
    fs::read_dir("/proc")
        .ok()?
        .filter_map(Result::ok)
        .find_map(|entry| {
            let pid = entry
                .file_name()
                .into_string()
                .ok()
                .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
            let same = numbers.split_ascii_whitespace().next_back()?.parse() == Ok(inside);
            (same && namespace(&pid)? == wanted).then(|| Pid::from_raw(pid.parse().ok()?))?
        })
}

/// Status code and body of a GET.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let answer = ask_raw(address, path, "")?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok((status, body.to_owned()))
}

/// The whole answer to a GET, with more lines in its head.
fn ask_raw(address: SocketAddr, path: &str, head: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    io::Write::write_all(
        &mut stream,
        format!("GET {path} HTTP/1.1\r\nHost: pod\r\n{head}\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
