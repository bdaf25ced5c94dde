//! The checks of `onepod verify`: what each asks, and what its failure means in plain words.
//!
//! Deliberately absent: repeating and printing. No reason carries a password or a token.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use one_xmlrpc::{Client, Error, HostState, UserRef};
use serde_json::{Value, json};

use super::base::Base;
use crate::http::{self, Ask};
use crate::settings::Secret;

/// Time limit of one exchange with a service, from the resolver to the last byte.
const LIMIT: Duration = Duration::from_secs(5);

/// What the checks share.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) user: String,
    pub(super) password: Secret,
    /// Words for where the password came from.
    pub(super) password_origin: String,
}

/// One check.
pub(super) enum Check {
    /// oned answers its version.
    Version,
    /// The user can log in.
    Login,
    /// The hosts can be listed.
    Hosts,
    /// OneFlow lists its services for the user.
    OneFlow(Base),
    /// OneGate answers, and wants a token: only VMs have one.
    OneGate(Base),
    /// FireEdge serves Sunstone's page.
    FireEdgePage(Base),
    /// FireEdge logs the user in, which needs oned and serveradmin's secret.
    FireEdgeLogin(Base),
}

impl Check {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Version => "API version",
            Self::Login => "API login",
            Self::Hosts => "API hosts",
            Self::OneFlow(_) => "OneFlow",
            Self::OneGate(_) => "OneGate",
            Self::FireEdgePage(_) => "FireEdge page",
            Self::FireEdgeLogin(_) => "FireEdge login",
        }
    }

    pub(super) fn target(&self, context: &Context) -> String {
        match self {
            Self::Version | Self::Login | Self::Hosts => context.client.endpoint().to_string(),
            Self::OneFlow(base) => format!("{base}/service"),
            Self::OneGate(base) => format!("{base}/"),
            Self::FireEdgePage(base) => format!("{base}/fireedge/sunstone"),
            Self::FireEdgeLogin(base) => format!("{base}/fireedge/api/auth"),
        }
    }

    /// Asks once: what was found, or the reason why not.
    pub(super) async fn attempt(&self, context: &Context) -> Result<String, String> {
        match self {
            Self::Version => context
                .client
                .system_version()
                .await
                .map_err(|e| api_reason(&e, context)),
            Self::Login => match context.client.user_info(UserRef::Caller).await {
                Ok(user) => Ok(format!("{} is user {}", user.name, user.id)),
                Err(error) => Err(api_reason(&error, context)),
            },
            Self::Hosts => hosts(context).await,
            Self::OneFlow(base) => oneflow(base, context).await,
            Self::OneGate(base) => onegate(base).await,
            Self::FireEdgePage(base) => {
                let page = format!("{base}/fireedge/sunstone");
                match http::status(&page, Ask::get(), LIMIT).await {
                    Ok(200) => Ok("HTTP 200".to_owned()),
                    Ok(status) => Err(format!("HTTP {status} where Sunstone's page belongs")),
                    Err(error) => Err(error.to_string()),
                }
            }
            Self::FireEdgeLogin(base) => fireedge_login(base, context).await,
        }
    }
}

async fn hosts(context: &Context) -> Result<String, String> {
    let hosts = context
        .client
        .host_pool()
        .await
        .map_err(|e| api_reason(&e, context))?;
    let monitored = hosts
        .iter()
        .filter(|host| host.state == HostState::Monitored)
        .count();
    Ok(match hosts.len() {
        0 => "no host yet".to_owned(),
        1 => format!("1 host, {monitored} monitored"),
        many => format!("{many} hosts, {monitored} monitored"),
    })
}

async fn oneflow(base: &Base, context: &Context) -> Result<String, String> {
    let basic = STANDARD.encode(format!("{}:{}", context.user, context.password.expose()));
    let ask = Ask::get_as(format!("Basic {basic}"));
    let status = http::status(&format!("{base}/service"), ask, LIMIT)
        .await
        .map_err(|e| e.to_string())?;
    match status {
        200 => Ok("HTTP 200".to_owned()),
        401 => Err(format!(
            "HTTP 401: {}, or serveradmin's secret in oneflow_auth does not match the database",
            refused_password(context)
        )),
        403 => Err(refused_host_name("OneFlow", base)),
        status => Err(format!("HTTP {status}; see oneflow's lines in the pod's log")),
    }
}

async fn onegate(base: &Base) -> Result<String, String> {
    let status = http::status(&format!("{base}/"), Ask::get(), LIMIT)
        .await
        .map_err(|e| e.to_string())?;
    match status {
        401 => Ok("HTTP 401, it wants a token".to_owned()),
        403 => Err(refused_host_name("OneGate", base)),
        status => Err(format!(
            "HTTP {status} where 401 is expected; see onegate's lines in the pod's log"
        )),
    }
}

/// Sinatra's answer to a host name that it does not permit (`Rack::Protection::HostAuthorization`).
fn refused_host_name(server: &str, base: &Base) -> String {
    format!(
        "HTTP 403: {server} refuses the host name in {base}. Sinatra permits only localhost and IP addresses in its \
         environment \"development\": start {server} with APP_ENV=production, as the image's services.toml does"
    )
}

async fn fireedge_login(base: &Base, context: &Context) -> Result<String, String> {
    let body = json!({"user": context.user, "token": context.password.expose()});
    let reply = http::send(&format!("{base}/fireedge/api/auth"), Ask::post_json(&body), LIMIT)
        .await
        .map_err(|e| e.to_string())?;
    match reply.status {
        200 => {
            // Until 7.2 the session is in the body, since 7.4 in a cookie. It is looked for, never printed.
            let parsed: Option<Value> = serde_json::from_str(&reply.body).ok();
            let token = parsed.as_ref().and_then(|answer| answer.pointer("/data/token")).and_then(Value::as_str);
            let in_body = token.is_some_and(|token| !token.is_empty());
            if in_body || reply.cookies.iter().any(|name| name == "FireedgeToken") {
                Ok("HTTP 200, a session".to_owned())
            } else {
                Err("HTTP 200, but without a session: neither data.token nor the cookie FireedgeToken".to_owned())
            }
        }
        401 => Err(format!("HTTP 401: {}", refused_password(context))),
        500 => Err("HTTP 500: serveradmin's secret in sunstone_auth does not match the database, or FireEdge does not \
                    reach oned; see fireedge's lines in the pod's log"
            .to_owned()),
        status => Err(format!("HTTP {status}; see fireedge's lines in the pod's log")),
    }
}

fn refused_password(context: &Context) -> String {
    format!(
        "the password from {} is not {}'s",
        context.password_origin, context.user
    )
}

/// An error of the XML-RPC API, with what it may mean where its text alone misleads.
fn api_reason(error: &Error, context: &Context) -> String {
    match error {
        Error::Authentication { .. } => format!(
            "oned does not let {user} in. Either {refused} (changed with `oneuser passwd`?), or oned has lost its \
             database, which it reports in the same words: ask the pod's /readyz",
            user = context.user,
            refused = refused_password(context)
        ),
        other => other.to_string(),
    }
}
