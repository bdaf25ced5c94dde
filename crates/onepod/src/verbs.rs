//! One file per verb; here only the choice between them and the runtime they share.

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::{Cli, Verb};
use crate::log::visible::visible;
use crate::supervisor::beat;

pub mod check;
pub mod discover;
mod kubernetes;
pub mod layout;
pub mod logs;
pub mod probe;
pub mod render;
pub mod restart;
pub mod run;
pub mod schema;
pub mod secrets;
pub mod ssh_key;
pub mod status;
pub mod verify;

/// Exit code for settings or arguments that cannot be used (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Runs the verb of the parsed command line to its end.
#[must_use]
pub fn dispatch(cli: Cli) -> ExitCode {
    match cli.verb {
        Verb::Run(args) => block_on(run::run(args)),
        Verb::Check(args) => check::run(args),
        Verb::Layout(args) => block_on(layout::run(args)),
        Verb::Render(args) => block_on(render::run(args)),
        Verb::Schema => schema::run(),
        Verb::Probe(args) => block_on(probe::run(args)),
        Verb::Status(args) => block_on(status::run(args)),
        Verb::Restart(args) => block_on(restart::run(args)),
        Verb::Logs(args) => block_on(logs::run(args)),
        Verb::Verify(args) => block_on(verify::run(args)),
        Verb::SshKey(args) => ssh_key::run(&args),
        Verb::Secrets(args) => block_on(secrets::run(args)),
        Verb::Discover(args) => block_on(discover::run(args)),
        Verb::Supervise(args) => block_on(run::supervise_only(args)),
    }
}

/// Runs a verb on one event loop in this thread.
fn block_on(verb: impl Future<Output = ExitCode>) -> ExitCode {
    beat::begin();
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(verb),
        Err(error) => {
            complain(&format!("cannot start the event loop: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes one message to standard error, its control characters shown. A closed standard error is nothing to fail about.
pub fn complain(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "onepod: {}", visible(message));
}

/// Writes text to standard output. A closed standard output is nothing to fail about.
pub fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
