//! Edits: one value is replaced, added or removed, and everything around it stays as it was.
//!
//! What is done here is decided here; where new text goes is in `placement.rs`, what a removal takes with it in
//! `removal.rs`, and the check that every edit passes in `splice.rs`.

use std::borrow::Cow;
use std::ops::Range;

use crate::document::{Content, Document};
use crate::error::{EditError, Inexpressible};
use crate::placement;
use crate::splice::{Reading, Splice};
use crate::syntax::{Form, Scalar, Value, Vector};
use crate::value::{encode, ends_bare, usual_form};

impl Document {
    /// Gives a single attribute a value: the first one of that name, which wins, or a new one.
    ///
    /// A new one stands below the commented-out sample of that name, or at the end.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), EditError> {
        let Some((index, attribute)) = self.first(name) else {
            return self.add(name, value);
        };
        let Value::Single(scalar) = &attribute.value else {
            return Err(EditError::IsVector(name.to_ascii_uppercase()));
        };
        let place = name.to_ascii_uppercase();
        let splice = self
            .replacement(scalar, value)
            .map_err(|reason| inexpressible(&place, reason))?;
        let mut expected = self.readings();
        if let Some(reading) = expected.get_mut(index) {
            reading.value = Content::Single(Cow::Borrowed(value));
        }
        *self = self.checked(vec![splice], &expected, &place)?;
        Ok(())
    }

    /// Adds one more single attribute, also where the name is there already: for the names that are meant to be
    /// repeated (`VM_RESTRICTED_ATTR`). It stands behind the last one of its name.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), EditError> {
        check_name(name)?;
        let place = name.to_ascii_uppercase();
        if self
            .first(name)
            .is_some_and(|(_, attribute)| matches!(attribute.value, Value::Vector(_)))
        {
            return Err(EditError::IsVector(place));
        }
        let written = encode(value, usual_form(value)).map_err(|reason| inexpressible(&place, reason))?;
        let insertion = placement::attribute(self, name, &format!("{place} = {written}"));
        let mut expected = self.readings();
        let reading = Reading {
            name: &place,
            value: Content::Single(Cow::Borrowed(value)),
        };
        expected.insert(placement::attributes_before(self, insertion.at), reading);
        *self = self.checked(vec![insertion.into()], &expected, &place)?;
        Ok(())
    }

    /// Makes these the values of a single attribute that is meant to be repeated: what is missing is added behind the
    /// last one of its name, what is not wanted goes, and the rest stays where it stands.
    ///
    /// Either all of it is done or nothing.
    pub fn set_all(&mut self, name: &str, values: &[&str]) -> Result<(), EditError> {
        check_name(name)?;
        let mut edited = self.clone();
        for value in values {
            let known = edited.get_all(name).any(|present| present == *value);
            if !known {
                edited.add(name, value)?;
            }
        }
        let mut seen: Vec<Cow<'_, str>> = Vec::new();
        let mut gone = Vec::new();
        for (index, attribute) in edited.named(name) {
            let Value::Single(scalar) = &attribute.value else {
                return Err(EditError::IsVector(name.to_ascii_uppercase()));
            };
            let value = edited.read(scalar);
            if !values.contains(&&*value) || seen.contains(&value) {
                gone.push(index);
            }
            seen.push(value);
        }
        if !gone.is_empty() {
            edited.remove_attributes(&gone, name)?;
        }
        *self = edited;
        Ok(())
    }

    /// Adds a vector that is not there yet.
    ///
    /// OpenNebula then uses none of its default vector of that name: keys that are not given here take the values
    /// that are compiled into it.
    pub fn add_vector(&mut self, name: &str, entries: &[(&str, &str)]) -> Result<(), EditError> {
        check_name(name)?;
        if self.contains(name) {
            return Err(EditError::Exists(name.to_ascii_uppercase()));
        }
        self.append_vector(name, entries)
    }

    /// Defines or completes one of the vectors that share a name: the first one whose `selector_key` has the value
    /// `selector_value` gets these keys and keeps its others. Without such a one, a new vector of `selector_key` and
    /// these keys stands behind the last one of that name.
    ///
    /// Either all keys are written or none. `entries` may repeat the selector, with the same value only.
    pub fn put_vector(
        &mut self,
        name: &str,
        selector_key: &str,
        selector_value: &str,
        entries: &[(&str, &str)],
    ) -> Result<(), EditError> {
        check_name(name)?;
        check_name(selector_key)?;
        let place = |key: &str| format!("{name}/{key}").to_ascii_uppercase();
        let mut all = vec![(selector_key, selector_value)];
        for (key, value) in entries {
            check_name(key)?;
            if !key.eq_ignore_ascii_case(selector_key) {
                if all.iter().any(|(known, _)| known.eq_ignore_ascii_case(key)) {
                    return Err(EditError::KeyTwice(place(key)));
                }
                all.push((key, value));
            } else if *value != selector_value {
                return Err(EditError::OtherSelector(place(key)));
            }
        }
        if let Some((index, _)) = self.selected(name, selector_key, selector_value) {
            let mut edited = self.clone();
            for (key, value) in all.iter().skip(1) {
                edited.set_key(index, key, value)?;
            }
            *self = edited;
            return Ok(());
        }
        if self
            .named(name)
            .any(|(_, attribute)| matches!(attribute.value, Value::Single(_)))
        {
            return Err(EditError::IsSingle(name.to_ascii_uppercase()));
        }
        self.append_vector(name, &all)
    }

    /// Writes a vector behind the last attribute of its name.
    fn append_vector(&mut self, name: &str, entries: &[(&str, &str)]) -> Result<(), EditError> {
        let upper = name.to_ascii_uppercase();
        let width = entries.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        let mut lines = Vec::new();
        for (key, value) in entries {
            check_name(key)?;
            let key = key.to_ascii_uppercase();
            let written = encode(value, usual_form(value))
                .map_err(|reason| inexpressible(&format!("{upper}/{key}"), reason))?;
            lines.push(format!("    {key:width$} = {written}"));
        }
        let insertion = placement::attribute(self, name, &format!("{upper} = [\n{}\n]", lines.join(",\n")));
        let keys: Vec<String> = entries.iter().map(|(key, _)| key.to_ascii_uppercase()).collect();
        let content = keys
            .iter()
            .zip(entries)
            .map(|(key, (_, value))| (key.as_str(), Cow::Borrowed(*value)))
            .collect();
        let mut expected = self.readings();
        let reading = Reading {
            name: &upper,
            value: Content::Vector(content),
        };
        expected.insert(placement::attributes_before(self, insertion.at), reading);
        *self = self.checked(vec![insertion.into()], &expected, &upper)?;
        Ok(())
    }

    /// Gives a key of a vector a value; a key that is not there is added behind the last one.
    ///
    /// Fails when there is no such vector.
    pub fn set_in(&mut self, vector: &str, key: &str, value: &str) -> Result<(), EditError> {
        match self.first(vector).map(|(index, _)| index) {
            None => Err(EditError::NoVector(vector.to_ascii_uppercase())),
            Some(index) => self.set_key(index, key, value),
        }
    }

    /// The same for the first of the repeated vectors whose `selector_key` has the value `selector_value`:
    /// `IM_MAD` whose `NAME` is `kvm`, say.
    pub fn set_in_where(
        &mut self,
        vector: &str,
        selector_key: &str,
        selector_value: &str,
        key: &str,
        value: &str,
    ) -> Result<(), EditError> {
        match self.selected(vector, selector_key, selector_value) {
            None => Err(self.no_such_vector(vector, selector_key)),
            Some((index, _)) => self.set_key(index, key, value),
        }
    }

    /// Removes every attribute of a name, repeated ones too, so that OpenNebula's default applies. Says whether
    /// there was one.
    pub fn remove(&mut self, name: &str) -> Result<bool, EditError> {
        let indices: Vec<usize> = self.named(name).map(|(index, _)| index).collect();
        self.remove_attributes(&indices, name)
    }

    /// Removes all of the repeated vectors whose `selector_key` has the value `selector_value`. Says whether there
    /// was one.
    pub fn remove_where(
        &mut self,
        vector: &str,
        selector_key: &str,
        selector_value: &str,
    ) -> Result<bool, EditError> {
        let matches = |found: &Vector| {
            self.read_key(found, selector_key)
                .is_some_and(|value| value == selector_value)
        };
        let indices: Vec<usize> = self
            .vectors(vector)
            .filter(|(_, found)| matches(found))
            .map(|(index, _)| index)
            .collect();
        self.remove_attributes(&indices, vector)
    }

    /// Removes a key from the vector that takes effect. Says whether it was there.
    pub fn remove_in(&mut self, vector: &str, key: &str) -> Result<bool, EditError> {
        match self.first(vector).map(|(index, _)| index) {
            None => Ok(false),
            Some(index) => self.remove_key(index, key),
        }
    }

    /// The same for the first of the repeated vectors whose `selector_key` has the value `selector_value`.
    pub fn remove_in_where(
        &mut self,
        vector: &str,
        selector_key: &str,
        selector_value: &str,
        key: &str,
    ) -> Result<bool, EditError> {
        match self.selected(vector, selector_key, selector_value) {
            Some((index, _)) => self.remove_key(index, key),
            None => Ok(false),
        }
    }

    fn set_key(&mut self, index: usize, key: &str, value: &str) -> Result<(), EditError> {
        check_name(key)?;
        let (place, vector) = self.vector_at(index, key)?;
        let upper = key.to_ascii_uppercase();
        let refused = |reason| inexpressible(&place, reason);
        let mut expected = self.readings();
        let interferes = || EditError::Interferes { place: place.clone() };
        let keys = expected
            .get_mut(index)
            .and_then(Reading::keys)
            .ok_or_else(interferes)?;
        let entry = self.key_index(vector, key);
        let existing = entry.and_then(|entry| Some((vector.entries.get(entry)?, keys.get_mut(entry)?)));
        let splices = if let Some((entry, (_, reading))) = existing {
            *reading = Cow::Borrowed(value);
            vec![self.replacement(&entry.value, value).map_err(refused)?]
        } else {
            keys.push((&upper, Cow::Borrowed(value)));
            let written = encode(value, usual_form(value)).map_err(refused)?;
            placement::key(self, vector, &upper, &written)
                .into_iter()
                .map(Splice::from)
                .collect()
        };
        *self = self.checked(splices, &expected, &place)?;
        Ok(())
    }

    fn remove_key(&mut self, index: usize, key: &str) -> Result<bool, EditError> {
        let (place, vector) = self.vector_at(index, key)?;
        let gone: Vec<bool> = vector
            .entries
            .iter()
            .map(|entry| self.text[entry.key.clone()].eq_ignore_ascii_case(key))
            .collect();
        if !gone.contains(&true) {
            return Ok(false);
        }
        let splices = self.key_deletions(&vector.entries, &gone);
        let mut expected = self.readings();
        if let Some(keys) = expected.get_mut(index).and_then(Reading::keys) {
            keys.retain(|(found, _)| !found.eq_ignore_ascii_case(key));
        }
        *self = self.checked(splices, &expected, &place)?;
        Ok(true)
    }

    fn remove_attributes(&mut self, indices: &[usize], name: &str) -> Result<bool, EditError> {
        let splices: Vec<Splice> = indices
            .iter()
            .filter_map(|index| self.attributes.get(*index))
            .map(|attribute| self.deletion(attribute.name.start..attribute.end()))
            .collect();
        let mut position = 0;
        let mut expected = self.readings();
        expected.retain(|_| {
            position += 1;
            !indices.contains(&(position - 1))
        });
        *self = self.checked(splices, &expected, &name.to_ascii_uppercase())?;
        Ok(!indices.is_empty())
    }

    /// The vector at an index and the name of one of its keys in messages.
    fn vector_at(&self, index: usize, key: &str) -> Result<(String, &Vector), EditError> {
        let attribute = &self.attributes[index];
        let name = self.name(attribute);
        match &attribute.value {
            Value::Vector(vector) => Ok((format!("{name}/{key}").to_ascii_uppercase(), vector)),
            Value::Single(_) => Err(EditError::IsSingle(name.to_ascii_uppercase())),
        }
    }

    fn no_such_vector(&self, vector: &str, key: &str) -> EditError {
        let names: Vec<String> = self
            .vectors(vector)
            .filter_map(|(_, found)| self.read_key(found, "NAME").map(Cow::into_owned))
            .collect();
        let present = if key.eq_ignore_ascii_case("NAME") && !names.is_empty() {
            format!("; there are {}", names.join(", "))
        } else {
            String::new()
        };
        EditError::NoSuchVector {
            vector: vector.to_ascii_uppercase(),
            key: key.to_ascii_uppercase(),
            present,
        }
    }

    /// The splice that writes a value in the place of another, in the same form where that can carry it.
    fn replacement(&self, scalar: &Scalar, value: &str) -> Result<Splice, Inexpressible> {
        let Range { start, end } = scalar.span;
        if self.read(scalar) == value {
            return Ok(Splice::delete(start..start));
        }
        let mut text = match scalar.form {
            Form::Empty => encode(value, usual_form(value))?,
            form => encode(value, form)?,
        };
        if scalar.form == Form::Empty && self.text[..start].ends_with('=') {
            text.insert(0, ' ');
        }
        // Text that follows without a blank would be read as a part of the value.
        if self
            .text
            .as_bytes()
            .get(end)
            .is_some_and(|byte| !ends_bare(*byte))
        {
            text.push(' ');
        }
        Ok(Splice {
            range: start..end,
            text,
        })
    }
}

fn check_name(name: &str) -> Result<(), EditError> {
    let valid = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if valid {
        Ok(())
    } else {
        Err(EditError::Name(name.to_owned()))
    }
}

fn inexpressible(place: &str, reason: Inexpressible) -> EditError {
    EditError::Inexpressible {
        place: place.to_owned(),
        reason,
    }
}
