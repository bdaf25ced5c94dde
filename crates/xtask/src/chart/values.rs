//! values.yaml with its comments: sections of values, each with its description and what may be said in its place.
//!
//! - The comment lines directly above a key, in its column, describe it. A blank line ends a comment: what is not directly
//!   above a key is for the reader of the file alone.
//! - `# @section TITLE`, in column 0 and with a blank line after it, begins a section; lines below it are its text.
//! - `# @schema NAME` names an entry of [`definitions`](super::definitions); `# @schema {…}` is JSON whose keys win over
//!   what the default or the name says. A map with such a line is one value; one without is a group of values.
//! - Lists, empty maps and null must have such a line.
//! - `# @hidden` keeps a value out of the README.
//! - Comment lines with two blanks after `#` are examples: no part of a description.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::lines::{self, Line, What};
use super::{Finding, below, dotted};

/// The values of a chart.
#[derive(Debug)]
pub(super) struct Values {
    /// In the order of the file.
    pub(super) sections: Vec<Section>,
    /// The defaults as a parser reads them.
    pub(super) defaults: Value,
}

/// Values under one heading.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Empty for what stands before the first heading.
    pub(super) title: String,
    pub(super) text: String,
    pub(super) entries: Vec<Entry>,
}

/// One key of values.yaml.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    pub(super) notes: Notes,
    pub(super) default: Value,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// One value, a map or a list perhaps.
    One,
    /// Values under a common name.
    Group(Vec<Entry>),
}

/// What the comment above a key says.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) text: String,
    pub(super) rules: Vec<(usize, Rule)>,
    pub(super) audience: Audience,
}

/// For whom a value is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Audience {
    #[default]
    Everybody,
    /// Those who read values.yaml.
    Insiders,
}

/// One line with `@schema`.
#[derive(Debug)]
pub(super) enum Rule {
    /// A definition's name.
    Named(String),
    /// Keys of JSON Schema.
    Merged(Map<String, Value>),
}

impl Values {
    /// Every key, groups before what is in them.
    pub(super) fn all(&self) -> Vec<&Entry> {
        fn add<'a>(entries: &'a [Entry], all: &mut Vec<&'a Entry>) {
            for entry in entries {
                all.push(entry);
                if let Content::Group(inner) = &entry.content {
                    add(inner, all);
                }
            }
        }
        let mut all = Vec::new();
        for section in &self.sections {
            add(&section.entries, &mut all);
        }
        all
    }

    /// The key of a path, or the one that it is part of.
    pub(super) fn nearest(&self, path: &[String]) -> Option<&Entry> {
        self.all()
            .into_iter()
            .filter(|entry| path.starts_with(&entry.path))
            .max_by_key(|entry| entry.path.len())
    }
}

/// Reads a values.yaml; everything that is wrong with its comments at once.
pub(super) fn parse(file: &str, text: &str) -> Result<Values, Vec<Finding>> {
    let defaults: Value = serde_saphyr::from_str(text)
        .map_err(|error| vec![Finding::new(file, 1, format!("not readable as YAML: {error}"))])?;
    let mut reader = Reader {
        file,
        lines: lines::read(text),
        at: 0,
        wrong: Vec::new(),
    };
    let sections = reader.sections(&defaults);
    reader.wrong.sort();
    reader.wrong.dedup();
    if reader.wrong.is_empty() {
        Ok(Values { sections, defaults })
    } else {
        Err(reader.wrong)
    }
}

struct Reader<'a> {
    file: &'a str,
    lines: Vec<Line>,
    at: usize,
    wrong: Vec<Finding>,
}

/// Comment lines without a blank one between them.
type Block = Vec<(usize, usize, String)>;

impl Reader<'_> {
    fn sections(&mut self, defaults: &Value) -> Vec<Section> {
        let mut sections = vec![Section::default()];
        while self.at < self.lines.len() {
            if let Some(section) = self.entries_until_section(&[], defaults, &mut sections) {
                sections.push(section);
            }
        }
        let found: Vec<&str> = sections
            .iter()
            .flat_map(|section| &section.entries)
            .filter_map(|entry| entry.path.last().map(String::as_str))
            .collect();
        self.same_keys(1, "the file", &found, defaults);
        sections.retain(|section| !section.entries.is_empty());
        sections
    }

    /// Reads keys of column 0 into the last section, until a new one begins.
    fn entries_until_section(
        &mut self,
        path: &[String],
        defaults: &Value,
        sections: &mut [Section],
    ) -> Option<Section> {
        loop {
            let block = self.comment();
            if let Some(title) = block
                .first()
                .and_then(|(_, _, text)| text.trim().strip_prefix("@section"))
            {
                let section = Section {
                    title: title.trim().to_owned(),
                    text: prose(block.iter().skip(1).map(|(_, _, text)| text.as_str())),
                    entries: Vec::new(),
                };
                if let Some((line, indent, _)) = block.first()
                    && (*indent > 0 || section.title.is_empty() || !self.at_blank())
                {
                    self.complain(
                        *line,
                        "a section is `# @section TITLE` in column 0 with a blank line below it",
                    );
                }
                return Some(section);
            }
            if self.at >= self.lines.len() {
                return None;
            }
            let entry = self.entry(path, 0, &block, defaults);
            if let (Some(entry), Some(section)) = (entry, sections.last_mut()) {
                section.entries.push(entry);
            }
        }
    }

    /// The comment that ends here, which is directly above the line that is next; empty when a blank line is between.
    fn comment(&mut self) -> Block {
        let mut block = Block::new();
        while let Some(line) = self.lines.get(self.at) {
            match &line.what {
                What::Comment(text) => block.push((line.number, line.indent, text.clone())),
                What::Blank => {
                    if block
                        .first()
                        .is_some_and(|(_, _, text)| text.contains("@section"))
                    {
                        return block;
                    }
                    let stray = block
                        .iter()
                        .find(|(_, _, text)| text.trim().starts_with('@'))
                        .map(|(number, _, _)| *number);
                    if let Some(number) = stray {
                        self.complain(
                            number,
                            "nothing is directly below this comment that it could be about",
                        );
                    }
                    block.clear();
                }
                What::Key(..) | What::Other => return block,
            }
            self.at += 1;
        }
        block
    }

    fn at_blank(&self) -> bool {
        self.lines
            .get(self.at)
            .is_none_or(|line| line.what == What::Blank)
    }

    /// The key that is next, with everything below it.
    fn entry(&mut self, path: &[String], indent: usize, block: &Block, parent: &Value) -> Option<Entry> {
        let line = self.lines.get(self.at)?.clone();
        self.at += 1;
        let What::Key(name, inline) = line.what else {
            // Part of a value that is not written as a key; the comparison with the parser notices what is not.
            return None;
        };
        if line.indent != indent {
            self.complain(
                line.number,
                format!("{name} is in column {}, its neighbours in {indent}", line.indent),
            );
        }
        let path = below(path, &name);
        let Some(default) = parent.get(&name).cloned() else {
            self.complain(
                line.number,
                format!(
                    "{} is no key for a YAML parser: write it in block style",
                    dotted(&path)
                ),
            );
            return None;
        };
        let notes = self.notes(line.indent, block);
        let content = match &default {
            Value::Object(fields) if !fields.is_empty() && notes.rules.is_empty() => {
                Content::Group(if inline.is_empty() {
                    self.group(&path, line.number, line.indent, &default)
                } else {
                    inline_group(&path, line.number, fields)
                })
            }
            _ => {
                self.skip_deeper(line.indent);
                Content::One
            }
        };
        Some(Entry {
            path,
            line: line.number,
            notes,
            default,
            content,
        })
    }

    /// The keys below a key.
    fn group(&mut self, path: &[String], line: usize, outer: usize, default: &Value) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut column = None;
        loop {
            let before = self.at;
            let block = self.comment();
            match self.lines.get(self.at) {
                Some(next) if next.indent > outer => {
                    let column = *column.get_or_insert(next.indent);
                    entries.extend(self.entry(path, column, &block, default));
                }
                _ => {
                    self.at = before;
                    break;
                }
            }
        }
        let found: Vec<&str> = entries
            .iter()
            .filter_map(|entry| entry.path.last().map(String::as_str))
            .collect();
        self.same_keys(line, &dotted(path), &found, default);
        entries
    }

    /// Passes what belongs to a value: everything that is indented deeper, and lists in the key's own column.
    fn skip_deeper(&mut self, indent: usize) {
        let mut end = self.at;
        for (index, line) in self.lines.iter().enumerate().skip(self.at) {
            match line.what {
                What::Blank | What::Comment(_) => {}
                What::Other => end = index + 1,
                What::Key(..) if line.indent > indent => end = index + 1,
                What::Key(..) => break,
            }
        }
        self.at = end;
    }

    fn notes(&mut self, indent: usize, block: &Block) -> Notes {
        let mut notes = Notes::default();
        let mut text = Vec::new();
        for (number, column, comment) in block {
            if comment.starts_with("  ") {
                continue;
            }
            if *column != indent {
                self.complain(
                    *number,
                    "this comment is not in the column of the key below it: a blank line between them parts them, \
                     two blanks after # make it an example",
                );
            }
            let comment = comment.trim();
            if let Some(rule) = comment.strip_prefix("@schema") {
                match read_rule(rule.trim()) {
                    Ok(rule) => notes.rules.push((*number, rule)),
                    Err(why) => self.complain(*number, why),
                }
            } else if comment == "@hidden" {
                notes.audience = Audience::Insiders;
            } else if comment.starts_with('@') {
                self.complain(
                    *number,
                    format!("{comment:?}: known are @section, @schema and @hidden"),
                );
            } else {
                text.push(comment);
            }
        }
        notes.text = prose(text.into_iter());
        notes
    }

    fn same_keys(&mut self, line: usize, of: &str, found: &[&str], parsed: &Value) {
        let found: BTreeSet<&str> = found.iter().copied().collect();
        let parsed: BTreeSet<&str> = parsed
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect();
        let missed: Vec<&str> = parsed.difference(&found).copied().collect();
        if !missed.is_empty() {
            self.complain(
                line,
                format!(
                    "of {of}, {} cannot be followed: write it in block style",
                    missed.join(", ")
                ),
            );
        }
    }

    fn complain(&mut self, line: usize, text: impl Into<String>) {
        self.wrong.push(Finding::new(self.file, line, text));
    }
}

/// The keys of a map that is written in one line: nothing can be noted of them.
fn inline_group(path: &[String], line: usize, fields: &Map<String, Value>) -> Vec<Entry> {
    fields
        .iter()
        .map(|(name, default)| {
            let path = below(path, name);
            let content = match default {
                Value::Object(inner) if !inner.is_empty() => Content::Group(inline_group(&path, line, inner)),
                _ => Content::One,
            };
            Entry {
                path,
                line,
                notes: Notes::default(),
                default: default.clone(),
                content,
            }
        })
        .collect()
}

fn read_rule(text: &str) -> Result<Rule, String> {
    if text.starts_with('{') {
        return serde_json::from_str(text)
            .map(Rule::Merged)
            .map_err(|error| format!("@schema is no JSON: {error}"));
    }
    if text.is_empty() || !text.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        return Err(format!("@schema takes a name or JSON in one line, not {text:?}"));
    }
    Ok(Rule::Named(text.to_owned()))
}

/// Lines as one paragraph.
fn prose<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests;
