//! Properties for arbitrary text, for arbitrary files of the grammar, and for arbitrary values.

use oned_conf::{Document, check_value};
use proptest::prelude::*;

use crate::oracle::{self, Content, Outcome, Text};
use crate::vendor_files::oracle_agrees;

/// Text of the grammar's own pieces in any order: mostly wrong, often nearly right.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "A",
        "B",
        "a_1",
        " = ",
        "=",
        " ",
        "\t",
        "\n",
        "\"",
        "\"x\"",
        "\"x y\"",
        "\\",
        "\\\"",
        "#",
        "# A = 1\n",
        "[",
        " [ ",
        "]",
        ", ",
        ",",
        "]]>",
        "1",
        "x",
        "é",
        "-",
        "\r",
        "\0",
        "A = 1\n",
        "A = [ K = 1 ]\n",
        "K = \"v\"",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["ALPHA", "beta", "Gamma_2", "DB", "IM_MAD"]).prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["NAME", "Key", "THREADS", "z9"]).prop_map(str::to_owned)
}

/// Values with everything that has a meaning in the grammar.
fn value() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "x", "7", "-", " ", "\n", "\"", "\\", "\\\"", "#", "=", ",", "[", "]", "é", "\r",
    ]);
    prop::collection::vec(piece, 0..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("must be expressible", |value| check_value(value).is_ok())
}

/// A value as a person might write it.
fn written() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9/.:-]{1,8}",
        "\"[a-z0-9 #=,\\[\\]\n]{0,10}\"".prop_filter("would cut the file", |text| !text.contains("]]")),
        Just("\"say \\\"x\\\" \"".to_owned()),
        Just("a\\".to_owned()),
    ]
}

fn gap() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        " ",
        "  ",
        "\t",
        "\n    ",
        " # note, = ]\n  ",
        "\n# K = 1\n",
    ])
}

fn vector() -> impl Strategy<Value = String> {
    let entry = (
        gap(),
        key(),
        prop::sample::select(vec!["=", " = ", "   = "]),
        written(),
        gap(),
    )
        .prop_map(|(before, key, equals, value, after)| format!("{before}{key}{equals}{value}{after}"));
    (gap(), prop::collection::vec(entry, 0..5))
        .prop_map(|(gap, entries)| format!("[{gap}{}]", entries.join(",")))
}

/// A file that OpenNebula reads, in any layout.
fn file() -> impl Strategy<Value = String> {
    let remark = prop::sample::select(vec![
        "\n",
        " # why\n",
        "\t\n\n",
        "\n# ALPHA = 1\n",
        "\n#DB = [ A = 1,\n# B = 2 ]\n",
    ]);
    let single = (name(), prop::sample::select(vec!["=", " = ", "    ="]), written())
        .prop_map(|(name, equals, value)| format!("{name}{equals}{value}"));
    let vector = (name(), vector()).prop_map(|(name, vector)| format!("{name} = {vector}"));
    let empty = name().prop_map(|name| format!("{name} =\n"));
    let item =
        (prop_oneof![4 => single, 3 => vector, 1 => empty], remark).prop_map(|(a, b)| format!("{a}{b}"));
    prop::collection::vec(item, 0..8).prop_map(|items| items.concat())
}

/// What OpenNebula reads, without places.
fn readings(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let Outcome::Read {
        attributes,
        skipped: 0,
    } = oracle::read(text)
    else {
        panic!("OpenNebula would not read {text:?}");
    };
    attributes
        .into_iter()
        .map(|(name, content)| match content {
            Content::Single(text) => (name, vec![(String::new(), text.value)]),
            Content::Vector(entries) => (
                name,
                entries.into_iter().map(|(key, text)| (key, text.value)).collect(),
            ),
        })
        .collect()
}

/// Where the value stands that takes effect: the first attribute of the name, the first of the key.
fn place<'a>(attributes: &'a [(String, Content)], name: &str, key: Option<&str>) -> Option<&'a Text> {
    let (_, content) = attributes
        .iter()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    match (content, key) {
        (Content::Single(text), None) => Some(text),
        (Content::Vector(entries), Some(key)) => entries
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(key))
            .map(|(_, text)| text),
        _ => None,
    }
}

/// The new text is the old one with one piece put in, or with a comma and a piece further on.
fn only_inserted(old: &str, new: &str) -> bool {
    let same_end = old
        .bytes()
        .rev()
        .zip(new.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let same_start = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    if same_start + same_end >= old.len() {
        return true;
    }
    // Behind the comma the old text goes on up to the second piece.
    new.as_bytes().get(same_start) == Some(&b',')
        && old[same_start..]
            .bytes()
            .zip(new[same_start + 1..].bytes())
            .take_while(|(a, b)| a == b)
            .count()
            + same_start
            + same_end
            >= old.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(document) = Document::parse(&bytes) {
            prop_assert_eq!(document.to_bytes(), bytes);
        }
    }

    /// What is accepted is printed as it was and read as OpenNebula reads it; what is refused, OpenNebula refuses,
    /// cuts or misreads.
    #[test]
    fn accepts_what_opennebula_reads_whole(text in soup()) {
        match (Document::parse(&text), oracle::read(&text)) {
            (Ok(document), Outcome::Read { attributes, skipped }) => {
                prop_assert_eq!(document.as_str(), &text);
                prop_assert_eq!(skipped, 0);
                oracle_agrees(&document, &attributes);
            }
            (Ok(_), other) => prop_assert!(false, "accepted, but {:?}", other),
            (Err(error), Outcome::Read { skipped: 0, .. }) => {
                prop_assert!(text.contains(['\r', '\0']), "{}", error);
            }
            (Err(_), _) => {}
        }
    }

    #[test]
    fn reads_every_file_of_the_grammar(text in file()) {
        let document = Document::parse(&text).unwrap();
        prop_assert_eq!(document.as_str(), &text);
        let Outcome::Read { attributes, .. } = oracle::read(&text) else { panic!("refused") };
        oracle_agrees(&document, &attributes);
    }

    #[test]
    fn set_changes_one_value_and_nothing_else(text in file(), name in name(), value in value()) {
        let mut document = Document::parse(&text).unwrap();
        let Outcome::Read { attributes, .. } = oracle::read(&text) else { panic!("refused") };
        let before = readings(&text);
        let is_vector = attributes.iter().find(|(found, _)| found.eq_ignore_ascii_case(&name))
            .is_some_and(|(_, content)| matches!(content, Content::Vector(_)));
        if is_vector {
            prop_assert!(document.set(&name, &value).is_err());
            prop_assert_eq!(document.as_str(), &text);
            return Ok(());
        }
        document.set(&name, &value).unwrap();
        prop_assert!(document.get(&name).is_some_and(|found| found == value));
        let after = readings(document.as_str());
        if let Some(old) = place(&attributes, &name, None) {
            let (start, end) = (&text[..old.span.start], &text[old.span.end..]);
            prop_assert!(document.as_str().starts_with(start) && document.as_str().ends_with(end));
            prop_assert!(document.as_str().len() >= start.len() + end.len());
            let index = before.iter().position(|(found, _)| found.eq_ignore_ascii_case(&name)).unwrap();
            let mut wanted = before;
            wanted[index].1[0].1 = value.clone();
            prop_assert_eq!(after, wanted);
        } else {
            prop_assert!(only_inserted(&text, document.as_str()), "{:?}", document.as_str());
            prop_assert_eq!(after.len(), before.len() + 1);
            let mut without = after;
            without.retain(|(found, _)| !found.eq_ignore_ascii_case(&name));
            prop_assert_eq!(without, before);
        }
        let once = document.to_string();
        document.set(&name, &value).unwrap();
        prop_assert_eq!(document.to_string(), once);
    }

    #[test]
    fn set_in_changes_one_key_and_nothing_else(text in file(), name in name(), key in key(), value in value()) {
        let mut document = Document::parse(&text).unwrap();
        let Outcome::Read { attributes, .. } = oracle::read(&text) else { panic!("refused") };
        let before = readings(&text);
        let Some(index) = attributes.iter().position(|(found, _)| found.eq_ignore_ascii_case(&name)) else {
            prop_assert!(document.set_in(&name, &key, &value).is_err());
            return Ok(());
        };
        if matches!(attributes[index].1, Content::Single(_)) {
            prop_assert!(document.set_in(&name, &key, &value).is_err());
            return Ok(());
        }
        document.set_in(&name, &key, &value).unwrap();
        prop_assert!(document.get_in(&name, &key).is_some_and(|found| found == value));
        let after = readings(document.as_str());
        let mut wanted = before;
        if let Some(old) = place(&attributes, &name, Some(&key)) {
            let (start, end) = (&text[..old.span.start], &text[old.span.end..]);
            prop_assert!(document.as_str().starts_with(start) && document.as_str().ends_with(end));
            let entry = wanted[index].1.iter_mut().find(|(found, _)| found.eq_ignore_ascii_case(&key));
            entry.unwrap().1 = value.clone();
        } else {
            prop_assert!(only_inserted(&text, document.as_str()), "{:?}", document.as_str());
            wanted[index].1.push((key.to_ascii_uppercase(), value.clone()));
        }
        prop_assert_eq!(after, wanted);
        let once = document.to_string();
        document.set_in(&name, &key, &value).unwrap();
        prop_assert_eq!(document.to_string(), once);
    }

    /// One of several vectors of a name changes, the others do not.
    #[test]
    fn set_in_where_changes_the_first_vector_that_is_chosen(
        vectors in prop::collection::vec(vector(), 1..5), selector in key(), which in 0_usize..5, key in key(),
        value in value(),
    ) {
        let text = format!("MAD = {}\n", vectors.join("\nMAD = "));
        let mut document = Document::parse(&text).unwrap();
        let before = readings(&text);
        let find = |keys: &[(String, String)], name: &str| {
            keys.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let Some(chosen) = before.get(which).and_then(|(_, keys)| find(keys, &selector)) else { return Ok(()) };
        document.set_in_where("mad", &selector, &chosen, &key, &value).unwrap();
        let index = before.iter().position(|(_, keys)| find(keys, &selector).as_ref() == Some(&chosen)).unwrap();
        let mut wanted = before;
        match wanted[index].1.iter_mut().find(|(found, _)| found.eq_ignore_ascii_case(&key)) {
            Some((_, old)) => *old = value,
            None => wanted[index].1.push((key.to_ascii_uppercase(), value)),
        }
        prop_assert_eq!(readings(document.as_str()), wanted);
    }

    /// The chosen vector gets the keys, or there is one vector more of exactly these keys, and the file says the rest
    /// as before.
    #[test]
    fn put_vector_defines_or_completes_one_and_nothing_else(
        text in file(), name in name(), selector in key(), chosen in prop_oneof![value(), Just("7".to_owned())],
        entries in prop::collection::btree_map(key(), value(), 0..4),
    ) {
        let mut document = Document::parse(&text).unwrap();
        let Outcome::Read { attributes, .. } = oracle::read(&text) else { panic!("refused") };
        let before = readings(&text);
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let mut pairs: Vec<(&str, &str)> = entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        pairs.retain(|(key, _)| !same(key, &selector));
        let ours = |(found, content): &(String, Content)| same(found, &name).then_some(content).cloned();
        let index = attributes.iter().position(|attribute| match ours(attribute) {
            Some(Content::Vector(keys)) =>
                keys.iter().any(|(key, text)| same(key, &selector) && text.value == chosen),
            _ => false,
        });
        let single = attributes.iter().any(|attribute| matches!(ours(attribute), Some(Content::Single(_))));
        if index.is_none() && single {
            prop_assert!(document.put_vector(&name, &selector, &chosen, &pairs).is_err());
            prop_assert_eq!(document.as_str(), &text);
            return Ok(());
        }
        document.put_vector(&name, &selector, &chosen, &pairs).unwrap();
        let after = readings(document.as_str());
        let mut wanted = before;
        if let Some(index) = index {
            for (key, value) in &pairs {
                match wanted[index].1.iter_mut().find(|(found, _)| same(found, key)) {
                    Some((_, old)) => (*value).clone_into(old),
                    None => wanted[index].1.push((key.to_ascii_uppercase(), (*value).to_owned())),
                }
            }
        } else {
            prop_assert!(only_inserted(&text, document.as_str()), "{:?}", document.as_str());
            let vector: Vec<_> = std::iter::once((selector.as_str(), chosen.as_str())).chain(pairs.iter().copied())
                .map(|(key, value)| (key.to_ascii_uppercase(), value.to_owned())).collect();
            let place = after.iter().rposition(|(found, _)| same(found, &name)).unwrap();
            if wanted.iter().any(|(found, _)| same(found, &name)) {
                let last = wanted.iter().rposition(|(found, _)| same(found, &name)).unwrap();
                prop_assert_eq!(place, last + 1);
            }
            wanted.insert(place, (name.to_ascii_uppercase(), vector));
        }
        prop_assert_eq!(after, wanted);
        let once = document.to_string();
        document.put_vector(&name, &selector, &chosen, &pairs).unwrap();
        prop_assert_eq!(document.to_string(), once);
    }

    /// A key that was added is taken away again without a trace.
    #[test]
    fn remove_in_undoes_what_set_in_added(text in file(), name in name(), value in value()) {
        let mut document = Document::parse(&text).unwrap();
        if document.set_in(&name, "ADDED", &value).is_ok() {
            let had_keys = readings(&text).iter().find(|(found, _)| found.eq_ignore_ascii_case(&name))
                .is_some_and(|(_, keys)| !keys.is_empty());
            prop_assert_eq!(document.remove_in(&name, "added"), Ok(true));
            if had_keys {
                prop_assert_eq!(document.as_str(), &text);
            }
        }
    }

    #[test]
    fn remove_leaves_everything_else(text in file(), name in name()) {
        let mut document = Document::parse(&text).unwrap();
        let comments = |text: &str| text.matches('#').count();
        let removed = document.remove(&name).unwrap();
        let mut wanted = readings(&text);
        prop_assert_eq!(removed, wanted.iter().any(|(found, _)| found.eq_ignore_ascii_case(&name)));
        wanted.retain(|(found, _)| !found.eq_ignore_ascii_case(&name));
        prop_assert_eq!(readings(document.as_str()), wanted);
        prop_assert!(!document.contains(&name));
        prop_assert!(comments(document.as_str()) <= comments(&text));
    }

    #[test]
    fn remove_in_leaves_the_other_keys_and_all_comments(text in file(), name in name(), key in key()) {
        let mut document = Document::parse(&text).unwrap();
        let Ok(removed) = document.remove_in(&name, &key) else { return Ok(()) };
        let mut wanted = readings(&text);
        if let Some((_, keys)) = wanted.iter_mut().find(|(found, _)| found.eq_ignore_ascii_case(&name)) {
            prop_assert_eq!(removed, keys.iter().any(|(found, _)| found.eq_ignore_ascii_case(&key)));
            keys.retain(|(found, _)| !found.eq_ignore_ascii_case(&key));
        }
        prop_assert_eq!(readings(document.as_str()), wanted);
        prop_assert_eq!(document.get_in(&name, &key), None);
        let notes = |text: &str| text.matches("# note").count();
        prop_assert_eq!(notes(document.as_str()), notes(&text));
    }

    /// Whatever an edit of any accepted text does, OpenNebula reads the outcome as asked for, or nothing changed.
    #[test]
    fn an_edit_of_odd_text_is_right_or_not_made(text in soup(), value in value()) {
        let Ok(mut document) = Document::parse(&text) else { return Ok(()) };
        for key in [None, Some("K")] {
            let before = document.to_string();
            let made = match key {
                None => document.set("A", &value),
                Some(key) => document.set_in("A", key, &value),
            };
            let Outcome::Read { attributes, skipped: 0 } = oracle::read(document.as_str()) else {
                panic!("OpenNebula would not read {:?}", document.as_str());
            };
            if made.is_ok() {
                let read = place(&attributes, "A", key).map(|text| text.value.as_str());
                prop_assert_eq!(read, Some(value.as_str()));
            } else {
                prop_assert_eq!(document.as_str(), &before);
            }
        }
    }
}
