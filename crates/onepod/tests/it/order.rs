//! Services start in the order of their readiness and stop in the reverse.

use std::fs;

use rustix::process::Signal;

use crate::pod::{Services, until};

#[test]
fn services_start_in_the_order_of_readiness_and_stop_in_reverse() {
    let pod = Services::new()
        .good("a", "")
        .good("b", "after = [\"a\"]")
        .good("c", "after = [\"b\"]\nessential = true")
        .good("absent", "after = [\"a\"]\ninstalled = \"/nowhere\"")
        .start();
    pod.until_ok("/startupz");
    pod.until_ok("/readyz");
    assert_eq!(pod.lines("events"), ["start a", "start b", "start c"]);
    assert_eq!(pod.service("absent")["state"], "absent");
    let path = pod.path("events");
    let events = fs::File::open(&path).unwrap();
    let (code, output) = pod.stop();
    assert_eq!(code, 0, "{output}");
    let all = std::io::read_to_string(events).unwrap();
    assert_eq!(
        all, "start a\nstart b\nstart c\nstop c\nstop b\nstop a\n",
        "{output}"
    );
    assert!(
        output.contains("absent: absent, /nowhere is not installed"),
        "{output}"
    );
}

#[test]
fn a_service_whose_predecessor_is_not_ready_waits_and_the_endpoint_says_for_what() {
    let pod = Services::new()
        .script(
            "slow",
            "until [ -e go ]; do sleep 0.05; done; touch ready-$NAME; sleep 1000",
            "essential = true",
        )
        .good("later", "after = [\"slow\"]")
        .start();
    let (status, body) = until("the reason", || {
        pod.get("/readyz")
            .filter(|(_, body)| body.contains("slow: starting: "))
    });
    assert_eq!(status, 503);
    assert!(body.contains("ready-slow: No such file"), "{body}");
    assert_eq!(pod.get("/livez").unwrap().0, 200);
    assert_eq!(pod.get("/startupz").unwrap().0, 503);
    assert_eq!(pod.service("later")["state"], "waiting");
    assert_eq!(pod.lines("events"), Vec::<String>::new());
    fs::write(pod.path("go"), "").unwrap();
    pod.until_ok("/readyz");
    pod.until_ok("/startupz");
    assert_eq!(pod.lines("events"), ["start later"]);
    assert_eq!(pod.stop().0, 0);
}

/// oned, and `OneForm` with a Terraform that runs until the file `finish` exists.
fn provisioning() -> Services {
    let terraform = "cp /bin/sh terraform; trap 'echo stop $NAME >> events; exit 0' TERM
        env --default-signal=INT ./terraform -c 'trap \"sleep 0.3; echo interrupted >> events; exit 1\" INT; touch ready-oneform; until [ -e finish ]; do sleep 0.05; done; echo applied >> events' &
        while :; do sleep 0.05 & wait $!; done";
    Services::new()
        .good("oned", "stop = { timeout_seconds = 2 }")
        .script(
            "oneform",
            terraform,
            "after = [\"oned\"]\nstop = { wait_for_process = \"terraform\", wait_seconds = 3600, timeout_seconds = 2 }",
        )
}

#[test]
fn a_stop_waits_for_work_in_progress() {
    let pod = provisioning().start();
    pod.until_ok("/startupz");
    pod.signal(Signal::TERM);
    until("the wait", || {
        pod.shown()
            .contains("oneform: waiting for terraform to finish")
            .then_some(())
    });
    let events = fs::File::open(pod.path("events")).unwrap();
    fs::write(pod.path("finish"), "").unwrap();
    let (code, output) = pod.end();
    assert_eq!(code, 0, "{output}");
    let all = std::io::read_to_string(events).unwrap();
    assert_eq!(all, "start oned\napplied\nstop oneform\nstop oned\n", "{output}");
    assert!(output.contains("oneform: terraform has finished"), "{output}");
}

#[test]
fn work_that_takes_too_long_is_stopped_in_time_for_a_stop_in_order() {
    let pod = provisioning().environment("ONEPOD_STOP_TIMEOUT", "10").start();
    pod.until_ok("/startupz");
    let events = fs::File::open(pod.path("events")).unwrap();
    let (code, output) = pod.stop();
    assert_eq!(code, 0, "{output}");
    let all = std::io::read_to_string(events).unwrap();
    assert_eq!(
        all, "start oned\ninterrupted\nstop oneform\nstop oned\n",
        "{output}"
    );
    assert!(
        output.contains("oneform: terraform was still running after"),
        "{output}"
    );
}
