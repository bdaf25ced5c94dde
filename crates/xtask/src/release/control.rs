//! Debian's control format, deb822(5): stanzas of fields. Pure.

use std::collections::BTreeMap;
use std::mem;

use anyhow::{Context as _, Result, bail};

/// Fields by their names in lower case; the lines of a long value are separated by line ends.
pub(super) type Stanza = BTreeMap<String, String>;

/// Reads a text in Debian's control format, deb822(5).
pub(super) fn stanzas(text: &str) -> Result<Vec<Stanza>> {
    let mut all = Vec::new();
    let mut stanza = Stanza::new();
    let mut last = None;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if line.trim().is_empty() {
            if !stanza.is_empty() {
                all.push(mem::take(&mut stanza));
            }
            last = None;
        } else if line.starts_with([' ', '\t']) {
            let value = last.as_ref().and_then(|name| stanza.get_mut(name));
            let value: &mut String =
                value.with_context(|| format!("line {number} continues a field, and there is none"))?;
            value.push('\n');
            value.push_str(line.trim());
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.to_ascii_lowercase();
            if stanza.insert(name.clone(), value.trim().to_owned()).is_some() {
                bail!("line {number} has the field {name} for the second time");
            }
            last = Some(name);
        } else {
            bail!("line {number} is no field");
        }
    }
    if !stanza.is_empty() {
        all.push(stanza);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_are_separated_by_empty_lines_and_names_have_no_case() {
        let found = stanzas("\nPackage: a\nDescription: b\n c: d\n .\n\n\nPACKAGE:e\n").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0]["description"], "b\nc: d\n.");
        assert_eq!(found[1]["package"], "e");
        assert_eq!(stanzas("\n\n").unwrap(), []);
    }

    #[test]
    fn broken_text_is_refused_with_the_line() {
        let told = |text: &str| stanzas(text).unwrap_err().to_string();
        assert_eq!(told("<html>\n"), "line 1 is no field");
        assert_eq!(told(" x\n"), "line 1 continues a field, and there is none");
        assert_eq!(
            told("Package: a\nPackage: b\n"),
            "line 2 has the field package for the second time"
        );
    }
}
