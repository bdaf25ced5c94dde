//! `run:`: one command, whose words are known: a verb of xtask that understands all of them, or a program of a short list.
//!
//! Of the shell, only quotes, `\` at the end of a line, variables, and `${NAME:+WORDS}` for what may be left out are allowed:
//! whatever decides or is repeated belongs into a verb, where it has tests.

use std::collections::BTreeSet;

use super::{File, Understands};

/// What is called beside xtask, and why it is no verb.
const TOOLS: [(&str, &str); 3] = [
    (
        "cosign",
        "signs with the identity of the run, and checks the signature: one call each",
    ),
    (
        "gh",
        "verifies an attestation by the rules that GitHub documents: one call",
    ),
    (
        "trivy",
        "judges an image by image/trivy.yaml, and writes what it saw in another format: one call each",
    ),
];
/// `make` targets, each of which is one verb of the same name.
const TARGETS: [&str; 5] = ["up", "down", "test", "check", "bench"];
/// Values of variables whose words a verb parses further; all others may be anything.
const SAMPLES: [(&str, &str); 13] = [
    (
        "AMD64",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        "ARM64",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ),
    ("ARCHITECTURE", "amd64"),
    ("CANDIDATE", "candidate-7.0.0"),
    (
        "DIGEST",
        "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ),
    ("EVENT", "push"),
    ("IMAGE", "docker.io/example/opennebula"),
    ("KUBERNETES", "1.35"),
    ("LINE", "7.0"),
    (
        "PUBLISHED",
        "docker.io/example/opennebula@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ),
    ("RELEASE", "7.0.0"),
    ("RUNNER_TEMP", "/tmp"),
    ("TARGET", "oci://ghcr.io/example/charts"),
];
/// Variables that every job has.
const OF_THE_FORGE: [&str; 2] = ["GITHUB_", "RUNNER_"];
/// The same, and handed on to root.
const OF_THE_USER: [&str; 2] = ["HOME", "PATH"];
/// How a command becomes root with its user's tools: the cluster of this repository needs it.
const AS_ROOT: [&str; 3] = ["sudo", "--preserve-env", "env"];

/// What is wrong with a script, where `known` are the variables that it has.
pub(super) fn judge(script: &str, known: &BTreeSet<&str>, verb: Understands<'_>) -> Result<(), String> {
    let words = as_root(words(script, known)?);
    let called: Vec<&str> = words.iter().map(String::as_str).collect();
    match called.as_slice() {
        ["cargo", "xtask", ..] => verb(&words[2..]),
        ["make", target] if TARGETS.contains(target) => verb(&words[1..]),
        [program, ..] if TOOLS.iter().any(|(tool, _)| tool == program) => Ok(()),
        [] => Err("runs nothing".to_owned()),
        [program, ..] => Err(format!(
            "calls {program}, which is neither `cargo xtask` nor a program that crates/xtask/src/workflows/run.rs lists \
             with a reason: make it a verb"
        )),
    }
}

/// What is left without the words that make it root's.
fn as_root(words: Vec<String>) -> Vec<String> {
    if !words.iter().zip(AS_ROOT).all(|(word, expected)| word == expected) {
        return words;
    }
    words
        .into_iter()
        .skip(AS_ROOT.len())
        .skip_while(|word| word.contains('='))
        .collect()
}

/// What is wrong with words that are to be a verb; else the words of the verb that it runs, none where it runs none.
pub(crate) type Parse<'a> = &'a dyn Fn(&[String]) -> Result<Vec<String>, String>;

/// Whether words are a verb, and the words that a verb hands on are one too.
pub(crate) fn understood(words: &[String], parse: Parse<'_>) -> Result<(), String> {
    let inner = parse(words)?;
    if inner.is_empty() {
        return Ok(());
    }
    understood(&inner, parse)
}

/// Programs on the list that nothing calls any more.
pub(crate) fn unused(files: &[File]) -> Vec<String> {
    let called = |tool: &str| {
        files.iter().flat_map(|file| file.text.lines()).any(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("run:").map_or(line, str::trim_start);
            line.strip_prefix(tool).is_some_and(|rest| rest.starts_with(' '))
        })
    };
    TOOLS
        .iter()
        .filter(|(tool, _)| !called(tool))
        .map(|(tool, _)| format!("crates/xtask/src/workflows/run.rs lists {tool}, and no workflow calls it"))
        .collect()
}

/// The words of the one command in a script, with samples in place of variables.
fn words(script: &str, known: &BTreeSet<&str>) -> Result<Vec<String>, String> {
    if script.contains("${{") {
        return Err(
            "has an expression in its script: hand it over by `env`, where it cannot become code".to_owned(),
        );
    }
    let script = script.trim().replace("\\\n", " ");
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = script.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(char) => word.push(char),
                        None => return Err("has a quote without its end".to_owned()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('$') => word.push_str(&sample(&name(&mut chars)?, known)?),
                        Some('`' | '\\') => return Err(more("a substitution")),
                        Some(char) => word.push(char),
                        None => return Err("has a quote without its end".to_owned()),
                    }
                }
            }
            '$' if chars.peek() == Some(&'{') => {
                let inside: String = chars.by_ref().skip(1).take_while(|char| *char != '}').collect();
                match inside.split_once(":+") {
                    Some((name, optional)) => {
                        sample(name, known)?;
                        words.extend(word.take());
                        words.extend(self::words(optional, known)?);
                    }
                    None => word.get_or_insert_default().push_str(&sample(&inside, known)?),
                }
            }
            '$' => {
                let sample = sample(&name(&mut chars)?, known)?;
                word.get_or_insert_default().push_str(&sample);
            }
            '\n' => return Err(more("a second line")),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '`' | '*' | '?' | '\\' => {
                return Err(more(&format!("a \"{char}\"")));
            }
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    Ok(words)
}

fn more(what: &str) -> String {
    format!("is more than one call, for it has {what}: make it a verb")
}

/// The name of a variable, `NAME` or `{NAME}`, behind its `$`.
fn name(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    if chars.next_if_eq(&'{').is_some() {
        return Ok(chars.by_ref().take_while(|char| *char != '}').collect());
    }
    let mut name = String::new();
    while let Some(char) = chars.next_if(|char| char.is_ascii_alphanumeric() || *char == '_') {
        name.push(char);
    }
    if name.is_empty() {
        return Err(more("a substitution"));
    }
    Ok(name)
}

fn sample(name: &str, known: &BTreeSet<&str>) -> Result<String, String> {
    let given = known.contains(name)
        || OF_THE_USER.contains(&name)
        || OF_THE_FORGE.iter().any(|start| name.starts_with(start));
    if !given {
        return Err(format!("uses ${name}, which no `env` of it sets"));
    }
    let sample = SAMPLES.iter().find(|(known, _)| *known == name);
    Ok(sample.map_or_else(|| name.to_lowercase(), |(_, value)| (*value).to_owned()))
}
