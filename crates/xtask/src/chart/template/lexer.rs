//! The pieces of a template file between `{{` and `}}`, and the tokens in them.

use super::{Setting, Unreadable};

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Action(usize, Vec<Token>),
    Comment(usize, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A function or a keyword.
    Word(String),
    Dot(Vec<String>),
    /// `$` has no name.
    Variable(String, Vec<String>),
    Text(String),
    /// A number or a character.
    Other,
    Open,
    /// With the fields that follow: `(…).a`.
    Close(Vec<String>),
    Pipe,
    Comma,
    Set(Setting),
}

impl Piece {
    pub(super) fn line(&self) -> usize {
        match self {
            Self::Action(line, _) | Self::Comment(line, _) => *line,
        }
    }
}

/// The pieces of a file.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Unreadable> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{") {
        let start = at + open;
        let line = text[..start].matches('\n').count() + 1;
        let inside = start + 2;
        let trimmed = text[inside..]
            .strip_prefix('-')
            .filter(|rest| rest.starts_with(char::is_whitespace))
            .unwrap_or(&text[inside..]);
        if let Some(comment) = trimmed.trim_start().strip_prefix("/*") {
            let end = comment
                .find("*/")
                .ok_or((line, "a comment without an end".to_owned()))?;
            found.push(Piece::Comment(line, comment[..end].to_owned()));
            let rest = &comment[end..];
            let close = rest.find("}}").ok_or((line, "{{ without }}".to_owned()))?;
            at = text.len() - rest.len() + close + 2;
            continue;
        }
        let (tokens, rest) = tokens(trimmed).map_err(|why| (line, why))?;
        found.push(Piece::Action(line, tokens));
        at = text.len() - rest.len();
    }
    Ok(found)
}

/// The tokens up to `}}`, and what is behind that.
fn tokens(text: &str) -> Result<(Vec<Token>, &str), String> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Err("{{ without }}".to_owned());
        };
        if let Some(behind) = rest.strip_prefix("}}").or_else(|| rest.strip_prefix("-}}")) {
            return Ok((found, behind));
        }
        let (token, behind) = match first {
            '"' | '\'' => quoted(rest, first)?,
            '`' => {
                let end = rest[1..].find('`').ok_or("a text without an end")?;
                (Token::Text(rest[1..=end].to_owned()), &rest[end + 2..])
            }
            '(' => (Token::Open, &rest[1..]),
            ')' => {
                let (fields, behind) = fields(&rest[1..]);
                (Token::Close(fields), behind)
            }
            '|' => (Token::Pipe, &rest[1..]),
            ',' => (Token::Comma, &rest[1..]),
            '=' => (Token::Set(Setting::Existing), &rest[1..]),
            ':' if rest.starts_with(":=") => (Token::Set(Setting::New), &rest[2..]),
            '.' => {
                if rest[1..].starts_with(|next: char| next.is_ascii_digit()) {
                    (Token::Other, word(&rest[1..]).1)
                } else if rest[1..].starts_with(is_letter) {
                    let (fields, behind) = fields(rest);
                    (Token::Dot(fields), behind)
                } else {
                    (Token::Dot(Vec::new()), &rest[1..])
                }
            }
            '$' => {
                let (name, behind) = word(&rest[1..]);
                let (fields, behind) = fields(behind);
                (Token::Variable(name.to_owned(), fields), behind)
            }
            '0'..='9' | '-' | '+' => (Token::Other, number(rest)),
            letter if is_letter(letter) => {
                let (name, behind) = word(rest);
                (Token::Word(name.to_owned()), behind)
            }
            other => return Err(format!("{other:?} is not expected here")),
        };
        found.push(token);
        rest = behind;
    }
}

/// Text in quotes, or a character.
fn quoted(text: &str, quote: char) -> Result<(Token, &str), String> {
    let mut content = String::new();
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\n' => break,
            _ if escaped => {
                content.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if character == quote => {
                let token = if quote == '"' {
                    Token::Text(content)
                } else {
                    Token::Other
                };
                return Ok((token, &text[at + 1..]));
            }
            _ => content.push(character),
        }
    }
    Err("a text without an end".to_owned())
}

/// `.a.b` at the beginning of a text.
fn fields(text: &str) -> (Vec<String>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('.')
        && after.starts_with(is_letter)
    {
        let (name, behind) = word(after);
        found.push(name.to_owned());
        rest = behind;
    }
    (found, rest)
}

fn word(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !is_letter(letter) && !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn number(text: &str) -> &str {
    let end = text[1..]
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.' && letter != '_')
        .map_or(text.len(), |end| end + 1);
    &text[end..]
}

fn is_letter(letter: char) -> bool {
    letter == '_' || letter.is_alphabetic()
}
