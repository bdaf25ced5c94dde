//! The database is older than the image, and the way to the image's schema breaks. The harm is real: while the vendor's tool
//! is at work, half of the data is deleted.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use faults::front_end::Container;
use faults::wait::{Look, until};
use faults::world::{Kept, World};
use rustix::process::Signal;

use super::volume;

/// Stands in for `onedb`: everything but `upgrade` is the real one; that one tells that it has begun, and fails when it may.
const BROKEN: &str = r#"#!/bin/bash
if [ "$1" = upgrade ]; then
  touch /tmp/half-way
  until [ -e /tmp/go-on ]; do sleep 0.02; done
  echo "undefined method 'xpath' for nil (migrator of the test)" >&2
  exit 255
fi
exec -a onedb /usr/bin/onedb.image "$@"
"#;
/// The version before the first schema of the 7.0 line.
const OLDER: &str = "6.10.0";
const PATIENCE: Duration = Duration::from_secs(30);

/// The tool fails half-way: the dump is restored, the pod stays down, and the reason is in its last message.
pub(super) fn fails(world: &mut World) -> Result<String> {
    let (kept, version) = older(world)?;
    let mut front_end = broken(world)?;
    fs::write(world.pod.path("tmp/go-on"), "")?;
    let code = front_end.end()?;
    let message = world.pod.last_message();
    ensure!(code == 1, "it ended with {code}: {message}");
    for word in [OLDER, version.as_str(), "restored"] {
        ensure!(
            message.contains(word),
            "\"{word}\" is not in the message: {message}"
        );
    }
    ensure!(current(world)? == OLDER, "the database is not the one of before");
    // The next container of the same pod meets the same.
    let mut front_end = broken(world)?;
    fs::write(world.pod.path("tmp/go-on"), "")?;
    ensure!(
        front_end.end()? == 1 && current(world)? == OLDER,
        "the second attempt ended otherwise"
    );
    drop(front_end);
    mended(world, &kept, &version)?;
    Ok(format!(
        "exit 1: \"{}\"; twice; then migrated to {version}, same data",
        one_line(&message)
    ))
}

/// The container is killed while the tool is half-way: the next start brings the dump back and migrates.
pub(super) fn killed(world: &mut World) -> Result<String> {
    let (kept, version) = older(world)?;
    let mut front_end = broken(world)?;
    front_end.signal(Signal::KILL)?;
    let code = front_end.end()?;
    ensure!(code == 137, "it ended with {code}");
    drop(front_end);
    mended(world, &kept, &version)?;
    Ok(format!(
        "killed half-way; the next start restores the dump and migrates to {version}; same data"
    ))
}

/// The pod is asked to stop while the tool is half-way.
pub(super) fn stopped(world: &mut World) -> Result<String> {
    let (kept, version) = older(world)?;
    let mut front_end = broken(world)?;
    front_end.signal(Signal::TERM)?;
    let code = front_end.end()?;
    ensure!(code == 0, "asked to stop, it ended with {code}");
    drop(front_end);
    mended(world, &kept, &version)?;
    Ok(format!(
        "asked to stop half-way: exit 0; the next start migrates to {version}; same data"
    ))
}

/// The volume has no room for the dump: nothing is begun.
pub(super) fn no_room(world: &mut World) -> Result<String> {
    let small = volume::small_volume(world)?;
    let (kept, version) = older(world)?;
    volume::fill(&small)?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let code = front_end.end()?;
    let message = world.pod.last_message();
    ensure!(code == 1, "it ended with {code}: {message}");
    for word in ["/var/lib/one", OLDER, "room"] {
        ensure!(
            message.contains(word),
            "\"{word}\" is not in the message: {message}"
        );
    }
    ensure!(current(world)? == OLDER, "the database was changed");
    fs::remove_file(small.join(volume::FILLING))?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    ensure!(current(world)? == version, "the schema is {}", current(world)?);
    world.check(&kept)?;
    Ok(format!(
        "exit 1: \"{}\"; with room: migrated to {version}, same data",
        one_line(&message)
    ))
}

/// A database with data and the version rows of an older release; gives the image's version too.
fn older(world: &mut World) -> Result<(Kept, String)> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    let version = current(world)?;
    for table in ["local_db_versioning", "db_versioning"] {
        world.database.query(&format!(
            "UPDATE opennebula.{table} SET version = '{OLDER}' WHERE version = '{version}'"
        ))?;
    }
    Ok((kept, version))
}

fn current(world: &World) -> Result<String> {
    let version = world
        .database
        .query("SELECT version FROM opennebula.local_db_versioning ORDER BY oid DESC LIMIT 1")?;
    Ok(version.trim().to_owned())
}

/// A start with the broken tool, at the point where half of the data is gone.
fn broken(world: &mut World) -> Result<Container> {
    // A link of the image's leads nowhere outside of it.
    if fs::symlink_metadata(world.image.root().join("usr/bin/onedb.image")).is_err() {
        world.image.rename("usr/bin/onedb", "usr/bin/onedb.image")?;
        world.image.write("usr/bin/onedb", BROKEN, 0o755)?;
    }
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let mark = world.pod.path("tmp/half-way");
    until("the migration", PATIENCE, || {
        ensure!(
            front_end.ended()?.is_none(),
            "it ended: {}",
            world.pod.last_message()
        );
        Ok(if mark.exists() {
            Look::Seen(())
        } else {
            Look::NotYet(
                front_end
                    .written()
                    .lines()
                    .next_back()
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
    })?;
    world.database.query(
        "UPDATE opennebula.local_db_versioning SET version = '6.99.0';
         DELETE FROM opennebula.host_pool; DROP TABLE opennebula.vm_pool;
         CREATE TABLE opennebula.half_migrated (oid INTEGER)",
    )?;
    Ok(front_end)
}

/// A start with the real tool: everything is there, and nothing of the attempt.
fn mended(world: &mut World, kept: &Kept, version: &str) -> Result<()> {
    world.image.remove("usr/bin/onedb")?;
    world.image.rename("usr/bin/onedb.image", "usr/bin/onedb")?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    ensure!(current(world)? == version, "the schema is {}", current(world)?);
    let half = world.database.query(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'opennebula' AND table_name = 'half_migrated'",
    )?;
    ensure!(half.trim() == "0", "a table of the failed attempt is left");
    world.check(kept)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
