//! The program: parse the command line, run the verb. Everything else is in the library, where tests reach it.

use std::process::ExitCode;

use clap::Parser;
use onepod::cli::Cli;

fn main() -> ExitCode {
    onepod::verbs::dispatch(Cli::parse())
}
