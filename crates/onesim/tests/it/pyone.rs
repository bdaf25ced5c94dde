//! A client that is not ours: `pyone` from `PyPI` logs in, creates a host and a VM, and sees it running.
#![expect(clippy::disallowed_methods, reason = "the test runs Python")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::front_end::{FrontEnd, PASSWORD};

const VERSION: &str = "7.0.2";

/// A Python with pyone: made once below the target directory.
fn python() -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pyone-{VERSION}"));
    let python = venv.join("bin/python");
    let has_pyone = || {
        Command::new(&python)
            .args(["-c", "import pyone"])
            .output()
            .is_ok_and(|done| done.status.success())
    };
    if has_pyone() {
        return python;
    }
    let run = |program: &Path, arguments: &[&str]| {
        let done = Command::new(program).args(arguments).output();
        let done =
            done.unwrap_or_else(|e| panic!("{}: {e} (apt-get install python3-venv)", program.display()));
        assert!(
            done.status.success(),
            "pyone {VERSION} could not be installed; this test needs python3, python3-venv and PyPI once:\n{}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    run(Path::new("python3"), &["-m", "venv", venv.to_str().unwrap()]);
    run(
        &python,
        &["-m", "pip", "install", "--quiet", &format!("pyone=={VERSION}")],
    );
    python
}

const SCENARIO: &str = include_str!("scenario.py");

#[test]
fn pyone_brings_a_machine_to_running() {
    let python = python();
    let front = FrontEnd::with_dummy_drivers();
    // Long enough (2 s) to see the machine pending.
    front.configure("SCHED_MAX_WND_TIME = 100");
    let _oned = front.up();
    let done = Command::new(python)
        .args([
            "-c",
            SCENARIO,
            &format!("http://127.0.0.1:{}/RPC2", front.port),
            &format!("oneadmin:{PASSWORD}"),
        ])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
