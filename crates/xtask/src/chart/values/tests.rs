//! Comments of values.yaml, right and wrong.

use serde_json::json;

use super::*;

fn read(text: &str) -> Values {
    parse("values.yaml", text).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

fn wrong(text: &str) -> Vec<String> {
    parse("values.yaml", text)
        .err()
        .unwrap_or_default()
        .iter()
        .map(Finding::to_string)
        .collect()
}

fn described(values: &Values) -> Vec<(String, String)> {
    values
        .all()
        .into_iter()
        .map(|entry| (dotted(&entry.path), entry.notes.text.clone()))
        .collect()
}

#[test]
fn the_comment_directly_above_a_key_describes_it() {
    let values = read(
        "# About the file.\n\n# The first\n# in two lines.\na: 1\nb:\n  # Inside.\n  c: x\n\n  # Not about d.\n\n  d: y\n",
    );
    assert_eq!(
        described(&values),
        [
            ("a", "The first in two lines."),
            ("b", ""),
            ("b.c", "Inside."),
            ("b.d", ""),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
    );
}

#[test]
fn sections_have_a_title_and_a_text() {
    let values =
        read("x: 1\n\n# @section One\n# About one.\n# More.\n\n# An a.\na: 1\n\n# @section Two\n\nb: 2\n");
    let sections: Vec<(&str, &str, usize)> = values
        .sections
        .iter()
        .map(|section| {
            (
                section.title.as_str(),
                section.text.as_str(),
                section.entries.len(),
            )
        })
        .collect();
    assert_eq!(
        sections,
        [("", "", 1), ("One", "About one. More.", 1), ("Two", "", 1)]
    );
}

#[test]
fn examples_are_no_descriptions() {
    let values = read(
        "config:\n  # @schema object\n  oned: {}\n  #  KEY: 1\n  #  OTHER: 2\n  # About monitord.\n  # @schema object\n  monitord: {}\n\
         # @schema object\nroute:\n  enabled: false\n  #  parentRefs: []\n#  more: 1\nlast: 1\n",
    );
    assert_eq!(
        described(&values)[2],
        ("config.monitord".to_owned(), "About monitord.".to_owned())
    );
    assert_eq!(described(&values)[4], ("last".to_owned(), String::new()));
}

#[test]
fn a_map_with_a_schema_is_one_value_and_one_without_is_a_group() {
    let values = read("# @schema resources\na:\n  # inside\n  b: {c: 1}\nd:\n  e: 1\nf: {g: {h: 1}}\n");
    let paths: Vec<String> = described(&values).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["a", "d", "d.e", "f", "f.g", "f.g.h"]);
    assert_eq!(values.all()[0].default, json!({"b": {"c": 1}}));
}

#[test]
fn rules_are_names_and_json_and_a_value_may_be_hidden() {
    let values = read("# Text.\n# @schema port\n# @schema {\"minimum\": 1024}\n# @hidden\na: 4124\n");
    let notes = &values.all()[0].notes;
    assert!(matches!(&notes.rules[0], (2, Rule::Named(name)) if name == "port"));
    assert!(matches!(&notes.rules[1], (3, Rule::Merged(json)) if json["minimum"] == 1024));
    assert_eq!(notes.audience, Audience::Insiders);
    assert_eq!(notes.text, "Text.");
}

#[test]
fn each_mistake_is_named_with_its_line() {
    for (text, line, words) in [
        ("a: [\n", 1, "not readable as YAML"),
        ("a: 1\na: 2\n", 1, "not readable as YAML"),
        ("# @schema {\"enum\": [}\na: 1\n", 1, "no JSON"),
        ("# @schema\na: 1\n", 1, "takes a name or JSON"),
        ("# @shema port\na: 1\n", 1, "known are @section"),
        ("b: 1\n# @schema port\n\na: 1\n", 2, "nothing is directly below"),
        ("# @section\n\na: 1\n", 1, "a section is"),
        ("# @section Title\na: 1\n", 1, "a section is"),
        ("a:\n  b: 1\n  # About c?\nc: 1\n", 3, "not in the column"),
        ("a:\n  ? b\n  : 1\n", 1, "cannot be followed"),
    ] {
        let found = wrong(text);
        assert!(
            found
                .iter()
                .any(|finding| finding.starts_with(&format!("values.yaml:{line}: "))
                    && finding.contains(words)),
            "{text:?}: {found:?}"
        );
    }
}
