//! What developers and CI run: `cargo xtask VERB`. One file per verb, in `verbs/`; the Makefile has a target for each.
//!
//! Nothing of this goes into an image, and nothing else in the workspace depends on it. It runs programs and says
//! how far it is; what can be decided without running anything is in pure functions with tests.

mod apt;
mod cluster;
mod digest;
mod images;
mod kind;
mod leftovers;
mod lock;
mod machine;
mod offers;
mod platform;
mod progress;
mod release;
mod repo;
mod serve;
mod sh;
mod verbs;
mod versions;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match verbs::Verb::parse().run() {
        Ok(code) => code,
        Err(error) => {
            progress::complain(&error);
            ExitCode::FAILURE
        }
    }
}
