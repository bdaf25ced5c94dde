//! A service that ends is started again, and what it left behind is gone by then.

use std::time::Instant;

use rustix::process::Signal;

use crate::endpoint::control;
use crate::pod::{Services, until};

#[test]
fn a_killed_service_gets_a_successor_and_leaves_no_process_behind() {
    let script = "sleep 1000 & echo $! >> helpers; echo $$ >> pids; touch ready-$NAME; wait";
    let pod = Services::new().script("a", script, "essential = true").start();
    pod.until_ok("/readyz");
    let first = pod.service("a")["pid"].as_u64().unwrap();
    let killed = Instant::now();
    pod.signal_inside(first, Signal::KILL);
    until("a successor", || (pod.lines("pids").len() == 2).then_some(()));
    println!(
        "killed → successor running: {:.0} ms (first failure, not healthy before)",
        killed.elapsed().as_secs_f64() * 1e3
    );
    pod.until_ok("/readyz");
    let service = pod.service("a");
    assert_eq!(service["restarts"], 1);
    assert_ne!(service["pid"].as_u64().unwrap(), first);
    assert!(
        service["last_exit"]
            .as_str()
            .unwrap()
            .starts_with("killed by SIGKILL"),
        "{service}"
    );
    // The first run's helper was an orphan then, and is the only one.
    assert_eq!(pod.status()["orphans_reaped"], 1);
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    assert!(output.contains("a: killed by SIGKILL after"), "{output}");
}

#[test]
fn a_service_that_keeps_failing_is_told_of_everywhere_and_does_not_end_the_pod() {
    let pod = Services::new()
        .script("bad", "echo first words; echo last words; exit 7", "")
        .good("good", "")
        .start();
    until("three ends", || {
        (pod.service("bad")["restarts"].as_u64().unwrap() >= 2).then_some(())
    });
    pod.until_ok("/readyz");
    let (_, held) = until("its third end, after which it holds up the start no more", || {
        pod.get("/startupz").filter(|(status, _)| *status == 200)
    });
    assert_eq!(held, "started\n");
    // Whoever is in the pod sees what it wrote, and whoever reaches the port does not.
    let (_, inside) = control(&pod, &["status", "--json"]);
    assert!(
        inside.contains("\"last_lines\":[\"first words\",\"last words\"]"),
        "{inside}"
    );
    assert!(!pod.status().to_string().contains(" words"));
    assert_eq!(pod.service("good")["restarts"], 0);
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    assert!(
        output.contains("bad: exit code 7 after") && output.contains("its last line: "),
        "{output}"
    );
}
