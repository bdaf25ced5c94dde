//! What a check found that must not be. A check goes on after the first one, so that one run tells all of them.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// Findings of a kind beyond this number are only counted.
const SHOWN: usize = 10;

/// Sentences, and things that are many of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    sentences: Vec<String>,
    kinds: BTreeMap<String, Vec<String>>,
}

impl Findings {
    /// Adds a sentence.
    pub(crate) fn add(&mut self, sentence: impl Into<String>) {
        self.sentences.push(sentence.into());
    }

    /// Adds it unless the condition holds.
    pub(crate) fn unless(&mut self, holds: bool, sentence: impl FnOnce() -> String) {
        if !holds {
            self.add(sentence());
        }
    }

    /// Adds one of many.
    pub(crate) fn one_of(&mut self, kind: &str, what: impl Into<String>) {
        self.kinds.entry(kind.to_owned()).or_default().push(what.into());
    }

    /// What was seen, if nothing was found.
    pub(crate) fn or(self, seen: impl Into<String>) -> Result<String> {
        let many = self.kinds.iter().map(|(kind, all)| {
            let shown = all[..all.len().min(SHOWN)].join(", ");
            match all.len().checked_sub(SHOWN) {
                Some(more) if more > 0 => format!("{kind}: {shown} and {more} more"),
                _ => format!("{kind}: {shown}"),
            }
        });
        let all: Vec<String> = self.sentences.iter().cloned().chain(many).collect();
        if all.is_empty() {
            return Ok(seen.into());
        }
        bail!("{}", all.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_told_and_many_of_a_kind_are_counted() {
        let mut findings = Findings::default();
        findings.unless(true, || "never".to_owned());
        assert_eq!(findings.clone().or("fine").unwrap(), "fine");
        findings.unless(false, || "no label".to_owned());
        for log in 0..SHOWN + 2 {
            findings.one_of("logs", log.to_string());
        }
        findings.one_of("keys", "k");
        assert_eq!(
            findings.or("fine").unwrap_err().to_string(),
            "no label; keys: k; logs: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
        );
    }
}
