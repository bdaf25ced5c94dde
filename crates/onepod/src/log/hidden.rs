//! Secrets in what is logged: found in the forms in which programs write them, and replaced before anyone sees them.
//!
//! OpenNebula's programs are not meant to print any, but a message about a command that failed can quote it whole. What is
//! hidden is never forgotten: an old password is still somebody's. Where secrets come from is known elsewhere
//! (`secrecy.rs`).

use std::borrow::Cow;
use std::collections::HashMap;

mod forms;

use forms::forms;

/// Stands where a secret stood.
const MARK: &[u8] = b"(secret)";

/// Words that logs of this product are full of: hidden, they would make the log unreadable, and their absence would tell
/// them.
const COMMON_WORDS: [&str; 24] = [
    "administrator",
    "configuration",
    "container",
    "credentials",
    "database",
    "datastore",
    "datastores",
    "fireedge",
    "hypervisor",
    "information",
    "kubernetes",
    "localhost",
    "marketplace",
    "oneadmin",
    "opennebula",
    "password",
    "permission",
    "preparing",
    "scheduler",
    "serveradmin",
    "starting",
    "stopping",
    "successful",
    "undefined",
];

/// Whether a secret can be told from the text around it. A short one, or a common word, stands in every other line.
#[must_use]
pub fn is_distinctive(secret: &str) -> bool {
    let letters = secret.chars().any(char::is_alphabetic);
    let others = secret.chars().any(|char| !char.is_alphabetic());
    match secret.chars().count() {
        0..6 => false,
        6..8 => letters && others,
        _ => !COMMON_WORDS.contains(&secret.to_ascii_lowercase().as_str()),
    }
}

/// What is looked for.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// By its first two bytes, the longest first.
    needles: HashMap<[u8; 2], Vec<Box<[u8]>>>,
    /// A bit for each pair of bytes with which one begins: most places of a text are passed by a look at it.
    begins: Vec<u64>,
}

impl Hidden {
    /// Adds what is not looked for yet; what is not [distinctive](is_distinctive) is left out.
    pub(crate) fn add(&mut self, secrets: impl IntoIterator<Item = String>) {
        for form in secrets
            .into_iter()
            .filter(|secret| is_distinctive(secret))
            .flat_map(|secret| forms(&secret))
        {
            let Some(pair) = form.first_chunk::<2>().copied() else {
                continue;
            };
            let needles = self.needles.entry(pair).or_default();
            if needles.iter().any(|needle| **needle == *form) {
                continue;
            }
            needles.push(form.into());
            needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
            self.begins.resize(1024, 0);
            if let Some(bits) = self.begins.get_mut(usize::from(u16::from_le_bytes(pair)) / 64) {
                *bits |= 1 << (u16::from_le_bytes(pair) % 64);
            }
        }
    }

    /// The text without any of them; the text itself where there is none, which is the rule.
    pub(crate) fn out_of<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if self.needles.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = Vec::new();
        // Up to there the text is in `clean`, or hidden.
        let mut done = 0;
        for (place, pair) in text.windows(2).enumerate() {
            let Some(length) = self.length_at(pair, text.get(place..).unwrap_or_default()) else {
                continue;
            };
            if place >= done {
                clean.extend_from_slice(text.get(done..place).unwrap_or_default());
                clean.extend_from_slice(MARK);
            }
            // One that begins within another one may end behind it.
            done = done.max(place + length);
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        clean.extend_from_slice(text.get(done..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// The length of the longest one with which a text begins.
    fn length_at(&self, pair: &[u8], text: &[u8]) -> Option<usize> {
        let pair: [u8; 2] = pair.try_into().ok()?;
        let number = u16::from_le_bytes(pair);
        if self.begins.get(usize::from(number) / 64)? >> (number % 64) & 1 == 0 {
            return None;
        }
        let needles = self.needles.get(&pair)?;
        needles
            .iter()
            .find(|needle| text.starts_with(needle))
            .map(|needle| needle.len())
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
        let hidden = hidden(&["hunter2", "hunter2hunter2", "p w%x1"]);
        let text = hidden.out_of(b"mysqldump -p'p w%x1' hunter2, hunter2hunter2 and hunter2");
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
    fn one_that_begins_within_another_leaves_no_rest() {
        let hidden = hidden(&["abcdef12", "def12ghi"]);
        assert_eq!(&*hidden.out_of(b"-abcdef12ghi-def12ghi"), b"-(secret)-(secret)");
    }

    #[test]
    fn what_stands_everywhere_is_not_hidden() {
        for word in [
            "opennebula",
            "OpenNebula",
            "abc",
            "",
            "ready",
            "Running",
            "12345",
            "running",
            "2633",
        ] {
            assert!(!is_distinctive(word), "{word}");
        }
        for secret in [
            "correcthorse",
            "letmeinnow",
            "s3cret",
            "Old-One",
            "12345678",
            "pässwörter",
        ] {
            assert!(is_distinctive(secret), "{secret}");
        }
        let hidden = hidden(&["opennebula", "ready"]);
        assert!(matches!(hidden.out_of(b"opennebula ready"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_was_hidden_stays_hidden() {
        let mut hidden = hidden(&["Old-One"]);
        hidden.add(["New-One".to_owned(), "Old-One".to_owned()]);
        assert_eq!(&*hidden.out_of(b"Old-One New-One"), b"(secret) (secret)");
    }
}
