//! Scenarios with the real program as PID 1 of a PID namespace, and with the real reaper.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests, where clippy sees no test"
)]

mod browser;
mod discover;
mod endings;
mod endpoint;
mod environment;
mod logs;
mod order;
mod orphans;
mod pod;
mod prepare;
mod restart;
mod ssh;
mod switches;
mod tasks;
