//! The clock of the machine jumps. No namespace has a wall clock of its own, and the machine's is not the suite's to set:
//! libfaketime stands between PID 1 and the C library's clock, so that onepod alone sees the jumps. The services keep the
//! true time, and so do the monotonic clock and the times of files.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use faults::front_end::Container;
use faults::wait::{Look, pause, until};
use faults::world::World;

/// Timers that leave a line each time: one by an interval, one at a time of the day.
const TIMERS: &str = r#"
[timers.test-interval]
command = ["/usr/bin/perl", "-e", "open F, '>>', '/tmp/interval'; print F \"x\\n\""]
schedule = { every_seconds = 2 }

[timers.test-daily]
command = ["/usr/bin/perl", "-e", "open F, '>>', '/tmp/daily'; print F \"x\\n\""]
schedule = { daily = "DAILY" }
"#;
/// A jump is noticed after a minute at the latest.
const NOTICED: Duration = Duration::from_secs(75);
const HOUR: i64 = 3600;
/// A service that is killed so that onepod says something.
const KILLED: &str = "guacd";

/// A day forward, then two days back.
pub(super) fn jumps(world: &mut World) -> Result<String> {
    let library = library()?;
    world.image.replace("usr/lib/onepod-faketime.so", &library)?;
    let services = world.image.read("usr/share/onepod/services.toml")?;
    let timers = TIMERS.replace("DAILY", &hours_from_now(12)?);
    world.image.write(
        "usr/share/onepod/services.toml",
        &format!("{services}\n{timers}"),
        0o644,
    )?;
    for (name, value) in [
        ("LD_PRELOAD", "/usr/lib/onepod-faketime.so"),
        ("FAKETIME_TIMESTAMP_FILE", "/tmp/faketime"),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
    ] {
        world.pod.environment.insert(name.to_owned(), value.to_owned());
    }
    shift(world, 0)?;
    let (mut front_end, kept) = world.start_with_data()?;
    let before = front_end.services()?;
    ticks_on(world, "before any jump")?;

    shift(world, 24 * HOUR)?;
    shown(&front_end, 24 * HOUR)?;
    let (burst, count) = ticks_on(world, "after a day forward")?;
    ensure!(burst <= 6, "the interval's timer ran {burst} times in 6 s");
    until("the daily timer after a day forward", NOTICED, || {
        Ok(lines(world, "daily"))
    })?;
    front_end.ready()?;
    world.check(&kept)?;

    shift(world, -24 * HOUR)?;
    shown(&front_end, -24 * HOUR)?;
    let (_, later) = ticks_on(world, "after two days back")?;
    ensure!(later > count, "the interval's timer stands still");
    front_end.ready()?;
    let (alive, _) = front_end.get("/livez")?;
    ensure!(alive == 200, "/livez {alive}");
    let daily = fs::read_to_string(world.pod.path("tmp/daily"))?.lines().count();
    ensure!(daily == 1, "the daily timer ran {daily} times");
    for service in before.into_iter().filter(|service| service.name != KILLED) {
        let now = front_end.service(&service.name)?;
        ensure!(
            now.pid == service.pid && now.restarts == 0,
            "{} was started again",
            service.name
        );
    }
    world.check(&kept)?;
    front_end.stop()?;
    Ok("ready throughout, no service started again but the one that was killed for its line, the interval's timer neither bursts nor stands still, the daily one ran once; \
        only onepod's clock jumped; same data"
        .to_owned())
}

/// Debian's libfaketime for programs with threads.
fn library() -> Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib")?.flatten().map(|entry| entry.path());
    folders
        .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.exists())
        .context("no libfaketime: apt-get install --no-install-recommends faketime")
}

/// Sets onepod's clock that many seconds beside the true one.
fn shift(world: &World, seconds: i64) -> Result<()> {
    let folder = world.pod.path("tmp");
    fs::write(folder.join("faketime.new"), format!("{seconds:+}\n"))?;
    fs::rename(folder.join("faketime.new"), folder.join("faketime"))?;
    Ok(())
}

/// Makes onepod say something, by the end of a service that nobody needs here, and looks at the date that it gives the line.
fn shown(front_end: &Container, seconds: i64) -> Result<()> {
    let before = front_end.service(KILLED)?;
    front_end.kill_service(&before)?;
    until(&format!("{KILLED} ready again"), Duration::from_secs(20), || {
        let now = front_end.service(KILLED)?;
        Ok(if now.state == "ready" && now.restarts > before.restarts {
            Look::Seen(())
        } else {
            Look::NotYet(now.state)
        })
    })?;
    let now = date(&["+%s"])?.parse::<i64>()? + seconds;
    let expected = date(&["--utc", &format!("--date=@{now}"), "+%Y-%m-%d"])?;
    let written = front_end.written();
    let line = written
        .lines()
        .rev()
        .find(|line| line.contains(&format!("{KILLED}: ready after")))
        .context("no line tells of the service")?;
    ensure!(
        line.starts_with(&expected),
        "onepod's clock is not at {expected}: {line}"
    );
    Ok(())
}

/// Lets 6 s pass, in which the interval's timer must run; how often it did, and how often in all.
fn ticks_on(world: &World, when: &str) -> Result<(usize, usize)> {
    let count = || fs::read_to_string(world.pod.path("tmp/interval")).map_or(0, |text| text.lines().count());
    let before = count();
    pause(Duration::from_secs(6));
    let after = count();
    ensure!(after > before, "the interval's timer does not run {when}");
    Ok((after - before, after))
}

fn lines(world: &World, file: &str) -> Look<()> {
    let text = fs::read_to_string(world.pod.path("tmp").join(file)).unwrap_or_default();
    if text.is_empty() {
        Look::NotYet("it has not run".to_owned())
    } else {
        Look::Seen(())
    }
}

/// A time of the day, so many hours from now.
fn hours_from_now(hours: u32) -> Result<String> {
    date(&["--utc", &format!("--date={hours} hours"), "+%H:%M"])
}

fn date(arguments: &[&str]) -> Result<String> {
    Ok(faults::process::run("date", arguments)?.trim().to_owned())
}
