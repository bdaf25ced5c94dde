//! systemd's units of a release: their directives, and the files of credentials that they ask for.

use std::collections::BTreeMap;

use super::Contents;

/// Stands between the values of a directive that is there several times.
pub(super) const JOINT: &str = " ⏎ ";

const FOLDER: &str = "usr/lib/systemd/system/";
/// The folder of credentials, as the units write it.
const CREDENTIALS: &str = "/.one/";
/// Directives for people.
const WORDS: [&str; 2] = ["Description", "Documentation"];

/// The directives of each unit; those that are there several times are one, in their order.
pub(super) fn of(contents: &Contents) -> BTreeMap<String, BTreeMap<String, String>> {
    contents
        .texts(FOLDER)
        .map(|(name, text)| {
            let all = directives(text).into_iter();
            let said = all.filter(|(key, _)| !WORDS.contains(&key.as_str()));
            (
                name.to_owned(),
                said.map(|(key, values)| (key, values.join(JOINT))).collect(),
            )
        })
        .collect()
}

/// The files of credentials that services insist on before they start, with the units that do.
pub(super) fn credentials(contents: &Contents) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (unit, text) in contents.texts(FOLDER) {
        for (key, values) in directives(text) {
            if !key.starts_with("Assert") && !key.starts_with("Condition") {
                continue;
            }
            for value in values {
                if let Some((_, name)) = value.split_once(CREDENTIALS) {
                    found
                        .entry(name.to_owned())
                        .or_default()
                        .insert(unit.to_owned(), key.clone());
                }
            }
        }
    }
    found
}

/// systemd.syntax(7), without the sections: no directive of these units is in two.
fn directives(text: &str) -> BTreeMap<String, Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in joined.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';', '[']) {
            continue;
        }
        if let Some((key, value)) = line.split_once('=') {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            let values = found.entry(key.trim().to_owned()).or_default();
            if value.is_empty() {
                // An empty value takes back what was said before.
                values.clear();
            } else {
                values.push(value);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_joined_and_taken_back() {
        let found = directives(
            "# x\n[Service]\nExecStart=/bin/a \\\n  -b\nAfter=c.service\nAfter=d.service\nUser=x\nUser=\n",
        );
        assert_eq!(found["ExecStart"], ["/bin/a -b"]);
        assert_eq!(found["After"], ["c.service", "d.service"]);
        assert!(found["User"].is_empty());
    }
}
