//! Services start in the order of their readiness and stop in the reverse.

use std::fs;

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
