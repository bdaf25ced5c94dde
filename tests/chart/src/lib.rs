//! What the tests of the charts need: Helm itself, the rendered objects, and the restricted Pod Security Standard as a
//! function, promtool, and a reader of `PromQL`.
//!
//! The tests are in `tests/charts`. They render and read; nothing here talks to a cluster, `tests/e2e` does.

pub mod helm;
pub mod object;
pub mod promql;
pub mod promtool;
pub mod restricted;
