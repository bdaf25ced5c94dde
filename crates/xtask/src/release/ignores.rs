//! The vulnerabilities that are accepted for a while: reads `image/vulnerabilities.toml` and judges each entry. Pure:
//! the day is told by the caller.
//!
//! Two kinds of mistakes. What the file's form is not (a key that is unknown, missing or of another type; the same
//! vulnerability at the same path twice) makes it unreadable, and all of it is told at once. An entry that is expired,
//! that lasts too long or whose reason says nothing is readable, and covers nothing.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use anyhow::{Context as _, Result, bail};
use jiff::civil::Date;
use toml::{Table, Value};

use super::markdown;

/// For how many days an entry may be valid, so that somebody looks at it again.
pub(crate) const LONGEST: i32 = 180;
/// Fewer words are no reason.
const FEWEST_WORDS: usize = 5;
/// Words of people who had none.
const EMPTY_WORDS: [&str; 4] = ["todo", "tbd", "fixme", "xxx"];

const KEYS: [&str; 4] = ["id", "path", "reason", "expires"];

/// A vulnerability that is accepted at one place until a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ignore {
    /// As the scan names it: `CVE-2026-1234`, `GHSA-…`.
    pub(crate) id: String,
    /// A file inside the image without its first slash, or the name of a package of the distribution.
    pub(crate) path: String,
    pub(crate) reason: String,
    /// The last day on which it counts.
    pub(crate) expires: Date,
}

/// Why an entry covers nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Expired(Date),
    /// It would be valid for this many days more.
    TooLong(i32),
    NoReason,
}

impl Display for Fault {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(date) => write!(
                to,
                "expired after {date}: look whether a fix is there, and update the package; if there is none, give a new \
                 date and say in the reason what was looked at"
            ),
            Self::TooLong(days) => write!(
                to,
                "would be valid for {days} days more: {LONGEST} are the most, so name an earlier date"
            ),
            Self::NoReason => write!(
                to,
                "has a reason that says nothing: say in {FEWEST_WORDS} words or more why it cannot be used against this image"
            ),
        }
    }
}

impl Ignore {
    /// What is wrong with it on a day.
    pub(crate) fn faults(&self, on: Date) -> Vec<Fault> {
        let mut faults = Vec::new();
        let days = days(on, self.expires);
        if days < 0 {
            faults.push(Fault::Expired(self.expires));
        }
        if days > LONGEST {
            faults.push(Fault::TooLong(days));
        }
        if !says_something(&self.reason) {
            faults.push(Fault::NoReason);
        }
        faults
    }

    /// Whether it is meant for this vulnerability at this place.
    pub(crate) fn is_for(&self, id: &str, path: &str) -> bool {
        self.id == id && self.path == path
    }
}

fn days(from: Date, to: Date) -> i32 {
    // Dates reach from the year -9999 to 9999: it fits.
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

fn says_something(reason: &str) -> bool {
    let words: BTreeSet<String> = reason
        .split(|next: char| !next.is_alphanumeric())
        .filter(|word| word.chars().any(char::is_alphabetic))
        .map(str::to_lowercase)
        .collect();
    words.len() >= FEWEST_WORDS && !EMPTY_WORDS.iter().any(|empty| words.contains(*empty))
}

/// Reads the file's text; the error has every mistake of its form.
pub(crate) fn parse(text: &str) -> Result<Vec<Ignore>> {
    let table: Table = text.parse().context("this is no TOML: correct the line")?;
    let mut mistakes = Vec::new();
    for key in table.keys().filter(|key| *key != "accepted") {
        mistakes.push(format!("{key}: the file has nothing but [[accepted]] entries"));
    }
    let mut ignores: Vec<Ignore> = Vec::new();
    match table.get("accepted") {
        None => {}
        Some(Value::Array(entries)) => {
            for (number, entry) in entries.iter().enumerate() {
                let place = format!("accepted entry {}", number + 1);
                let Some(ignore) = ignore(entry, &place, &mut mistakes) else {
                    continue;
                };
                if ignores.iter().any(|other| other.is_for(&ignore.id, &ignore.path)) {
                    mistakes.push(format!(
                        "{place}: {} at {} is there already; keep one of the two",
                        ignore.id, ignore.path
                    ));
                }
                ignores.push(ignore);
            }
        }
        Some(_) => mistakes.push("accepted: entries begin with a line [[accepted]]".to_owned()),
    }
    if !mistakes.is_empty() {
        bail!("correct this\n  {}", mistakes.join("\n  "));
    }
    Ok(ignores)
}

fn ignore(entry: &Value, place: &str, mistakes: &mut Vec<String>) -> Option<Ignore> {
    let Value::Table(entry) = entry else {
        mistakes.push(format!(
            "{place}: no table; an entry begins with a line [[accepted]]"
        ));
        return None;
    };
    for key in entry.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        mistakes.push(format!(
            "{place}: {key} is unknown; an entry has {}",
            KEYS.join(", ")
        ));
    }
    let mut text = |key: &str, form: fn(&str) -> bool, what: &str| match entry.get(key) {
        Some(Value::String(text)) if form(text.trim()) => Some(text.trim().to_owned()),
        Some(Value::String(text)) => {
            mistakes.push(format!("{place}: {key} is \"{text}\", and must be {what}"));
            None
        }
        Some(_) => {
            mistakes.push(format!("{place}: {key} is no text, and must be {what}"));
            None
        }
        None => {
            mistakes.push(format!("{place}: {key} is missing; it is {what}"));
            None
        }
    };
    let id = text(
        "id",
        is_id,
        "the scan's name of the vulnerability, such as CVE-2026-1234",
    );
    let path = text(
        "path",
        is_path,
        "one file inside the image or one package, as the scan's table names it",
    );
    let reason = text("reason", |_| true, "why it cannot be used against this image");
    let expires = match entry.get("expires").map(day) {
        Some(Some(date)) => Some(date),
        Some(None) => {
            mistakes.push(format!(
                "{place}: expires must be a day without quotes, such as 2026-12-31"
            ));
            None
        }
        None => {
            mistakes.push(format!(
                "{place}: expires is missing; it is the last day on which this counts"
            ));
            None
        }
    };
    Some(Ignore {
        id: id?,
        path: path?.trim_start_matches('/').to_owned(),
        reason: reason?,
        expires: expires?,
    })
}

fn is_id(text: &str) -> bool {
    let allowed = |next: char| next.is_ascii_alphanumeric() || next == '-';
    text.split_once('-').is_some_and(|(kind, number)| {
        !kind.is_empty() && kind.chars().all(|next| next.is_ascii_uppercase()) && !number.is_empty()
    }) && text.chars().all(allowed)
}

/// A whole folder or a pattern would cover what nobody has looked at.
fn is_path(text: &str) -> bool {
    let name = text.trim_start_matches('/');
    !name.is_empty() && !text.ends_with('/') && !text.contains(['*', '?', '\n', '\t'])
}

fn day(value: &Value) -> Option<Date> {
    let Value::Datetime(value) = value else {
        return None;
    };
    let date = value
        .date
        .filter(|_| value.time.is_none() && value.offset.is_none())?;
    let [year, month, day] = [i64::from(date.year), i64::from(date.month), i64::from(date.day)];
    Date::new(
        year.try_into().ok()?,
        month.try_into().ok()?,
        day.try_into().ok()?,
    )
    .ok()
}

/// All entries with their faults, as a table; without the last line's end.
pub(crate) fn table(ignores: &[Ignore], on: Date) -> String {
    if ignores.is_empty() {
        return "No vulnerability is accepted.".to_owned();
    }
    let rows: Vec<[String; 5]> = ignores
        .iter()
        .map(|ignore| {
            let verdict = if ignore.faults(on).is_empty() {
                format!("valid, {} days left", days(on, ignore.expires))
            } else {
                "**covers nothing**".to_owned()
            };
            [
                ignore.id.clone(),
                markdown::code(&ignore.path),
                ignore.expires.to_string(),
                verdict,
                ignore.reason.clone(),
            ]
        })
        .collect();
    markdown::table(["vulnerability", "path", "expires", "verdict", "reason"], &rows)
}

/// A sentence for each fault; none when every entry is valid.
pub(crate) fn complaints(ignores: &[Ignore], on: Date) -> Vec<String> {
    ignores
        .iter()
        .flat_map(|ignore| {
            let told = |fault: &Fault| format!("{} at {} {fault}", ignore.id, ignore.path);
            ignore.faults(on).iter().map(told).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn refused(text: &str) -> String {
        format!("{:#}", parse(text).unwrap_err())
    }

    const GOOD: &str = "[[accepted]]\nid = \"CVE-2026-1\"\npath = \"/usr/bin/x\"\nreason = \"The program is never run with this option here\"\nexpires = 2026-12-31\n";

    #[test]
    fn an_entry_has_an_id_a_path_a_reason_and_a_day() {
        let ignores = parse(GOOD).unwrap();
        assert_eq!(ignores[0].path, "usr/bin/x", "as scans write it");
        assert_snapshot!(table(&ignores, date("2026-12-01")), @"
        | vulnerability | path        | expires    | verdict             | reason                                         |
        | ------------- | ----------- | ---------- | ------------------- | ---------------------------------------------- |
        | CVE-2026-1    | `usr/bin/x` | 2026-12-31 | valid, 30 days left | The program is never run with this option here |
        ");
        assert_snapshot!(table(&parse("# nothing\n").unwrap(), date("2026-12-01")), @"No vulnerability is accepted.");
    }

    #[test]
    fn it_counts_to_the_end_of_its_last_day() {
        let ignore = &parse(GOOD).unwrap()[0];
        assert_eq!(ignore.faults(date("2026-12-31")), []);
        assert_eq!(
            ignore.faults(date("2027-01-01")),
            [Fault::Expired(date("2026-12-31"))]
        );
        assert_eq!(ignore.faults(date("2026-07-04")), []);
        assert_eq!(ignore.faults(date("2026-07-03")), [Fault::TooLong(181)]);
        assert_snapshot!(complaints(&parse(GOOD).unwrap(), date("2027-01-01")).join("\n"), @"CVE-2026-1 at usr/bin/x expired after 2026-12-31: look whether a fix is there, and update the package; if there is none, give a new date and say in the reason what was looked at");
    }

    #[test]
    fn a_reason_says_something() {
        for empty in [
            "",
            "false positive",
            "won't fix",
            "TODO: say why this is fine for us",
            "a a a a a a",
            "1 2 3 4 5 6",
        ] {
            assert!(!says_something(empty), "{empty}");
        }
        assert!(says_something(
            "Only reachable through a protocol that is switched off"
        ));
        let text = GOOD.replace("The program is never run with this option here", "ignore");
        assert_snapshot!(complaints(&parse(&text).unwrap(), date("2026-12-01")).join("\n"), @"CVE-2026-1 at usr/bin/x has a reason that says nothing: say in 5 words or more why it cannot be used against this image");
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "other = 1\n[[accepted]]\nid = \"everything\"\npath = \"usr/lib/*\"\nexpires = \"2026-12-31\"\nuntil = 1\n\
                    [[accepted]]\nid = 5\nreason = \"x\"\npath = \"/\"\nexpires = 2026-12-31T10:00:00\n";
        assert_snapshot!(refused(text), @r#"
        correct this
          other: the file has nothing but [[accepted]] entries
          accepted entry 1: until is unknown; an entry has id, path, reason, expires
          accepted entry 1: id is "everything", and must be the scan's name of the vulnerability, such as CVE-2026-1234
          accepted entry 1: path is "usr/lib/*", and must be one file inside the image or one package, as the scan's table names it
          accepted entry 1: reason is missing; it is why it cannot be used against this image
          accepted entry 1: expires must be a day without quotes, such as 2026-12-31
          accepted entry 2: id is no text, and must be the scan's name of the vulnerability, such as CVE-2026-1234
          accepted entry 2: path is "/", and must be one file inside the image or one package, as the scan's table names it
          accepted entry 2: expires must be a day without quotes, such as 2026-12-31
        "#);
        assert_snapshot!(refused(&format!("{GOOD}{}", GOOD.replace("/usr", "usr"))), @"
        correct this
          accepted entry 2: CVE-2026-1 at usr/bin/x is there already; keep one of the two
        ");
        assert_snapshot!(refused("accepted = 1"), @"
        correct this
          accepted: entries begin with a line [[accepted]]
        ");
        assert_snapshot!(refused("[[accepted]"), @"
        this is no TOML: correct the line: TOML parse error at line 1, column 12
          |
        1 | [[accepted]
          |            ^
        unclosed array table, expected `]`
        ");
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_refused_or_whole(text in "(\\[\\[accepted\\]\\]\n)?(id|path|reason|expires|x)?( = )?(\"[A-Z0-9/-]{0,9}\"|2026-01-0[1-9])?\n?") {
            if let Ok(ignores) = parse(&text) {
                prop_assert!(ignores.iter().all(|ignore| !ignore.id.is_empty() && !ignore.path.is_empty()));
            }
        }
    }
}
