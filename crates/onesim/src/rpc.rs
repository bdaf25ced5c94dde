//! XML-RPC messages: requests in, answers out, in the layout of xmlrpc-c.
//!
//! Only what OpenNebula's API uses: int, boolean, string, double, array; a struct is read as nothing.

use std::fmt::Write as _;

use crate::xml::{self, Element};

/// A parameter of a call or a part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `i4`, `int`, `i8`
    Int(i64),
    /// `boolean`
    Bool(bool),
    /// `string`, or text without a type
    Text(String),
    /// `double`
    Double(f64),
    /// `array`
    Array(Vec<Value>),
    /// Anything else.
    Nil,
}

impl Value {
    /// The number of an int or of a text that is one.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }

    fn read(value: &Element) -> Self {
        let Some(typed) = value.children.first() else {
            return Self::Text(value.text.clone());
        };
        match typed.name.as_str() {
            "i4" | "int" | "i8" | "ex:i8" => typed.text.trim().parse().map_or(Self::Nil, Self::Int),
            "boolean" => Self::Bool(typed.text.trim() == "1"),
            "string" => Self::Text(typed.text.clone()),
            "double" => typed.text.trim().parse().map_or(Self::Nil, Self::Double),
            "array" => Self::Array(
                typed
                    .child("data")
                    .map_or_else(Vec::new, |d| d.children.iter().map(Self::read).collect()),
            ),
            _ => Self::Nil,
        }
    }

    fn write(&self, out: &mut String) {
        let _ = match self {
            Self::Int(i) => write!(out, "<value><i4>{i}</i4></value>"),
            Self::Bool(b) => write!(out, "<value><boolean>{}</boolean></value>", u8::from(*b)),
            Self::Text(t) => write!(out, "<value><string>{}</string></value>", xml::escape(t)),
            Self::Double(d) => write!(out, "<value><double>{d}</double></value>"),
            Self::Array(items) => {
                out.push_str("<value><array><data>\r\n");
                for item in items {
                    item.write(out);
                    out.push_str("\r\n");
                }
                write!(out, "</data></array></value>")
            }
            Self::Nil => write!(out, "<value><nil/></value>"),
        };
    }
}

/// A call: method and parameters.
#[derive(Debug)]
pub(crate) struct Call {
    /// Method name, e.g. `one.user.info`.
    pub(crate) method: String,
    /// Parameters in order.
    pub(crate) parameters: Vec<Value>,
}

impl Call {
    /// Reads a `methodCall` document.
    pub(crate) fn read(body: &str) -> Option<Self> {
        let root = xml::parse(body)?;
        if root.name != "methodCall" {
            return None;
        }
        let parameters = root.child("params").map_or_else(Vec::new, |params| {
            params
                .children
                .iter()
                .filter_map(|p| p.child("value"))
                .map(Value::read)
                .collect()
        });
        Some(Self {
            method: root.text_at(&["methodName"]).trim().to_owned(),
            parameters,
        })
    }

    /// Writes the call, for the command line tools.
    pub(crate) fn write(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodCall>\r\n");
        let _ = write!(
            out,
            "<methodName>{}</methodName>\r\n<params>\r\n",
            xml::escape(&self.method)
        );
        for parameter in &self.parameters {
            out.push_str("<param>");
            parameter.write(&mut out);
            out.push_str("</param>\r\n");
        }
        out.push_str("</params>\r\n</methodCall>\r\n");
        out
    }
}

/// Writes an answer.
pub(crate) fn response(value: &Value) -> String {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n<params>\r\n<param>");
    value.write(&mut out);
    out.push_str("</param>\r\n</params>\r\n</methodResponse>\r\n");
    out
}

/// Writes a fault.
pub(crate) fn fault(code: i64, text: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<methodResponse>\r\n<fault>\r\n<value><struct>\r\n\
         <member><name>faultCode</name>\r\n<value><i4>{code}</i4></value></member>\r\n\
         <member><name>faultString</name>\r\n<value><string>{}</string></value></member>\r\n\
         </struct></value>\r\n</fault>\r\n</methodResponse>\r\n",
        xml::escape(text)
    )
}

/// Reads an answer: the value, or the fault's text.
pub(crate) fn read_response(body: &str) -> Result<Value, String> {
    let root = xml::parse(body).ok_or_else(|| "malformed answer".to_owned())?;
    if let Some(fault) = root.child("fault") {
        let text = fault
            .child("value")
            .and_then(|v| v.child("struct"))
            .and_then(|s| s.children.iter().find(|m| m.text_at(&["name"]) == "faultString"))
            .and_then(|m| m.child("value"))
            .map(Value::read);
        return Err(text.and_then(|t| t.text().map(str::to_owned)).unwrap_or_default());
    }
    root.child("params")
        .and_then(|p| p.child("param"))
        .and_then(|p| p.child("value"))
        .map(Value::read)
        .ok_or_else(|| "malformed answer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_answer_has_the_recorded_length() {
        let value = Value::Array(vec![
            Value::Bool(true),
            Value::Text("7.0.2".to_owned()),
            Value::Int(0),
        ]);
        // Content-length of the recorded exchange.
        assert_eq!(response(&value).len(), 263);
    }

    #[test]
    fn the_fault_has_the_recorded_length() {
        assert_eq!(fault(-506, "Method 'one.nosuch' not defined").len(), 311);
    }

    #[test]
    fn a_call_is_read_back() {
        let call = Call {
            method: "one.x".into(),
            parameters: vec![Value::Text("a<b".into()), Value::Int(-1)],
        };
        let read = Call::read(&call.write()).unwrap();
        assert_eq!((read.method, read.parameters), (call.method, call.parameters));
    }
}
