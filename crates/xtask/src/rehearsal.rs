//! The other sides of a release on 127.0.0.1: a registry, and a vendor that signs apt repositories. Tests and
//! `verbs/release/rehearse` use them; nothing of it is in a release.

mod registry;
mod vendor;

pub(crate) use registry::{Registry, build};
#[cfg(test)]
pub(crate) use vendor::at;
pub(crate) use vendor::{Key, now, publish, suite};
