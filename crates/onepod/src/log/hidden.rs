//! Secrets in what is logged: found, and replaced before anyone sees them.
//!
//! OpenNebula's programs are not meant to print any, but a message about a command that failed can quote it whole. What is
//! hidden is never forgotten: an old password is still somebody's. Where secrets come from is known elsewhere
//! (`secrecy.rs`).

use std::borrow::Cow;

use memchr::memmem::Finder;

/// Stands where a secret stood.
const MARK: &[u8] = b"(secret)";

/// Shorter texts stand everywhere.
const SHORTEST: usize = 4;

/// What is looked for, the longest first: one secret may be part of another.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    finders: Vec<Finder<'static>>,
}

impl Hidden {
    /// Adds what is not looked for yet. A password that is one short or lower-case word is none that could be hidden: it
    /// stands in every other line, and its absence would tell it.
    pub(crate) fn add(&mut self, secrets: impl IntoIterator<Item = String>) {
        for secret in secrets {
            let known = self
                .finders
                .iter()
                .any(|finder| finder.needle() == secret.as_bytes());
            let word = secret.bytes().all(|byte| byte.is_ascii_lowercase());
            if !known && !word && secret.len() >= SHORTEST {
                self.finders.push(Finder::new(secret.as_bytes()).into_owned());
            }
        }
        self.finders
            .sort_by_key(|finder| std::cmp::Reverse(finder.needle().len()));
    }

    /// The text without any of them; the text itself where there is none, which is the rule.
    pub(crate) fn out_of<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let mut text = Cow::Borrowed(text);
        for finder in &self.finders {
            if finder.find(&text).is_none() {
                continue;
            }
            let mut clean = Vec::with_capacity(text.len());
            let mut rest = &*text;
            while let Some(at) = finder.find(rest) {
                clean.extend_from_slice(rest.get(..at).unwrap_or_default());
                clean.extend_from_slice(MARK);
                rest = rest.get(at + finder.needle().len()..).unwrap_or_default();
            }
            clean.extend_from_slice(rest);
            text = Cow::Owned(clean);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secrets: &[&str]) -> Hidden {
        let mut hidden = Hidden::default();
        hidden.add(secrets.iter().map(|secret| (*secret).to_owned()));
        hidden
    }

    #[test]
    fn every_occurrence_goes_and_the_rest_stays() {
        let hidden = hidden(&["hunter2", "hunter2hunter2", "p w%"]);
        let text = hidden.out_of(b"mysqldump -p'p w%' hunter2, hunter2hunter2 and hunter2");
        assert_eq!(
            String::from_utf8_lossy(&text),
            "mysqldump -p'(secret)' (secret), (secret) and (secret)"
        );
        assert!(matches!(
            hidden.out_of(b"nothing of it"),
            Cow::Borrowed(b"nothing of it")
        ));
    }

    #[test]
    fn a_plain_word_is_not_hidden() {
        let hidden = hidden(&["opennebula", "abc", ""]);
        assert!(matches!(hidden.out_of(b"opennebula abc"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_was_hidden_stays_hidden() {
        let mut hidden = hidden(&["Old-One"]);
        hidden.add(["New-One".to_owned(), "Old-One".to_owned()]);
        assert_eq!(hidden.finders.len(), 2);
        assert_eq!(&*hidden.out_of(b"Old-One New-One"), b"(secret) (secret)");
    }
}
