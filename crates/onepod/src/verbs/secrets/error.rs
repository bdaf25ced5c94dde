//! Why a Secret could not be made, with the next step. No error carries a value.

use std::error::Error;

use kube::config::{InClusterError, InferConfigError};

/// Why the verb failed, for one Secret or as a whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretsError {
    /// In a pod without a usable service account.
    #[error(
        "cannot use the pod's service account: {0}; the pod needs automountServiceAccountToken: true, since making \
         Secrets goes through the Kubernetes API"
    )]
    ServiceAccount(#[source] InClusterError),
    /// Outside a pod without a usable kubeconfig.
    #[error("not in a pod (KUBERNETES_SERVICE_HOST is not set), and there is no usable kubeconfig: {}", chain(.0.as_ref()))]
    Kubeconfig(#[source] Box<InferConfigError>),
    /// The client could not be set up, its TLS for example.
    #[error("cannot set up the client of the Kubernetes API: {}", chain(.0.as_ref()))]
    Client(#[source] Box<kube::Error>),
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

/// An error with what caused it, joined by colons; what an outer one already says is not repeated.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}
