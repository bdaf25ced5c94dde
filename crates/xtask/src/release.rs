//! What a release is made of and whether it is good: the vendor's signed indexes and what they change in `versions.json`, the
//! scan of an image, what its distribution offers since, and which tags the images of a registry get.
//!
//! `fetch`, `signature` and `unpack` run programs; `published`, `candidate` and `promotion` ask a registry, and the latter two
//! write to it; all else decides and shows, and touches nothing. No verb is in here: those are in `verbs/release`.

mod candidate;
pub(crate) mod chart;
pub(crate) mod debs;
mod fetch;
pub(crate) mod gate;
pub(crate) mod ignores;
mod index;
mod markdown;
mod matrix;
mod plan;
mod promotion;
mod published;
pub(crate) mod rebuild;
pub(crate) mod report;
pub(crate) mod sbom;
pub(crate) mod scan;
mod signature;
mod table;
mod tags;
pub(crate) mod unpack;

pub(crate) use candidate::{Candidate, PREFIX, candidate};
pub(crate) use fetch::Repository;
pub(crate) use matrix::{Event, Job, Wanted, matrix};
pub(crate) use plan::{Planned, Proposed, Source, plan, propose};
pub(crate) use promotion::{How, Promotion, promote};
pub(crate) use published::{newest, published};
pub(crate) use table::{columns, table};
