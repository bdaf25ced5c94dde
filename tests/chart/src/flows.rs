//! Which connections a release may have: the places they run between, and the table of flows that must pass and flows that
//! must be refused, as data.
//!
//! The table is evaluated offline against rendered policies ([`policy`]), printed into docs/network-flows.md ([`markdown`]), and
//! free for those who try the same with real connections: each [`Place`] says what to stand in for.

pub mod cidr;
pub mod cluster;
pub mod markdown;
pub mod place;
pub mod policy;
mod rows;

use serde_json::Value;

pub use place::Place;
pub use policy::{Protocol, Verdict};
pub use rows::variants;

/// One way to set the chart, and its flows.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// As a heading: what is set.
    pub title: &'static str,
    /// The values of the chart.
    pub values: Value,
    /// What must pass and what must be refused.
    pub flows: Vec<Flow>,
}

/// One connection and what must become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Who connects.
    pub from: Place,
    /// To whom.
    pub to: Place,
    /// Of the transport.
    pub protocol: Protocol,
    /// Of the target: of the pod itself, not of a Service before it.
    pub port: u16,
    /// What the policies must say.
    pub verdict: Verdict,
    /// What it is for, or why not.
    pub why: &'static str,
}
