//! PID 1 of the OpenNebula image: prepares the front-end, supervises its services and answers for their health.
//!
//! A library only so that tests reach the parts; its one user is the program `onepod`.

pub mod board;
pub mod cli;
pub mod environment;
pub mod format;
pub mod health;
pub mod http;
pub mod identity;
pub mod leader;
pub mod log;
pub mod paths;
pub mod prepare;
pub mod reaper;
pub mod reconcile;
mod regular;
pub mod secrecy;
pub mod settings;
pub mod supervisor;
pub mod sys;
pub mod verbs;
