//! One-shot tasks and timers, with the real program as PID 1.

use std::fs;

use rustix::process::Signal;

use crate::endpoint::control;
use crate::pod::{Services, until};

#[test]
fn what_comes_after_a_task_starts_when_it_has_succeeded() {
    let pod = Services::new()
        .good("first", "")
        .short(
            "tasks",
            "prepare",
            "echo run $NAME >> events; [ -e tried ] && exit 0; touch tried; echo not yet; exit 3",
            "after = [\"first\"]\nessential = true",
        )
        .good("last", "after = [\"prepare\"]\nessential = true")
        .start();
    pod.until_ok("/readyz");
    assert_eq!(
        pod.lines("events"),
        ["start first", "run prepare", "run prepare", "start last"]
    );
    let task = pod.service("prepare");
    assert_eq!(
        (&task["state"], &task["restarts"], &task["pid"]),
        (&"done".into(), &1.into(), &().into())
    );
    // Whoever asks for it has it run again, and nothing that came after it notices.
    let (code, text) = control(&pod, &["restart", "prepare"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(pod.lines("events").last().unwrap(), "run prepare");
    assert_eq!(pod.service("last")["restarts"], 0);
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    assert!(
        output.contains("prepare: exit code 3 after")
            && output.contains("its last line: not yet; starts again in"),
        "{output}"
    );
}

#[test]
fn a_task_that_takes_too_long_is_stopped_with_all_its_processes_and_tried_again() {
    let script = "if [ -e helper ]; then kill -0 $(cat helper) 2> /dev/null && echo alive > found || echo gone > found; exit 0; fi
        sleep 1000 & echo $! > helper; while :; do sleep 0.05; done";
    let pod = Services::new()
        .short("tasks", "slow", script, "timeout_seconds = 1\nessential = true")
        .start();
    pod.until_ok("/readyz");
    assert_eq!(pod.lines("found"), ["gone"]);
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    for part in [
        "slow: took longer than 1 s; stopping it",
        "slow: took longer than 1 s; killed by SIGTERM after",
    ] {
        assert!(output.contains(part), "{part:?} is missing in\n{output}");
    }
}

#[test]
fn timers_run_again_and_again_but_only_where_there_is_something_to_do() {
    let services = Services::new();
    let full = services.directory().join("full");
    fs::create_dir_all(services.directory().join("empty")).unwrap();
    fs::create_dir_all(full.join("something")).unwrap();
    let only = |name: &str| {
        let directory = services.directory().join(name).display().to_string();
        format!("schedule = {{ every_seconds = 1 }}\nonly_if_not_empty = \"{directory}\"")
    };
    let (empty, full) = (only("empty"), only("full"));
    let pod = services
        .good("a", "essential = true")
        .short("timers", "works", "echo run >> works; echo tidied", &full)
        .short("timers", "idle", "echo run >> idles", &empty)
        .short(
            "timers",
            "fails",
            "echo run >> fails; echo broken; exit 4",
            "after = [\"a\"]\nschedule = { every_seconds = 1 }",
        )
        .start();
    until("two runs of each", || {
        (pod.lines("works").len() >= 2 && pod.lines("fails").len() >= 2).then_some(())
    });
    assert_eq!(pod.lines("idles"), Vec::<String>::new());
    let timers = pod.status()["timers"].clone();
    let fails = timers
        .as_array()
        .unwrap()
        .iter()
        .find(|timer| timer["name"] == "fails")
        .unwrap()
        .clone();
    assert!(
        fails["failures"].as_u64().unwrap() >= 1 && fails["next"].is_string(),
        "{fails}"
    );
    pod.until_ok("/readyz");
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    assert!(
        output.contains("WARN") && output.contains("fails: exit code 4 after"),
        "{output}"
    );
    assert!(output.contains("tidied"), "{output}");
}

#[test]
fn a_timer_that_is_at_work_is_stopped_with_the_pod_before_what_it_comes_after() {
    let pod = Services::new()
        .good("a", "")
        .short(
            "timers",
            "long",
            "trap 'echo stop $NAME >> events; exit 0' TERM; echo run $NAME >> events; while :; do sleep 0.05 & wait $!; done",
            "after = [\"a\"]\nschedule = { daily = \"00:00\" }",
        )
        .start();
    pod.until_ok("/startupz");
    // Its run ends with the pod, so the answer comes only then: nobody waits for it here.
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| control(&pod, &["restart", "long"]));
        until("its run", || (pod.lines("events").len() == 2).then_some(()));
        let events = fs::File::open(pod.path("events")).unwrap();
        pod.signal(Signal::TERM);
        let (code, text) = asked.join().unwrap();
        (code, text, events)
    });
    let (code, output) = pod.end();
    assert_eq!(code, 0, "{output}");
    assert_ne!(asked.0, 0, "{}", asked.1);
    assert_eq!(
        std::io::read_to_string(asked.2).unwrap(),
        "start a\nrun long\nstop long\nstop a\n",
        "{output}"
    );
}

#[test]
fn a_daily_run_that_was_missed_while_the_pod_was_down_is_made_up_for() {
    let services = Services::new().good("a", "").short(
        "timers",
        "daily",
        "echo run >> runs",
        "after = [\"a\"]\nschedule = { daily = \"00:00\" }",
    );
    let stamp = services.directory().join("var/lib/one/.onepod/timers/daily");
    fs::create_dir_all(stamp.parent().unwrap()).unwrap();
    fs::write(&stamp, "2026-01-01T00:00:00Z\n").unwrap();
    let pod = services.start();
    until("the run", || (pod.lines("runs").len() == 1).then_some(()));
    until("it is remembered", || {
        let text = fs::read_to_string(&stamp).ok()?;
        (!text.starts_with("2026-01-01T00:00:00")).then_some(())
    });
    assert_eq!(pod.stop().0, 0);
}
