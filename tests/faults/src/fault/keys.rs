//! Keys that are rotated in the Secret of a running front-end: FireEdge's, and the one for hypervisors.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use faults::front_end::Container;
use faults::http;
use faults::process;
use faults::wait::{Look, until};
use faults::world::{World, session, word};

use super::credentials::{NOTICED, untouched};

const FIREEDGE: ([u8; 4], u16) = ([127, 0, 0, 1], 2616);
/// The agent's socket in the container.
const AGENT: (&str, &str) = ("SSH_AUTH_SOCK", "/run/one/ssh-agent.sock");

/// FireEdge's key changes: it starts again with it, and what the old one signed is worth nothing.
pub(super) fn fireedge(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let (init, oned) = (front_end.pid()?, front_end.service("oned")?);
    let before = front_end.service("fireedge")?;
    let session = session("oneadmin", &world.oneadmin)?;
    ensure!(answer(&session)? == 200, "a fresh session is refused");

    let new = word(32);
    world.pod.change_secret("fireedge-key", Some(&new))?;
    world.learn();
    let began = Instant::now();
    until("FireEdge with the new key", NOTICED, || {
        let now = front_end.service("fireedge")?;
        Ok(if now.state == "ready" && now.pid != before.pid {
            Look::Seen(())
        } else {
            Look::NotYet(format!("{} with number {:?}", now.state, now.pid))
        })
    })?;
    let took = began.elapsed().as_secs_f64();
    let file = fs::read_to_string(world.pod.volume().join(".one/fireedge_key"))?;
    ensure!(file.trim_end() == new, "its file has another key");
    let old = answer(&session)?;
    ensure!(old == 401, "a session of the old key is answered with {old}");
    untouched(&mut front_end, init, &oned)?;
    world.check(&kept)?;
    Ok(format!(
        "FireEdge ready with it {took:.1} s after the Secret changed, a session of before gets 401; same container, same oned; same data"
    ))
}

/// The status of a call in this session.
fn answer(session: &str) -> Result<u16> {
    let address: SocketAddr = FIREEDGE.into();
    http::get_with(address, "/fireedge/api/vmpool/info", session).map(|(code, _)| code)
}

/// The key for hypervisors changes: files, agent and ssh server follow, and the old one is kept aside and named.
pub(super) fn ssh(world: &mut World) -> Result<String> {
    let (old, new) = (Key::make(world, "old")?, Key::make(world, "new")?);
    world.pod.environment.insert(
        "SSH_PRIVATE_KEY_FILE".to_owned(),
        "/run/secrets/opennebula/ssh-private-key".to_owned(),
    );
    world
        .pod
        .change_secret("ssh-private-key", Some(&old.private()?))?;
    world.learn();
    let (mut front_end, kept) = world.start_with_data()?;
    let (init, oned) = (front_end.pid()?, front_end.service("oned")?);
    agent_has(&front_end, &old)?;

    world
        .pod
        .change_secret("ssh-private-key", Some(&new.private()?))?;
    world.learn();
    let began = Instant::now();
    agent_has(&front_end, &new)?;
    let took = began.elapsed().as_secs_f64();
    let folder = world.pod.volume().join(".ssh");
    let public = fs::read_to_string(folder.join("id_ed25519.pub"))?;
    ensure!(
        public.contains(&new.identity()?),
        "id_ed25519.pub is the half of another key"
    );
    // As a hypervisor that has the front-end's key, the new one and the old one.
    for (key, which) in [(&new, "new"), (&old, "old")] {
        let (code, said) = key.log_in()?;
        ensure!(
            code == 0,
            "a hypervisor with the {which} key does not get in: {said}"
        );
    }
    let aside = fs::read_dir(&folder)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with("stale-"))
        .context("the old key is not kept aside")?;
    let written = front_end.written();
    ensure!(written.contains(&aside), "the log does not name {aside}");
    ensure!(
        written.contains("authorized_keys"),
        "the log does not say that the old key still opens the front-end"
    );
    untouched(&mut front_end, init, &oned)?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "the agent has it alone {took:.1} s after the Secret changed; the old one is in {aside} and opens the ssh server until its line is taken out, which the log says; same oned; same data"
    ))
}

/// Waits until the agent holds this key and no other.
fn agent_has(front_end: &Container, key: &Key) -> Result<()> {
    let identity = key.identity()?;
    until("the agent with the key of the Secret alone", NOTICED, || {
        let said = front_end.exec_with(&[AGENT], &["/usr/bin/ssh-add", "-L"])?;
        let lines: Vec<&str> = said.out.lines().collect();
        Ok(if lines.len() == 1 && said.out.contains(&identity) {
            Look::Seen(())
        } else {
            Look::NotYet(format!("{} keys", lines.len()))
        })
    })
}

/// A key pair of the administrator's.
struct Key {
    file: PathBuf,
}

impl Key {
    fn make(world: &World, name: &str) -> Result<Self> {
        let file = world.pod.path(&format!("key-{name}"));
        let shown = file.display().to_string();
        process::run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &shown],
        )?;
        Ok(Self { file })
    }

    fn private(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.file)?)
    }

    /// Kind and key of the public half, without the comment.
    fn identity(&self) -> Result<String> {
        let line = fs::read_to_string(self.file.with_extension("pub"))?;
        Ok(line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// Logs in to the front-end's ssh server.
    fn log_in(&self) -> Result<(i32, String)> {
        let identity = format!("IdentityFile={}", self.file.display());
        let options = [
            "Port=2222",
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "ConnectTimeout=10",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            &identity,
        ];
        let mut command = std::process::Command::new("ssh");
        command.args(["-F", "/dev/null"]);
        command.args(options.iter().flat_map(|option| ["-o", option]));
        command.args(["oneadmin@127.0.0.1", "true"]);
        process::outcome(&mut command)
    }
}
