//! What the vendor released: the signed indexes of its apt repository, and what they change in `versions.json`.
//!
//! `fetch` and `signature` run programs; `index`, `plan` and `table` decide and show, and touch nothing. No verb is in
//! here: those are in `verbs/release`.

mod fetch;
mod index;
mod plan;
mod signature;
mod table;

pub(crate) use fetch::Repository;
pub(crate) use plan::{Planned, Proposed, Source, plan, propose};
pub(crate) use table::table;
