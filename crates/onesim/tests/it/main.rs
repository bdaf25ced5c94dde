//! The simulator's contract: each test is named for an observation on the real OpenNebula.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where something is not as prepared"
)]

mod answers;
mod client;
mod configuration;
mod credentials;
mod database;
mod front_end;
mod mariadb;
mod packages;
mod pyone;
mod servers;
mod start;
mod tools;
