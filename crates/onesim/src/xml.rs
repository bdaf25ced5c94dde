//! A small XML tree: what the database bodies, templates and XML-RPC messages need.
//!
//! It keeps whether a text came as CDATA, because OpenNebula writes template values that way and clients
//! see the difference. It does not know namespaces, attributes (read and dropped) or document types.

use std::fmt::{Display, Write as _};

/// One element with its children in document order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Tag name.
    pub(crate) name: String,
    /// Child elements.
    pub(crate) children: Vec<Element>,
    /// Text directly inside, trimmed when there are children.
    pub(crate) text: String,
    /// Whether the text is written as CDATA.
    pub(crate) cdata: bool,
}

impl Element {
    /// An empty element.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// An element with plain text.
    pub(crate) fn leaf(name: &str, text: impl Display) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_string(),
            ..Self::default()
        }
    }

    /// An element whose text is written as CDATA.
    pub(crate) fn cdata(name: &str, text: impl Display) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_string(),
            cdata: true,
            ..Self::default()
        }
    }

    /// The same element with one more child.
    pub(crate) fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The first child of that name, to change it.
    pub(crate) fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|c| c.name == name)
    }

    /// The text below a path of names; empty when there is none.
    pub(crate) fn text_at(&self, path: &[&str]) -> &str {
        let mut here = self;
        for name in path {
            let Some(next) = here.child(name) else { return "" };
            here = next;
        }
        &here.text
    }

    /// The number below a path of names.
    pub(crate) fn number_at(&self, path: &[&str]) -> Option<i64> {
        self.text_at(path).trim().parse().ok()
    }

    /// Sets the text of a direct child, creating it when missing.
    pub(crate) fn set(&mut self, name: &str, text: impl Display) {
        match self.child_mut(name) {
            Some(child) => child.text = text.to_string(),
            None => self.children.push(Self::leaf(name, text)),
        }
    }

    /// Replaces the first child of the same name, or appends.
    pub(crate) fn replace(&mut self, child: Self) {
        match self.child_mut(&child.name) {
            Some(old) => *old = child,
            None => self.children.push(child),
        }
    }

    /// The element as text, in the way of OpenNebula: no blanks, `<A></A>` for an empty leaf.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        if self.children.is_empty()
            && self.text.is_empty()
            && !self.cdata
            && SELF_CLOSED.contains(&&*self.name)
        {
            let _ = write!(out, "<{}/>", self.name);
            return;
        }
        let _ = write!(out, "<{}>", self.name);
        if self.cdata {
            let _ = write!(out, "<![CDATA[{}]]>", self.text.replace("]]>", "]]]]><![CDATA[>"));
        } else {
            out.push_str(&escape(&self.text));
        }
        for child in &self.children {
            child.write(out);
        }
        let _ = write!(out, "</{}>", self.name);
    }
}

/// Elements that the real answers write as `<NAME/>` when empty.
const SELF_CLOSED: [&str; 3] = ["MONITORING", "HISTORY_RECORDS", "USER_TEMPLATE"];

/// Text with the five XML entities.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// Parses a document with one root element; `None` when it is not well formed.
pub(crate) fn parse(text: &str) -> Option<Element> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_prolog();
    let root = reader.element(0)?;
    Some(root)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_prolog(&mut self) {
        loop {
            let trimmed = self.rest().trim_start();
            let skipped = self.rest().len() - trimmed.len();
            let end = if trimmed.starts_with("<?") {
                trimmed.find("?>").map(|i| i + 2)
            } else if trimmed.starts_with("<!--") {
                trimmed.find("-->").map(|i| i + 3)
            } else {
                None
            };
            self.at += skipped + end.unwrap_or(0);
            if end.is_none() {
                return;
            }
        }
    }

    fn element(&mut self, depth: usize) -> Option<Element> {
        if depth > 100 || !self.rest().starts_with('<') {
            return None;
        }
        let end = self.rest().find('>')?;
        let head = &self.rest()[1..end];
        let closed = head.ends_with('/');
        let name = head.trim_end_matches('/').split_whitespace().next()?.to_owned();
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c)) {
            return None;
        }
        self.at += end + 1;
        let mut element = Element::new(&name);
        if closed {
            return Some(element);
        }
        loop {
            let rest = self.rest();
            if let Some(body) = rest.strip_prefix("<![CDATA[") {
                let end = body.find("]]>")?;
                element.text.push_str(&body[..end]);
                element.cdata = true;
                self.at += "<![CDATA[".len() + end + 3;
            } else if rest.starts_with("<!--") {
                self.at += rest.find("-->")? + 3;
            } else if let Some(close) = rest.strip_prefix("</") {
                let end = close.find('>')?;
                if close[..end].trim() != name {
                    return None;
                }
                self.at += 2 + end + 1;
                break;
            } else if rest.starts_with('<') {
                element.children.push(self.element(depth + 1)?);
            } else {
                let end = rest.find('<')?;
                let text = unescape(&rest[..end]);
                self.at += end;
                element.text.push_str(&text);
            }
        }
        if !element.children.is_empty() && !element.cdata {
            element.text = String::new();
        }
        Some(element)
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';').filter(|e| *e < 12) else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        let entity = &rest[1..end];
        let decoded = match entity {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => entity
                .strip_prefix("#x")
                .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                .or_else(|| entity.strip_prefix('#').and_then(|dec| dec.parse().ok()))
                .and_then(char::from_u32),
        };
        match decoded {
            Some(c) => out.push(c),
            None => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_parse_and_render() {
        let body = "<USER><ID>0</ID><GROUPS><ID>0</ID></GROUPS><PASSWORD><![CDATA[a<b]]></PASSWORD><TEMPLATE></TEMPLATE></USER>";
        assert_eq!(parse(body).unwrap().render(), body);
    }

    #[test]
    fn entities_and_attributes_are_understood() {
        let e = parse("<?xml version=\"1.0\"?>\n<a x=\"1\"><b>1 &lt; 2 &#65;</b></a>").unwrap();
        assert_eq!(e.text_at(&["b"]), "1 < 2 A");
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        assert!(parse("<a><b></a>").is_none());
        assert!(parse("not xml").is_none());
    }
}
