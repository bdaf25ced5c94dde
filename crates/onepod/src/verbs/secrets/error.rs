//! Why a Secret could not be made, with the next step. No error carries a value.

use std::fmt;

use crate::verbs::kubernetes::{ConnectError, RequestError, missing_rule};

/// Why the verb failed, for one Secret or as a whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretsError {
    /// There is no way to the Kubernetes API.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The API server does not allow a request, and why is known.
    #[error(
        "cannot {verb} Secret {secret} in namespace {namespace}: {cause}. The API server says: {message}"
    )]
    Forbidden {
        verb: &'static str,
        secret: String,
        namespace: String,
        cause: Refusal,
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
    #[error(
        "cannot {verb} Secret {secret} in namespace {namespace}: no usable answer from the Kubernetes API: {source}"
    )]
    Unreachable {
        verb: &'static str,
        secret: String,
        namespace: String,
        #[source]
        source: RequestError,
    },
    /// No value could be made.
    #[error("cannot make a value for key {key} of Secret {secret}: {reason}")]
    Generate {
        secret: String,
        key: String,
        reason: String,
    },
}

/// Why the API server does not allow a request. HTTP 403 alone does not tell: a quota, a namespace that is being deleted and
/// an admission policy give the same number as a missing right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The service account lacks this rule.
    MissingRule(String),
    /// A `ResourceQuota` is used up, or wants something said that Secrets do not have.
    Quota,
    /// The namespace is being deleted.
    Terminating,
    /// The namespace does not exist.
    NoNamespace,
    /// A webhook or a policy of the cluster refused the object.
    Admission,
}

impl Refusal {
    /// By the words of the API server: RBAC (`cannot create resource`), the quota's admission plugin (`exceeded quota`, `failed
    /// quota`), `NamespaceLifecycle`, and the two kinds of admission policies.
    pub(super) fn of(message: &str, verb: &str, secret: &str, namespace: &str) -> Option<Self> {
        let says = |words: &str| message.contains(words);
        if says("exceeded quota") || says("failed quota") {
            Some(Self::Quota)
        } else if says("being terminated") {
            Some(Self::Terminating)
        } else if says(&format!("namespaces \"{namespace}\" not found")) {
            Some(Self::NoNamespace)
        } else if says("admission webhook") || says("ValidatingAdmissionPolicy") || says("denied request") {
            Some(Self::Admission)
        } else if says(&format!("cannot {verb} resource")) {
            // Kubernetes cannot restrict `create` by name: the object has none yet.
            let name = Some(secret).filter(|_| verb != "create");
            Some(Self::MissingRule(missing_rule(verb, "secrets", name)))
        } else {
            None
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingRule(rule) => write!(f, "the service account may not, {rule}"),
            Self::Quota => f.write_str(
                "a ResourceQuota of the namespace does not allow it: raise count/secrets (kubectl describe resourcequota), or \
                 delete Secrets that are not used",
            ),
            Self::Terminating => f.write_str(
                "the namespace is being deleted: wait until it is gone and install again, or install into another one",
            ),
            Self::NoNamespace => {
                f.write_str("the namespace does not exist: create it, for example by helm's --create-namespace")
            }
            Self::Admission => f.write_str(
                "an admission policy of the cluster refuses it: allow this Secret there, or make it by hand and name it in \
                 the values (existingSecret)",
            ),
        }
    }
}
