//! The wait for the address: one look at the Service, then a watch on it, again from the start whenever that ends.
//!
//! It says why it waits, when the reason changes and every 10 s. It writes nothing.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, WatchEvent, WatchParams};
use kube::{Config, ResourceExt as _};
use tokio::time::{sleep, timeout};

use super::error::DiscoverError;
use crate::verbs::kubernetes::{self, REQUEST_TIMEOUT, chain, is_outage, missing_rule};

/// How long the API server keeps one watch open. A connection that died without a word costs no more than that.
const WATCH: Duration = Duration::from_secs(30);

/// Longest pause before another look.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What it waits for as a rule.
const NO_ADDRESS: &str = "no address yet (has the cluster a controller for load balancers?)";

/// What it waits for when somebody makes the Service anew.
const GONE: &str = "the Service is gone; waiting until it is made again";

/// What came of the search.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An IP address, or a host name where the load balancer has no more.
    Address(String),
    /// Nothing within the time, for the last reason.
    Nothing(String),
}

/// A search for the address of one Service.
pub(super) struct Search {
    api: Api<Service>,
    namespace: String,
    name: String,
    /// How often the reason is said again.
    pub(super) period: Duration,
    /// First pause before another look; it doubles until a watch ends as it should.
    pub(super) pause: Duration,
}

/// Why one round of look and watch ended without an address.
enum Interruption {
    /// The watch was over, as every watch is some time.
    Ended,
    /// The API server has forgotten the version from which the watch began.
    Expired(String),
    /// No usable answer.
    Outage(String),
    /// Trying again changes nothing.
    Final(DiscoverError),
}

impl From<DiscoverError> for Interruption {
    fn from(error: DiscoverError) -> Self {
        Self::Final(error)
    }
}

/// Whether the Service has been there since the search began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    Unknown,
    Seen,
}

impl Search {
    /// `namespace` defaults to the configuration's: in a pod its own.
    pub(super) fn new(config: Config, namespace: Option<String>, name: &str) -> Result<Self, DiscoverError> {
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self {
            api: Api::namespaced(kubernetes::client(config)?, &namespace),
            namespace,
            name: name.to_owned(),
            period: Duration::from_secs(10),
            pause: Duration::from_millis(250),
        })
    }

    /// The Service, for sentences.
    pub(super) fn service(&self) -> String {
        format!("Service {} in namespace {}", self.name, self.namespace)
    }

    /// How a person looks at the Service.
    pub(super) fn command(&self) -> String {
        format!("kubectl -n {} get service {}", self.namespace, self.name)
    }

    /// Searches until `deadline`, and tells `say` why it still waits.
    pub(super) async fn run(
        &self,
        deadline: impl Future<Output = ()>,
        say: &dyn Fn(&str),
    ) -> Result<Found, DiscoverError> {
        let progress = Progress {
            head: format!("waiting for the load balancer of {}", self.service()),
            reason: RefCell::new("no answer from the Kubernetes API yet".to_owned()),
            say,
        };
        tokio::select! {
            address = self.search(&progress) => address.map(Found::Address),
            never = progress.repeat(self.period) => match never {},
            () = deadline => Ok(Found::Nothing(progress.reason())),
        }
    }

    async fn search(&self, progress: &Progress<'_>) -> Result<String, DiscoverError> {
        let mut past = Past::Unknown;
        let mut pause = self.pause;
        loop {
            match self.round(&mut past, progress).await {
                Ok(address) => return Ok(address),
                Err(Interruption::Final(error)) => return Err(error),
                Err(Interruption::Ended) => pause = self.pause,
                Err(Interruption::Expired(message)) => {
                    progress.note(format_args!("the watch has expired ({message}); looking again"));
                }
                Err(Interruption::Outage(reason)) => progress.waits(&reason),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One look, and a watch from there on.
    async fn round(&self, past: &mut Past, progress: &Progress<'_>) -> Result<String, Interruption> {
        let found = self.answer("get", self.api.get_opt(&self.name)).await?;
        // Without a version a watch begins with what is there at that time.
        let version = match (found, *past) {
            (Some(service), _) => {
                *past = Past::Seen;
                if let Some(address) = self.address(&service)? {
                    return Ok(address);
                }
                progress.waits(NO_ADDRESS);
                service.resource_version().unwrap_or_default()
            }
            (None, Past::Unknown) => {
                return Err(Interruption::Final(DiscoverError::Missing {
                    service: self.name.clone(),
                    namespace: self.namespace.clone(),
                }));
            }
            (None, Past::Seen) => {
                progress.waits(GONE);
                String::new()
            }
        };
        // A Role that names the Service allows a watch with this selector and no other.
        let params = WatchParams::default()
            .fields(&format!("metadata.name={}", self.name))
            .timeout(u32::try_from(WATCH.as_secs()).unwrap_or(u32::MAX));
        let mut events = pin!(self.answer("watch", self.api.watch(&params, &version)).await?);
        loop {
            let event = match timeout(WATCH + REQUEST_TIMEOUT, events.next()).await {
                Ok(Some(event)) => event.map_err(|e| self.interruption("watch", e))?,
                Ok(None) => return Err(Interruption::Ended),
                Err(_) => return Err(Interruption::Outage("the watch has fallen silent".to_owned())),
            };
            match event {
                WatchEvent::Added(service) | WatchEvent::Modified(service) => {
                    if let Some(address) = self.address(&service)? {
                        return Ok(address);
                    }
                    progress.waits(NO_ADDRESS);
                }
                WatchEvent::Deleted(_) => progress.waits(GONE),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => {
                    return Err(self.interruption("watch", kube::Error::Api(status)));
                }
            }
        }
    }

    /// The answer to one request, within its time.
    async fn answer<T>(
        &self,
        verb: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Interruption> {
        match timeout(REQUEST_TIMEOUT, request).await {
            Ok(answer) => answer.map_err(|e| self.interruption(verb, e)),
            Err(_) => Err(Interruption::Outage(format!(
                "no answer from the Kubernetes API within {} s",
                REQUEST_TIMEOUT.as_secs()
            ))),
        }
    }

    /// The first address that the load balancer says, the number before the name.
    fn address(&self, service: &Service) -> Result<Option<String>, DiscoverError> {
        let found = service.spec.as_ref().and_then(|spec| spec.type_.as_deref());
        if found != Some("LoadBalancer") {
            return Err(DiscoverError::Type {
                service: self.name.clone(),
                namespace: self.namespace.clone(),
                // What the API server takes for granted.
                found: found.unwrap_or("ClusterIP").to_owned(),
            });
        }
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let entries = service
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref())
            .and_then(|balancer| balancer.ingress.as_deref())
            .unwrap_or_default();
        Ok(entries
            .iter()
            .find_map(|entry| given(&entry.ip).or_else(|| given(&entry.hostname))))
    }

    fn interruption(&self, verb: &'static str, error: kube::Error) -> Interruption {
        let status = match error {
            kube::Error::Api(status) => status,
            error => {
                return Interruption::Outage(format!("no answer from the Kubernetes API: {}", chain(&error)));
            }
        };
        let (code, message) = (status.code, status.message);
        let (service, namespace) = (self.name.clone(), self.namespace.clone());
        Interruption::Final(match code {
            410 => return Interruption::Expired(message),
            code if is_outage(code) => {
                return Interruption::Outage(format!(
                    "the Kubernetes API cannot answer now: {message} (HTTP {code})"
                ));
            }
            401 => DiscoverError::Unauthorized { message },
            403 => DiscoverError::Forbidden {
                verb,
                role: missing_rule(verb, "services", Some(&service)),
                service,
                namespace,
                message,
            },
            _ => DiscoverError::Refused {
                verb,
                service,
                namespace,
                code,
                message,
            },
        })
    }
}

/// Why the search still waits, said when it changes and again and again.
struct Progress<'a> {
    head: String,
    reason: RefCell<String>,
    say: &'a dyn Fn(&str),
}

impl Progress<'_> {
    fn reason(&self) -> String {
        self.reason.borrow().clone()
    }

    fn waits(&self, reason: &str) {
        if *self.reason.borrow() != reason {
            reason.clone_into(&mut self.reason.borrow_mut());
            self.note(format_args!("{reason}"));
        }
    }

    fn note(&self, text: fmt::Arguments<'_>) {
        (self.say)(&format!("{}: {text}", self.head));
    }

    /// Says the reason every `period`; for ever.
    async fn repeat(&self, period: Duration) -> Infallible {
        loop {
            sleep(period).await;
            self.note(format_args!("{}", self.reason()));
        }
    }
}
