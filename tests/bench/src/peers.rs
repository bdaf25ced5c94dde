//! The supervisors that are compared, each with the configuration that its own manual recommends for a service that
//! shall always run. All of them run the same services; what they write goes where the supervisor sends it.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::net::free_address;
use crate::process::{Running, found, until};

/// Programs that keep services running, or at least start them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Ours, from this file.
    Onepod(PathBuf),
    /// Python; in the earlier image.
    Supervisord,
    /// s6-svscan with one s6-supervise for each service.
    S6,
    /// runsvdir with one runsv for each service.
    Runit,
    /// tini over a shell script that starts all and waits: the smallest init, which starts nothing again.
    TiniAndShell,
}

impl Peer {
    /// Ours first, then those that are installed.
    pub(crate) fn all(onepod: &Path) -> Vec<Self> {
        [
            Self::Onepod(onepod.to_owned()),
            Self::Supervisord,
            Self::S6,
            Self::Runit,
            Self::TiniAndShell,
        ]
        .into_iter()
        .filter(|peer| peer.program().is_none_or(found))
        .collect()
    }

    /// Its name in the tables.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Onepod(_) => "onepod",
            Self::Supervisord => "supervisord",
            Self::S6 => "s6",
            Self::Runit => "runit",
            Self::TiniAndShell => "tini and a shell script",
        }
    }

    /// Whether it starts a service again that has ended.
    pub(crate) fn restarts(&self) -> bool {
        *self != Self::TiniAndShell
    }

    /// The signal at which it ends together with its services.
    fn farewell(&self) -> Signal {
        match self {
            Self::Runit => Signal::HUP,
            _ => Signal::TERM,
        }
    }

    fn program(&self) -> Option<&'static str> {
        match self {
            Self::Onepod(_) => None,
            Self::Supervisord => Some("supervisord"),
            Self::S6 => Some("s6-svscan"),
            Self::Runit => Some("runsvdir"),
            Self::TiniAndShell => Some("tini"),
        }
    }

    /// The command that supervises the scene's services, with its configuration written.
    pub(crate) fn command(&self, scene: &Scene) -> Result<Command> {
        match self {
            Self::Onepod(program) => onepod(program, scene),
            Self::Supervisord => supervisord(scene),
            Self::S6 => directory_of_services(scene, "s6-svscan"),
            Self::Runit => directory_of_services(scene, "runsvdir"),
            Self::TiniAndShell => tini(scene),
        }
    }
}

/// A directory with services for one supervisor, and the socket to which they report.
#[derive(Debug)]
pub(crate) struct Scene {
    directory: TempDir,
    news: UnixDatagram,
    services: Vec<Service>,
}

#[derive(Debug)]
struct Service {
    name: String,
    command: Vec<String>,
    ready: PathBuf,
}

/// A service has begun.
#[derive(Debug)]
pub(crate) struct Began {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// On the clock of [`crate::process::monotonic_ns`].
    pub(crate) at_ns: i64,
}

impl Scene {
    /// So many services that do nothing.
    pub(crate) fn of_idle_services(count: usize) -> Result<Self> {
        let own = std::env::current_exe().context("this program's path")?;
        let own = own.to_string_lossy().into_owned();
        Self::new(count, |name, directory, ready| {
            let socket = directory.join("news").to_string_lossy().into_owned();
            let words = [
                &own, "service", "--name", name, "--socket", &socket, "--ready", ready,
            ];
            words.map(str::to_owned).to_vec()
        })
    }

    /// So many services that write lines as fast as they can.
    pub(crate) fn of_writers(count: usize, lines: u64) -> Result<Self> {
        let own = std::env::current_exe().context("this program's path")?;
        let own = own.to_string_lossy().into_owned();
        Self::new(count, |_, _, ready| {
            let words = [&own, "lines", "--count", &lines.to_string(), "--ready", ready];
            words.map(str::to_owned).to_vec()
        })
    }

    fn new(count: usize, command: impl Fn(&str, &Path, &str) -> Vec<String>) -> Result<Self> {
        let directory = TempDir::new().context("a directory")?;
        let news = UnixDatagram::bind(directory.path().join("news")).context("a socket")?;
        news.set_read_timeout(Some(Duration::from_mins(1)))?;
        let services = (0..count)
            .map(|number| {
                let name = format!("service-{number}");
                let ready = directory.path().join(format!("{name}.ready"));
                Service {
                    command: command(&name, directory.path(), &ready.to_string_lossy()),
                    name,
                    ready,
                }
            })
            .collect();
        Ok(Self {
            directory,
            news,
            services,
        })
    }

    /// Starts the supervisor and waits until all services have begun.
    pub(crate) fn start(&self, peer: &Peer) -> Result<(Running, Vec<Began>)> {
        let running = Running::start(peer.command(self)?)?.ended_by(peer.farewell());
        let began = self
            .services
            .iter()
            .map(|_| self.next())
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("{} did not start all services", peer.name()))?;
        until("every service is ready", || {
            self.services
                .iter()
                .all(|service| service.ready.exists())
                .then_some(())
        })?;
        Ok((running, began))
    }

    /// The next service that begins.
    pub(crate) fn next(&self) -> Result<Began> {
        let mut buffer = [0; 200];
        let length = self.news.recv(&mut buffer).context("no service began")?;
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        let mut words = text.split_whitespace();
        let parsed = (|| {
            Some(Began {
                name: words.next()?.to_owned(),
                pid: words.next()?.parse().ok()?,
                at_ns: words.next()?.parse().ok()?,
            })
        })();
        parsed.with_context(|| format!("a service said {text:?}"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    fn write_script(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.write(name, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))
            .with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

fn onepod(program: &Path, scene: &Scene) -> Result<Command> {
    let mut text = String::new();
    for service in &scene.services {
        let ready = service.ready.display();
        writeln!(
            text,
            "[services.{}]\ncommand = {:?}\nreadiness = {{ file = \"{ready}\" }}\nremove_before_start = [\"{ready}\"]\n",
            service.name, service.command
        )?;
    }
    let services = scene.write("services.toml", &text)?;
    let mut command = Command::new(program);
    command
        .arg("supervise")
        .arg("--services")
        .arg(services)
        .arg("--root")
        .arg(scene.directory.path())
        .env("ONEPOD_LISTEN", free_address()?.to_string());
    Ok(command)
}

fn supervisord(scene: &Scene) -> Result<Command> {
    let mut text = format!(
        "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={}\n",
        scene.path("supervisord.pid").display()
    );
    for service in &scene.services {
        writeln!(
            text,
            "\n[program:{}]\ncommand={}\nautorestart=true\nredirect_stderr=true\nstdout_logfile=/dev/fd/1\n\
             stdout_logfile_maxbytes=0",
            service.name,
            service.command.join(" ")
        )?;
    }
    let configuration = scene.write("supervisord.conf", &text)?;
    let mut command = Command::new("supervisord");
    command.arg("-c").arg(configuration);
    Ok(command)
}

fn directory_of_services(scene: &Scene, program: &str) -> Result<Command> {
    for service in &scene.services {
        scene.write_script(
            &format!("scan/{}/run", service.name),
            &format!("#!/bin/sh\nexec {}\n", service.command.join(" ")),
        )?;
    }
    let mut command = Command::new(program);
    command.arg(scene.path("scan"));
    Ok(command)
}

fn tini(scene: &Scene) -> Result<Command> {
    let mut text = "#!/bin/sh\n".to_owned();
    for service in &scene.services {
        writeln!(text, "{} &", service.command.join(" "))?;
    }
    text.push_str("wait\n");
    let script = scene.write_script("start.sh", &text)?;
    let mut command = Command::new("tini");
    // Its group too, or the services outlive it.
    command.args(["-s", "-g", "--"]).arg(script);
    Ok(command)
}
