//! A section for a file of OpenNebula's own grammar: names of places and vectors, and their values.

use serde_json::{Map, Value};

use super::place::Target;
use super::{Chosen, Override, Place, wrong_type};
use crate::settings::vendor::{self, File, Kind};

/// The entries of a section; what is wrong with it is added to `mistakes`.
pub(super) fn read(file: &File, given: &Map<String, Value>, mistakes: &mut Vec<String>) -> Vec<Override> {
    let mut read: Vec<Override> = Vec::new();
    let mut keep = |one: Override, mistakes: &mut Vec<String>| match one.shared_with(&read) {
        Some(place) => mistakes.push(format!(
            "{}: {place} is given twice (case does not count)",
            file.section
        )),
        None => read.push(one),
    };
    for (name, value) in given {
        match read_one(file, name, value) {
            Ok(found) => found.into_iter().for_each(|one| keep(one, mistakes)),
            Err(found) => mistakes.extend(found),
        }
    }
    read
}

fn read_one(file: &File, name: &str, value: &Value) -> Result<Vec<Override>, Vec<String>> {
    let section = file.section;
    let target = name
        .parse()
        .map_err(|reason: String| vec![format!("{section}: {reason}")])?;
    match (target, value) {
        (Target::Value(Place::Attribute(vector)), Value::Object(keys))
            if !keys.is_empty() && file.key(&vector).is_none() =>
        {
            read_plain_vector(file, &vector, keys)
        }
        (Target::Value(place), value) => read_value(file, &place, value)
            .map(|one| vec![one])
            .map_err(|mistake| vec![mistake]),
        (Target::Vector(which), Value::Object(keys)) if !keys.is_empty() => {
            read_vector(file, which, keys).map(|one| vec![one])
        }
        (Target::Vector(which), _) => Err(vec![format!(
            "{section}: {which} is a vector: give it a map of its keys, {{KEY: value}}, or write {which}/KEY for one of \
             them"
        )]),
    }
}

/// `VECTOR: {KEY: value}`, which is short for `VECTOR/KEY: value`.
fn read_plain_vector(
    file: &File,
    vector: &str,
    given: &Map<String, Value>,
) -> Result<Vec<Override>, Vec<String>> {
    let section = file.section;
    if file.below(vector).any(vendor::Key::is_of_several) {
        return Err(vec![format!(
            "{section}: there are several {vector}: write {vector}[NAME=value] for one of them"
        )]);
    }
    let (mut read, mut mistakes) = (Vec::new(), Vec::new());
    for (key, value) in given {
        match format!("{vector}/{key}").parse() {
            Ok(Target::Value(place)) => match read_value(file, &place, value) {
                Ok(one) => read.push(one),
                Err(mistake) => mistakes.push(mistake),
            },
            _ => mistakes.push(format!(
                "{section}: {vector} has {key:?}, and keys have only letters, digits and underscores"
            )),
        }
    }
    if mistakes.is_empty() {
        Ok(read)
    } else {
        Err(mistakes)
    }
}

fn read_vector(file: &File, which: Chosen, given: &Map<String, Value>) -> Result<Override, Vec<String>> {
    let section = file.section;
    let (mut keys, mut mistakes) = (Vec::<(String, String)>::new(), Vec::new());
    if let Err(reason) = oned_conf::check_value(&which.value) {
        mistakes.push(format!("{section}: {which} cannot be written: {reason}"));
    }
    for (key, value) in given {
        let Some(place) = which.key(key) else {
            mistakes.push(format!(
                "{section}: {which} has {key:?}, and keys have only letters, digits and underscores"
            ));
            continue;
        };
        let key = key.to_ascii_uppercase();
        match read_value(file, &place, value) {
            Err(mistake) => mistakes.push(mistake),
            Ok(Override::Value { value, .. }) if key == which.selector => {
                if value != which.value {
                    mistakes.push(format!(
                        "{section}: {place} is {value:?}, but the vector's name says {:?}",
                        which.value
                    ));
                }
            }
            Ok(Override::Value { value, .. }) => {
                if keys.iter().any(|(other, _)| *other == key) {
                    mistakes.push(format!("{section}: {place} is given twice (case does not count)"));
                } else {
                    keys.push((key, value));
                }
            }
            Ok(_) => mistakes.push(wrong_type(file, &place.plain(), value, "one value")),
        }
    }
    if mistakes.is_empty() {
        Ok(Override::Vector { which, keys })
    } else {
        Err(mistakes)
    }
}

fn read_value(file: &File, place: &Place, value: &Value) -> Result<Override, String> {
    let (section, name) = (file.section, place.plain());
    let known = file.key(&name);
    if let Some(instead) = known.and_then(|key| key.decided) {
        return Err(format!("{section}: {place} cannot be set here: {instead}"));
    }
    if let Place::Attribute(vector) = place
        && known.is_none()
        && file.below(vector).next().is_some()
    {
        return Err(format!(
            "{section}: {vector} is a vector: give it a map of its keys, {{KEY: value}}, or write {vector}/KEY for one of \
             them"
        ));
    }
    let values = match known {
        Some(key) => key
            .kind
            .texts(value)
            .map_err(|expected| wrong_type(file, &place.to_string(), value, &expected))?,
        None => vec![untyped(section, place, value)?],
    };
    for value in &values {
        oned_conf::check_value(value)
            .map_err(|reason| format!("{section}: {place} cannot be written: {reason}"))?;
    }
    Ok(match (known.map(|key| key.kind), place, values) {
        (Some(Kind::Repeated), Place::Attribute(name), values) => Override::Values {
            name: name.clone(),
            values,
        },
        (_, place, values) => Override::Value {
            place: place.clone(),
            value: values.concat(),
        },
    })
}

/// The value of a key that is not known here.
fn untyped(section: &str, place: &Place, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(vendor::decimal(number)),
        Value::Bool(_) => Err(format!(
            "{section}: {place} is true or false to YAML, and OpenNebula has words for that: write \"YES\" or \"NO\", in \
             quotes"
        )),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(format!(
            "{section}: {place} is neither text nor a number (the keys of a vector are written VECTOR/KEY, a vector \
             that is one of several VECTOR[KEY=value])"
        )),
    }
}
