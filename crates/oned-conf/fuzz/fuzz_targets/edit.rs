//! Any text, any edits: each is read back as asked for, made twice it changes nothing more, and when it is refused
//! the text is as before.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use oned_conf::Document;

#[derive(Arbitrary, Debug)]
enum Edit<'a> {
    Set {
        name: &'a str,
        value: &'a str,
    },
    Add {
        name: &'a str,
        value: &'a str,
    },
    SetAll {
        name: &'a str,
        values: Vec<&'a str>,
    },
    SetIn {
        vector: &'a str,
        key: &'a str,
        value: &'a str,
    },
    SetInWhere {
        vector: &'a str,
        selector: (&'a str, &'a str),
        key: &'a str,
        value: &'a str,
    },
    AddVector {
        name: &'a str,
        entries: Vec<(&'a str, &'a str)>,
    },
    PutVector {
        name: &'a str,
        selector: (&'a str, &'a str),
        entries: Vec<(&'a str, &'a str)>,
    },
    Remove {
        name: &'a str,
    },
    RemoveIn {
        vector: &'a str,
        key: &'a str,
    },
    RemoveWhere {
        vector: &'a str,
        selector: (&'a str, &'a str),
    },
}

fuzz_target!(|input: (&str, Vec<Edit>)| {
    let (text, edits) = input;
    let Ok(mut document) = Document::parse(text) else {
        return;
    };
    for edit in edits {
        let before = document.to_string();
        let made = apply(&mut document, &edit);
        if made {
            let again = Document::parse(document.as_str()).map(|read| read.to_string());
            assert_eq!(again.as_deref(), Ok(document.as_str()));
        } else {
            assert_eq!(document.as_str(), before);
        }
    }
});

/// Makes the edit, checks what it promises, and says whether it was made.
fn apply(document: &mut Document, edit: &Edit<'_>) -> bool {
    match edit {
        Edit::Set { name, value } => {
            if document.set(name, value).is_err() {
                return false;
            }
            assert!(document.get(name).is_some_and(|found| found == *value));
            let once = document.to_string();
            assert_eq!(document.set(name, value), Ok(()));
            assert_eq!(document.to_string(), once);
        }
        Edit::Add { name, value } => {
            let before = document.get_all(name).count();
            if document.add(name, value).is_err() {
                return false;
            }
            assert_eq!(document.get_all(name).count(), before + 1);
            assert!(document.get_all(name).last().is_some_and(|found| found == *value));
        }
        Edit::SetAll { name, values } => {
            if document.set_all(name, values).is_err() {
                return false;
            }
            let found: Vec<String> = document.get_all(name).map(|value| value.into_owned()).collect();
            assert!(values.iter().all(|value| found.iter().any(|found| found == value)));
            assert!(found.iter().all(|found| values.contains(&found.as_str())));
            let once = document.to_string();
            assert_eq!(document.set_all(name, values), Ok(()));
            assert_eq!(document.to_string(), once);
        }
        Edit::SetIn { vector, key, value } => {
            if document.set_in(vector, key, value).is_err() {
                return false;
            }
            assert!(document.get_in(vector, key).is_some_and(|found| found == *value));
            let once = document.to_string();
            assert_eq!(document.set_in(vector, key, value), Ok(()));
            assert_eq!(document.to_string(), once);
        }
        Edit::SetInWhere {
            vector,
            selector: (selector, chosen),
            key,
            value,
        } => {
            if document
                .set_in_where(vector, selector, chosen, key, value)
                .is_err()
            {
                return false;
            }
            if !selector.eq_ignore_ascii_case(key) {
                let found = document.get_in_where(vector, selector, chosen, key);
                assert!(found.is_some_and(|found| found == *value));
            }
        }
        Edit::AddVector { name, entries } => {
            if document.add_vector(name, entries).is_err() {
                return false;
            }
            if let Some((key, value)) = entries.first() {
                assert!(document.get_in(name, key).is_some_and(|found| found == *value));
            }
        }
        Edit::PutVector {
            name,
            selector: (selector, chosen),
            entries,
        } => {
            if document.put_vector(name, selector, chosen, entries).is_err() {
                return false;
            }
            for (key, value) in entries {
                let found = document.get_in_where(name, selector, chosen, key);
                assert!(found.is_some_and(|found| found == *value));
            }
            let once = document.to_string();
            assert_eq!(document.put_vector(name, selector, chosen, entries), Ok(()));
            assert_eq!(document.to_string(), once);
        }
        Edit::Remove { name } => match document.remove(name) {
            Ok(true) => assert!(!document.contains(name)),
            Ok(false) | Err(_) => return false,
        },
        Edit::RemoveIn { vector, key } => match document.remove_in(vector, key) {
            Ok(true) => assert!(document.get_in(vector, key).is_none()),
            Ok(false) | Err(_) => return false,
        },
        Edit::RemoveWhere {
            vector,
            selector: (selector, chosen),
        } => match document.remove_where(vector, selector, chosen) {
            Ok(true) => assert!(
                document
                    .get_in_where(vector, selector, chosen, selector)
                    .is_none()
            ),
            Ok(false) | Err(_) => return false,
        },
    }
    true
}
