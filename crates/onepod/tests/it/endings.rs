//! How the pod ends: asked once, asked twice, asked before anything runs, and refused by mistakes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::pod::{Process, Services, until};

#[test]
fn a_second_request_does_not_wait_for_a_service_that_does_not_stop() {
    let pod = Services::new()
        .script(
            "deaf",
            "trap '' TERM; touch ready-$NAME; while :; do sleep 0.05; done",
            "stop = { timeout_seconds = 19 }",
        )
        .start();
    pod.until_ok("/startupz");
    pod.signal(Signal::TERM);
    until("the stop", || {
        (pod.service("deaf")["state"] == "stopping").then_some(())
    });
    let (status, body) = pod.get("/readyz").unwrap();
    assert_eq!((status, body.as_str()), (503, "the pod is stopping\n"));
    let again = Instant::now();
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    assert!(
        again.elapsed() < Duration::from_secs(3),
        "{:?}\n{output}",
        again.elapsed()
    );
}

#[test]
fn a_service_that_does_not_stop_is_killed_at_the_end_of_its_time_with_all_its_processes() {
    let deaf =
        "trap '' TERM; (while :; do sleep 0.05; done) & touch ready-$NAME; while :; do sleep 0.05; done";
    let pod = Services::new()
        .good("a", "")
        .script("deaf", deaf, "after = [\"a\"]\nstop = { timeout_seconds = 1 }")
        .start();
    pod.until_ok("/startupz");
    let asked = Instant::now();
    let events = fs::File::open(pod.path("events")).unwrap();
    let (code, output) = pod.stop();
    let took = asked.elapsed();
    assert_eq!(code, 0);
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(4),
        "{took:?}\n{output}"
    );
    assert!(
        output.contains("deaf: killed, it had not ended in time"),
        "{output}"
    );
    assert!(
        std::io::read_to_string(events).unwrap().ends_with("stop a\n"),
        "a stops in good order after it"
    );
}

#[test]
fn an_essential_service_that_keeps_failing_ends_the_pod_in_order_and_leaves_a_message() {
    let services = Services::new().good("a", "").script(
        "bad",
        "yes wordy | head -n 200; echo first words; echo last words >&2; exit 7",
        "after = [\"a\"]\nessential = true",
    );
    let message = services.directory().join("dev/termination-log");
    fs::create_dir_all(message.parent().unwrap()).unwrap();
    fs::write(&message, "").unwrap();
    let message = fs::File::open(message).unwrap();
    let pod = services.start();
    until("its first end", || {
        (pod.service("bad")["restarts"] == 1).then_some(())
    });
    let events = fs::File::open(pod.path("events")).unwrap();
    let (code, output) = pod.end();
    assert_eq!(code, 1, "{output}");
    let message = std::io::read_to_string(message).unwrap();
    assert!(
        message.starts_with(
            "bad: ended 5 times in a row without having been ready for 30 s; the last time: exit code 7 after "
        ),
        "{message}"
    );
    assert!(
        message.contains("\nfirst words") && message.contains("\nlast words") && message.len() < 3_000,
        "{message}"
    );
    assert_eq!(output.matches("bad: exit code 7 after").count(), 5, "{output}");
    assert!(
        std::io::read_to_string(events).unwrap().ends_with("stop a\n"),
        "a stops in good order after it"
    );
}

#[test]
fn the_message_has_the_error_and_not_the_configuration_that_was_printed_beside_it() {
    let script = "echo 'Error bootstrapping database.' >&2; echo 'Mon Nov 23 10:14:29 2026 [Z0][ONE][I]: Configuration'; \
                  seq -f 'KEY_%g=1' 200; echo 'Mon Nov 23 10:14:29 2026 [Z0][ONE][I]: Stopping'; exit 255";
    let services = Services::new().script("oned", script, "essential = true");
    let message = services.directory().join("dev/termination-log");
    fs::create_dir_all(message.parent().unwrap()).unwrap();
    fs::write(&message, "").unwrap();
    let message = fs::File::open(message).unwrap();
    let (code, output) = services.start().end();
    assert_eq!(code, 1, "{output}");
    let message = std::io::read_to_string(message).unwrap();
    assert!(
        message
            .lines()
            .next()
            .is_some_and(|line| line.contains("exit code 255")
                && line.contains("its last line: Error bootstrapping database.")),
        "{message}"
    );
    assert!(
        message.contains("\nError bootstrapping database.") && !message.contains("KEY_"),
        "{message}"
    );
    assert!(
        output.contains("ERROR oned  Error bootstrapping database."),
        "{output}"
    );
}

#[test]
fn a_service_that_is_never_ready_is_stopped_and_tried_again() {
    let script = "echo $$ >> pids; [ -e tried ] && touch ready-$NAME; touch tried; sleep 1000 & wait";
    let pod = Services::new()
        .script("slow", script, "essential = true\nstart_within_seconds = 1")
        .start();
    pod.until_ok("/readyz");
    assert_eq!(pod.lines("pids").len(), 2);
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    assert!(
        output.contains("slow: not ready within 1 s: ") && output.contains("ready-slow: No such file"),
        "{output}"
    );
    assert!(output.contains("; starts again in 0."), "{output}");
}

/// Supervises the services of a text and expects a refusal: what was written to standard error, and the directory in
/// which all this was.
fn refused(services: &str, environment: &[(&str, &str)]) -> (String, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (file, errors) = (
        directory.path().join("services.toml"),
        directory.path().join("stderr"),
    );
    fs::write(&file, services).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onepod"));
    command
        .args(["supervise", "--services"])
        .arg(&file)
        .arg("--root")
        .arg(directory.path())
        .env_clear()
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&errors).unwrap());
    let (mut process, _) = Process::start(&mut command);
    assert_eq!(until("the end", || process.exit()), 64);
    (fs::read_to_string(&errors).unwrap(), directory)
}

#[test]
fn programs_that_cannot_be_started_end_with_64_before_anything_is() {
    let (text, _) = refused(
        "[services.a]\ncommand = [\"/usr/bin/nowhere\"]\nreadiness = { notify = true }\n\
         [tasks.b]\ncommand = [\"/etc/passwd\"]\n\
         [tasks.c]\ncommand = [\"/usr/bin/nowhere\"]\ninstalled = \"/usr/bin/nowhere\"\n",
        &[],
    );
    for part in [
        "a: /usr/bin/nowhere: there is no such file",
        "b: /etc/passwd: may not be executed",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(
        !text.contains("c: "),
        "what is not installed is not looked at: {text}"
    );
}

#[test]
fn mistakes_in_services_toml_end_with_64_and_are_all_told() {
    let (text, directory) = refused(
        "[services.a]\ncommand = [\"a\"]\nreadiness = {}\n[services.b]\ncommand = [\"/b\"]\nreadiness = { notify = true }\nx = 1\n",
        &[],
    );
    for part in [
        "services.a.command",
        "services.a.readiness",
        "services.b: unknown field `x`",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let mut left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["services.toml", "stderr"], "nothing is written");
}

#[test]
fn a_name_in_onepod_disable_that_is_no_service_is_a_mistake_and_a_right_one_stays_off() {
    let (text, _) = refused(
        "[services.a]\ncommand = [\"/bin/true\"]\nreadiness = { notify = true }\n",
        &[("ONEPOD_DISABLE", "oneflow")],
    );
    assert!(
        text.contains("ONEPOD_DISABLE") && text.contains("oneflow"),
        "{text}"
    );
}
