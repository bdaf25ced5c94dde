//! Services that services.toml leaves off, and the setting that switches them on.

use crate::endpoint::control;
use crate::pod::{Services, until};

/// Logs its reason on two lines, as the vendor's servers do, and exits with 1.
const CANNOT_START: &str =
    "printf '[E] [SRV]: Server initialization failed: requirements:\\n  - no TPROXY\\n'; exit 1";

#[test]
fn a_service_that_is_off_by_default_does_not_start_and_says_how_to_enable_it() {
    let pod = Services::new()
        .good("a", "")
        .good("extra", "enabled = false")
        .start();
    pod.until_ok("/startupz");
    assert_eq!(pod.service("extra")["state"], "off");
    assert_eq!(pod.lines("events"), ["start a"]);
    let (code, text) = control(&pod, &["restart", "extra"]);
    assert!(
        code != 0 && text.contains("extra is off by default; ONEPOD_ENABLE switches it on"),
        "{code} {text}"
    );
    let (_, output) = pod.stop();
    assert!(
        output.contains("extra: off by default; ONEPOD_ENABLE switches it on"),
        "{output}"
    );
}

#[test]
fn an_enabled_service_that_cannot_start_is_retried_and_its_reason_is_in_log_and_status() {
    let pod = Services::new()
        .environment("ONEPOD_ENABLE", "extra, a")
        .good("a", "essential = true")
        .script("extra", CANNOT_START, "enabled = false")
        .start();
    until("its second failure", || {
        let now = pod.service("extra");
        (now["restarts"] == 1 && now["state"] == "backoff").then_some(())
    });
    pod.until_ok("/readyz");
    let reason = "its last line: [E] [SRV]: Server initialization failed: requirements: - no TPROXY";
    let (_, status) = control(&pod, &["status"]);
    assert!(status.contains(reason), "{status}");
    let (code, output) = pod.stop();
    assert_eq!(code, 0);
    assert!(
        output.contains(&format!("{reason}; starts again in ")),
        "{output}"
    );
}
