//! `onepod schema`: JSON Schema of the file that `ONEPOD_CONFIG` names, for editors and pipelines.

use std::process::ExitCode;

use super::{complain, say};
use crate::settings::schema;

/// Prints the schema.
#[must_use]
pub fn run() -> ExitCode {
    match serde_json::to_string_pretty(&schema::schema()) {
        Ok(text) => {
            say(&format!("{text}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("the schema cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}
