//! The simulator's contract: each test is named for an observation on the real OpenNebula.

mod client;
mod database;
mod front_end;
mod mariadb;
mod packages;
mod pyone;
mod servers;
mod start;
mod tools;
