//! The database is away, refuses, or is not the one that it should be.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use faults::wait::{Look, pause, until};
use faults::world::{World, word};

/// The server is killed under a running front-end, and comes back.
pub(super) fn lost_and_back(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let oned = front_end.service("oned")?;
    world.database.kill();
    let start = Instant::now();
    let reason = front_end.unready(&["oned", "database", "opennebula-mariadb:3306"])?;
    let noticed = start.elapsed();
    let (alive, _) = front_end.get("/livez")?;
    ensure!(
        alive == 200,
        "/livez {alive}: a database must not restart the pod"
    );
    world.database.start()?;
    let start = Instant::now();
    front_end.ready()?;
    let back = start.elapsed();
    let now = front_end.service("oned")?;
    ensure!(
        now.pid == oned.pid && now.restarts == oned.restarts,
        "oned was started again"
    );
    world.check(&kept)?;
    Ok(format!(
        "unready after {:.1} s (\"{reason}\"), alive; ready {:.1} s after the database; same oned, same data",
        noticed.as_secs_f64(),
        back.as_secs_f64()
    ))
}

/// The server hangs: nothing is refused, nothing is answered.
pub(super) fn hangs(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let oned = front_end.service("oned")?;
    world.database.freeze()?;
    let start = Instant::now();
    let reason = front_end.unready(&["oned", "database", "opennebula-mariadb:3306"])?;
    let noticed = start.elapsed();
    let call = Instant::now();
    let (alive, _) = front_end.get("/livez")?;
    ensure!(
        alive == 200 && call.elapsed() < Duration::from_secs(1),
        "/livez {alive} after {:.1} s",
        call.elapsed().as_secs_f64()
    );
    world.database.thaw()?;
    let start = Instant::now();
    front_end.ready()?;
    let back = start.elapsed();
    // Without its lease for 10 s, oned is killed and started again; for less it stays.
    let again = front_end.service("oned")?.restarts - oned.restarts;
    world.check(&kept)?;
    world.database.freeze()?;
    front_end.unready(&["oned"])?;
    let start = Instant::now();
    front_end.signal(rustix::process::Signal::TERM)?;
    let code = until("the end of the container", Duration::from_secs(40), || {
        Ok(front_end
            .ended()?
            .map_or_else(|| Look::NotYet("it runs".to_owned()), Look::Seen))
    })?;
    let stopped = start.elapsed();
    ensure!(code == 0, "asked to stop, it ended with {code}");
    world.database.thaw()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "unready after {:.1} s (\"{reason}\"), alive; ready {:.1} s after the database; oned started again {again} times; asked to stop while it hangs: exit 0 after {:.1} s; same data",
        noticed.as_secs_f64(),
        back.as_secs_f64(),
        stopped.as_secs_f64()
    ))
}

/// The Secret has another password than the database.
pub(super) fn wrong_password(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    let (right, wrong) = (word(24), word(24));
    world.needles.add("right password", &right);
    world.needles.add("wrong password", &wrong);
    world.database.grant(&right)?;
    world.pod.database_password(&wrong)?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let reason = front_end.unready(&["DB_PASSWORD"])?;
    front_end.says("DB_PASSWORD")?;
    let (alive, _) = front_end.get("/livez")?;
    ensure!(alive == 200, "/livez {alive}");
    world.pod.database_password(&right)?;
    let start = Instant::now();
    front_end.started()?;
    let took = start.elapsed();
    world.check(&kept)?;
    Ok(format!(
        "\"{reason}\"; ready {:.1} s after the Secret was mended, same container; same data",
        took.as_secs_f64()
    ))
}

/// The server is not there when the front-end starts.
pub(super) fn absent_at_start(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    world.database.kill();
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let reason = front_end.unready(&["opennebula-mariadb:3306"])?;
    pause(Duration::from_secs(20));
    front_end.unready(&["opennebula-mariadb:3306"])?;
    let (alive, _) = front_end.get("/livez")?;
    ensure!(alive == 200, "/livez {alive}");
    let said = front_end.written().matches("opennebula-mariadb:3306").count();
    ensure!(
        said <= 3,
        "one line for each change of cause, and there are {said}"
    );
    world.database.start()?;
    let start = Instant::now();
    front_end.started()?;
    let took = start.elapsed();
    world.check(&kept)?;
    Ok(format!(
        "\"{reason}\", said {said} times in 20 s; ready {:.1} s after the database; same data",
        took.as_secs_f64()
    ))
}

/// The schema is newer than the image.
pub(super) fn newer(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    let version = world
        .database
        .query("SELECT version FROM opennebula.local_db_versioning ORDER BY oid DESC LIMIT 1")?;
    let version = version.trim();
    for table in ["local_db_versioning", "db_versioning"] {
        world.database.query(&format!(
            "UPDATE opennebula.{table} SET version = '99.0.0' WHERE version = '{version}'"
        ))?;
    }
    let before = checksum(world)?;
    let mut front_end = world.start()?;
    let code = front_end.end()?;
    let message = world.pod.last_message();
    ensure!(code == 1, "it ended with {code}: {message}");
    for word in ["99.0.0", version, "restore a dump"] {
        ensure!(message.contains(word), "{word} is not in the message: {message}");
    }
    ensure!(
        !front_end.written().contains("Checking database version"),
        "oned was started on it"
    );
    ensure!(checksum(world)? == before, "the database was changed");
    for table in ["local_db_versioning", "db_versioning"] {
        world.database.query(&format!(
            "UPDATE opennebula.{table} SET version = '{version}' WHERE version = '99.0.0'"
        ))?;
    }
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!("exit 1: \"{}\"; database unchanged", message.trim()))
}

/// A checksum of every table.
fn checksum(world: &World) -> Result<String> {
    let tables = world.database.query(
        "SELECT CONCAT('opennebula.`', table_name, '`') FROM information_schema.tables WHERE table_schema = 'opennebula' AND table_name NOT LIKE 'onepod%' ORDER BY 1",
    )?;
    let tables: Vec<&str> = tables.lines().collect();
    world
        .database
        .query(&format!("CHECKSUM TABLE {}", tables.join(", ")))
}
