//! Edits of the vendor's YAML files: single values are replaced or added, and every other byte stays.
//!
//! It is no YAML library: it finds keys by their lines and indentation, and refuses what it cannot edit that way. What
//! it wrote is read again by a YAML parser and must be the old content with the wanted values and nothing else. General
//! editors of YAML did not do: they quote new keys that begin with a colon, which to Ruby are then texts instead of
//! symbols, and put new keys far from their commented-out samples.

use serde_json::{Map, Value};

mod lines;
mod scalar;

use lines::{Entry, Lines, Shape};

/// One value that a file is to have.
#[derive(Debug, Clone)]
pub(super) struct Wish<'a> {
    /// The keys from the top, without colons in front.
    pub(super) path: &'a [String],
    /// A text, number or switch, or a list of them.
    pub(super) value: &'a Value,
}

/// How keys that are added are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// As Ruby's symbols, `:key:`.
    Symbols,
    /// `key:`.
    Plain,
}

/// A YAML file that cannot be edited as wanted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Not YAML, or no map at its top.
    #[error("this is not the YAML that is expected: {0}")]
    Yaml(String),
    /// The value has a form that is not edited.
    #[error("line {line}: the value of `{key}` has a form that cannot be edited here")]
    NotSimple {
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// The key is there and its line is not found.
    #[error("`{0}` is there in a form that cannot be edited here")]
    NotFound(String),
    /// The edit would change more than the value, or not to what is wanted.
    #[error("setting `{0}` would change other values of the file")]
    Interferes(String),
    /// None of the keys that hold the address to listen on.
    #[error("there is none of {0}, so the address to listen on cannot be set")]
    NoAddress(String),
}

/// The text with these values.
pub(super) fn edit(text: &str, keys: Keys, wishes: &[Wish<'_>]) -> Result<String, YamlError> {
    let mut text = text.to_owned();
    let mut content = read(&text)?;
    for wish in wishes {
        let path = spelled(&content, keys, wish.path);
        if get(&content, &path) == Some(wish.value) {
            continue;
        }
        let name = path.join("/");
        let new = set(&text, &content, &path, wish.value)?;
        if !put(&mut content, &path, wish.value) || read(&new).ok().as_ref() != Some(&content) {
            return Err(YamlError::Interferes(name));
        }
        text = new;
    }
    Ok(text)
}

/// The content: a map; a file of comments has no keys.
pub(super) fn read(text: &str) -> Result<Value, YamlError> {
    let content: Value = serde_saphyr::from_str(text)
        .map_err(|error| YamlError::Yaml(error.to_string().lines().next().unwrap_or_default().to_owned()))?;
    match content {
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(_) => Ok(content),
        _ => Err(YamlError::Yaml("its top is no map".to_owned())),
    }
}

/// Whether the content has a key, written in either way.
pub(super) fn has(content: &Value, path: &[String]) -> bool {
    find(content, path).is_some()
}

/// The value of a key, written in either way.
pub(super) fn find<'a>(content: &'a Value, path: &[String]) -> Option<&'a Value> {
    get(content, &spelled(content, Keys::Symbols, path))
}

/// The path as the file writes its keys; what is not there in the way of `keys`.
fn spelled(content: &Value, keys: Keys, path: &[String]) -> Vec<String> {
    let mut here = Some(content);
    let mut spelled = Vec::new();
    for part in path {
        let symbol = format!(":{part}");
        let known = |name: &str| here.and_then(|value| value.get(name)).is_some();
        let name = match (keys, known(&symbol), known(part)) {
            (Keys::Symbols, false, true) | (Keys::Plain, false, _) | (Keys::Plain, true, true) => {
                part.clone()
            }
            _ => symbol,
        };
        here = here.and_then(|value| value.get(&name));
        spelled.push(name);
    }
    spelled
}

fn get<'a>(content: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(content, |value, key| value.get(key))
}

/// Puts a value into the content; false where something else than a map is in the way.
fn put(content: &mut Value, path: &[String], value: &Value) -> bool {
    let Some((first, rest)) = path.split_first() else {
        *content = value.clone();
        return true;
    };
    if content.is_null() {
        *content = Value::Object(Map::new());
    }
    match content.as_object_mut() {
        Some(map) => put(map.entry(first.clone()).or_insert(Value::Null), rest, value),
        None => false,
    }
}

fn set(text: &str, content: &Value, path: &[String], value: &Value) -> Result<String, YamlError> {
    let lines = Lines::of(text);
    let (found, depth) = lines.find(path);
    match found {
        Some(entry) if depth == path.len() => replace(&lines, &entry, get(content, path), value),
        // The parser knows more keys of the path than were found by their lines.
        parent if get(content, &path[..=depth]).is_some() => match parent {
            Some(entry) => Err(entry.not_simple()),
            None => Err(YamlError::NotFound(path[..=depth].join("/"))),
        },
        Some(entry) if entry.shape != Shape::Block && entry.shape != Shape::Empty => Err(entry.not_simple()),
        parent => Ok(add(&lines, parent.as_ref(), &path[depth..], value)),
    }
}

/// Replaces the value of a key that is there.
fn replace(lines: &Lines<'_>, entry: &Entry, old: Option<&Value>, new: &Value) -> Result<String, YamlError> {
    match (entry.shape, new) {
        (Shape::Inline { from, to, quote }, value) => {
            Ok(lines.spliced(from..to, &scalar::inline(value, quote)))
        }
        (Shape::Empty, Value::Array(items)) if !items.is_empty() => {
            let items = item_lines(items, entry.child_indent);
            Ok(lines.inserted(entry.line + 1, &items))
        }
        (Shape::Empty, value) => {
            let written = scalar::inline(value, scalar::Quote::Plain);
            Ok(lines.spliced(entry.behind_colon..entry.behind_colon, &format!(" {written}")))
        }
        (Shape::Block, Value::Array(items)) => replace_items(lines, entry, old, items),
        (Shape::Block | Shape::Other, _) => Err(entry.not_simple()),
    }
}

/// Makes the items of a block list the wanted ones: items that stay keep their lines and comments.
fn replace_items(
    lines: &Lines<'_>,
    entry: &Entry,
    old: Option<&Value>,
    wanted: &[Value],
) -> Result<String, YamlError> {
    let there = lines.items(entry);
    let Some(Value::Array(old)) = old else {
        return Err(entry.not_simple());
    };
    if there.len() != old.len() || old.iter().any(|item| item.is_array() || item.is_object()) {
        return Err(entry.not_simple());
    }
    let indent = there
        .first()
        .map_or(entry.child_indent, |line| lines.indent(*line));
    // Items stay as long as they come in the wanted order.
    let mut next = 0;
    let mut before: Vec<Vec<Value>> = Vec::new();
    let mut stays = Vec::new();
    for item in old {
        let ahead = wanted.iter().skip(next).position(|value| value == item);
        stays.push(ahead.is_some());
        before.push(match ahead {
            Some(ahead) => wanted[next..next + ahead].to_vec(),
            None => Vec::new(),
        });
        next += ahead.map_or(0, |ahead| ahead + 1);
    }
    let rest = &wanted[next..];
    let mut text = String::new();
    for (number, line) in lines.all().enumerate() {
        if number == entry.line && wanted.is_empty() {
            let (head, tail) = line.split_at(entry.behind_colon - lines.start(number));
            text.extend([head, " []", tail]);
            continue;
        }
        let Some(item) = there.iter().position(|item| *item == number) else {
            text.push_str(line);
            continue;
        };
        text.push_str(&item_lines(&before[item], indent));
        if stays[item] {
            text.push_str(&with_newline(line));
        }
        if item + 1 == there.len() {
            text.push_str(&item_lines(rest, indent));
        }
    }
    Ok(text)
}

/// Adds the keys of `path` below an entry, or at the top.
fn add(lines: &Lines<'_>, parent: Option<&Entry>, path: &[String], value: &Value) -> String {
    let mut indent = parent.map_or_else(|| lines.top_indent(), |entry| entry.child_indent);
    let first_indent = indent;
    let mut text = String::new();
    for (depth, key) in path.iter().enumerate() {
        let blanks = " ".repeat(indent);
        if depth + 1 < path.len() {
            text.extend([&blanks, key, ":\n"]);
        } else if let Value::Array(items) = value
            && !items.is_empty()
        {
            text.extend([&blanks, key, ":\n", &item_lines(items, indent + 2)]);
        } else {
            let value = scalar::inline(value, scalar::Quote::Plain);
            text.extend([&blanks, key, ": ", &value, "\n"]);
        }
        indent += 2;
    }
    let key = path.first().map_or("", String::as_str);
    let at = lines
        .sample(parent, key, first_indent)
        .unwrap_or_else(|| lines.end(parent));
    lines.inserted(at, &text)
}

fn item_lines(items: &[Value], indent: usize) -> String {
    let blanks = " ".repeat(indent);
    let mut text = String::new();
    for item in items {
        text.extend([&blanks, "- ", &scalar::inline(item, scalar::Quote::Plain), "\n"]);
    }
    text
}

fn with_newline(line: &str) -> String {
    if line.ends_with('\n') {
        line.to_owned()
    } else {
        format!("{line}\n")
    }
}

#[cfg(test)]
mod tests;
