//! Any text, any edit of it as YAML: what is edited reads back as asked for, and made twice it changes nothing more.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use onepod_fuzz::{Keys, edit_yaml, yaml_has};
use serde_json::{Value, json};

#[derive(Arbitrary, Debug)]
enum Given<'a> {
    Text(&'a str),
    Number(i32),
    Switch(bool),
    Texts(Vec<&'a str>),
}

fuzz_target!(|input: (&str, Vec<&str>, Given, bool)| {
    let (text, path, value, symbols) = input;
    let value: Value = match value {
        Given::Text(text) => json!(text),
        Given::Number(number) => json!(number),
        Given::Switch(switch) => json!(switch),
        Given::Texts(texts) => json!(texts),
    };
    let is_key = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    if path.is_empty() || !path.iter().all(is_key) {
        return;
    }
    let path: Vec<String> = path.into_iter().map(str::to_owned).collect();
    let keys = if symbols { Keys::Symbols } else { Keys::Plain };
    if let Ok(new) = edit_yaml(text, keys, &path, &value) {
        assert!(yaml_has(&new, &path));
        assert_eq!(edit_yaml(&new, keys, &path, &value).as_deref(), Ok(new.as_str()));
    }
});
