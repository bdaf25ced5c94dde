//! The program: parse the command line, run the verb. Everything else is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match onepod::cli::parse() {
        Ok(cli) => onepod::verbs::dispatch(cli),
        Err(code) => code,
    }
}
