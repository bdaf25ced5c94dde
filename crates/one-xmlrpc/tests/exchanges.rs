//! Calls against a loopback server that answers recorded bytes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as prepared"
)]

mod exchanges {
    pub(crate) mod answers;
    pub(crate) mod recorded;
    pub(crate) mod server;
    pub(crate) mod trouble;
}
