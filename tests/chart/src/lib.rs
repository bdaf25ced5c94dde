//! What the tests of the charts need: Helm itself, the rendered objects, and the restricted Pod Security Standard as a
//! function.
//!
//! The tests are in `tests/charts`. They render and read; nothing here talks to a cluster, `tests/e2e` does.

pub mod helm;
pub mod object;
pub mod restricted;
