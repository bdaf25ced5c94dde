//! The first start on an empty database, oned's bootstrap, is cut off somewhere in the middle. It can neither be repeated
//! nor is it atomic, so the next start has to begin it again.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustix::process::Signal;

use faults::front_end::Container;
use faults::wait::{Look, until};
use faults::world::World;

pub(super) const NAME: &str = "kill-first-start";

/// How many first starts are cut off, unless this variable says another number.
pub(super) const ROUNDS: u32 = 6;
const ROUNDS_VARIABLE: &str = "FAULTS_FIRST_STARTS";

/// The most statements after which one is cut off: some more than a bootstrap has.
const MOST_STATEMENTS: u64 = 260;

/// A start after one that was cut off has this long to be ready.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// After so many starts it is ready.
const MOST_STARTS: u32 = 4;

/// What every complete bootstrap has made, as one line.
const CONTENTS: &str = "SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM opennebula.user_pool WHERE oid IN (0, 1)), \
    (SELECT COUNT(*) FROM opennebula.group_pool WHERE oid IN (0, 1)), (SELECT COUNT(*) FROM opennebula.group_quotas), \
    (SELECT COUNT(*) FROM opennebula.cluster_pool WHERE oid = 0), \
    (SELECT COUNT(*) FROM opennebula.datastore_pool WHERE oid IN (0, 1, 2)), \
    (SELECT COUNT(*) FROM opennebula.cluster_datastore_relation WHERE cid = 0), \
    (SELECT COUNT(*) FROM opennebula.zone_pool WHERE oid = 0), (SELECT COUNT(*) FROM opennebula.vdc_pool WHERE oid = 0), \
    (SELECT COUNT(*) FROM opennebula.acl WHERE oid < 6), \
    (SELECT COUNT(*) FROM opennebula.pool_control WHERE last_oid = 99), \
    (SELECT state FROM opennebula.onepod_bootstrap))";
const COMPLETE: &str = "2 2 2 1 3 3 1 1 6 7 complete";

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Container,
    Oned,
    Database,
}

/// How many first starts are cut off in this run.
pub(super) fn rounds() -> u32 {
    std::env::var(ROUNDS_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROUNDS)
        .max(1)
}

/// Kills in turn the container, oned and the database after a random number of statements.
pub(super) fn killed(world: &mut World) -> Result<String> {
    let rounds = rounds();
    let (mut repeated, mut seen) = (0, String::new());
    for round in 0..rounds {
        let victim = [Victim::Container, Victim::Oned, Victim::Database][round as usize % 3];
        let statements = rand::random_range(1..MOST_STATEMENTS);
        let mut front_end = cut_off(world, victim, statements)?;
        let start = Instant::now();
        ready_again(world, &mut front_end)?;
        repeated += u32::from(front_end.written().contains("is emptied and begun again"));
        let contents = world.database.query(CONTENTS)?;
        ensure!(
            contents.trim() == COMPLETE,
            "{victim:?} killed after {statements} statements: the cloud has {contents}, a complete one {COMPLETE}"
        );
        let _ = write!(
            seen,
            "{victim:?} after {statements} statements {:.1} s, ",
            start.elapsed().as_secs_f64()
        );
        front_end.stop()?;
        world
            .database
            .query("DROP DATABASE opennebula; CREATE DATABASE opennebula CHARACTER SET utf8mb4")?;
    }
    if rounds > ROUNDS {
        seen.clear();
    }
    Ok(format!(
        "ready again: {seen}{rounds} of {rounds} complete, {repeated} begun again"
    ))
}

/// Starts a front-end and kills somebody when the server has seen this many statements more.
fn cut_off(world: &mut World, victim: Victim, statements: u64) -> Result<Container> {
    let before = seen_by(world)?;
    let mut front_end = world.start()?;
    until("the first start at work", READY_WITHIN, || {
        let done = seen_by(world)?.saturating_sub(before) >= statements
            || front_end.get("/readyz").is_ok_and(|(status, _)| status == 200);
        let there = victim != Victim::Oned || front_end.service("oned").is_ok_and(|oned| oned.pid.is_some());
        Ok(if done && there {
            Look::Seen(())
        } else {
            Look::NotYet(format!("{statements} statements are waited for"))
        })
    })?;
    match victim {
        Victim::Container => {
            front_end.signal(Signal::KILL)?;
            front_end.end()?;
            front_end = world.start()?;
        }
        Victim::Oned => {
            let oned = front_end.service("oned")?;
            front_end.kill_service(&oned)?;
        }
        Victim::Database => {
            world.database.kill();
            world.database.start()?;
        }
    }
    Ok(front_end)
}

/// How many statements the server has taken since its start.
fn seen_by(world: &World) -> Result<u64> {
    let status = world.database.query("SHOW GLOBAL STATUS LIKE 'Queries'")?;
    Ok(status
        .split_whitespace()
        .last()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default())
}

/// Waits until it is ready, and starts it again when it ends by itself, as Kubernetes does.
fn ready_again(world: &mut World, front_end: &mut Container) -> Result<()> {
    for _ in 0..MOST_STARTS {
        if front_end.ended()?.is_some() {
            *front_end = world.start()?;
        }
        let ready = until("the front-end ready or ended", READY_WITHIN, || {
            let ready = front_end.get("/readyz").is_ok_and(|(status, _)| status == 200);
            Ok(if ready || front_end.ended()?.is_some() {
                Look::Seen(ready)
            } else {
                Look::NotYet("not ready".to_owned())
            })
        })?;
        if ready {
            return Ok(());
        }
    }
    bail!("it ended {MOST_STARTS} times: {}", world.diagnosis())
}
