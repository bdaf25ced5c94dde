//! Services that do not do their work.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use faults::wait::{Look, until};
use faults::world::World;

/// Five failures with the waits between them: 0.5, 1, 2 and 4 s and their jitter.
const GIVEN_UP: Duration = Duration::from_mins(1);

/// oned ends as soon as it is started, each time.
pub(super) fn keeps_failing(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    drop(front_end);
    world.image.rename("usr/bin/oned", "usr/bin/oned.image")?;
    world.image.write(
        "usr/bin/oned",
        "#!/bin/sh\necho 'the ark has a hole' >&2\nexit 3\n",
        0o755,
    )?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let start = Instant::now();
    let code = until("the end of the pod", GIVEN_UP, || {
        Ok(front_end.ended()?.map_or_else(
            || {
                Look::NotYet(
                    front_end
                        .written()
                        .lines()
                        .next_back()
                        .unwrap_or_default()
                        .to_owned(),
                )
            },
            Look::Seen,
        ))
    })?;
    let took = start.elapsed();
    let message = world.pod.last_message();
    ensure!(code == 1, "it ended with {code}: {message}");
    for word in ["oned", "5", "exit code 3", "the ark has a hole"] {
        ensure!(
            message.contains(word),
            "\"{word}\" is not in the message: {message}"
        );
    }
    ensure!(
        message.len() <= 4096,
        "Kubernetes cuts a message of {} bytes",
        message.len()
    );
    world.image.remove("usr/bin/oned")?;
    world.image.rename("usr/bin/oned.image", "usr/bin/oned")?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "exit 1 after {:.1} s: \"{}\"; with it mended, same data",
        took.as_secs_f64(),
        message.split_whitespace().collect::<Vec<_>>().join(" ")
    ))
}

/// OneFlow runs and never answers; then oned does so.
pub(super) fn never_ready(world: &mut World) -> Result<String> {
    let (mut front_end, kept) = world.start_with_data()?;
    front_end.stop()?;
    drop(front_end);
    let services = world.image.read("usr/share/onepod/services.toml")?;
    let flow = "usr/lib/one/oneflow/oneflow-server.rb";
    let program = world.image.read(flow)?;
    world.image.write(
        "usr/share/onepod/services.toml",
        &limited(&services, "oneflow")?,
        0o644,
    )?;
    world.image.write(flow, "loop { sleep 60 }\n", 0o755)?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    front_end.ready()?;
    world.check_database(&kept)?;
    let restarts = until("OneFlow stopped and started again", GIVEN_UP, || {
        let now = front_end.service("oneflow")?;
        Ok(if now.restarts >= 2 {
            Look::Seen(now.restarts)
        } else {
            Look::NotYet(format!("{}, {} restarts", now.state, now.restarts))
        })
    })?;
    front_end.ready()?;
    world.check_database(&kept)?;
    front_end.stop()?;
    drop(front_end);

    world.image.write(flow, &program, 0o644)?;
    world.image.write(
        "usr/share/onepod/services.toml",
        &limited(&services, "oned")?,
        0o644,
    )?;
    world.image.rename("usr/bin/oned", "usr/bin/oned.image")?;
    world
        .image
        .write("usr/bin/oned", "#!/bin/sh\nexec sleep 600\n", 0o755)?;
    world.pod.empty()?;
    let mut front_end = world.start()?;
    let code = until("the end of the pod", GIVEN_UP, || {
        Ok(front_end
            .ended()?
            .map_or_else(|| Look::NotYet("it runs".to_owned()), Look::Seen))
    })?;
    let message = world.pod.last_message();
    ensure!(code == 1, "it ended with {code}: {message}");
    for word in ["oned", "ready"] {
        ensure!(
            message.contains(word),
            "\"{word}\" is not in the message: {message}"
        );
    }
    world.image.remove("usr/bin/oned")?;
    world.image.rename("usr/bin/oned.image", "usr/bin/oned")?;
    world
        .image
        .write("usr/share/onepod/services.toml", &services, 0o644)?;
    let mut front_end = world.start()?;
    front_end.started()?;
    world.check(&kept)?;
    Ok(format!(
        "OneFlow: started {restarts} times more, pod ready, API works; oned: exit 1: \"{}\"; with it mended, same data",
        message.split_whitespace().collect::<Vec<_>>().join(" ")
    ))
}

/// The list of services with one second for `name` to become ready.
fn limited(services: &str, name: &str) -> Result<String> {
    let head = format!("[services.{name}]\n");
    let (before, after) = services
        .split_once(&head)
        .with_context(|| format!("no {name} in services.toml"))?;
    let (own, rest) = after
        .split_once("\n[")
        .with_context(|| format!("{name} is the last in services.toml"))?;
    let own: Vec<&str> = own
        .lines()
        .filter(|line| !line.starts_with("start_within_seconds"))
        .collect();
    Ok(format!(
        "{before}{head}start_within_seconds = 1\n{}\n[{rest}",
        own.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_service_s_limit_is_replaced() {
        let text =
            "[services.a]\nx = 1\nstart_within_seconds = 9\n\n[services.b]\nstart_within_seconds = 9\n";
        assert_eq!(
            limited(text, "a").unwrap(),
            "[services.a]\nstart_within_seconds = 1\nx = 1\n[services.b]\nstart_within_seconds = 9\n"
        );
        assert!(limited(text, "c").is_err());
    }
}
