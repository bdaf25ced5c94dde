//! Edits of YAML files: what changes, what stays, what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::settings::vendor::{self, Grammar, Line};

fn path(name: &str) -> Vec<String> {
    name.split('/').map(str::to_owned).collect()
}

fn set_in(text: &str, keys: Keys, name: &str, value: &Value) -> Result<String, YamlError> {
    let path = path(name);
    edit(text, keys, &[Wish { path: &path, value }])
}

/// The lines that differ, old and new.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let left = old.len().min(new.len()) - start;
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(left)
        .take_while(|(a, b)| a == b);
    let end = end.count();
    let mark = |mark: &str, lines: &[&str]| {
        let marked: Vec<String> = lines
            .iter()
            .map(|line| {
                format!(
                    "{mark}{line}
"
                )
            })
            .collect();
        marked.concat()
    };
    mark("-", &old[start..old.len() - end]) + &mark("+", &new[start..new.len() - end])
}

const SERVER: &str = "\
# The server
:host: 127.0.0.1   # here
:port: 5030

# Names
#:name_template: '$ROLE'
:quoted: 'a ''b'' c'
:double: \"x\"
:log:
  # 0 to 3
  :level: 2

  :system: 'file'
# Where the proxy is
#:proxy: http://proxy
:permissions:
  :vm:
    :show: true
  :service:
    :show: true
    #:scale: true

:attrs:
  - FIRST
  # about the second
  - SECOND   # kept
  - THIRD
:actions:
  #- deploy
  #- hold
:flow: [a, b]
:size: 120_000
";

fn change(name: &str, value: &Value) -> String {
    difference(SERVER, &set_in(SERVER, Keys::Symbols, name, value).unwrap())
}

#[test]
fn a_value_is_replaced_in_the_quotes_that_it_had() {
    for (name, value, expected) in [
        (
            "host",
            json!("0.0.0.0"),
            "-:host: 127.0.0.1   # here\n+:host: 0.0.0.0   # here\n",
        ),
        ("port", json!(5031), "-:port: 5030\n+:port: 5031\n"),
        (
            "quoted",
            json!("it's"),
            "-:quoted: 'a ''b'' c'\n+:quoted: 'it''s'\n",
        ),
        ("double", json!("y z"), "-:double: \"x\"\n+:double: \"y z\"\n"),
        ("double", json!("y\\\"z"), "-:double: \"x\"\n+:double: 'y\\\"z'\n"),
        ("log/level", json!(3), "-  :level: 2\n+  :level: 3\n"),
        (
            "permissions/vm/show",
            json!(false),
            "-    :show: true\n+    :show: false\n",
        ),
        (
            "flow",
            json!(["a", "c,d"]),
            "-:flow: [a, b]\n+:flow: [a, 'c,d']\n",
        ),
        ("size", json!(5), "-:size: 120_000\n+:size: 5\n"),
    ] {
        assert_eq!(change(name, &value), expected, "{name}");
    }
}

#[test]
fn text_that_looks_like_something_else_gets_quotes() {
    for text in [
        "",
        "yes",
        "No",
        "null",
        "~",
        "12",
        "1.5",
        "0x1f",
        "12:30:00",
        "2020-01-01",
        ":symbol",
        "- x",
        "a: b",
        "a #b",
        "[x",
        "{x",
        "*x",
        "&x",
        "!x",
        "%x",
        "@x",
        "`x",
        "a:",
        " a",
        "a ",
        "é",
        "'",
        "120_000",
        ".5",
        "1e3",
        "=",
        "<<",
        "y",
    ] {
        let new = set_in(":a: b\n", Keys::Symbols, "a", &json!(text)).unwrap();
        assert!(new.starts_with(":a: '"), "{text:?}: {new}");
    }
    for text in [
        "file",
        "/var/tmp",
        "http://x.example:80/y?",
        "one.example",
        "192.0.2.1",
        "tcp://localhost:2101",
        "x@y",
    ] {
        let new = set_in(":a: b\n", Keys::Symbols, "a", &json!(text)).unwrap();
        assert_eq!(new.starts_with(":a: '"), text.contains('?'), "{text:?}: {new}");
    }
}

#[test]
fn a_missing_key_stands_beside_its_sample_or_behind_the_others() {
    for (name, value, expected) in [
        ("name_template", json!("x"), "+:name_template: x\n"),
        ("proxy", json!("http://p:1"), "+:proxy: http://p:1\n"),
        ("log/file", json!("x"), "+  :file: x\n"),
        ("permissions/service/scale", json!(true), "+    :scale: true\n"),
        ("permissions/vm/update", json!(true), "+    :update: true\n"),
        (
            "permissions/vnet/show",
            json!(true),
            "+  :vnet:\n+    :show: true\n",
        ),
        (
            "new/key/list",
            json!(["a", 1]),
            "+:new:\n+  :key:\n+    :list:\n+      - a\n+      - 1\n",
        ),
        ("none", json!([]), "+:none: []\n"),
    ] {
        let new = set_in(SERVER, Keys::Symbols, name, &value).unwrap();
        assert_eq!(difference(SERVER, &new), expected, "{name}");
        let at = |line: &str| new.lines().position(|other| other == line).unwrap();
        match name {
            "name_template" => assert_eq!(at(":name_template: x"), at("#:name_template: '$ROLE'") + 1),
            "proxy" => assert_eq!(at(":proxy: http://p:1"), at("#:proxy: http://proxy") + 1),
            "permissions/service/scale" => assert_eq!(at("    :scale: true"), at("    #:scale: true") + 1),
            "log/file" => assert_eq!(at("  :file: x"), at("  :system: 'file'") + 1),
            _ => {}
        }
    }
}

#[test]
fn the_items_of_a_list_that_stay_keep_their_lines() {
    for (wanted, expected) in [
        (json!(["FIRST", "SECOND", "THIRD", "FOURTH"]), "+  - FOURTH\n"),
        (json!(["ZERO", "FIRST", "SECOND", "THIRD"]), "+  - ZERO\n"),
        (json!(["FIRST", "THIRD"]), "-  - SECOND   # kept\n"),
        (
            json!(["SECOND"]),
            "-  - FIRST\n   # about the second\n   - SECOND   # kept\n-  - THIRD\n",
        ),
    ] {
        let new = set_in(SERVER, Keys::Symbols, "attrs", &wanted).unwrap();
        if wanted == json!(["SECOND"]) {
            assert!(
                new.contains(":attrs:\n  # about the second\n  - SECOND   # kept\n:actions:"),
                "{new}"
            );
        } else {
            assert_eq!(difference(SERVER, &new), expected);
        }
    }
    let new = set_in(SERVER, Keys::Symbols, "attrs", &json!([])).unwrap();
    assert!(
        new.contains(":attrs: []\n  # about the second\n:actions:"),
        "{new}"
    );
    let new = set_in(SERVER, Keys::Symbols, "actions", &json!(["resize", "yes"])).unwrap();
    assert!(
        new.contains(":actions:\n  - resize\n  - 'yes'\n  #- deploy\n"),
        "{new}"
    );
    let new = set_in("a:\n- p\n- q\nb: 1\n", Keys::Plain, "a", &json!(["q", "r"])).unwrap();
    assert_eq!(new, "a:\n- q\n- r\nb: 1\n");
}

#[test]
fn what_is_there_already_changes_nothing() {
    for (name, value) in [
        ("host", json!("127.0.0.1")),
        ("quoted", json!("a 'b' c")),
        ("attrs", json!(["FIRST", "SECOND", "THIRD"])),
    ] {
        assert_eq!(
            set_in(SERVER, Keys::Symbols, name, &value).as_deref(),
            Ok(SERVER),
            "{name}"
        );
    }
}

#[test]
fn a_file_without_a_newline_at_its_end_and_one_of_comments() {
    assert_eq!(
        set_in("a: 1", Keys::Plain, "b", &json!(2)).as_deref(),
        Ok("a: 1\nb: 2\n")
    );
    assert_eq!(set_in("a: 1", Keys::Plain, "a", &json!(2)).as_deref(), Ok("a: 2"));
    assert_eq!(
        set_in("a:\n  - 1", Keys::Plain, "a", &json!([1, 2])).as_deref(),
        Ok("a:\n  - 1\n  - 2\n")
    );
    assert_eq!(
        set_in("# b: 1\n# c\n", Keys::Plain, "b", &json!(2)).as_deref(),
        Ok("# b: 1\nb: 2\n# c\n")
    );
    assert_eq!(
        set_in("", Keys::Symbols, "a/b", &json!(2)).as_deref(),
        Ok(":a:\n  :b: 2\n")
    );
}

#[test]
fn other_forms_are_refused_with_their_line() {
    for (text, message) in [
        ("a: &x 1\nb: *x\n", "line 1: the value of `a`"),
        ("b: 1\na: >\n  text\n", "line 2: the value of `a`"),
        ("a: one\n  and more\n", "line 1: the value of `a`"),
        ("a: \"x\\ty\"\n", "line 1: the value of `a`"),
        ("a: {b: 1}\n", "line 1: the value of `a`"),
        ("a:\n  b: 1\n", "line 1: the value of `a`"),
        ("\"a\": 1\n", "`a` is there in a form"),
        ("{a: 1}\n", "`a` is there in a form"),
        (
            "- a\n",
            "this is not the YAML that is expected: its top is no map",
        ),
        ("a: [\n", "this is not the YAML"),
    ] {
        let error = set_in(text, Keys::Plain, "a", &json!("x"))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
    for (text, name) in [
        ("a: 1\n", "a/b"),
        ("a: [1]\n", "a/b"),
        ("a: {b: 1}\n", "a/c"),
        ("a:\n  - 1\n", "a/b"),
    ] {
        assert!(set_in(text, Keys::Plain, name, &json!("x")).is_err(), "{text:?}");
    }
}

/// Every key with a value of a file's content.
fn leaves(content: &Value, above: &[String], found: &mut Vec<(Vec<String>, Value)>) {
    for (key, value) in content.as_object().into_iter().flatten() {
        let path = [above, std::slice::from_ref(key)].concat();
        match value {
            Value::Object(_) => leaves(value, &path, found),
            _ => found.push((path, value.clone())),
        }
    }
}

/// Every YAML file of the vendor's that is at hand.
fn files_of_the_vendor() -> Vec<(&'static vendor::File, Line, String)> {
    let mut found = Vec::new();
    for (release, folder) in fixtures::releases() {
        let line = Line::of(&release);
        for file in vendor::FILES
            .iter()
            .filter(|file| file.grammar != Grammar::Attributes)
        {
            if let (Some(line), Ok(text)) = (line, std::fs::read_to_string(folder.join(file.name()))) {
                found.push((file, line, text));
            }
        }
    }
    found
}

#[test]
fn every_key_of_the_vendors_files_is_changed_and_changed_back() {
    for (file, line, text) in files_of_the_vendor() {
        let keys = if file.grammar == Grammar::Symbols {
            Keys::Symbols
        } else {
            Keys::Plain
        };
        let mut found = Vec::new();
        leaves(&read(&text).unwrap(), &[], &mut found);
        assert!(found.len() > 5, "{} of {line}", file.path);
        for (path, old) in found {
            let name = path.join("/");
            let plain: Vec<String> = path
                .iter()
                .map(|key| key.trim_start_matches(':').to_owned())
                .collect();
            let plain = if keys == Keys::Symbols { plain } else { path };
            let new = match &old {
                Value::Array(items) => Value::Array(items.iter().cloned().chain([json!("more")]).collect()),
                Value::Bool(switch) => json!(!switch),
                Value::Number(_) => json!(77),
                _ => json!("other"),
            };
            let wish = |value| Wish { path: &plain, value };
            let changed = edit(&text, keys, &[wish(&new)])
                .unwrap_or_else(|error| panic!("{} {name}: {error}", file.path));
            assert!(
                difference(&text, &changed).lines().count() <= 2,
                "{} {name}",
                file.path
            );
            if !old.is_null() {
                let back = edit(&changed, keys, &[wish(&old)]).unwrap();
                let text = text.replace("120_000", "120000");
                assert_eq!(
                    back.replace("120_000", "120000"),
                    text,
                    "{} of {line}: {name}",
                    file.path
                );
            }
        }
    }
}

#[test]
fn every_known_key_that_a_file_lacks_is_added_with_nothing_else_changed() {
    for (file, line, text) in files_of_the_vendor() {
        let keys = if file.grammar == Grammar::Symbols {
            Keys::Symbols
        } else {
            Keys::Plain
        };
        let content = read(&text).unwrap();
        for key in file.keys.iter().filter(|key| key.is_in(line)) {
            let path = path(key.name);
            if has(&content, &path) || key.kind.holds_keys() {
                continue;
            }
            let value = json!("text of mine");
            let new = edit(
                &text,
                keys,
                &[Wish {
                    path: &path,
                    value: &value,
                }],
            )
            .unwrap();
            let difference = difference(&text, &new);
            assert!(
                difference.lines().all(|line| line.starts_with('+')),
                "{} {}: {difference}",
                file.path,
                key.name
            );
            let sample = text.lines().position(|line| {
                let line = line.trim_start_matches(['#', ' ', ':']);
                line.strip_prefix(key.name)
                    .is_some_and(|rest| rest.starts_with(':'))
            });
            if let Some(sample) = sample {
                let added = new
                    .lines()
                    .position(|line| line.contains("text of mine"))
                    .unwrap();
                assert_eq!(added, sample + 1, "{} {}: {difference}", file.path, key.name);
            }
        }
    }
}

/// A file in block style, as text.
fn any_file() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("'a b'".to_owned()),
        Just("\"x\"".to_owned()),
        Just("true  # why".to_owned()),
        Just("http://x:1/y".to_owned()),
        Just("[a, b]".to_owned()),
        Just(String::new()),
    ];
    let leaf = value.prop_map(|value| vec![format!(" {value}").trim_end().to_owned()]);
    let list = proptest::collection::vec("[a-c]", 1..4).prop_map(|items| {
        [
            vec![String::new()],
            items.iter().map(|item| format!("  - {item}")).collect(),
        ]
        .concat()
    });
    let block = prop_oneof![leaf, list].prop_recursive(3, 16, 4, |inner| {
        proptest::collection::btree_map("[a-d]", inner, 1..4).prop_map(|map| {
            let mut lines = vec![String::new()];
            for (key, block) in map {
                lines.push(format!("  # {key}"));
                lines.push(format!("  :{key}:{}", block[0]));
                lines.extend(block[1..].iter().map(|line| format!("  {line}")));
                lines.push(String::new());
            }
            lines
        })
    });
    proptest::collection::btree_map("[a-e]", block, 1..5).prop_map(|map| {
        let mut text = String::new();
        for (key, block) in map {
            text.extend(["# about ", &key, "\n:", &key, ":", &block[0], "\n"]);
            for line in &block[1..] {
                text.extend([line, "\n"]);
            }
        }
        text
    })
}

fn any_wish() -> impl Strategy<Value = (Vec<String>, Value)> {
    let scalar = prop_oneof![
        any::<i32>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|switch| json!(switch)),
        "[ -~]{0,12}".prop_map(|text| json!(text)),
    ];
    let list = proptest::collection::vec("[a-d]{1,2}", 0..4).prop_map(|items| json!(items));
    (
        proptest::collection::vec("[a-f]", 1..4),
        prop_oneof![3 => scalar, 1 => list],
    )
}

proptest! {
    #[test]
    fn an_edit_gives_the_wanted_content_and_keeps_every_other_line(
        text in any_file(), (path, value) in any_wish()
    ) {
        let before = read(&text).unwrap();
        match edit(&text, Keys::Symbols, &[Wish { path: &path, value: &value }]) {
            Ok(new) => {
                let mut wanted = before.clone();
                let symbols: Vec<String> = path.iter().map(|key| format!(":{key}")).collect();
                prop_assert!(put(&mut wanted, &symbols, &value));
                prop_assert_eq!(read(&new).unwrap(), wanted);
                let lost = similar::TextDiff::from_lines(&text, &new)
                    .iter_all_changes()
                    .filter(|change| change.tag() == similar::ChangeTag::Delete)
                    .count();
                let replaced = match get(&before, &symbols) {
                    Some(Value::Array(items)) => items.len().max(1) + 1,
                    Some(_) => 1,
                    None => 0,
                };
                prop_assert!(lost <= replaced, "{} lines are gone:\n{}", lost, difference(&text, &new));
                let again = edit(&new, Keys::Symbols, &[Wish { path: &path, value: &value }]);
                prop_assert_eq!(again.as_deref(), Ok(new.as_str()));
            }
            // Only where a value is in the way of a key, or keys of a value.
            Err(error) => {
                let symbols: Vec<String> = path.iter().map(|key| format!(":{key}")).collect();
                let in_the_way = (1..symbols.len())
                    .any(|depth| matches!(get(&before, &symbols[..depth]), Some(found) if !found.is_object() && !found.is_null()));
                let found = get(&before, &symbols);
                let other = found.is_some_and(|found| found.is_object() || (found.is_array() && !value.is_array()));
                prop_assert!(in_the_way || other, "{}:\n{}", error, text);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[ -:#\\[\\]'\"a-c\n]{0,60}", (path, value) in any_wish()) {
        let wish = Wish { path: &path, value: &value };
        if let Ok(new) = edit(&text, Keys::Plain, &[wish]) {
            let content = read(&new).unwrap();
            prop_assert_eq!(get(&content, &path), Some(&value));
        }
    }
}
