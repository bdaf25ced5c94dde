//! The way to the Kubernetes API, for the verbs that need it: with which credentials, within which time, and what an
//! answer that says no is about. What is asked for stands with the verb.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::Request;
use k8s_openapi::serde::de::DeserializeOwned;
use kube::client::Body;
use kube::config::{Config, InClusterError, InferConfigError};
use kube::core::Status;

#[cfg(test)]
pub(super) mod api_server;

/// Time limit of one request to the Kubernetes API.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Most that is read of one answer, in bytes. The API server stores objects of up to 1.5 MiB, which grow by a third in base64.
pub(super) const MAX_ANSWER: usize = 4 << 20;

/// Why one request got no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The API server said no.
    #[error("{} (HTTP {})", .0.message, .0.code)]
    Status(Box<Status>),
    /// No connection, or it broke.
    #[error("{}", chain(.0.as_ref()))]
    Connection(#[source] Box<dyn Error + Send + Sync>),
    /// Not what the API server sends.
    #[error("the answer is not the API server's: {0}")]
    Answer(String),
    /// It takes too long, byte by byte perhaps.
    #[error("no whole answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
}

/// Sends one request; its answer is bounded in time and length.
pub(super) async fn send<T: DeserializeOwned>(
    client: &kube::Client,
    request: Request<Vec<u8>>,
    timeout: Duration,
) -> Result<T, RequestError> {
    tokio::time::timeout(timeout, exchange(client, request))
        .await
        .unwrap_or(Err(RequestError::Timeout(timeout)))
}

async fn exchange<T: DeserializeOwned>(
    client: &kube::Client,
    request: Request<Vec<u8>>,
) -> Result<T, RequestError> {
    let response = client
        .send(request.map(Body::from))
        .await
        .map_err(|error| RequestError::Connection(Box::new(error)))?;
    let status = response.status();
    let read = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = read
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                RequestError::Answer(format!("it is longer than {} MiB", MAX_ANSWER >> 20))
            } else {
                RequestError::Connection(error)
            }
        })?
        .to_bytes();
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| RequestError::Answer(error.to_string()));
    }
    // Whatever stands between, a proxy for example, answers in words of its own.
    let mut said: Status = serde_json::from_slice(&body).unwrap_or_else(|_| Status {
        message: status.canonical_reason().unwrap_or("no reason given").to_owned(),
        ..Status::default()
    });
    said.code = status.as_u16();
    Err(RequestError::Status(Box::new(said)))
}

/// Why there is no way to the Kubernetes API.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// In a pod without a usable service account.
    #[error(
        "cannot use the pod's service account: {0}; this goes through the Kubernetes API and needs token, ca.crt and \
         namespace in /var/run/secrets/kubernetes.io/serviceaccount: automountServiceAccountToken: true, or a projected \
         volume"
    )]
    ServiceAccount(#[source] InClusterError),
    /// Outside a pod without a usable kubeconfig.
    #[error("not in a pod (KUBERNETES_SERVICE_HOST is not set), and there is no usable kubeconfig: {}", chain(.0.as_ref()))]
    Kubeconfig(#[source] Box<InferConfigError>),
    /// The client could not be set up, its TLS for example.
    #[error("cannot set up the client of the Kubernetes API: {}", chain(.0.as_ref()))]
    Client(#[source] Box<kube::Error>),
}

/// The pod's service account where there is one, and otherwise the kubeconfig of whoever tries this by hand.
pub(super) async fn configuration() -> Result<Config, ConnectError> {
    let mut config = if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        Config::incluster().map_err(ConnectError::ServiceAccount)?
    } else {
        Config::infer()
            .await
            .map_err(|e| ConnectError::Kubeconfig(Box::new(e)))?
    };
    config.connect_timeout = Some(REQUEST_TIMEOUT);
    config.write_timeout = Some(REQUEST_TIMEOUT);
    // What is worth repeating is decided by the verb.
    config.default_retry = false;
    Ok(config)
}

/// A client of that configuration.
pub(super) fn client(config: Config) -> Result<kube::Client, ConnectError> {
    kube::Client::try_from(config).map_err(|e| ConnectError::Client(Box::new(e)))
}

/// The rule that a Role lacks for `verb` on these `resources`, of one `name` where there is one.
pub(super) fn missing_rule(verb: &str, resources: &str, name: Option<&str>) -> String {
    let names = name
        .map(|name| format!(", resourceNames: [{name}]"))
        .unwrap_or_default();
    format!("its Role lacks the rule apiGroups: [\"\"], resources: [{resources}]{names}, verbs: [{verb}]")
}

/// Whether another try may be answered: the server has too much to do, or an error of its own.
pub(super) fn is_outage(code: u16) -> bool {
    matches!(code, 429 | 500..=599)
}

/// An error with what caused it, joined by colons; what an outer one already says is not repeated.
pub(super) fn chain(error: &dyn Error) -> String {
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
