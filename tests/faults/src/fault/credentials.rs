//! Secrets that change, lack a key, or outlive what they belong to.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use faults::api::Value;
use faults::front_end::{Container, Service};
use faults::wait::{Look, pause, until};
use faults::world::{World, call_as, files_below, hexadecimal, word};

/// The kubelet has brought the Secret; from then on this long.
pub(super) const NOTICED: Duration = Duration::from_secs(30);

/// Oneadmin's password changes in the Secret of a running front-end.
pub(super) fn oneadmin(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let (init, oned) = (front_end.pid()?, front_end.service("oned")?);
    let old = world.oneadmin.clone();
    let new = word(24);
    world.pod.change_secret("oneadmin-password", Some(&new))?;
    world.oneadmin.clone_from(&new);
    world.learn();
    let took = good(world, &old)?;
    let file = until("one_auth with the new password", NOTICED, || {
        let text = fs::read_to_string(world.pod.volume().join(".one/one_auth"))?;
        Ok(if text.trim_end() == format!("oneadmin:{new}") {
            Look::Seen(())
        } else {
            Look::NotYet("it has another".to_owned())
        })
    });
    file?;
    untouched(&mut front_end, init, &oned)?;
    world.check(&kept)?;
    front_end.stop()?;
    drop(front_end);

    // A second change comes while nothing runs.
    let old = world.oneadmin.clone();
    world.oneadmin = word(24);
    world
        .pod
        .change_secret("oneadmin-password", Some(&world.oneadmin))?;
    world.learn();
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    good(world, &old)?;
    world.check(&kept)?;
    Ok(format!(
        "good {took:.1} s after the Secret changed, old refused, same container, same oned; changed again while down: good after the start; same data"
    ))
}

/// Somebody changes oneadmin's password in OpenNebula, and neither Secret nor volume know it; then the same again while the
/// front-end is down.
pub(super) fn oneadmin_unknown(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let (init, oned) = (front_end.pid()?, front_end.service("oned")?);
    change_by_hand(world)?;
    let reason = front_end.unready(&["oned", "one_auth", "ONEADMIN_PASSWORD"])?;
    let (alive, _) = front_end.get("/livez")?;
    ensure!(alive == 200, "/livez {alive}");
    world
        .check(&kept)
        .context("the API works for who knows the password")?;
    world
        .pod
        .change_secret("oneadmin-password", Some(&world.oneadmin))?;
    front_end.ready()?;
    untouched(&mut front_end, init, &oned)?;

    change_by_hand(world)?;
    front_end.stop()?;
    drop(front_end);
    let mut front_end = world.start()?;
    let at_start = front_end.unready(&["oned", "one_auth", "ONEADMIN_PASSWORD"])?;
    world
        .pod
        .change_secret("oneadmin-password", Some(&world.oneadmin))?;
    front_end.started()?;
    world.login()?;
    world.check(&kept)?;
    ensure!(
        !world.pod.volume().join(".one/one_auth.pending").exists(),
        "a password that is settled is still kept as one to try"
    );
    Ok(format!(
        "\"{reason}\", alive, the API works for who knows the password; ready in the same container once the Secret says it; at a start \"{at_start}\", ready once the Secret says it; same data"
    ))
}

/// `oneuser passwd 0`, as an operator who forgets the Secret.
fn change_by_hand(world: &mut World) -> Result<()> {
    let new = word(24);
    world.call("one.user.passwd", &[Value::Int(0), Value::Text(&new)])?;
    world.oneadmin = new;
    world.learn();
    Ok(())
}

/// Waits until the new password of oneadmin is good and `old` is not; gives the seconds.
fn good(world: &World, old: &str) -> Result<f64> {
    let start = Instant::now();
    until("the new password", NOTICED, || {
        Ok(match world.call("one.userpool.info", &[]) {
            Ok(_) => Look::Seen(()),
            Err(error) => Look::NotYet(format!("{error:#}")),
        })
    })?;
    ensure!(
        call_as(&format!("oneadmin:{old}"), "one.userpool.info", &[]).is_err(),
        "the old password is still good"
    );
    Ok(start.elapsed().as_secs_f64())
}

/// The same container, the same oned, and ready.
pub(super) fn untouched(front_end: &mut Container, init: u32, oned: &Service) -> Result<()> {
    ensure!(
        front_end.ended()?.is_none() && front_end.pid()? == init,
        "the container was started again"
    );
    let now = front_end.service("oned")?;
    ensure!(
        now.pid == oned.pid && now.restarts == oned.restarts,
        "oned was started again"
    );
    front_end.ready()
}

/// The secret of serveradmin changes in the Secret of a running front-end: every service logs in with the new one.
pub(super) fn serveradmin(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let (init, oned) = (front_end.pid()?, front_end.service("oned")?);
    let folder = world.pod.volume().join(".one");
    let before = fs::read_to_string(folder.join("sunstone_auth"))?;
    let new = hexadecimal(64);
    world.pod.change_secret("serveradmin-secret", Some(&new))?;
    world.learn();
    let start = Instant::now();
    until("sunstone_auth with the new secret", NOTICED, || {
        let text = fs::read_to_string(folder.join("sunstone_auth"))?;
        Ok(if text.trim_end() == format!("serveradmin:{new}") {
            Look::Seen(())
        } else {
            Look::NotYet("it has another".to_owned())
        })
    })?;
    until("a login through FireEdge", NOTICED, || {
        Ok(match world.login() {
            Ok(()) => Look::Seen(()),
            Err(error) => Look::NotYet(format!("{error:#}")),
        })
    })?;
    let took = start.elapsed().as_secs_f64();
    ensure!(
        before.trim_end() != format!("serveradmin:{new}"),
        "it was not changed"
    );
    for name in ["oneflow_auth", "onegate_auth"] {
        let text = fs::read_to_string(folder.join(name))?;
        ensure!(
            text.trim_end() == format!("serveradmin:{new}"),
            "{name} has another secret"
        );
    }
    untouched(&mut front_end, init, &oned)?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "files and login good {took:.1} s after the Secret changed, same container, same oned; same data"
    ))
}

/// The database's password changes, in the database and in the Secret of a running front-end.
pub(super) fn database(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let init = front_end.pid()?;
    let new = word(24);
    world.needles.add("new database password", &new);
    world.database.grant(&new)?;
    world.pod.database_password(&new)?;
    let start = Instant::now();
    until("oned.conf with the new password", NOTICED, || {
        let text = fs::read_to_string(world.pod.path("etc/oned.conf"))?;
        Ok(if text.contains(&new) {
            Look::Seen(())
        } else {
            Look::NotYet("it has the old one".to_owned())
        })
    })?;
    // The connections of before go away: from now on only the new password helps.
    world.database.kill();
    world.database.start()?;
    front_end.started()?;
    until("an answer", NOTICED, || {
        Ok(match world.check_database(&kept) {
            Ok(()) => Look::Seen(()),
            Err(error) => Look::NotYet(format!("{error:#}")),
        })
    })?;
    let took = start.elapsed().as_secs_f64();
    front_end.ready()?;
    ensure!(
        front_end.ended()?.is_none() && front_end.pid()? == init,
        "the container was started again"
    );
    world.check(&kept)?;
    Ok(format!(
        "in use {took:.1} s after the change, database restarted meanwhile, same container; same data"
    ))
}

/// A key of the Secret is missing: at the start, and taken away from a running front-end.
pub(super) fn missing_key(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    let password = world.oneadmin.clone();
    world.pod.change_secret("oneadmin-password", None)?;
    pause(Duration::from_secs(12)); // longer than the interval in which Secrets are read again
    world.check(&kept).context("with the key taken away")?;
    front_end.ready()?;
    front_end.stop()?;
    drop(front_end);
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let code = front_end.end()?;
    let message = world.pod.last_message();
    ensure!(code == 64, "it ended with {code}: {message}");
    for word in [
        "ONEADMIN_PASSWORD_FILE",
        "/run/secrets/opennebula/oneadmin-password",
    ] {
        ensure!(message.contains(word), "{word} is not in the message: {message}");
    }
    world.pod.change_secret("oneadmin-password", Some(&password))?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "while running: goes on; at the start: exit 64: \"{}\"; with the key again, same data",
        message.trim()
    ))
}

/// The volume is empty, the database is the old one.
pub(super) fn volume_lost(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    world.learn();
    world.pod.new_volume()?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check_database(&kept)?;
    world.login()?;
    front_end.stop()?;
    drop(front_end);
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check_database(&kept)?;
    world.login()?;
    Ok("the credentials are there again, every service logs in, also after one more start; same data in the database".to_owned())
}

/// The database is empty, the volume is the old one.
pub(super) fn database_lost(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    world.learn();
    world
        .database
        .query("DROP DATABASE opennebula; CREATE DATABASE opennebula CHARACTER SET utf8mb4")?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.writable()?;
    world.login()?;
    world.check_files(&kept)?;
    let folder = world.pod.volume().join(".one");
    let aside: Vec<String> = files_below(&folder)
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(&folder).ok()?.display().to_string();
            let current = name.ends_with("_auth") || name.ends_with("_key");
            (name.contains("_auth") && (!current || name.contains('/'))).then_some(name)
        })
        .collect();
    ensure!(!aside.is_empty(), "the stale service files are not kept aside");
    let written = front_end.written();
    for path in &aside {
        let unnamed: Vec<&str> = path.split('/').filter(|part| !written.contains(part)).collect();
        ensure!(
            unnamed.is_empty(),
            "the log does not say that {path} is kept aside"
        );
    }
    Ok(format!(
        "a new database, every service logs in; kept aside: {}; files of the user are there",
        aside.join(", ")
    ))
}
