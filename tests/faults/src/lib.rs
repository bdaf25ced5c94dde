//! A front-end that things can be done to, for the fault suite, for measurements and for checks of an image: the image's
//! root file system as a container with `onepod` as PID 1, run as the chart runs it or with nothing set, beside a real MariaDB
//! or without one, in namespaces of its own.
//!
//! Everything blocks: whoever uses it does one thing after the other. What is done to the front-end, and what must come of
//! it, is the program's affair (`main.rs`, `fault/`).

pub mod apart;
pub mod api;
pub mod front_end;
pub mod http;
pub mod mariadb;
pub mod namespaces;
pub mod process;
pub mod report;
pub mod secrecy;
pub mod wait;
pub mod world;
