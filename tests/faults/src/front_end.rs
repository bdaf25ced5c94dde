//! The front-end as the chart runs it, with the kubelet's part played: the image (`image`), a pod's volume, emptyDirs and
//! Secrets (`pod`), and its container, started by runc (`container`) from an OCI bundle (`bundle`).

mod bundle;
mod container;
mod image;
mod pod;

pub use container::{Console, Container, Patience, Service};
pub use image::{Image, OpenNebula};
pub use pod::{Identity, ONEADMIN, Pod, Root};
