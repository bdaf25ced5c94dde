//! Two pods with one database, or with one volume.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use faults::wait::pause;
use faults::world::World;
use rustix::process::Signal;

/// A second pod starts beside the first; then the first is killed.
pub(super) fn two_on_one_database(world: &mut World) -> Result<String> {
    let (mut first, kept) = world.start_with_data()?;
    let oned = first.service("oned")?;
    let mut intruder = world.another_pod("intruder")?;
    let mut second = world.start_another(&mut intruder)?;
    let reason = second.unready(&[&world.pod.hostname.clone()])?;
    pause(Duration::from_secs(3));
    let reason_later = second.unready(&[&world.pod.hostname.clone()])?;
    ensure!(
        !second
            .services()
            .unwrap_or_default()
            .iter()
            .any(|service| service.pid.is_some()),
        "the second pod runs services"
    );
    let now = first.service("oned")?;
    ensure!(
        now.pid == oned.pid && now.restarts == 0,
        "oned of the first was started again"
    );
    world.check(&kept)?;
    first.signal(Signal::KILL)?;
    first.end()?;
    let start = Instant::now();
    second.started()?;
    let took = start.elapsed();
    world.check_database(&kept)?;
    ensure!(!reason_later.is_empty(), "no reason any more");
    Ok(format!(
        "the second waits: \"{reason}\"; the first works on; it is killed: the second is ready {:.1} s later; same data",
        took.as_secs_f64()
    ))
}

/// The same with the database in a file on a volume that both have.
pub(super) fn two_on_one_volume(world: &mut World) -> Result<String> {
    let settings = &mut world.pod.environment;
    settings.retain(|name, _| !name.starts_with("DB_"));
    settings.insert("DB_BACKEND".to_owned(), "sqlite".to_owned());
    let (mut first, kept) = world.start_with_data()?;
    let oned = first.service("oned")?;
    let mut intruder = world.another_pod("intruder")?;
    intruder.share_volume(&world.pod)?;
    let mut second = world.start_another(&mut intruder)?;
    let reason = second.unready(&[&world.pod.hostname.clone()])?;
    let now = first.service("oned")?;
    ensure!(
        now.pid == oned.pid && now.restarts == 0,
        "oned of the first was started again"
    );
    world.check(&kept)?;
    first.signal(Signal::KILL)?;
    first.end()?;
    let start = Instant::now();
    second.started()?;
    let took = start.elapsed();
    world.check(&kept)?;
    Ok(format!(
        "the second waits: \"{reason}\"; the first is killed: the second is ready {:.1} s later; same data",
        took.as_secs_f64()
    ))
}
