//! Processes that are killed, and what they leave behind.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;

use faults::front_end::{Container, ONEADMIN};
use faults::wait::{Look, until};
use faults::world::World;

/// A service that is killed has this long to be ready again.
const BACK: Duration = Duration::from_secs(20);

/// Each service that runs is killed, one after the other.
pub(super) fn services(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let init = front_end.pid()?;
    let mut seen = String::new();
    let mut killed = 0;
    for before in front_end.services()? {
        if before.pid.is_none() {
            continue;
        }
        // Its number may have changed since: the kill of another must not have touched it.
        let now = front_end.service(&before.name)?;
        ensure!(
            now.pid == before.pid,
            "{} was started again without need",
            before.name
        );
        front_end.kill_service(&before)?;
        let start = Instant::now();
        until(&format!("{} ready again", before.name), BACK, || {
            let now = front_end.service(&before.name)?;
            let again = now.state == "ready" && now.pid != before.pid && now.restarts > before.restarts;
            Ok(if again {
                Look::Seen(())
            } else {
                Look::NotYet(format!("{}, {} restarts", now.state, now.restarts))
            })
        })?;
        let _ = write!(seen, "{} {:.1} s, ", before.name, start.elapsed().as_secs_f64());
        killed += 1;
        front_end.ready()?;
        if before.name == "ssh-agent" {
            key_again(&front_end)?;
        }
    }
    ensure!(killed >= 5, "only {killed} services ran");
    ensure!(
        front_end.ended()?.is_none() && front_end.pid()? == init,
        "the container has ended"
    );
    world.check(&kept)?;
    Ok(format!("back after: {seen}same data"))
}

/// The key went with the agent that was killed; without it no copy reaches a third machine.
fn key_again(front_end: &Container) -> Result<()> {
    until("the key in the agent again", BACK, || {
        let list = ["env", "SSH_AUTH_SOCK=/run/one/ssh-agent.sock", "ssh-add", "-l"];
        let (code, said) = front_end.exec(&list)?;
        Ok(if code == 0 {
            Look::Seen(())
        } else {
            Look::NotYet(said)
        })
    })
}

/// PID 1 is killed, and with it everything in the container.
pub(super) fn pid1(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.signal(Signal::KILL)?;
    let code = front_end.end()?;
    ensure!(code == 137, "the container ended with {code}");
    let start = Instant::now();
    let mut front_end = world.start()?;
    front_end.started()?;
    let took = start.elapsed();
    world.check(&kept)?;
    Ok(format!(
        "exit 137; ready {:.1} s after the next start; same data",
        took.as_secs_f64()
    ))
}

/// What a dead predecessor leaves in `/run`, put there by hand.
pub(super) fn stale_lock(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    let run = world.pod.path("run");
    let lock = run.join("lock/one/one");
    fs::write(&lock, "")?;
    chown(&lock, Some(ONEADMIN), Some(ONEADMIN))?;
    let mut sockets = 0;
    for name in ["one/ssh-agent.sock", "onepod/control", "onepod/notify"] {
        let socket = run.join(name);
        if !socket.exists() && socket.parent().is_some_and(std::path::Path::is_dir) {
            drop(UnixListener::bind(&socket)?);
            chown(&socket, Some(ONEADMIN), Some(ONEADMIN))?;
            sockets += 1;
        }
    }
    let mut front_end: Container = world.start()?;
    front_end.started()?;
    let restarts: u64 = front_end.services()?.iter().map(|service| service.restarts).sum();
    ensure!(restarts == 0, "services had to be started {restarts} times more");
    world.check(&kept)?;
    Ok(format!(
        "ready with the lock and {sockets} dead sockets in the way, no restart; same data"
    ))
}
