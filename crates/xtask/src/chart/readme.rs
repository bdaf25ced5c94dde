//! The tables of values in a chart's README, between two marks; what is around them is written by hand and stays.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde_json::Value;

use super::definitions::definition;
use super::values::{Audience, Content, Entry, Rule, Section};
use super::{Chart, dotted};

const BEGIN: &str = "<!-- values: written by `cargo xtask chart generate` from values.yaml -->";
const END: &str = "<!-- end of values -->";
/// A default that is longer is left to values.yaml.
const LONGEST: usize = 60;

/// The README with the tables as they should be.
pub(super) fn readme(found: &str, chart: &Chart, schema: &Value) -> Result<String> {
    between(found, &tables(&chart.values.sections, schema))
}

fn between(found: &str, tables: &str) -> Result<String> {
    let parts = found
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        bail!("the tables of values belong between these two lines, which are missing:\n{BEGIN}\n{END}");
    };
    Ok(format!("{before}{BEGIN}\n\n{tables}{END}{after}"))
}

fn tables(sections: &[Section], schema: &Value) -> String {
    let mut text = String::new();
    for section in sections {
        if !section.title.is_empty() {
            let _ = writeln!(text, "### {}\n", section.title);
        }
        if !section.text.is_empty() {
            let _ = writeln!(text, "{}\n", section.text);
        }
        text.push_str("| Value | May be | Default | What it is |\n|---|---|---|---|\n");
        for entry in &section.entries {
            rows(&mut text, entry, schema);
        }
        text.push('\n');
    }
    text
}

fn rows(text: &mut String, entry: &Entry, schema: &Value) {
    if entry.notes.audience == Audience::Insiders {
        return;
    }
    let (name, about) = (dotted(&entry.path), cell(&entry.notes.text));
    match &entry.content {
        Content::Group(inner) => {
            if !about.is_empty() {
                let _ = writeln!(text, "| `{name}` | | | {about} |");
            }
            for entry in inner {
                rows(text, entry, schema);
            }
        }
        Content::One => {
            let pointer = entry.path.iter().fold(String::new(), |pointer, name| {
                format!(
                    "{pointer}/properties/{}",
                    name.replace('~', "~0").replace('/', "~1")
                )
            });
            let may = cell(&may_be(entry, schema.pointer(&pointer).unwrap_or(&Value::Null)));
            let default = default(&entry.default);
            let _ = writeln!(text, "| `{name}` | {may} | {default} | {about} |");
        }
    }
}

/// What a value may be, in words.
fn may_be(entry: &Entry, schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", plain(word))).collect();
        return words.join(", ");
    }
    let range = match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", {least} or more"),
        (None, Some(most)) => format!(", {most} or less"),
        (None, None) => String::new(),
    };
    let named = entry.notes.rules.iter().find_map(|(_, rule)| match rule {
        Rule::Named(name) => definition(name, &Value::Null),
        Rule::Merged(_) => None,
    });
    match named {
        Some(definition) => definition.words.to_owned(),
        None => format!("{}{range}", of_type(schema)),
    }
}

fn of_type(schema: &Value) -> String {
    let word = |kind: &str| {
        match kind {
            "string" => "text",
            "integer" => "whole number",
            "array" => "list",
            "object" => "map",
            "boolean" => "`true`, `false`",
            other => other,
        }
        .to_owned()
    };
    match &schema["type"] {
        Value::String(kind) if kind == "array" => match schema["items"]["type"].as_str() {
            Some("string") => "list of texts".to_owned(),
            _ => "list".to_owned(),
        },
        Value::String(kind) => word(kind),
        Value::Array(kinds) => {
            let kinds: Vec<String> = kinds.iter().filter_map(Value::as_str).map(word).collect();
            kinds.join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

fn default(value: &Value) -> String {
    let text = plain(value);
    if text.chars().count() > LONGEST {
        "see values.yaml".to_owned()
    } else {
        format!("`{}`", text.replace('|', "\\|"))
    }
}

/// As it may be written in YAML.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text that does not end its cell, and no HTML: `<fullname>` is no tag.
fn cell(text: &str) -> String {
    let mut out = String::new();
    let mut code = false;
    for character in text.chars() {
        match character {
            '`' => {
                code = !code;
                out.push('`');
            }
            '|' => out.push_str("\\|"),
            '<' if !code => out.push_str("&lt;"),
            '*' if !code => out.push_str("\\*"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::values::parse;
    use super::*;

    #[test]
    fn what_is_written_by_hand_stays() {
        let found = format!("# Chart\n\n{BEGIN}\nold\n{END}\n\nMore.\n");
        let once = between(&found, "new\n").unwrap();
        assert_eq!(once, format!("# Chart\n\n{BEGIN}\n\nnew\n{END}\n\nMore.\n"));
        assert_eq!(between(&once, "new\n").unwrap(), once);
        let error = between("# Chart\n", "new").unwrap_err().to_string();
        assert!(error.contains(BEGIN) && error.contains(END), "{error}");
    }

    #[test]
    fn a_table_for_each_section() {
        let values = parse(
            "values.yaml",
            "# @section Names\n# All of them.\n\n# For every <object>.\nnames:\n  # Replaces a|b.\n  # @schema fullname\n  full: \"\"\n  # @hidden\n  inner: 1\n\
             # @section Rest\n\n# @schema {\"enum\": [\"\", \"soft\"]}\npreset: soft\n# @schema {\"minimum\": 1}\nseconds: 60\n\
             # @schema object\nbig:\n  a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\non: true\n",
        )
        .unwrap();
        let schema = json!({"properties": {
            "names": {"properties": {"full": {"type": "string"}}},
            "preset": {"enum": ["", "soft"]},
            "seconds": {"type": "integer", "minimum": 1},
            "on": {"type": "boolean"},
        }});
        insta::assert_snapshot!(tables(&values.sections, &schema), @r#"
        ### Names

        All of them.

        | Value | May be | Default | What it is |
        |---|---|---|---|
        | `names` | | | For every &lt;object>. |
        | `names.full` | name | `""` | Replaces a\|b. |

        ### Rest

        | Value | May be | Default | What it is |
        |---|---|---|---|
        | `preset` | `""`, `soft` | `soft` |  |
        | `seconds` | whole number, 1 or more | `60` |  |
        | `big` | map | see values.yaml |  |
        | `on` | `true`, `false` | `true` |  |

        "#);
    }
}
