//! Any environment, any files, any overrides: no panic, and no secret in what is said about them.

#![no_main]

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use oned_conf::Document;
use onepod_fuzz::settings::vendor::{FILES, Grammar};
use onepod_fuzz::settings::{self, Overrides, table};
use onepod_fuzz::{Keys, edit_yaml};
use serde_json::{Map, Value, json};

/// Every secret begins so.
const MARK: &str = "S3cr3t-0x";

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    environment: Vec<Given<'a>>,
    overrides: Config<'a>,
}

#[derive(Arbitrary, Debug)]
struct Given<'a> {
    setting: u8,
    form: Form,
    value: &'a str,
}

#[derive(Arbitrary, Debug)]
enum Form {
    Variable,
    File,
    Misspelt,
}

#[derive(Arbitrary, Debug)]
enum Config<'a> {
    None,
    Text(&'a str),
    Entries(Vec<Entry<'a>>),
}

#[derive(Arbitrary, Debug)]
struct Entry<'a> {
    file: u8,
    name: Name<'a>,
    value: Content<'a>,
}

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    Known(u8),
    Of(u8, &'a str),
    Other(&'a str),
    Secret,
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    Text(&'a str),
    Number(i32),
    Float(f32),
    Switch(bool),
    Texts(Vec<&'a str>),
    Map(Vec<(&'a str, i8)>),
    Null,
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(format!("/dev/shm/onepod-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder in memory");
    folder
});

const ONED: &str = include_str!("../../src/prepare/render/fixtures/oned.conf");
const GATE: &str = include_str!("../../src/prepare/render/fixtures/onegate-server-7.4.conf");

fuzz_target!(|input: Input| {
    let mut plain = String::new();
    let mut environment: Vec<(OsString, OsString)> = Vec::new();
    for (number, given) in input.environment.iter().take(24).enumerate() {
        let setting = &table::TABLE[usize::from(given.setting) % table::TABLE.len()];
        if setting.name == "ONEPOD_CONFIG" || given.value.contains('\0') {
            continue;
        }
        let value = if setting.kind == table::Kind::Secret {
            format!("{MARK}{}", given.value)
        } else {
            plain.push_str(given.value);
            given.value.to_owned()
        };
        match given.form {
            Form::Variable => environment.push((setting.name.into(), value.into())),
            Form::Misspelt => environment.push((format!("ONEPOD_{}X", setting.name).into(), "x".into())),
            Form::File => {
                let path = FOLDER.join(number.to_string());
                std::fs::write(&path, &value).expect("a file in memory");
                environment.push((format!("{}_FILE", setting.name).into(), path.into()));
            }
        }
    }
    let config = match input.overrides {
        Config::None => None,
        Config::Text(text) => {
            plain.push_str(text);
            Some(text.to_owned())
        }
        Config::Entries(entries) => Some(entries_text(&entries, &mut plain)),
    };
    // Only what is no secret may have the mark in what is said.
    if plain.contains("S3cr3t") {
        return;
    }
    if let Some(text) = &config {
        let path = FOLDER.join("config.yaml");
        std::fs::write(&path, text).expect("a file in memory");
        environment.push(("ONEPOD_CONFIG".into(), path.into()));
        let _ = Overrides::parse(text);
    }
    match settings::settle(environment) {
        Err(mistakes) => {
            let said = format!("{mistakes} {mistakes:?}");
            assert!(!said.contains(MARK), "{said}");
        }
        Ok(settings) => {
            let said = format!(
                "{settings:?} {:?} {:?}",
                settings.rows(),
                settings.overrides().rows()
            );
            assert!(!said.contains(MARK), "{said}");
            assert_eq!(
                settings.reread().map(|again| again.rows().to_vec()).as_deref(),
                Ok(settings.rows())
            );
            write(settings.overrides());
            write(settings.masked().overrides());
        }
    }
});

/// Writes the overrides into small files: what is accepted reads back as asked for.
fn write(overrides: &Overrides) {
    for section in overrides.sections() {
        let mut document = Document::parse(ONED).expect("a good file");
        for one in &section.attributes {
            if one.set(&mut document).is_ok() {
                assert!(one.holds_in(&document), "{one}");
            }
        }
        for leaf in &section.leaves {
            let _ = edit_yaml(GATE, Keys::Symbols, &leaf.path, &leaf.value);
            let added = edit_yaml("", Keys::Plain, &leaf.path, &leaf.value);
            assert!(added.is_ok(), "{} {:?}: {added:?}", leaf.name(), leaf.value);
        }
    }
}

/// A file of overrides in JSON, which is YAML too.
fn entries_text(entries: &[Entry<'_>], plain: &mut String) -> String {
    let mut config: Map<String, Value> = Map::new();
    for entry in entries.iter().take(16) {
        let file = &FILES[usize::from(entry.file) % FILES.len()];
        let known = |index: u8| file.keys[usize::from(index) % file.keys.len()].name;
        let (name, secret) = match &entry.name {
            Name::Known(index) => (known(*index).replace("[NAME]", "[NAME=x]"), false),
            Name::Of(index, choice) => (known(*index).replace("NAME", choice), false),
            Name::Other(name) => ((*name).to_owned(), false),
            Name::Secret if file.grammar == Grammar::Attributes => ("DB/PASSWD".to_owned(), true),
            Name::Secret => ("token_remote_support".to_owned(), true),
        };
        plain.push_str(&name);
        let value = match &entry.value {
            Content::Text(text) if secret => json!(format!("{MARK}{text}")),
            Content::Texts(texts) if secret => json!([format!("{MARK}{}", texts.concat())]),
            Content::Map(_) if secret => json!(null),
            Content::Text(text) => json!(text),
            Content::Number(number) => json!(number),
            Content::Float(number) => json!(number),
            Content::Switch(switch) => json!(switch),
            Content::Texts(texts) => json!(texts),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), json!(value)))
                    .collect(),
            ),
            Content::Null => json!(null),
        };
        if !secret {
            plain.push_str(&value.to_string());
        }
        if let Some(section) = config
            .entry(file.section)
            .or_insert_with(|| json!({}))
            .as_object_mut()
        {
            section.insert(name, value);
        }
    }
    Value::Object(config).to_string()
}
