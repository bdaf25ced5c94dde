//! The pod is asked to stop when it has hardly begun.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use faults::front_end::Container;
use faults::world::World;

/// SIGTERM as soon as each stage begins, first on an empty volume and database, then on used ones, and while it waits for
/// the database.
pub(super) fn every_stage(world: &mut World) -> Result<String> {
    // A whole start says which stages there are.
    let stages = stages(world)?;
    let mut stopped = 0;
    for stage in &stages {
        world
            .database
            .query("DROP DATABASE opennebula; CREATE DATABASE opennebula CHARACTER SET utf8mb4")?;
        world.pod.new_volume()?;
        world.pod.empty()?;
        stop_at(world, stage).with_context(|| format!("first start, after \"{stage}\""))?;
        stopped += 1;
    }
    world.pod.empty()?;
    let (mut front_end, kept) = world
        .start_with_data()
        .context("the start after the first starts")?;
    front_end.stop()?;
    drop(front_end);
    for stage in &stages {
        world.pod.empty()?;
        stop_at(world, stage).with_context(|| format!("later start, after \"{stage}\""))?;
        stopped += 1;
    }
    world.database.kill();
    let mut front_end = world.start()?;
    front_end.unready(&["opennebula-mariadb"])?;
    asked(&mut front_end).context("while it waits for the database")?;
    stopped += 1;
    world.database.start()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    leftovers(&world.pod.volume())?;
    Ok(format!(
        "{stopped} starts cut off ({}), exit 0 each; same data, no half-written file",
        stages.join(", ")
    ))
}

/// The lines after which a stage begins: the begin, and the end of each stage.
fn stages(world: &mut World) -> Result<Vec<String>> {
    let mut front_end = world.start()?;
    front_end.started()?;
    let status = front_end.status()?;
    let stages = status["stages"].as_array().context("/status lists no stages")?;
    let mut lines = vec!["onepod".to_owned()];
    lines.extend(
        stages
            .iter()
            .filter_map(|stage| Some(format!("{}: done", stage["name"].as_str()?))),
    );
    ensure!(lines.len() >= 6, "/status lists only {}", lines.join(", "));
    front_end.stop()?;
    Ok(lines)
}

fn stop_at(world: &mut World, line: &str) -> Result<()> {
    let mut front_end = world.start()?;
    front_end.says(line)?;
    asked(&mut front_end)
}

fn asked(front_end: &mut Container) -> Result<()> {
    front_end.signal(Signal::TERM)?;
    let code = front_end.end()?;
    ensure!(code == 0, "it ended with {code}");
    Ok(())
}

/// Temporary files that nobody renamed.
fn leftovers(dir: &std::path::Path) -> Result<()> {
    for entry in fs::read_dir(dir)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        ensure!(
            !name.starts_with(".onepod-"),
            "{} was left half-written",
            entry.path().display()
        );
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            leftovers(&entry.path())?;
        }
    }
    Ok(())
}
