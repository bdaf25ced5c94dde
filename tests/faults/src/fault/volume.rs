//! Volumes and mounts that are not as they should be.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use faults::front_end::ONEADMIN;
use faults::wait::{Look, until};
use faults::world::World;
use faults::{namespaces, process};

/// The file that fills a volume.
pub(super) const FILLING: &str = "filling";

/// The volume belongs to somebody else.
pub(super) fn foreign(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    let volume = world.pod.volume();
    process::run("chown", &["-R", "1000:1000", &volume.display().to_string()])?;
    fs::set_permissions(&volume, Permissions::from_mode(0o755))?;
    let mut front_end = world.start()?;
    let code = front_end.end()?;
    let message = world.pod.last_message();
    ensure!(code == 1, "it ended with {code}: {message}");
    for word in ["/var/lib/one", "1000", "fsGroup"] {
        ensure!(message.contains(word), "{word} is not in the message: {message}");
    }
    process::run("chown", &["-R", "9869:9869", &volume.display().to_string()])?;
    chown(&volume, Some(0), Some(ONEADMIN))?;
    fs::set_permissions(&volume, Permissions::from_mode(0o2777))?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "exit 1: \"{}\"; with the owner mended, same data",
        message.trim()
    ))
}

/// The volume has no room when the front-end starts.
pub(super) fn full(world: &mut World) -> Result<String> {
    let small = small_volume(world)?;
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    // A start that has nothing to write needs no room: one with a file to bring does.
    let brought = first_file(&small.join("remotes")).context("no remotes on the volume")?;
    fs::remove_file(&brought)?;
    fill(&small)?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let code = front_end.end()?;
    let message = world.pod.last_message();
    ensure!(code == 1, "it ended with {code}: {message}");
    for word in ["/var/lib/one", "enlarge the volume"] {
        ensure!(message.contains(word), "{word} is not in the message: {message}");
    }
    fs::remove_file(small.join(FILLING))?;
    let mut front_end = world.start()?;
    front_end.started()?;
    ensure!(brought.exists(), "{} was not brought again", brought.display());
    world.check(&kept)?;
    Ok(format!(
        "exit 1: \"{}\"; with room again, same data",
        message.trim()
    ))
}

/// The volume becomes full under a running front-end.
pub(super) fn full_while_running(world: &mut World) -> Result<String> {
    let small = small_volume(world)?;
    let (mut front_end, kept) = world.start_with_data()?;
    fill(&small)?;
    world.check(&kept)?;
    let oned = front_end.service("oned")?;
    front_end.kill_service(&oned)?;
    until("another oned", Duration::from_secs(20), || {
        let now = front_end.service("oned")?;
        Ok(if now.pid != oned.pid && now.state == "ready" {
            Look::Seen(())
        } else {
            Look::NotYet(now.state)
        })
    })?;
    front_end.ready()?;
    world.check(&kept)?;
    let (alive, _) = front_end.get("/livez")?;
    ensure!(alive == 200, "/livez {alive}");
    fs::remove_file(small.join(FILLING))?;
    front_end.stop()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(
        "0 bytes free: API reads and writes, oned killed and ready again, alive; with room again, same data"
            .to_owned(),
    )
}

/// The root file system is read-only, as always; then each writable place is missing in its turn.
pub(super) fn read_only_root(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let (code, said) = front_end.exec(&["sh", "-c", "touch /usr/probe /etc/probe /var/lib/probe"])?;
    ensure!(
        code != 0 && said.matches("Read-only file system").count() == 3,
        "the root can be written: {said}"
    );
    front_end.stop()?;
    drop(front_end);
    let mut seen = Vec::new();
    for place in ["/etc/one", "/run", "/var/log/one"] {
        world.pod.empty()?;
        world.pod.without(place);
        let mut front_end = world.start()?;
        let code = front_end.end()?;
        let message = world.pod.last_message();
        ensure!(
            code != 0 && message.contains(place),
            "without {place} it ended with {code}: {message}"
        );
        seen.push(format!("without {place}: exit {code}"));
        world.pod.with_all();
    }
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "nothing of the root can be written; {}; same data",
        seen.join(", ")
    ))
}

/// Puts a small file system in the place of the volume; gives its path.
pub(super) fn small_volume(world: &World) -> Result<PathBuf> {
    let volume = world.pod.volume();
    let options = "size=64m,mode=2777,uid=0,gid=9869";
    namespaces::memory(&volume, options)?;
    Ok(volume)
}

/// Writes until nothing fits any more.
pub(super) fn fill(dir: &Path) -> Result<()> {
    let mut file = fs::File::create(dir.join(FILLING))?;
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![b'x'; size];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }
    Ok(())
}

/// Some file below a folder.
fn first_file(dir: &Path) -> Option<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    entries
        .iter()
        .find(|path| path.is_file() && fs::metadata(path).is_ok_and(|file| file.len() > 0))
        .cloned()
        .or_else(|| {
            entries
                .iter()
                .filter(|path| path.is_dir())
                .find_map(|path| first_file(path))
        })
}
