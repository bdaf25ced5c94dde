//! What must be true of every published image, looked for on an image that is unpacked: what is in it and what is not, how
//! it is configured, and what comes of it when nothing is set.
//!
//! By hand, as root (`--config` is the image's configuration in Docker's form, as `docker inspect` has it under `Config`):
//!
//! ```text
//! cargo run -p image-contract -- --rootfs DIR --config FILE --release 7.2.0 --work DIR --report FILE.md --only ports
//! ```
//!
//! Checks of files read the unpacked image as it is. The others start it: each has network, mounts and processes of its
//! own, in which the image is a container under runc with an sqlite database, no setting and no Secret. Nothing outlives its
//! check, and nothing is written to the unpacked image. What must come of faults is the fault suite's affair.
//!
//! The last lines are a table of the checks, then `N passed, N failed`; the exit status is 1 when one failed.

mod check;
mod config;
mod context;
mod findings;
mod inside;
mod progress;
mod release;
mod rootfs;
mod settings;
mod stand;
mod suite;

use std::process::ExitCode;

use clap::Parser;

use crate::settings::{Settings, Verb};

fn main() -> ExitCode {
    let settings = Settings::parse();
    let passed = match &settings.verb {
        Some(Verb::Inside { check }) => inside::run(check, &settings),
        None => suite::run(&settings),
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress::say(&format!("image-contract: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
