//! Requests to one registry: who asks, how often a request is tried again, and what its failures are called.
//!
//! Only what may be sent twice without a difference is sent twice. Nothing here knows what a tag or an image is.

use std::cell::RefCell;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use ureq::http::{Request, Response, StatusCode};
use ureq::{Agent, Body};

use super::challenge::{Challenge, token_address};
use super::credentials::{Credentials, PASSWORD_FILE, USERNAME};
use crate::progress;

/// More bytes than a manifest, a configuration or a list of tags has.
const TOO_LARGE: u64 = 8 << 20;
/// How much of a registry's own words is shown.
const EXCERPT: usize = 200;

/// How often a request is tried, and what is waited between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    /// The longest wait that a registry may ask for. One that wants more is not asked again.
    pub(crate) longest: Duration,
    pub(crate) pause: fn(Duration),
}

impl Default for Patience {
    /// Five tries: after one second, then two, four, eight, or after what the registry says.
    fn default() -> Self {
        Self {
            tries: 5,
            longest: Duration::from_secs(60),
            pause,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a registry that is busy says how long to stay away; there is no condition to look at meanwhile"
)]
fn pause(time: Duration) {
    thread::sleep(time);
}

/// Whether a request may be sent again when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Safe,
    Never,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    pub(super) method: &'static str,
    pub(super) address: String,
    /// `Accept`, or for something that is sent its `Content-Type`.
    pub(super) media: &'a str,
    pub(super) body: Option<&'a [u8]>,
    pub(super) again: Again,
}

/// An answer with a status that is no failure: 2xx, or 404.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) found: bool,
    pub(super) body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn header(&self, wanted: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }
}

/// A way to one registry.
pub(super) struct Transport {
    /// The registry's name, for messages.
    registry: String,
    agent: Agent,
    credentials: Option<Credentials>,
    /// The header that was good for the request before.
    authorization: RefCell<Option<String>>,
    patience: Patience,
}

impl Debug for Transport {
    /// Without the header that names who asks.
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "Transport to {} with {:?}", self.registry, self.credentials)
    }
}

/// What one try came to.
enum Tried {
    Answered(Answer),
    /// Worth another try, after the time that the registry named.
    Failed(String, Option<Duration>),
}

impl Transport {
    /// Plain HTTP is refused for any registry that is not on this machine, whoever leads there.
    pub(super) fn new(
        registry: &str,
        local: Local,
        credentials: Option<Credentials>,
        patience: Patience,
    ) -> Self {
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(ureq::tls::RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(local == Local::No)
            .redirect_auth_headers(ureq::config::RedirectAuthHeaders::Never)
            .user_agent("opennebula-kubernetes-xtask")
            .tls_config(tls)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(120)));
        if local == Local::Yes {
            config = config.proxy(None);
        }
        Self {
            registry: registry.to_owned(),
            agent: config.build().new_agent(),
            credentials,
            authorization: RefCell::new(None),
            patience,
        }
    }

    /// Asks, again where that is safe and of use; `what` names what is asked about in messages.
    pub(super) fn ask(&self, question: &Question, what: &str) -> Result<Answer> {
        let tries = match question.again {
            Again::Safe => self.patience.tries.max(1),
            Again::Never => 1,
        };
        let mut tried = 1;
        loop {
            let (reason, named) = match self.attempt(question, what)? {
                Tried::Answered(answer) => return Ok(answer),
                Tried::Failed(reason, named) => (reason, named),
            };
            if let Some(time) = named.filter(|time| *time > self.patience.longest) {
                bail!(
                    "{reason}, and wants to be left alone for {} s: run it again after that",
                    time.as_secs()
                );
            }
            if tried >= tries {
                let often = if tries > 1 {
                    format!(" ({tries} times)")
                } else {
                    String::new()
                };
                bail!(
                    "{reason}{often}: run it again later, nothing that was done before has to be undone; if it stays \
                     so, look whether {} can be reached from here",
                    self.registry
                );
            }
            let time = named.unwrap_or(Duration::from_secs(1 << (tried - 1).min(5)));
            progress::aside(&format!(
                "        {reason}: trying again in {} s ({tried} of {tries})",
                time.as_secs()
            ));
            (self.patience.pause)(time);
            tried += 1;
        }
    }

    fn attempt(&self, question: &Question, what: &str) -> Result<Tried> {
        let before = self.authorization.borrow().clone();
        let response = match self.send(question, before.as_deref()) {
            Ok(response) => response,
            Err(reason) => return Ok(Tried::Failed(reason, None)),
        };
        if response.status() != StatusCode::UNAUTHORIZED {
            return self.judge(response, what);
        }
        let header = match self.answer_to(&response, what)? {
            Ok(header) => header,
            Err(failed) => return Ok(failed),
        };
        *self.authorization.borrow_mut() = Some(header.clone());
        match self.send(question, Some(&header)) {
            Ok(response) => self.judge(response, what),
            Err(reason) => Ok(Tried::Failed(reason, None)),
        }
    }

    fn send(&self, question: &Question, authorization: Option<&str>) -> Result<Response<Body>, String> {
        let named = match question.body {
            Some(_) => "Content-Type",
            None => "Accept",
        };
        let mut request = Request::builder()
            .method(question.method)
            .uri(&question.address)
            .header(named, question.media);
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let sent = match question.body {
            Some(body) => request.body(body).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let cannot = |error: &dyn std::fmt::Display| format!("{} cannot be reached ({error})", self.registry);
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(cannot(&error)),
            Err(error) => Err(cannot(&error)),
        }
    }

    /// What a status means.
    fn judge(&self, mut response: Response<Body>, what: &str) -> Result<Tried> {
        let status = response.status();
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = match response.body_mut().with_config().limit(TOO_LARGE).read_to_vec() {
            Ok(body) => body,
            Err(error) => {
                let reason = format!("{} broke off its answer ({error})", self.registry);
                return Ok(Tried::Failed(reason, None));
            }
        };
        let registry = &self.registry;
        let said = excerpt(&body);
        let answer = |found| Answer {
            found,
            body,
            headers: headers.clone(),
        };
        match status.as_u16() {
            200..=299 => Ok(Tried::Answered(answer(true))),
            404 => Ok(Tried::Answered(answer(false))),
            401 | 403 => bail!("{}", self.refused(status, what, &said)),
            429 | 408 | 500..=599 => {
                let named = answer(false).header("Retry-After").and_then(seconds);
                Ok(Tried::Failed(
                    format!("{registry} answers {} for {what}{said}", status.as_u16()),
                    named,
                ))
            }
            other => bail!(
                "{registry} answers {other} for {what}{said}: nothing is known of what to do about it; look at what it says"
            ),
        }
    }

    /// The header that answers a challenge: the inner error is worth another try.
    fn answer_to(&self, response: &Response<Body>, what: &str) -> Result<Result<String, Tried>> {
        let challenge = response
            .headers()
            .get_all("WWW-Authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .find_map(Challenge::parse);
        let Some(challenge) = challenge else {
            bail!("{}", self.refused(response.status(), what, ""));
        };
        match (challenge, &self.credentials) {
            (Challenge::Basic, Some(credentials)) => Ok(Ok(credentials.basic().to_owned())),
            (Challenge::Basic, None) => bail!("{}", self.refused(response.status(), what, "")),
            (
                Challenge::Bearer {
                    realm,
                    service,
                    scope,
                },
                credentials,
            ) => {
                let question = Question {
                    method: "GET",
                    address: token_address(&realm, service.as_deref(), scope.as_deref()),
                    media: "application/json",
                    body: None,
                    again: Again::Safe,
                };
                let basic = credentials.as_ref().map(Credentials::basic);
                let asked = match self.send(&question, basic) {
                    Ok(response) => self.judge(response, what)?,
                    Err(reason) => Tried::Failed(reason, None),
                };
                match asked {
                    Tried::Answered(answer) if answer.found => {
                        Ok(Ok(token(&answer.body).with_context(|| {
                            format!("{realm}, to which {} sends for a token", self.registry)
                        })?))
                    }
                    Tried::Answered(_) => bail!(
                        "{realm}, to which {} sends for a token, is not there (404)",
                        self.registry
                    ),
                    failed @ Tried::Failed(..) => Ok(Err(failed)),
                }
            }
        }
    }

    fn refused(&self, status: StatusCode, what: &str, said: &str) -> String {
        let registry = &self.registry;
        let code = status.as_u16();
        match &self.credentials {
            Some(credentials) => format!(
                "{registry} refuses {what} ({code}{said}) to who is named by {}: look whether name and password are right \
                 and may do this",
                credentials.origin()
            ),
            None => format!(
                "{registry} refuses {what} ({code}{said}) to somebody without a name: set {USERNAME} and {PASSWORD_FILE} (a \
                 file with the password or access token), or run `docker login`"
            ),
        }
    }
}

/// Whether a registry runs on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    Yes,
    No,
}

/// `Retry-After` in seconds. The other form, a date, is not read: the own times are waited then.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

fn token(body: &[u8]) -> Result<String> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| anyhow!("the answer is no JSON"))?;
    let token = ["token", "access_token"]
        .iter()
        .find_map(|name| answer[name].as_str());
    Ok(format!("Bearer {}", token.context("the answer has no token")?))
}

/// What a registry says to an error: its own words, of the form that the specification gives them.
fn excerpt(body: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let first = &answer["errors"][0];
    let words: Vec<&str> = ["code", "message"]
        .iter()
        .filter_map(|name| first[name].as_str())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return String::new();
    }
    let said: String = words
        .join(", ")
        .chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT)
        .collect();
    format!(", {said}")
}
