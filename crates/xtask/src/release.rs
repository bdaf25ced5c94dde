//! What a release is made of and whether it is good: the vendor's signed indexes and what they change in `versions.json`,
//! the scan of an image, what its distribution offers since.
//!
//! `fetch`, `signature` and `unpack` run programs; all else decides and shows, and touches nothing. No verb is in
//! here: those are in `verbs/release`.

pub(crate) mod chart;
pub(crate) mod debs;
mod fetch;
pub(crate) mod gate;
pub(crate) mod ignores;
mod index;
mod markdown;
mod plan;
pub(crate) mod rebuild;
pub(crate) mod report;
pub(crate) mod sbom;
pub(crate) mod scan;
mod signature;
mod table;
pub(crate) mod unpack;

pub(crate) use fetch::Repository;
pub(crate) use plan::{Planned, Proposed, Source, plan, propose};
pub(crate) use table::table;
