//! What the release rehearsal is played with, all on 127.0.0.1 and none of it in any release: a registry, a proxy that makes
//! trouble before it, the vendor's signed repository, and small images. The play itself is `verbs/release/rehearse`.

mod images;
mod proxy;
mod registry;
mod vendor;

pub(crate) use images::push;
#[cfg(test)]
pub(crate) use proxy::Request;
pub(crate) use proxy::{Fault, Proxy, Trouble};
pub(crate) use registry::{Registry, build};
pub(crate) use vendor::{Key, at, now, publish, suite};
