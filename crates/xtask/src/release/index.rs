//! What a repository of the vendor's has, as far as images are built from it. `repository` reads it, `plan` judges it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::versions::Architecture;

/// The verified content of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// The address of the signed index, for messages.
    pub(crate) address: String,
    /// When it was signed.
    pub(crate) date: Timestamp,
    pub(crate) packages: BTreeMap<Architecture, Vec<Package>>,
}

/// A package in a list. Its version may be of any form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
}
