//! What developers and CI run: `cargo xtask VERB`. One file per verb, in `verbs/`; the Makefile has a target for each.
//!
//! Nothing of this goes into an image, and nothing else in the workspace depends on it. It runs programs and says
//! how far it is; what can be decided without running anything is in pure functions with tests.

mod apt;
mod chart;
mod cluster;
mod digest;
mod files;
mod forge;
mod images;
mod kind;
mod leftovers;
mod lock;
mod machine;
mod offers;
mod platform;
mod progress;
mod published_chart;
mod registry;
mod rehearsal;
mod release;
mod repo;
mod serve;
mod sh;
mod tools;
mod verbs;
mod versions;
mod workflows;

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
