//! A section for a YAML file: paths of keys, nested or written with slashes, and their values.

use serde_json::{Map, Value};

use super::wrong_type;
use crate::settings::vendor::{self, File};

/// One value of a YAML file: a text, number or switch, or a list of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The keys from the top, without the colons of Ruby's symbols.
    pub path: Vec<String>,
    /// The value.
    pub value: Value,
}

impl Leaf {
    /// The path with slashes, as it can be written in `ONEPOD_CONFIG`.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.join("/")
    }

    /// The value on one line.
    pub(super) fn shown(&self) -> String {
        let one = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match &self.value {
            Value::Array(items) => items.iter().map(one).collect::<Vec<_>>().join(", "),
            value => one(value),
        }
    }
}

/// The values of a section; what is wrong with it is added to `mistakes`.
pub(super) fn read(file: &File, given: &Map<String, Value>, mistakes: &mut Vec<String>) -> Vec<Leaf> {
    let mut desk = Desk {
        file,
        leaves: Vec::new(),
        mistakes,
    };
    desk.map(&[], given);
    desk.leaves
}

struct Desk<'a> {
    file: &'a File,
    leaves: Vec<Leaf>,
    mistakes: &'a mut Vec<String>,
}

impl Desk<'_> {
    fn map(&mut self, above: &[String], given: &Map<String, Value>) {
        let section = self.file.section;
        for (name, value) in given {
            let mut path = above.to_vec();
            path.extend(
                name.split('/')
                    .map(|part| part.strip_prefix(':').unwrap_or(part).to_owned()),
            );
            if path.len() > DEPTH {
                self.mistakes
                    .push(format!("{section}: {name:?} lies more than {DEPTH} keys deep"));
            } else if path.iter().all(|part| is_key(part)) {
                self.entry(path, value);
            } else {
                self.mistakes.push(format!(
                    "{section}: {name:?} is no name of a key: letters, digits, underscores, hyphens and dots, with \
                     slashes between the keys of a path"
                ));
            }
        }
    }

    fn entry(&mut self, path: Vec<String>, value: &Value) {
        let (file, section, name) = (self.file, self.file.section, path.join("/"));
        let known = file.key(&name);
        if let Value::Object(keys) = value {
            if known.is_some_and(|key| !key.kind.holds_keys()) || keys.is_empty() {
                let expected = known.map_or_else(
                    || "at least one key below it".to_owned(),
                    |key| key.kind.expected(file.grammar),
                );
                self.mistakes.push(wrong_type(file, &name, value, &expected));
            } else {
                self.map(&path, keys);
            }
            return;
        }
        if let Some(instead) = known.and_then(|key| key.decided) {
            self.mistakes
                .push(format!("{section}: {name} cannot be set here: {instead}"));
            return;
        }
        let below: Vec<&str> = file.below(&name).map(|key| key.name).collect();
        if !below.is_empty() || known.is_some_and(|key| key.name == name && key.kind.holds_keys()) {
            let expected = match below.as_slice() {
                [] => "a map".to_owned(),
                below => format!("a map, for {}", below.join(", ")),
            };
            self.mistakes.push(wrong_type(file, &name, value, &expected));
            return;
        }
        let typed = match known {
            // Of keys below keys of the user's choice the innermost type counts.
            Some(key) => key.kind.yaml(value),
            None => Ok(value.clone()),
        };
        match typed.map(whole) {
            Err(expected) => self.mistakes.push(wrong_type(file, &name, value, &expected)),
            Ok(value) if !is_leaf(&value) => self.mistakes.push(wrong_type(
                file,
                &name,
                &value,
                "text, a number, true or false, or a list of these, without control characters",
            )),
            Ok(value) => self.keep(Leaf { path, value }),
        }
    }

    fn keep(&mut self, leaf: Leaf) {
        let (section, name) = (self.file.section, leaf.name());
        let clash = self
            .leaves
            .iter()
            .find(|other| other.path.starts_with(&leaf.path) || leaf.path.starts_with(&other.path));
        match clash {
            Some(other) if other.path == leaf.path => {
                self.mistakes.push(format!("{section}: {name} is given twice"));
            }
            Some(other) => self.mistakes.push(format!(
                "{section}: {name} and {} cannot both have a value",
                other.name()
            )),
            None => self.leaves.push(leaf),
        }
    }
}

/// How deep keys are nested at most; the vendor's files have three.
const DEPTH: usize = 8;

/// A key that needs no quotes in any version of YAML.
fn is_key(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && !is_reserved(text)
}

/// Words that some version of YAML takes for something else than text.
pub(crate) fn is_reserved(text: &str) -> bool {
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text))
}

/// The value with numbers such as 2.0, which Helm makes of large ones, as the whole numbers that they are.
fn whole(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Number(number) if number.is_f64() => match vendor::decimal(&number).parse::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => Value::Number(number),
        },
        value => value,
    }
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_scalar),
        value => is_scalar(value),
    }
}

fn is_scalar(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.chars().any(|c| {
            c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        }),
        // Without an exponent, which versions of YAML read differently, and small enough to be read back as it was.
        Value::Number(number) => {
            let text = vendor::decimal(number);
            text.len() <= 20 && (!number.is_f64() || text.contains('.'))
        }
        Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Without the value where it may be a secret.
impl std::fmt::Debug for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Leaf({})", self.name())
    }
}
