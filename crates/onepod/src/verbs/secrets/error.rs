//! Why a Secret could not be made, with the next step. No error carries a value.

use crate::verbs::kubernetes::{ConnectError, chain};

/// Why the verb failed, for one Secret or as a whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretsError {
    /// There is no way to the Kubernetes API.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// RBAC does not allow a request.
    #[error(
        "the service account may not {verb} Secret {secret} in namespace {namespace}: {role}. The API server says: {message}"
    )]
    Forbidden {
        verb: &'static str,
        secret: String,
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
    /// An existing key holds nothing.
    #[error(
        "key {key} of Secret {secret} in namespace {namespace} is empty. Existing keys are never changed: give it a \
         value, or remove the key so that one is made"
    )]
    EmptyKey {
        secret: String,
        namespace: String,
        key: String,
    },
    /// An existing Secret cannot take more keys.
    #[error(
        "Secret {secret} in namespace {namespace} is immutable and lacks {missing}: replace it by one that has every key"
    )]
    Immutable {
        secret: String,
        namespace: String,
        missing: String,
    },
    /// Somebody else changed the Secret between every reading and writing.
    #[error(
        "Secret {secret} in namespace {namespace} was changed by somebody else {attempts} times in a row"
    )]
    Conflict {
        secret: String,
        namespace: String,
        attempts: u32,
    },
    /// The API server said no for another reason.
    #[error("cannot {verb} Secret {secret} in namespace {namespace}: {message} (HTTP {code})")]
    Refused {
        verb: &'static str,
        secret: String,
        namespace: String,
        code: u16,
        message: String,
    },
    /// No usable answer, repeatedly.
    #[error("cannot {verb} Secret {secret} in namespace {namespace}: no answer from the Kubernetes API: {}", chain(.source.as_ref()))]
    Unreachable {
        verb: &'static str,
        secret: String,
        namespace: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// No value could be made.
    #[error("cannot make a value for key {key} of Secret {secret}: {reason}")]
    Generate {
        secret: String,
        key: String,
        reason: String,
    },
}
