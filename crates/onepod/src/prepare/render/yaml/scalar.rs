//! Values as YAML text that every version of YAML, Ruby's and JavaScript's, reads alike.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::settings::overrides::is_reserved;
use crate::settings::vendor::decimal;

/// The quotes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// None.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
}

/// A value, or a list of them, on one line; in these quotes where it is text and can have them.
pub(super) fn inline(value: &Value, quote: Quote) -> String {
    match value {
        Value::Array(items) => {
            let quote = |item: &Value| match item {
                Value::String(text) if text.contains(',') => Quote::Single,
                _ => Quote::Plain,
            };
            let items: Vec<String> = items.iter().map(|item| inline(item, quote(item))).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => self::text(text, quote),
        Value::Number(number) => decimal(number),
        other => other.to_string(),
    }
}

fn text(text: &str, quote: Quote) -> String {
    match quote {
        Quote::Plain if is_plain(text) => text.to_owned(),
        Quote::Double if !text.contains(['"', '\\']) => format!("\"{text}\""),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A text that nobody takes for anything else than text: words, paths, URLs, addresses.
fn is_plain(text: &str) -> bool {
    let first = text.chars().next();
    let safe = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '+' | '=' | '%' | ',')
    };
    let begins =
        first.is_some_and(|c| c.is_ascii_alphabetic() || c == '/') || text.parse::<Ipv4Addr>().is_ok();
    begins && text.chars().all(safe) && !text.ends_with(':') && !is_reserved(text)
}
