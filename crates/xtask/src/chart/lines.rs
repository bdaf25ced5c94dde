//! The lines of a YAML file in block style: which are keys, which are comments, and which belong to a value.
//!
//! No YAML is judged here. Whoever uses these lines compares the keys with what a real parser finds.

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: usize,
    /// Blanks before its first character.
    pub(super) indent: usize,
    /// What stands there.
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Blank,
    /// What follows `#`.
    Comment(String),
    /// A key with what follows its colon, without a comment at the end.
    Key(String, String),
    /// Part of a value.
    Other,
}

/// What the lines that follow may belong to.
enum Within {
    Nothing,
    /// An item of a list, or a text block: everything that is indented deeper.
    Deeper(usize),
    /// Brackets that are still open.
    Brackets(i64),
}

/// The lines of a file.
pub(super) fn read(text: &str) -> Vec<Line> {
    let mut within = Within::Nothing;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        let what = match within {
            Within::Brackets(open) => {
                let open = open + brackets(content);
                within = if open > 0 {
                    Within::Brackets(open)
                } else {
                    Within::Nothing
                };
                What::Other
            }
            Within::Deeper(than) if indent > than && !content.is_empty() => What::Other,
            _ => {
                let what = outside(content);
                match &what {
                    What::Blank => {}
                    What::Other if content.starts_with('-') => within = Within::Deeper(indent),
                    What::Key(_, value) if value.starts_with(['|', '>']) => within = Within::Deeper(indent),
                    What::Key(_, value) if brackets(value) > 0 => within = Within::Brackets(brackets(value)),
                    _ => within = Within::Nothing,
                }
                what
            }
        };
        lines.push(Line {
            number: index + 1,
            indent,
            what,
        });
    }
    lines
}

fn outside(content: &str) -> What {
    if content.is_empty() {
        return What::Blank;
    }
    if let Some(comment) = content.strip_prefix('#') {
        return What::Comment(comment.trim_end().to_owned());
    }
    let (name, rest) = match content.chars().next() {
        Some(quote @ ('"' | '\'')) => match content[1..].split_once(quote) {
            Some((name, rest)) => (name, rest),
            None => return What::Other,
        },
        _ => match content.find([':', ' ', '{', '[', '#']) {
            Some(end) => content.split_at(end),
            None => return What::Other,
        },
    };
    match rest.strip_prefix(':') {
        Some(value) if !name.is_empty() && (value.is_empty() || value.starts_with(' ')) => {
            What::Key(name.to_owned(), without_comment(value).trim().to_owned())
        }
        _ => What::Other,
    }
}

/// What is before ` #`, where that is not in quotes.
fn without_comment(value: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, character) in value.char_indices() {
        match (quote, character) {
            (None, '#') if before == ' ' => return &value[..at],
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        before = character;
    }
    value
}

/// Brackets that are opened and not closed, outside of quotes.
fn brackets(value: &str) -> i64 {
    let mut quote = None;
    let mut open = 0;
    for character in without_comment(value).chars() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(opening), closing) if opening == closing => quote = None,
            (None, '[' | '{') => open += 1,
            (None, ']' | '}') => open -= 1,
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<(usize, usize, String)> {
        read(text)
            .into_iter()
            .filter_map(|line| match line.what {
                What::Key(name, _) => Some((line.number, line.indent, name)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn keys_of_lists_text_blocks_and_open_brackets_are_parts_of_values() {
        let text = "a:\n  - b: 1\n    c: 2\n  - d: 3\ne: |\n  f: 1\n\n  g: 2\nh: {i: 1,\n  j: 2}\nk: [\"#\", '}'] # l: 1\n\"m/n\": \"x # y\"\n";
        let found: Vec<String> = keys(text).into_iter().map(|(_, _, name)| name).collect();
        assert_eq!(found, ["a", "e", "h", "k", "m/n"]);
    }

    #[test]
    fn values_are_told_from_comments_at_the_end() {
        let lines = read("a: \"x # y\" # z\nb: x#y\nc: # nothing\n# d: 1\n");
        let what: Vec<What> = lines.into_iter().map(|line| line.what).collect();
        assert_eq!(
            what,
            [
                What::Key("a".to_owned(), "\"x # y\"".to_owned()),
                What::Key("b".to_owned(), "x#y".to_owned()),
                What::Key("c".to_owned(), String::new()),
                What::Comment(" d: 1".to_owned()),
            ]
        );
    }
}
