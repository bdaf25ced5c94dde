//! One Secret at the Kubernetes API: read it, then create it or add what it lacks.
//!
//! Two writers never overwrite each other: creating fails where the Secret exists, and adding names the version that was
//! read. Whoever loses reads again.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Request;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as Object;
use k8s_openapi::serde::de::DeserializeOwned;
use kube::Config;
use kube::api::{GetParams, Patch, PatchParams, PostParams};
use kube::core::{Resource as _, Status};
use serde_json::json;

use super::error::{Refusal, SecretsError};
use super::kind::Kind;
use crate::verbs::kubernetes::{self, REQUEST_TIMEOUT, RequestError, is_outage};

/// How often a lost race is tried again.
const RACES: u32 = 10;

/// How often an unreachable or overloaded API is tried again; with [`Reconciler::pause`] doubling to 4 s from 250 ms
/// that is about 20 s, longer than a pod's network takes to come up.
const OUTAGES: u32 = 8;

/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What was done to a Secret. Key names only.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It had every key.
    Complete,
    /// It was absent.
    Created(Vec<String>),
    /// It lacked these keys.
    Added(Vec<String>),
}

/// Makes Secrets of one namespace complete.
pub(super) struct Reconciler {
    client: kube::Client,
    requests: kube::core::Request,
    namespace: String,
    labels: BTreeMap<String, String>,
    /// First pause after an outage.
    pub(super) pause: Duration,
    /// Time for one request and its whole answer.
    pub(super) timeout: Duration,
}

/// How one request failed.
enum Failure {
    /// There is no such Secret.
    Absent,
    /// Somebody else was faster: read again.
    Race,
    /// Worth trying again after a pause.
    Outage(SecretsError),
    /// Trying again changes nothing.
    Final(SecretsError),
}

impl Reconciler {
    /// `namespace` defaults to the configuration's: in a pod its own.
    pub(super) fn new(
        config: Config,
        namespace: Option<String>,
        labels: BTreeMap<String, String>,
    ) -> Result<Self, SecretsError> {
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self {
            client: kubernetes::client(config)?,
            requests: kube::core::Request::new(Object::url_path(&(), Some(&namespace))),
            namespace,
            labels,
            pause: Duration::from_millis(250),
            timeout: REQUEST_TIMEOUT,
        })
    }

    /// Sees to it that Secret `name` has `keys`.
    pub(super) async fn reconcile(
        &self,
        name: &str,
        keys: &BTreeMap<String, Kind>,
    ) -> Result<Outcome, SecretsError> {
        let mut races = 0;
        let mut outages = 0;
        let mut pause = self.pause;
        loop {
            match self.attempt(name, keys).await {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::Final(error)) => return Err(error),
                // Deleted just after it was made: as any other race.
                Err(Failure::Race | Failure::Absent) if races < RACES => races += 1,
                Err(Failure::Race | Failure::Absent) => {
                    return Err(SecretsError::Conflict {
                        secret: name.to_owned(),
                        namespace: self.namespace.clone(),
                        attempts: RACES + 1,
                    });
                }
                Err(Failure::Outage(error)) if outages == OUTAGES => return Err(error),
                Err(Failure::Outage(_)) => {
                    outages += 1;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn attempt(&self, name: &str, keys: &BTreeMap<String, Kind>) -> Result<Outcome, Failure> {
        let request = self.requests.get(name, &GetParams::default());
        match self.send("get", name, request).await {
            Ok(object) => self.complete(name, keys, &object).await,
            Err(Failure::Absent) => self.create(name, keys).await,
            Err(failure) => Err(failure),
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        name: &str,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<T, Failure> {
        let request = request.map_err(|error| RequestError::Connection(Box::new(error)));
        let answer = match request {
            Ok(request) => kubernetes::send(&self.client, request, self.timeout).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| self.failure(verb, name, error))
    }

    async fn create(&self, name: &str, keys: &BTreeMap<String, Kind>) -> Result<Outcome, Failure> {
        let mut object = Object {
            type_: Some("Opaque".to_owned()),
            data: Some(Self::values(name, keys.iter())?),
            ..Object::default()
        };
        object.metadata.name = Some(name.to_owned());
        object.metadata.labels = Some(self.labels.clone()).filter(|labels| !labels.is_empty());
        // Helm does not own it; the annotation tells people and tools that uninstalling is no reason to delete it.
        object.metadata.annotations = Some(BTreeMap::from([(
            "helm.sh/resource-policy".to_owned(),
            "keep".to_owned(),
        )]));
        let body = serde_json::to_vec(&object)
            .map_err(|error| self.failure("create", name, RequestError::Connection(Box::new(error))))?;
        let request = self.requests.create(&PostParams::default(), body);
        let _: Object = self.send("create", name, request).await?;
        Ok(Outcome::Created(keys.keys().cloned().collect()))
    }

    async fn complete(
        &self,
        name: &str,
        keys: &BTreeMap<String, Kind>,
        object: &Object,
    ) -> Result<Outcome, Failure> {
        let present = object.data.as_ref();
        let value = |key: &String| present.and_then(|data| data.get(key));
        if let Some(key) = keys
            .keys()
            .find(|key| value(key).is_some_and(|bytes| bytes.0.is_empty()))
        {
            return Err(Failure::Final(SecretsError::EmptyKey {
                secret: name.to_owned(),
                namespace: self.namespace.clone(),
                key: key.clone(),
            }));
        }
        let missing: Vec<_> = keys.iter().filter(|(key, _)| value(key).is_none()).collect();
        if missing.is_empty() {
            return Ok(Outcome::Complete);
        }
        let names: Vec<String> = missing.iter().map(|(key, _)| (*key).clone()).collect();
        if object.immutable == Some(true) {
            return Err(Failure::Final(SecretsError::Immutable {
                secret: name.to_owned(),
                namespace: self.namespace.clone(),
                missing: names.join(", "),
            }));
        }
        // With the version that was read, the API server refuses the patch (409) if anyone wrote in between.
        let patch = json!({
            "metadata": {"resourceVersion": object.metadata.resource_version},
            "data": Self::values(name, missing.into_iter())?,
        });
        let request = self
            .requests
            .patch(name, &PatchParams::default(), &Patch::Merge(patch));
        let _: Object = self.send("patch", name, request).await?;
        Ok(Outcome::Added(names))
    }

    fn values<'a>(
        name: &str,
        keys: impl Iterator<Item = (&'a String, &'a Kind)>,
    ) -> Result<BTreeMap<String, ByteString>, Failure> {
        keys.map(|(key, kind)| match kind.generate() {
            Ok(value) => Ok((key.clone(), ByteString(value.expose().as_bytes().to_vec()))),
            Err(reason) => Err(Failure::Final(SecretsError::Generate {
                secret: name.to_owned(),
                key: key.clone(),
                reason,
            })),
        })
        .collect()
    }

    fn failure(&self, verb: &'static str, name: &str, error: RequestError) -> Failure {
        let secret = name.to_owned();
        let namespace = self.namespace.clone();
        let Status { code, message, .. } = match error {
            RequestError::Status(status) => *status,
            source => {
                // Who answers so does not answer otherwise a moment later.
                let failure = if matches!(source, RequestError::Answer(_)) {
                    Failure::Final
                } else {
                    Failure::Outage
                };
                return failure(SecretsError::Unreachable {
                    verb,
                    secret,
                    namespace,
                    source,
                });
            }
        };
        let refused = || SecretsError::Refused {
            verb,
            secret: name.to_owned(),
            namespace: self.namespace.clone(),
            code,
            message: message.clone(),
        };
        match code {
            404 if verb == "get" => Failure::Absent,
            // Deleted between reading and adding.
            404 if verb == "patch" => Failure::Race,
            // Two that make something at once, and the count of the quota is behind for a moment.
            409 if message.contains("resourcequotas") => Failure::Outage(refused()),
            // Created or changed in the meantime.
            409 => Failure::Race,
            401 => Failure::Final(SecretsError::Unauthorized { message }),
            code if is_outage(code) => Failure::Outage(refused()),
            _ => match Refusal::of(&message, verb, name, &namespace) {
                Some(cause) => Failure::Final(SecretsError::Forbidden {
                    verb,
                    secret,
                    namespace,
                    cause,
                    message,
                }),
                None => Failure::Final(refused()),
            },
        }
    }
}
