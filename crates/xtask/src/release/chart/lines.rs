//! Edits of single lines. All else of a text stays byte for byte.

use anyhow::{Context as _, Result, bail};

/// An annotation's value.
#[derive(Debug)]
pub(super) enum Annotation {
    /// On the line of its key, as YAML has it.
    Word(String),
    /// Lines of a text.
    Text(Vec<String>),
}

/// What stands behind `start` in the one line that begins so.
pub(super) fn value<'a>(text: &'a str, start: &str) -> Result<&'a str> {
    let mut found = text.lines().filter_map(|line| line.strip_prefix(start));
    let value = found
        .next()
        .with_context(|| format!("there is no line \"{start}…\""))?;
    if found.next().is_some() {
        bail!("there are two lines \"{start}…\"");
    }
    Ok(value.trim())
}

/// Puts another value behind `start` in the one line that begins so.
pub(super) fn set(text: &str, start: &str, new: &str) -> Result<String> {
    value(text, start)?;
    Ok(edited(text, |line| {
        line.starts_with(start).then(|| format!("{start}{new}"))
    }))
}

/// What stands behind `start` in the first line that begins so, blanks aside, below the line that is `above`.
pub(super) fn value_below<'a>(text: &'a str, above: &str, start: &str) -> Result<&'a str> {
    let mut lines = text.lines().skip_while(|line| line.trim() != above);
    let value = lines.find_map(|line| line.trim_start().strip_prefix(start));
    value.with_context(|| format!("there is no line \"{start}…\" below \"{above}\""))
}

/// Puts another value into the first line that begins so, blanks aside, below the line that is `above`.
pub(super) fn set_below(text: &str, above: &str, start: &str, new: &str) -> Result<String> {
    let mut lines = text
        .lines()
        .enumerate()
        .skip_while(|(_, line)| line.trim() != above);
    let (number, line) = lines
        .find(|(_, line)| line.trim_start().starts_with(start))
        .with_context(|| format!("there is no line \"{start}…\" below \"{above}\""))?;
    let indent = &line[..line.len() - line.trim_start().len()];
    let mut at = 0;
    Ok(edited(text, |_| {
        at += 1;
        (at == number + 1).then(|| format!("{indent}{start}{new}"))
    }))
}

/// The version of the members of the workspace in Cargo.lock: packages that come from nowhere.
pub(super) fn set_members(text: &str, version: &str) -> String {
    let stanzas: Vec<String> = text
        .split("\n\n")
        .map(|stanza| {
            let ours = stanza.trim_start().starts_with("[[package]]") && !stanza.contains("\nsource = ");
            if ours {
                let new = format!("version = \"{version}\"");
                edited(stanza, |line| line.starts_with("version = ").then(|| new.clone()))
            } else {
                stanza.to_owned()
            }
        })
        .collect();
    stanzas.join("\n\n")
}

/// Sets an annotation of a Chart.yaml: in its place where it is there, else behind the others, else at the end.
pub(super) fn annotate(text: &str, key: &str, value: &Annotation) -> String {
    let mut new = match value {
        Annotation::Word(word) => vec![format!("  {key}: {word}")],
        Annotation::Text(lines) => {
            let mut new = vec![format!("  {key}: |")];
            new.extend(lines.iter().map(|line| format!("    {line}")));
            new
        }
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let Some(start) = lines.iter().position(|line| line == "annotations:") else {
        lines.push("annotations:".to_owned());
        lines.append(&mut new);
        return lines.join("\n") + "\n";
    };
    let within = |line: &String| line.starts_with(' ') || line.trim().is_empty();
    let mut end = start + 1 + lines[start + 1..].iter().take_while(|line| within(line)).count();
    while lines[end - 1].trim().is_empty() {
        end -= 1;
    }
    let own = format!("  {key}:");
    let here = (start + 1..end).find(|number| lines[*number].starts_with(&own));
    let range = match here {
        Some(first) => {
            let below = |line: &String| line.starts_with("   ") || line.trim().is_empty();
            first
                ..first
                    + 1
                    + lines[first + 1..end]
                        .iter()
                        .take_while(|line| below(line))
                        .count()
        }
        None => end..end,
    };
    lines.splice(range, new);
    lines.join("\n") + "\n"
}

/// The text with some of its lines replaced.
fn edited(text: &str, mut edit: impl FnMut(&str) -> Option<String>) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let plain = line.trim_end_matches(['\n', '\r']);
            match edit(plain) {
                Some(new) => new + &line[plain.len()..],
                None => line.to_owned(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_changes_and_nothing_else() {
        let text = "# version: 1\nversion: 1\r\n  version: 2\nx";
        assert_eq!(
            set(text, "version: ", "3").unwrap(),
            "# version: 1\nversion: 3\r\n  version: 2\nx"
        );
        assert!(set(text, "none: ", "3").is_err());
        assert!(set("a: 1\na: 2\n", "a: ", "3").is_err());
        assert_eq!(
            set_below(
                "version: 1\n  - name: m\n    # why\n    version: 1\n",
                "- name: m",
                "version: ",
                "2"
            )
            .unwrap(),
            "version: 1\n  - name: m\n    # why\n    version: 2\n"
        );
        assert!(set_below(text, "- name: m", "version: ", "2").is_err());
    }

    #[test]
    fn members_are_packages_without_a_source() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = \"x\"\n\n[[package]]\nname = \"b\"\nversion = \"1\"\n";
        assert_eq!(
            set_members(text, "2"),
            text.replace("\"b\"\nversion = \"1\"", "\"b\"\nversion = \"2\"")
        );
    }

    #[test]
    fn an_annotation_keeps_its_place_and_its_neighbours() {
        let word = |text: &str| Annotation::Word(text.to_owned());
        let list = Annotation::Text(vec!["- a".to_owned(), "- b".to_owned()]);
        let one = annotate("a: 1\n", "x/l", &list);
        assert_eq!(one, "a: 1\nannotations:\n  x/l: |\n    - a\n    - b\n");
        let two = annotate(&one, "x/w", &word("1"));
        assert_eq!(two, format!("{one}  x/w: 1\n"));
        assert_eq!(
            annotate(&two, "x/l", &word("2")),
            "a: 1\nannotations:\n  x/l: 2\n  x/w: 1\n"
        );
        let other = "annotations:\n  # theirs\n  y: 1\n\nz: 1\n";
        assert_eq!(
            annotate(other, "x", &word("1")),
            "annotations:\n  # theirs\n  y: 1\n  x: 1\n\nz: 1\n"
        );
        for text in [other, &one, &two] {
            let written = annotate(text, "x/l", &list);
            assert_eq!(annotate(&written, "x/l", &list), written, "twice is once");
        }
    }
}
