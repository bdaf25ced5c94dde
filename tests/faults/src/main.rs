//! The fault suite: what breaks in real life is broken on purpose, and what must come of it is looked for. Each fault
//! ends with the same data and a working API, or with a refusal that names the cause.
//!
//! By hand, as root, with the unpacked root file system of the front-end's image (`cargo xtask faults` unpacks it):
//!
//! ```text
//! cargo run -p faults -- --rootfs .state/unpacked/RELEASE --only wrong-password
//! ```
//!
//! Every fault has network, mounts and processes of its own (`unshare`), in which a real MariaDB runs and the image is a
//! container as the chart makes it: runc, read-only root, uid 9869, no capabilities, `onepod` as PID 1. Nothing of it
//! outlives the fault. What a simulated OpenNebula waits by the clock is shortened (`--time-scale`); for a real one all limits
//! are wider (`front_end::OpenNebula::limit_factor`).
//!
//! What is real: the image, onepod, MariaDB, runc, the kernel. What is not: OpenNebula's daemons where the image has the
//! simulated packages, and the kubelet, whose part (mounts, Secrets that change, containers started again) `front_end/` plays. Seccomp profiles and cgroup limits are absent.
//! The last lines are a table of the faults, then `N passed, N failed`; the exit status is 1 when one failed.

mod fault;
mod inside;
mod progress;
mod settings;
mod suite;

use std::process::ExitCode;

use clap::Parser;

use crate::settings::{Settings, Verb};

fn main() -> ExitCode {
    let settings = Settings::parse();
    let passed = match &settings.verb {
        _ if settings.list => {
            for fault in fault::ALL {
                progress::say(&fault.line());
            }
            Ok(true)
        }
        Some(Verb::Inside { fault }) => inside::run(fault, &settings),
        None => suite::run(&settings),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress::say(&format!("faults: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
