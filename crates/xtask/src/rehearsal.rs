//! What the release rehearsal is played with, all on 127.0.0.1 and none of it in any release: a registry, a proxy that makes
//! trouble before it, the vendor's signed repository, and small images. The play itself is `verbs/release/rehearse`.

#[cfg(test)]
mod images;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod vendor;

#[cfg(test)]
pub(crate) use images::push;
#[cfg(test)]
pub(crate) use proxy::Request;
#[cfg(test)]
pub(crate) use proxy::{Fault, Proxy, Trouble};
#[cfg(test)]
pub(crate) use vendor::{Key, publish, suite};
