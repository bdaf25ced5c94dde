//! What a release is made of and whether it is good: the vendor's signed indexes and what they change in `versions.json`, the
//! scan of an image, what its distribution offers since, and which tags the images of a registry get.
//!
//! `repository` and `unpack` run programs; `published`, `candidate` and `promotion` ask a registry, and the latter two
//! write to it; all else decides and shows, and touches nothing. No verb is in here: those are in `verbs/release`.

mod candidate;
pub(crate) mod chart;
mod control;
mod detect;
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
mod repository;
pub(crate) mod sbom;
pub(crate) mod scan;
mod table;
mod tags;
pub(crate) mod unpack;

pub(crate) use candidate::{Candidate, PREFIX, candidate};
pub(crate) use detect::{Mode, Outcome, detect};
pub(crate) use matrix::{Event, Job, Wanted, matrix};
pub(crate) use promotion::{How, Promotion, promote};
pub(crate) use published::{newest, published};
pub(crate) use repository::{Repository, VENDOR_FINGERPRINT, Vendor};
pub(crate) use table::columns;
