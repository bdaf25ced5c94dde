//! XML-RPC's own layer: a call written as XML, and an answer read into values.
//!
//! Deliberately absent: the value types that oned neither takes nor sends (double, date, base64, nil). An answer that
//! holds one is refused by name, so that a new release's surprise is visible.

use crate::xml::{Scanner, Token, escape_into, is_space, shorten};

/// A parameter of a call.
#[derive(Clone, Copy)]
pub(crate) enum Argument<'a> {
    Text(&'a str),
    Int(i32),
}

/// A value in an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Bool(bool),
    Text(String),
    Array(Vec<Value>),
    Struct(Vec<(String, Value)>),
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// oned did it: the value after the true boolean.
    Done(Value),
    /// oned refused: its message and error code.
    Refused { message: String, code: i64 },
    /// The XML-RPC server refused.
    Fault { message: String, code: i64 },
}

/// The XML of a call.
pub(crate) fn request(method: &str, arguments: &[Argument<'_>]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodCall><methodName>");
    escape_into(&mut xml, method);
    xml.push_str("</methodName><params>");
    for argument in arguments {
        xml.push_str("<param><value>");
        match argument {
            Argument::Text(text) => {
                xml.push_str("<string>");
                escape_into(&mut xml, text);
                xml.push_str("</string>");
            }
            Argument::Int(number) => {
                xml.push_str("<i4>");
                xml.push_str(&number.to_string());
                xml.push_str("</i4>");
            }
        }
        xml.push_str("</value></param>");
    }
    xml.push_str("</params></methodCall>\n");
    xml
}

/// Reads an answer. The error says what is wrong with it, without quoting values.
pub(crate) fn answer(xml: &str) -> Result<Answer, String> {
    let mut scanner = Scanner::new(xml);
    scanner.expect_child("methodResponse")?;
    let answer = match scanner.child()?.as_deref() {
        Some("params") => {
            scanner.expect_child("param")?;
            scanner.expect_child("value")?;
            let value = value(&mut scanner)?;
            scanner.expect_close()?; // param
            scanner.expect_close()?; // params
            outcome(value)?
        }
        Some("fault") => {
            scanner.expect_child("value")?;
            let value = value(&mut scanner)?;
            scanner.expect_close()?; // fault
            fault(value)?
        }
        Some(other) => return Err(format!("<{}> where <params> or <fault> belongs", shorten(other))),
        None => return Err("an empty <methodResponse>".to_owned()),
    };
    scanner.expect_close()?; // methodResponse
    scanner.expect_end()?;
    Ok(answer)
}

/// oned's convention inside a successful XML-RPC answer: `[true, value, …]` or `[false, message, code, …]`.
fn outcome(value: Value) -> Result<Answer, String> {
    let Value::Array(items) = value else {
        return Err("the value is not an array".to_owned());
    };
    let mut items = items.into_iter();
    match (items.next(), items.next(), items.next()) {
        (Some(Value::Bool(true)), Some(value), _) => Ok(Answer::Done(value)),
        (Some(Value::Bool(false)), Some(Value::Text(message)), Some(Value::Int(code))) => {
            Ok(Answer::Refused { message, code })
        }
        (Some(Value::Bool(false)), ..) => Err("a refusal without message and code".to_owned()),
        _ => Err("the array is not a boolean followed by a value".to_owned()),
    }
}

fn fault(value: Value) -> Result<Answer, String> {
    let Value::Struct(members) = value else {
        return Err("the fault is not a struct".to_owned());
    };
    let mut message = None;
    let mut code = None;
    for member in members {
        match member {
            (name, Value::Text(text)) if name == "faultString" => message = Some(text),
            (name, Value::Int(number)) if name == "faultCode" => code = Some(number),
            _ => {}
        }
    }
    match (message, code) {
        (Some(message), Some(code)) => Ok(Answer::Fault { message, code }),
        _ => Err("a fault without faultCode and faultString".to_owned()),
    }
}

/// Reads the content of a `<value>` that has just been opened, and its end.
fn value(scanner: &mut Scanner<'_>) -> Result<Value, String> {
    let mut untyped = String::new();
    loop {
        match scanner.step()? {
            Some(Token::Text(text)) => untyped.push_str(&text),
            // A value without a type is a string, white space included.
            Some(Token::Close) | None => return Ok(Value::Text(untyped)),
            Some(Token::Open(_)) if !untyped.trim_matches(is_space).is_empty() => {
                return Err("text before a value's type".to_owned());
            }
            Some(Token::Open(kind)) => {
                let value = typed(scanner, &kind)?;
                scanner.expect_close()?;
                return Ok(value);
            }
        }
    }
}

/// Reads the content of `<kind>` that has just been opened, and its end.
fn typed(scanner: &mut Scanner<'_>, kind: &str) -> Result<Value, String> {
    match kind {
        "string" => Ok(Value::Text(scanner.text()?)),
        "i4" | "int" | "i8" => match scanner.text()?.trim_matches(is_space).parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Err(format!("an <{kind}> that is no whole number")),
        },
        "boolean" => match scanner.text()?.trim_matches(is_space) {
            "1" => Ok(Value::Bool(true)),
            "0" => Ok(Value::Bool(false)),
            _ => Err("a <boolean> that is neither 0 nor 1".to_owned()),
        },
        "array" => {
            scanner.expect_child("data")?;
            let mut items = Vec::new();
            while let Some(name) = scanner.child()? {
                if name != "value" {
                    return Err(format!("<{}> in an array", shorten(&name)));
                }
                items.push(value(scanner)?);
            }
            scanner.expect_close()?;
            Ok(Value::Array(items))
        }
        "struct" => {
            let mut members = Vec::new();
            while let Some(name) = scanner.child()? {
                if name != "member" {
                    return Err(format!("<{}> in a struct", shorten(&name)));
                }
                members.push(member(scanner)?);
            }
            Ok(Value::Struct(members))
        }
        other => Err(format!(
            "a value of the type <{}>, which oned does not send",
            shorten(other)
        )),
    }
}

fn member(scanner: &mut Scanner<'_>) -> Result<(String, Value), String> {
    let mut name = None;
    let mut content = None;
    while let Some(child) = scanner.child()? {
        match child.as_str() {
            "name" if name.is_none() => name = Some(scanner.text()?),
            "value" if content.is_none() => content = Some(value(scanner)?),
            other => return Err(format!("an unexpected <{}> in a member", shorten(other))),
        }
    }
    match (name, content) {
        (Some(name), Some(content)) => Ok((name, content)),
        _ => Err("a member without name and value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params(value: &str) -> String {
        format!("<methodResponse><params><param><value>{value}</value></param></params></methodResponse>")
    }

    #[test]
    fn a_call_is_written_with_its_parameters_escaped() {
        let xml = request(
            "one.user.info",
            &[Argument::Text("one<admin:a&b>\r"), Argument::Int(-1)],
        );
        assert!(xml.contains("<methodName>one.user.info</methodName>"));
        assert!(xml.contains("<string>one&lt;admin:a&amp;b&gt;&#13;</string>"));
        assert!(xml.contains("<value><i4>-1</i4></value>"));
    }

    #[test]
    fn both_of_oneds_answers_are_read() {
        let done =
            params("<array><data><value><boolean>1</boolean></value> <value>7.0.2</value></data></array>");
        assert_eq!(answer(&done), Ok(Answer::Done(Value::Text("7.0.2".to_owned()))));

        let refused = params(
            "<array><data><value><boolean> 0 </boolean></value><value><string>no</string></value>
             <value><i4>256</i4></value><value><i4>-1</i4></value></data></array>",
        );
        assert_eq!(
            answer(&refused),
            Ok(Answer::Refused {
                message: "no".to_owned(),
                code: 256
            })
        );
    }

    #[test]
    fn a_fault_is_read_in_either_order_of_its_members() {
        let xml = "<methodResponse><fault><value><struct>
            <member><value><string>gone</string></value><name>faultString</name></member>
            <member><name>faultCode</name><value><int>-506</int></value></member>
            </struct></value></fault></methodResponse>";
        assert_eq!(
            answer(xml),
            Ok(Answer::Fault {
                message: "gone".to_owned(),
                code: -506
            })
        );
    }

    #[test]
    fn what_oned_does_not_send_is_refused_with_the_reason() {
        for (xml, reason) in [
            (
                "<html></html>".to_owned(),
                "<html> where <methodResponse> belongs",
            ),
            ("<methodResponse/>".to_owned(), "an empty <methodResponse>"),
            (params("7.0.2"), "the value is not an array"),
            (
                params("<array><data></data></array>"),
                "the array is not a boolean followed by a value",
            ),
            (
                params("<array><data><value><boolean>0</boolean></value></data></array>"),
                "a refusal without message",
            ),
            (
                params("<array><data><value><boolean>true</boolean></value></data></array>"),
                "neither 0 nor 1",
            ),
            (params("<i4>seven</i4>"), "an <i4> that is no whole number"),
            (
                params("<double>1.5</double>"),
                "the type <double>, which oned does not send",
            ),
            (params("x<i4>1</i4>"), "text before a value's type"),
            (params("<array></array>"), "no <data>"),
            (
                format!(
                    "{}<more/>",
                    params("<array><data><value><boolean>1</boolean></value><value/></data></array>")
                ),
                "more than one root",
            ),
        ] {
            let found = answer(&xml).map_or_else(|e| e, |a| format!("{a:?}"));
            assert!(found.contains(reason), "{xml}: {found}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(
            text in "(<|</|>|/>|methodResponse|params|param|value|array|data|boolean|i4|1|0|string|struct|member|name|&amp;|&#0;| |\n){0,60}"
        ) {
            let _ = answer(&text);
        }

        #[test]
        fn a_cut_answer_is_malformed(cut in 0usize..200) {
            let whole = params("<array><data><value><boolean>1</boolean></value><value>7.0.2</value></data></array>");
            prop_assume!(cut < whole.len());
            prop_assert!(answer(&whole[..cut]).is_err());
        }
    }
}
