//! The XML-RPC calls: authentication, the answer's shape, and what is common to all pools.
//!
//! A success is `[true, value, 0]`, a failure `[false, "[method] text", code, object, -1]`. What is not
//! simulated answers like an unknown method. Authorization is simpler than the real one: a user outside the
//! group oneadmin reaches only what it owns.

use super::Oned;
use super::session::{Caller, authenticate};
use crate::db::DbError;
use crate::objects::{self, ALL, Kind};
use crate::release::Release;
use crate::rpc::{Call, Value};
use crate::template::Template;
use crate::xml::Element;

mod hosts;
mod more;
mod users;
mod vms;

/// Error codes of the API.
pub(crate) mod code {
    /// The session is not valid.
    pub(crate) const AUTHENTICATION: i64 = 256;
    /// The user may not.
    pub(crate) const AUTHORIZATION: i64 = 512;
    /// No such object.
    pub(crate) const NO_EXISTS: i64 = 1024;
    /// Not in this state.
    pub(crate) const ACTION: i64 = 2048;
    /// Wrong parameters.
    pub(crate) const XML_RPC_API: i64 = 4096;
    /// Everything else.
    pub(crate) const INTERNAL: i64 = 8192;
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: i64,
    text: String,
    object: i64,
}

impl Failure {
    fn new(code: i64, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            object: -1,
        }
    }

    fn no_such(kind: Kind, oid: i64) -> Self {
        Self {
            code: code::NO_EXISTS,
            text: format!("Error getting {} [{oid}].", kind.said),
            object: oid,
        }
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::new(code::INTERNAL, format!("Database error: {error}"))
    }
}

type Outcome = Result<Value, Failure>;

/// One call on behalf of a user.
pub(crate) struct Context<'a> {
    oned: &'a Oned,
    caller: Caller,
    call: &'a Call,
}

impl Context<'_> {
    /// The parameter at that position; the session is number 0.
    fn int(&self, at: usize) -> Result<i64, Failure> {
        self.call
            .parameters
            .get(at)
            .and_then(Value::int)
            .ok_or_else(|| Failure::new(code::XML_RPC_API, format!("Parameter {at} must be an integer")))
    }

    fn int_or(&self, at: usize, default: i64) -> i64 {
        self.call
            .parameters
            .get(at)
            .and_then(Value::int)
            .unwrap_or(default)
    }

    fn text(&self, at: usize) -> Result<&str, Failure> {
        self.call
            .parameters
            .get(at)
            .and_then(Value::text)
            .ok_or_else(|| Failure::new(code::XML_RPC_API, format!("Parameter {at} must be a string")))
    }

    fn flag(&self, at: usize) -> bool {
        matches!(self.call.parameters.get(at), Some(Value::Bool(true)))
    }

    fn template(&self, at: usize) -> Result<Template, Failure> {
        Template::from_either(self.text(at)?).map_err(|e| {
            Failure::new(
                code::INTERNAL,
                format!(
                    "Cannot parse template: {} at line {}, columns 0:0",
                    e.message, e.line
                ),
            )
        })
    }

    fn require_admin(&self, operation: &str) -> Result<(), Failure> {
        if self.caller.is_admin() {
            return Ok(());
        }
        let uid = self.caller.owner.uid;
        Err(Failure::new(
            code::AUTHORIZATION,
            format!("User [{uid}] : Not authorized to perform {operation}."),
        ))
    }

    fn object(&self, kind: Kind, oid: i64) -> Result<Element, Failure> {
        let body = self
            .oned
            .store
            .get(kind, oid)?
            .ok_or_else(|| Failure::no_such(kind, oid))?;
        if !self.may_see(kind, &body) {
            let uid = self.caller.owner.uid;
            return Err(Failure {
                code: code::AUTHORIZATION,
                text: format!(
                    "User [{uid}] : Not authorized to perform USE {} [{oid}].",
                    kind.root
                ),
                object: oid,
            });
        }
        Ok(body)
    }

    fn may_see(&self, kind: Kind, body: &Element) -> bool {
        if self.caller.is_admin() || matches!(kind, objects::ZONE | objects::CLUSTER | objects::GROUP) {
            return true;
        }
        let owner = if kind == objects::USER { "ID" } else { "UID" };
        body.number_at(&[owner]) == Some(self.caller.owner.uid)
    }

    /// Fails when the name is taken, in the words of the real daemon.
    fn name_is_free(&self, kind: Kind, name: &str) -> Result<(), Failure> {
        match self.oned.store.id_of(kind, name)? {
            None => Ok(()),
            Some(oid) => Err(Failure::new(
                code::INTERNAL,
                format!(
                    "NAME is already taken by {} {oid}.",
                    if kind == objects::NETWORK {
                        "NET"
                    } else {
                        kind.root
                    }
                ),
            )),
        }
    }
}

/// Parameters as the log shows them; the session, and passwords, are not shown. Until 7.0 each is shortened and has a comma before
/// it; since 7.2 the list is one text, which is shortened.
fn logged_parameters(release: &Release, call: &Call) -> String {
    let is_password = |place: usize| {
        place == 2
            && ["one.user.allocate", "one.user.passwd", "one.user.login"].contains(&call.method.as_str())
    };
    let shown = |show: fn(&Value) -> String, hidden: &str| -> Vec<String> {
        let parameters = call.parameters.iter().enumerate().skip(1);
        parameters
            .map(|(place, value)| {
                if is_password(place) {
                    hidden.to_owned()
                } else {
                    show(value)
                }
            })
            .collect()
    };
    if release.schema() == "7.0.0" {
        return shown(logged, ", ****").concat();
    }
    let list = shown(plain, "****").join(", ");
    if list.len() <= SHOWN {
        return list;
    }
    list.chars().take(SHOWN - 3).chain("...".chars()).collect()
}

/// A parameter as the log has it since 7.2.
fn plain(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Bool(is) => u8::from(*is).to_string(),
        Value::Double(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Array(_) | Value::Nil => String::new(),
    }
}

/// How many characters the log shows of a text.
const SHOWN: usize = 20;

/// A value as the log shows it: the beginning of a text.
fn logged(value: &Value) -> String {
    match value {
        Value::Int(number) => format!(", {number}"),
        Value::Bool(is) => format!(", {is}"),
        Value::Double(number) => format!(", {number}"),
        Value::Text(text) if text.chars().count() > SHOWN => {
            format!(", \"{}...\"", text.chars().take(SHOWN).collect::<String>())
        }
        Value::Text(text) => format!(", \"{text}\""),
        Value::Array(_) | Value::Nil => ", unknown param type".to_owned(),
    }
}

/// Answers a call; `None` for a method that does not exist.
pub(crate) fn dispatch(oned: &Oned, call: &Call) -> Option<Value> {
    let handler = handler_of(&call.method)?;
    let session = call.parameters.first().and_then(Value::text).unwrap_or_default();
    let request: u16 = rand::random_range(0..10_000);
    let mut uid = "-".to_owned();
    let outcome = match authenticate(&oned.store, session) {
        // A lost database cannot be told from a wrong password: this is what clients see of it.
        Ok(None) | Err(_) => Err(Failure::new(
            code::AUTHENTICATION,
            "User couldn't be authenticated, aborting call.",
        )),
        Ok(Some(caller)) => {
            let context = Context { oned, caller, call };
            uid = context.caller.owner.uid.to_string();
            oned.log.line(
                "ReM",
                'D',
                &format!(
                    "Req:{request} UID:{uid} IP:127.0.0.1 {} invoked {}",
                    call.method,
                    logged_parameters(&oned.release, call)
                ),
            );
            let _one_at_a_time = oned.turn.lock();
            match handler {
                Handler::Info(kind) => info(&context, kind),
                Handler::Pool(kind) => pool(&context, kind),
                Handler::Own(run) => run(&context),
            }
        }
    };
    Some(match outcome {
        Ok(value) => {
            oned.log.line(
                "ReM",
                'D',
                &format!(
                    "Req:{request} UID:{uid} {} result SUCCESS{}",
                    call.method,
                    logged(&value)
                ),
            );
            Value::Array(vec![Value::Bool(true), value, Value::Int(0)])
        }
        Err(failure) => {
            let text = format!("[{}] {}", call.method, failure.text);
            oned.log.error(
                "ReM",
                &format!("Req:{request} UID:{uid} {} result FAILURE {text}", call.method),
            );
            Value::Array(vec![
                Value::Bool(false),
                Value::Text(text),
                Value::Int(failure.code),
                Value::Int(failure.object),
                Value::Int(-1),
            ])
        }
    })
}

enum Handler {
    Info(Kind),
    Pool(Kind),
    Own(fn(&Context<'_>) -> Outcome),
}

fn handler_of(method: &str) -> Option<Handler> {
    let name = method.strip_prefix("one.")?;
    let own = users::handler(name)
        .or_else(|| hosts::handler(name))
        .or_else(|| vms::handler(name))
        .or_else(|| more::handler(name));
    if let Some(run) = own {
        return Some(Handler::Own(run));
    }
    let (object, verb) = name.split_once('.')?;
    if verb != "info" {
        return None;
    }
    ALL.iter().find_map(|kind| {
        if kind.call == object {
            Some(Handler::Info(*kind))
        } else if object.strip_suffix("pool") == Some(kind.call) {
            Some(Handler::Pool(*kind))
        } else {
            None
        }
    })
}

fn info(context: &Context<'_>, kind: Kind) -> Outcome {
    Ok(Value::Text(context.object(kind, context.int(1)?)?.render()))
}

fn pool(context: &Context<'_>, kind: Kind) -> Outcome {
    let mut answer = Element::new(kind.pool);
    answer.children = context
        .oned
        .store
        .all(kind)?
        .into_iter()
        .filter(|body| context.may_see(kind, body))
        .collect();
    Ok(Value::Text(answer.render()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_logged_as_the_release_does() {
        let logged = |release: &str, method: &str, parameters: &[Value]| {
            let call = Call {
                method: method.to_owned(),
                parameters: [&[Value::Text("oneadmin:x".to_owned())], parameters].concat(),
            };
            logged_parameters(&Release::new(release), &call)
        };
        let own = [Value::Int(-1)];
        assert_eq!(logged("7.0.2", "one.user.info", &own), ", -1");
        assert_eq!(logged("7.4.0", "one.user.info", &own), "-1");
        let all = [Value::Int(0), Value::Bool(true), Value::Text("A".repeat(30))];
        assert_eq!(
            logged("7.0.2", "one.x", &all),
            format!(", 0, true, \"{}...\"", "A".repeat(20))
        );
        assert_eq!(
            logged("7.2.0", "one.x", &all),
            format!("0, 1, {}...", "A".repeat(11))
        );
        let password = [Value::Int(0), Value::Text("secret".to_owned())];
        assert_eq!(logged("7.4.0", "one.user.passwd", &password), "0, ****");
    }
}
