//! Scenarios and properties of the crate, through its public interface only.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests: clippy.toml allows these in the test functions alone"
)]

mod editing;
mod oracle;
mod properties;
mod reading;
mod vendor_files;

/// The file with every form of the grammar that the scenarios start from.
const FRONT_END: &str = include_str!("../fixtures/front-end.conf");
