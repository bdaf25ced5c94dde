//! What a release is made of: the vendor's signed indexes and what they change in `versions.json`, the vulnerabilities that
//! are accepted, and which tags the images of a registry get.
//!
//! `repository`, `unpack` and `gate` run programs; `promote` asks a registry and sets its tags; all else decides and shows, and
//! touches nothing. No verb is in here: those are in `verbs/release`.

pub(crate) mod changed;
pub(crate) mod chart;
mod detect;
pub(crate) mod gate;
pub(crate) mod ignores;
pub(crate) mod jobs;
pub(crate) mod markdown;
mod plan;
pub(crate) mod promote;
pub(crate) mod report;
mod repository;
pub(crate) mod tags;
pub(crate) mod unpack;

pub(crate) use detect::{Mode, detect};
pub(crate) use repository::{Repository, VENDOR_FINGERPRINT, Vendor};
