//! The address that `OneFlow` and `OneGate` listen on, in their YAML.
//!
//! `:host:` at the top, or `:bind:` below `:server:` (`OneGate` since 7.4). One value on one line is replaced; comments
//! and layout stay. It is no YAML editor: whatever is not a plain or quoted value on its key's line is refused, and the
//! outcome is read again by a YAML parser and must differ in that one value alone.

use serde_json::Value;

/// A file in which the address cannot be set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// Not YAML.
    #[error("this is not YAML: {0}")]
    Yaml(String),
    /// Neither of the two keys.
    #[error(
        "there is neither `:host:` nor `:bind:` below `:server:`, so the address to listen on cannot be set"
    )]
    NoAddress,
    /// The value is not of the simple form that is edited.
    #[error("line {line}: the value of `{key}` is not a plain or quoted text on one line")]
    NotSimple {
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: &'static str,
    },
    /// The edit would change more than the address.
    #[error("setting `{0}` would change other values of the file")]
    Interferes(&'static str),
}

/// Where the address may stand.
struct Place {
    /// The key at the top that it stands below.
    parent: Option<&'static str>,
    key: &'static str,
}

const PLACES: [Place; 2] = [
    Place {
        parent: Some(":server"),
        key: ":bind",
    },
    Place {
        parent: None,
        key: ":host",
    },
];

/// The text with this address to listen on.
pub(super) fn on(text: &str, address: &str) -> Result<String, ListenError> {
    let old = read(text)?;
    let place = PLACES
        .iter()
        .find(|place| old.pointer(&place.pointer()).is_some())
        .ok_or(ListenError::NoAddress)?;
    let mut wanted = old;
    if let Some(value) = wanted.pointer_mut(&place.pointer()) {
        if value.as_str() == Some(address) {
            return Ok(text.to_owned());
        }
        *value = Value::String(address.to_owned());
    }
    let new = replaced(text, place, address)?;
    if read(&new) == Ok(wanted) {
        Ok(new)
    } else {
        Err(ListenError::Interferes(place.key))
    }
}

impl Place {
    fn pointer(&self) -> String {
        self.parent
            .into_iter()
            .chain([self.key])
            .flat_map(|key| ["/", key])
            .collect()
    }
}

fn read(text: &str) -> Result<Value, ListenError> {
    serde_saphyr::from_str(text)
        .map_err(|error| ListenError::Yaml(error.to_string().lines().next().unwrap_or_default().to_owned()))
}

/// Replaces the value on the key's line.
fn replaced(text: &str, place: &Place, address: &str) -> Result<String, ListenError> {
    let mut start = 0;
    // The key at the top under which the line stands.
    let mut parent = "";
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let content = line.trim_start_matches(' ');
        let nested = content.len() < line.len();
        if !nested && !content.starts_with('#') && !content.trim_end().is_empty() {
            parent = content;
        }
        let below = match place.parent {
            Some(name) => nested && names(parent, name).is_some(),
            None => !nested,
        };
        if let (true, Some(rest)) = (below, names(content, place.key)) {
            let Some((from, to)) = simple(rest) else {
                return Err(ListenError::NotSimple {
                    line: index + 1,
                    key: place.key,
                });
            };
            let rest_start = start + line.len() - rest.len();
            return Ok(format!(
                "{}{address}{}",
                &text[..rest_start + from],
                &text[rest_start + to..]
            ));
        }
        start += line.len();
    }
    Err(ListenError::NoAddress)
}

/// What stands behind the key and its colon.
fn names<'a>(content: &'a str, key: &str) -> Option<&'a str> {
    content.strip_prefix(key)?.strip_prefix(':')
}

/// Where a plain or quoted value stands in the rest of a line.
fn simple(rest: &str) -> Option<(usize, usize)> {
    let value = rest.trim_start_matches(' ');
    let from = rest.len() - value.len();
    let length = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].find(quote)? + 2,
        first if first.is_ascii_alphanumeric() || first == ':' => value
            .find(" #")
            .unwrap_or(value.len())
            .min(value.find(['\n', '\r']).unwrap_or(value.len())),
        _ => return None,
    };
    let length = value[..length].trim_end_matches(' ').len();
    let behind = value[length..].trim_start_matches(' ').trim_end();
    (from > 0 && (behind.is_empty() || behind.starts_with('#'))).then_some((from, from + length))
}
