//! One container of a pod, from its start to its end, and what can be asked of it from outside.

use std::fs::{self, File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::bundle;
use super::pod::Pod;
use crate::http;
use crate::process::{self, Running, Said};
use crate::wait::{Look, until};

/// A front-end that is not ready by then never will be: with shortened waits a start takes 2 s.
const READY: Duration = Duration::from_secs(30);
/// A container that was asked to end has this long: onepod gives its services 25 s.
const END: Duration = Duration::from_secs(30);

/// How long is waited for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until it is ready.
    pub ready: Duration,
    /// Until it has ended after it was asked to.
    pub end: Duration,
}

impl Default for Patience {
    /// Enough where the waits of a simulated OpenNebula are shortened.
    fn default() -> Self {
        Self {
            ready: READY,
            end: END,
        }
    }
}

/// Where the container's standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// A file, as with a container runtime that keeps up.
    File,
    /// A pipe that somebody reads or does not.
    Pipe,
}

/// A container that was started.
#[derive(Debug)]
pub struct Container {
    id: String,
    runc: Running,
    state: PathBuf,
    pid_file: PathBuf,
    /// The file with what it wrote.
    pub console: PathBuf,
    health: SocketAddr,
    patience: Patience,
}

/// One service as `/status` shows it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in services.toml.
    pub name: String,
    /// Where it stands: `ready`, `backoff`, …
    pub state: String,
    /// Its number in the container.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
}

impl Container {
    /// Starts the image in the pod.
    pub fn start(image: &Path, pod: &mut Pod, console: Console) -> Result<Self> {
        pod.started += 1;
        let number = pod.started;
        let directory = pod.path(&format!("container-{number}"));
        fs::create_dir_all(&directory)?;
        let message = pod.path("termination-log");
        fs::write(&message, "")?;
        fs::set_permissions(&message, Permissions::from_mode(0o666))?;
        // Its control groups are the machine's, and there may be other suites on it.
        let id = format!("faults-{:016x}", rand::random::<u64>());
        let mut config = bundle::config(
            image,
            &pod.hostname,
            &pod.command,
            &pod.environment,
            &pod.binds(),
            pod.identity(),
            pod.root,
        );
        config["linux"]["cgroupsPath"] = format!("/{id}").into();
        fs::write(directory.join("config.json"), config.to_string())?;
        let output = directory.join("console");
        let file = File::create(&output)?;
        let state = pod.path("runc");
        let pid_file = directory.join("pid");
        let listen = pod
            .environment
            .get("ONEPOD_LISTEN")
            .map_or("0.0.0.0:8080", String::as_str);
        let port = listen.rsplit(':').next().unwrap_or_default();
        let mut command = Command::new("runc");
        command
            .arg("--root")
            .arg(&state)
            .args(["run", "--bundle"])
            .arg(&directory)
            .arg("--pid-file")
            .arg(&pid_file)
            .arg(&id)
            .stdin(Stdio::null())
            .stderr(file.try_clone()?);
        match console {
            Console::File => command.stdout(file),
            Console::Pipe => command.stdout(Stdio::piped()),
        };
        Ok(Self {
            runc: Running::start(&mut command)?,
            id,
            state,
            pid_file,
            console: output,
            health: format!("127.0.0.1:{port}").parse()?,
            patience: pod.patience,
        })
    }

    /// The reading end of its standard output, when that is a pipe; once.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.runc.stdout()
    }

    /// Number of its PID 1 here, once runc has made it.
    pub fn pid(&self) -> Result<u32> {
        until("the container's process", self.patience.end, || {
            let text = fs::read_to_string(&self.pid_file).unwrap_or_default();
            Ok(text
                .trim()
                .parse()
                .map_or_else(|_| Look::NotYet(self.written().trim().to_owned()), Look::Seen))
        })
    }

    /// Sends a signal to its PID 1.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        process::signal(self.pid()?, signal)
    }

    /// Its exit code, once it has ended.
    pub fn ended(&mut self) -> Result<Option<i32>> {
        self.runc.ended()
    }

    /// Waits for its end, and gives the exit code.
    pub fn end(&mut self) -> Result<i32> {
        until("the end of the container", self.patience.end, || {
            Ok(self
                .ended()?
                .map_or_else(|| Look::NotYet(last_line(&self.written())), Look::Seen))
        })
    }

    /// Asks it to stop, and waits for an orderly end.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let code = self.end()?;
        ensure!(code == 0, "asked to stop, it ended with {code}");
        Ok(())
    }

    /// Everything that it has written so far.
    #[must_use]
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.console).unwrap_or_default()).into_owned()
    }

    /// A path of the health endpoint.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        http::get(self.health, path)
    }

    /// Waits until the pod is ready.
    pub fn ready(&mut self) -> Result<()> {
        until("the front-end ready", self.patience.ready, || {
            if let Some(code) = self.ended()? {
                bail!("it ended with {code}: {}", last_line(&self.written()));
            }
            Ok(match self.get("/readyz") {
                Ok((200, _)) => Look::Seen(()),
                Ok((_, body)) => Look::NotYet(body),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })
    }

    /// Waits until `/startupz` says that no service is awaited any more.
    pub fn started(&mut self) -> Result<()> {
        self.ready()?;
        until("every service started", self.patience.ready, || {
            Ok(match self.get("/startupz")? {
                (200, _) => Look::Seen(()),
                (_, body) => Look::NotYet(body),
            })
        })
    }

    /// Waits until the pod is not ready and says a reason with all of these words; gives the reason.
    pub fn unready(&mut self, words: &[&str]) -> Result<String> {
        until(
            &format!("/readyz 503 with {words:?}"),
            self.patience.ready,
            || {
                if let Some(code) = self.ended()? {
                    bail!("it ended with {code}: {}", last_line(&self.written()));
                }
                Ok(match self.get("/readyz") {
                    Ok((503, body)) if words.iter().all(|word| body.contains(word)) => {
                        Look::Seen(body.trim().to_owned())
                    }
                    Ok((code, body)) => Look::NotYet(format!("{code} {body}")),
                    Err(error) => Look::NotYet(format!("{error:#}")),
                })
            },
        )
    }

    /// Waits for a text in what it writes.
    pub fn says(&mut self, text: &str) -> Result<()> {
        until(
            &format!("the words \"{text}\" in the log"),
            self.patience.ready,
            || {
                let written = self.written();
                if written.contains(text) {
                    return Ok(Look::Seen(()));
                }
                if let Some(code) = self.ended()? {
                    bail!("it ended with {code}: {}", last_line(&written));
                }
                Ok(Look::NotYet(last_line(&written)))
            },
        )
    }

    /// `/status`.
    pub fn status(&self) -> Result<Value> {
        let (code, body) = self.get("/status")?;
        ensure!(code == 200, "/status: {code} {body}");
        serde_json::from_str(&body).with_context(|| format!("/status is {body}"))
    }

    /// The services in `/status`.
    pub fn services(&self) -> Result<Vec<Service>> {
        let status = self.status()?;
        let services = status["services"]
            .as_array()
            .context("/status lists no services")?;
        services
            .iter()
            .map(|service| {
                Ok(Service {
                    name: service["name"]
                        .as_str()
                        .context("a service without a name")?
                        .to_owned(),
                    state: service["state"].as_str().unwrap_or_default().to_owned(),
                    pid: service["pid"].as_u64().map(u32::try_from).transpose()?,
                    restarts: service["restarts"].as_u64().unwrap_or_default(),
                })
            })
            .collect()
    }

    /// One service in `/status`.
    pub fn service(&self, name: &str) -> Result<Service> {
        let services = self.services()?;
        let service = services.into_iter().find(|service| service.name == name);
        service.with_context(|| format!("/status does not list {name}"))
    }

    /// Kills a service's process by SIGKILL.
    pub fn kill_service(&self, service: &Service) -> Result<()> {
        self.signal_service(service, Signal::KILL)
    }

    /// Sends a signal to a service's process.
    pub fn signal_service(&self, service: &Service, signal: Signal) -> Result<()> {
        let inside = service
            .pid
            .with_context(|| format!("{} does not run", service.name))?;
        let pid = process::outside_number(self.pid()?, inside)
            .with_context(|| format!("no process {inside} of {} in the container", service.name))?;
        process::signal(pid, signal)
    }

    /// Runs a program in the container, as `kubectl exec` would; its exit code and what it wrote.
    pub fn exec(&self, arguments: &[&str]) -> Result<(i32, String)> {
        process::outcome(&mut self.within(&[], arguments))
    }

    /// The same with variables beside the container's own, and with what it wrote told apart.
    pub fn exec_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Result<Said> {
        process::said(&mut self.within(environment, arguments))
    }

    fn within(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Command {
        let mut command = Command::new("runc");
        command.arg("--root").arg(&self.state).arg("exec");
        for (name, value) in environment {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.arg(&self.id).args(arguments);
        command
    }
}

impl Drop for Container {
    /// Ends it, so that no two ever share a volume by mistake.
    fn drop(&mut self) {
        if matches!(self.runc.ended(), Ok(None)) {
            if let Ok(pid) = self.pid() {
                let _ = process::signal(pid, Signal::KILL);
            }
            let _ = self.end();
        }
    }
}

/// The last line of what was written.
pub(super) fn last_line(text: &str) -> String {
    let own = |line: &&str| !line.starts_with("time="); // runc's, not the container's
    text.trim_end().lines().rfind(own).unwrap_or_default().to_owned()
}
