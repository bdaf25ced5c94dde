//! What the vendor released, and what is published of it: the signed indexes of its apt repository, what they change in
//! `versions.json`, and which tags the images of a registry get.
//!
//! `fetch` and `signature` run programs; `published`, `candidate` and `promotion` ask a registry, and the latter two write
//! to it; `index`, `plan`, `tags`, `matrix` and `table` decide and show, and touch nothing. No verb is in here: those are in
//! `verbs/release`.

mod candidate;
mod fetch;
mod index;
mod matrix;
mod plan;
mod promotion;
mod published;
mod signature;
mod table;
mod tags;

pub(crate) use candidate::{Candidate, PREFIX, candidate};
pub(crate) use fetch::Repository;
pub(crate) use matrix::{Event, Job, Wanted, matrix};
pub(crate) use plan::{Planned, Proposed, Source, plan, propose};
pub(crate) use promotion::{How, Promotion, promote};
pub(crate) use published::{newest, published};
pub(crate) use table::{columns, table};
