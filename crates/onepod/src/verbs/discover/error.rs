//! Why there is no file with an address, with the next step.

use std::io;

use crate::prepare::files::FileError;
use crate::verbs::kubernetes::ConnectError;

/// Why the verb failed. An API server that does not answer is not among it: that is waited for.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiscoverError {
    /// There is no way to the Kubernetes API.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The Service was not there at the first look.
    #[error(
        "there is no Service {service} in namespace {namespace}: make it before the front-end starts, or name another one \
         by --service and --namespace"
    )]
    Missing { service: String, namespace: String },
    /// Nobody gives an address to a Service of that type.
    #[error(
        "Service {service} in namespace {namespace} is of type {found}, and only one of type LoadBalancer gets an address: \
         set service.monitord.type=LoadBalancer, or give the address in monitord.advertisedAddress"
    )]
    Type {
        service: String,
        namespace: String,
        found: String,
    },
    /// RBAC does not allow a request.
    #[error(
        "the service account may not {verb} Service {service} in namespace {namespace}: {role}. The API server says: {message}"
    )]
    Forbidden {
        verb: &'static str,
        service: String,
        namespace: String,
        /// What is missing, in words.
        role: String,
        message: String,
    },
    /// The token is not accepted.
    #[error(
        "the Kubernetes API does not accept the credentials ({message}): is the service account still there?"
    )]
    Unauthorized { message: String },
    /// The API server said no for another reason, and would do so again.
    #[error("cannot {verb} Service {service} in namespace {namespace}: {message} (HTTP {code})")]
    Refused {
        verb: &'static str,
        service: String,
        namespace: String,
        code: u16,
        message: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The kernel does not hand over signals.
    #[error("cannot take over signals: {0}")]
    Signals(#[source] io::Error),
    /// A signal came first.
    #[error("asked to stop while waiting; nothing was written")]
    Stopped,
}
