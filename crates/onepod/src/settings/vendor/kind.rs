//! The types of values: what is accepted, how it is written, and how that is said in words and in JSON Schema.

use std::net::IpAddr;

use serde_json::{Number, Value, json};

use super::Grammar;

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number of this range.
    Whole {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A number of this range.
    Decimal {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// `YES` or `NO` in OpenNebula's own grammar, `true` or `false` in YAML.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any text.
    Text,
    /// A host name or an address.
    Address,
    /// `http://` or `https://` and what follows.
    Url,
    /// Text of a certain form.
    Form(Form),
    /// Words: separated by commas in OpenNebula's own grammar, a list in YAML.
    List,
    /// Several values, the attribute written once for each.
    Repeated,
    /// Keys of the user's choice, each with a value of this type.
    Keys(&'static Kind),
    /// Whatever YAML can say.
    Any,
}

/// A form of text.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// What it is, in words.
    pub words: &'static str,
    /// A regular expression as JSON Schema has them.
    pub pattern: &'static str,
    /// Whether a text has it.
    pub fits: fn(&str) -> bool,
}

/// What is expected instead, in words.
pub(in crate::settings) type Expected = String;

impl Kind {
    /// A TCP or UDP port.
    pub const PORT: Self = Self::Whole { min: 1, max: 65535 };
    /// A number of seconds, or of anything else that is counted.
    pub const COUNT: Self = Self::Whole {
        min: 0,
        max: i32::MAX as i64,
    };
    /// The same without 0.
    pub const MORE: Self = Self::Whole {
        min: 1,
        max: i32::MAX as i64,
    };

    /// A whole number of that range.
    pub(super) const fn whole(min: i64, max: i64) -> Self {
        Self::Whole { min, max }
    }

    /// Whether the keys below it are the user's choice.
    #[must_use]
    pub fn holds_keys(&self) -> bool {
        matches!(self, Self::Keys(_) | Self::Any)
    }

    /// The texts that are written into a file of OpenNebula's own grammar: one, but for a repeated attribute.
    pub(in crate::settings) fn texts(&self, given: &Value) -> Result<Vec<String>, Expected> {
        let expected = || self.expected(Grammar::Attributes);
        let one = match (self, given) {
            (Self::Switch, Value::Bool(switch)) => if *switch { "YES" } else { "NO" }.to_owned(),
            (Self::Switch, Value::String(text)) if is_switch(text) => text.clone(),
            (Self::OneOf(words), Value::Bool(switch)) if words.contains(&"YES") => {
                if *switch { "YES" } else { "NO" }.to_owned()
            }
            (Self::OneOf(words), _) => {
                let text = plain(given).ok_or_else(expected)?;
                let known = words.iter().any(|word| word.eq_ignore_ascii_case(&text));
                known.then_some(text).ok_or_else(expected)?
            }
            (Self::List, Value::Array(items)) => {
                let items: Option<Vec<String>> = items.iter().map(plain).collect();
                let items = items.ok_or_else(expected)?;
                if items.iter().any(|item| item.contains(',')) {
                    return Err(expected());
                }
                items.join(",")
            }
            (Self::Repeated, Value::Array(items)) => {
                let items: Option<Vec<String>> = items.iter().map(plain).collect();
                return items.ok_or_else(expected);
            }
            (Self::Whole { .. }, _) => self.number(given).ok_or_else(expected)?.to_string(),
            (
                Self::Decimal { .. }
                | Self::Text
                | Self::Address
                | Self::Url
                | Self::Form(_)
                | Self::List
                | Self::Repeated,
                Value::String(_) | Value::Number(_),
            ) => {
                let text = plain(given).ok_or_else(expected)?;
                self.fits(&text).then_some(text).ok_or_else(expected)?
            }
            _ => return Err(expected()),
        };
        Ok(vec![one])
    }

    /// The value that is written into a YAML file.
    pub(in crate::settings) fn yaml(&self, given: &Value) -> Result<Value, Expected> {
        let expected = || self.expected(Grammar::Yaml);
        match (self, given) {
            (Self::Switch, Value::Bool(_)) | (Self::Any, _) => Ok(given.clone()),
            (Self::Keys(kind), _) => kind.yaml(given),
            (Self::Switch, Value::String(text)) if is_switch(text) => {
                Ok(Value::Bool(text.eq_ignore_ascii_case("yes")))
            }
            (Self::OneOf(words), _) => {
                let text = match given {
                    Value::Bool(switch) => switch.to_string(),
                    _ => plain(given).ok_or_else(expected)?,
                };
                let known = words.iter().find(|word| word.eq_ignore_ascii_case(&text));
                known.map(|word| Value::from(*word)).ok_or_else(expected)
            }
            (Self::List | Self::Repeated, Value::Array(items)) => {
                let items: Option<Vec<Value>> =
                    items.iter().map(|item| plain(item).map(Value::String)).collect();
                items.map(Value::Array).ok_or_else(expected)
            }
            (Self::Whole { .. }, _) => self.number(given).map(Value::from).ok_or_else(expected),
            (Self::Decimal { .. }, Value::Number(number)) if self.fits(&decimal(number)) => Ok(given.clone()),
            (Self::Text | Self::Address | Self::Url | Self::Form(_), Value::String(_) | Value::Number(_)) => {
                let text = plain(given).ok_or_else(expected)?;
                self.fits(&text)
                    .then_some(Value::String(text))
                    .ok_or_else(expected)
            }
            _ => Err(expected()),
        }
    }

    /// The whole number that was given, as a number or as text.
    fn number(&self, given: &Value) -> Option<i64> {
        let Self::Whole { min, max } = *self else {
            return None;
        };
        let number: i64 = plain(given)?.parse().ok()?;
        (min..=max).contains(&number).then_some(number)
    }

    fn fits(&self, text: &str) -> bool {
        match *self {
            Self::Decimal { min, max } => {
                decimal_form(text)
                    && text
                        .parse::<f64>()
                        .is_ok_and(|number| number >= as_float(min) && number <= as_float(max))
            }
            Self::Address => is_address(text),
            Self::Url => is_url(text),
            Self::Form(form) => (form.fits)(text),
            _ => true,
        }
    }

    /// What to do about a value that YAML did not read as the text that was written, the end of a sentence.
    pub(in crate::settings) fn hint(&self, given: &Value) -> Option<String> {
        match (self, given) {
            (Self::Switch | Self::Keys(_) | Self::Any, _) => None,
            (_, Value::Bool(_)) => Some(
                "YAML reads yes, no, on, off, true and false without quotes as a switch: put the word in quotes".to_owned(),
            ),
            (Self::Form(_), Value::Number(number)) => {
                let hexadecimal = number.as_u64().filter(|number| *number < 256);
                let example = hexadecimal
                    .map(|number| format!("0x{number:02x}"))
                    .filter(|text| self.fits(text));
                Some(match example {
                    Some(text) => format!("YAML reads 0x… without quotes as a number: put it in quotes, as in {text:?}"),
                    None => "YAML read a number: put the value in quotes, as it is to stand in the file".to_owned(),
                })
            }
            _ => None,
        }
    }

    /// What is expected, in words.
    #[must_use]
    pub fn expected(&self, grammar: Grammar) -> String {
        match (self, grammar) {
            (Self::Whole { min, max }, _) if *max == i64::from(i32::MAX) => {
                format!("a whole number, {min} or more")
            }
            (Self::Whole { min, max }, _) => format!("a whole number from {min} to {max}"),
            (Self::Decimal { min, max }, _) if *max == i64::from(i32::MAX) => {
                format!("a number, {min} or more")
            }
            (Self::Decimal { min, max }, _) => format!("a number from {min} to {max}"),
            (Self::Switch, Grammar::Attributes) => "YES or NO".to_owned(),
            (Self::Switch, _) => "true or false".to_owned(),
            (Self::OneOf(words), _) => one_of(words),
            (Self::Text, _) => "text".to_owned(),
            (Self::Address, _) => "a host name or an address".to_owned(),
            (Self::Url, _) => "a URL, http:// or https://".to_owned(),
            (Self::Form(form), _) => form.words.to_owned(),
            (Self::List, Grammar::Attributes) => "a list of words without commas".to_owned(),
            (Self::List | Self::Repeated, _) => "a list of words".to_owned(),
            (Self::Keys(kind), _) => format!("a map whose values are each {}", kind.expected(grammar)),
            (Self::Any, _) => "a map".to_owned(),
        }
    }

    /// JSON Schema of the values that are accepted.
    #[must_use]
    pub fn schema(&self, grammar: Grammar) -> Value {
        match *self {
            Self::Whole { min, max } => json!({"anyOf": [
                {"type": "integer", "minimum": min, "maximum": max},
                {"type": "string", "pattern": "^-?[0-9]+$"},
            ]}),
            Self::Decimal { min, max } if grammar == Grammar::Attributes => json!({"anyOf": [
                {"type": "number", "minimum": min, "maximum": max},
                {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"},
            ]}),
            Self::Decimal { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
            Self::Switch => json!({"anyOf": [
                {"type": "boolean"},
                {"type": "string", "pattern": "^([Yy][Ee][Ss]|[Nn][Oo])$"},
            ]}),
            Self::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| any_case(word)).collect();
                let numbers: Vec<i64> = words.iter().filter_map(|word| word.parse().ok()).collect();
                let text = json!({"type": "string", "pattern": format!("^({})$", words.join("|"))});
                if words.contains(&any_case("true")) || words.contains(&any_case("YES")) {
                    json!({"anyOf": [{"type": "boolean"}, text]})
                } else if numbers.is_empty() {
                    text
                } else {
                    json!({"anyOf": [{"enum": numbers}, text]})
                }
            }
            Self::Text | Self::Address => json!({"type": ["string", "number"]}),
            Self::Url => json!({"type": "string", "pattern": "^https?://"}),
            // A number is the text of its digits.
            Self::Form(form) => json!({"anyOf": [
                {"type": "string", "pattern": form.pattern},
                {"type": "number"},
            ]}),
            Self::List | Self::Repeated => {
                let list = json!({"type": "array", "items": {"type": ["string", "number"]}});
                if grammar == Grammar::Attributes {
                    json!({"anyOf": [list, {"type": ["string", "number"]}]})
                } else {
                    list
                }
            }
            Self::Keys(kind) => {
                json!({"type": "object", "additionalProperties": kind.schema(grammar)})
            }
            Self::Any => json!(true),
        }
    }
}

/// A text or a number as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(decimal(number)),
        _ => None,
    }
}

/// The number without an exponent: Helm prints a large one as 2.5e+06.
pub(crate) fn decimal(number: &Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (None, Some(float)) => format!("{float}"),
        _ => number.to_string(),
    }
}

fn decimal_form(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    match text.split_once('.') {
        None => digits(text),
        Some((whole, part)) => digits(whole) && digits(part),
    }
}

#[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
fn as_float(number: i64) -> f64 {
    number as f64
}

fn is_switch(text: &str) -> bool {
    text.eq_ignore_ascii_case("yes") || text.eq_ignore_ascii_case("no")
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || crate::settings::values::is_host_name(text)
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !text.contains([' ', '\t', '\n']))
}

fn one_of(words: &[&str]) -> String {
    let shown = |word: &&str| {
        if word.is_empty() {
            "\"\"".to_owned()
        } else {
            (*word).to_owned()
        }
    };
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            let rest: Vec<String> = rest.iter().map(shown).collect();
            format!("{} or {}", rest.join(", "), shown(last))
        }
        _ => words.iter().map(shown).collect(),
    }
}

/// The regular expression of a word in letters of any case.
fn any_case(word: &str) -> String {
    word.chars()
        .map(|c| match c {
            c if c.is_ascii_alphabetic() => {
                format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())
            }
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => c.to_string(),
            c => format!("\\{c}"),
        })
        .collect()
}
