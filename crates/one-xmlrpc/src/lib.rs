//! The few OpenNebula XML-RPC calls that this product makes, typed.
//!
//! A [`Client`] holds an [`Endpoint`] and [`Credentials`] and turns each call into a value or into an [`Error`] that
//! says which step failed: the network, HTTP, XML, XML-RPC, or oned itself with its own error code.
//!
//! Deliberately absent: TLS (oned does not speak it), kept connections (oned closes after each answer), retries (the
//! caller knows for how long to try), and every call that nothing here makes.

mod client;
mod credentials;
mod document;
mod endpoint;
mod error;
mod transport;
mod wire;
mod xml;

pub use client::{Client, DEFAULT_RESPONSE_LIMIT, DEFAULT_TIMEOUT, UserRef};
pub use credentials::{Credentials, CredentialsError};
pub use document::{Host, HostState, RaftState, RaftStatus, StoredPassword, User};
pub use endpoint::{Endpoint, EndpointError};
pub use error::Error;
pub use transport::TransportError;
