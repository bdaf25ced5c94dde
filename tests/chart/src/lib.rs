//! What the tests of the charts need: Helm itself, the rendered objects, the restricted Pod Security Standard as a
//! function, NetworkPolicies with the table of flows that they must let pass and refuse, promtool, and a reader of `PromQL`.
//!
//! The tests are in `tests/charts`. They render and read; nothing here talks to a cluster, `tests/e2e` does.

pub mod flows;
pub mod helm;
pub mod object;
pub mod promql;
pub mod promtool;
pub mod restricted;
