//! OpenNebula's API as a client that is not ours sees it: XML-RPC over HTTP, written and read as text.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};

use crate::http;

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// `i4`
    Int(i64),
    /// `boolean`
    Bool(bool),
    /// `string`
    Text(&'a str),
    /// An array without members.
    Empty,
}

/// Calls a method in the name of `session` (`user:password`); gives the answer's text or number. The API's own refusal is
/// an error with its text.
pub fn call(address: SocketAddr, session: &str, method: &str, arguments: &[Value<'_>]) -> Result<String> {
    let arguments: String = [Value::Text(session)]
        .iter()
        .chain(arguments)
        .map(written)
        .collect();
    let body = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{arguments}</params></methodCall>"
    );
    let (code, answer) =
        http::post(address, "/RPC2", "text/xml", &body).with_context(|| method.to_owned())?;
    if code != 200 {
        bail!("{method}: HTTP {code}");
    }
    let (granted, value) = read(&answer).with_context(|| format!("{method}: an answer of another form"))?;
    if !granted {
        bail!("{method}: {value}");
    }
    Ok(value)
}

fn written(value: &Value<'_>) -> String {
    let inner = match value {
        Value::Int(number) => format!("<i4>{number}</i4>"),
        Value::Bool(truth) => format!("<boolean>{}</boolean>", i32::from(*truth)),
        Value::Text(text) => format!("<string>{}</string>", escaped(text)),
        Value::Empty => "<array><data></data></array>".to_owned(),
    };
    format!("<param><value>{inner}</value></param>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Whether it was granted, and the value beside: every answer is an array that begins with these two.
fn read(answer: &str) -> Option<(bool, String)> {
    let granted = between(answer, "<boolean>", "</boolean>")?;
    let rest = answer.split_once("</boolean>")?.1;
    let value = ["string", "i4", "int", "i8"]
        .iter()
        .filter_map(|kind| {
            let start = rest.find(&format!("<{kind}>"))?;
            Some((start, between(rest, &format!("<{kind}>"), &format!("</{kind}>"))?))
        })
        .min()?
        .1;
    let value = value
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    Some((granted.trim() == "1", value))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(granted: u8, value: &str) -> String {
        format!(
            "<methodResponse><params><param><value><array><data><value><boolean>{granted}</boolean></value>\
             <value>{value}</value><value><i4>0</i4></value></data></array></value></param></params></methodResponse>"
        )
    }

    #[test]
    fn the_first_value_beside_the_boolean_counts() {
        assert_eq!(read(&answer(1, "<i4>7</i4>")), Some((true, "7".to_owned())));
        assert_eq!(
            read(&answer(0, "<string>no &lt;user&gt;</string>")),
            Some((false, "no <user>".to_owned()))
        );
        assert_eq!(read("<methodResponse><fault/></methodResponse>"), None);
    }

    #[test]
    fn arguments_are_escaped() {
        assert_eq!(
            written(&Value::Text("a<b&c")),
            "<param><value><string>a&lt;b&amp;c</string></value></param>"
        );
    }
}
