//! The template language of OpenNebula: oned.conf, object templates, what the CLI reads from files.
//!
//! An own parser on purpose: the product's `oned-conf` is tested against this one. It reproduces the
//! quirks that were observed on the real parser (see each rule); it keeps no comments or blanks.

use crate::xml::Element;

/// A value: one string, or a vector of keys and strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// `NAME = value`
    Single(String),
    /// `NAME = [ K = v, … ]`, keys as written, upper-cased, first one wins.
    Vector(Vec<(String, String)>),
}

/// Attributes in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    /// Name (upper-case) and value.
    pub(crate) attributes: Vec<(String, Value)>,
}

/// Where the parser stopped, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// 1-based line.
    pub(crate) line: usize,
    /// What was found there.
    pub(crate) message: String,
}

impl Template {
    /// Parses a template text.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut lexer = Lexer::new(text);
        let mut template = Self::default();
        loop {
            let name = match lexer.token() {
                Token::End => return Ok(template),
                Token::Variable(name) => name.to_uppercase(),
                other => return Err(lexer.error(&other)),
            };
            let value = match lexer.token() {
                Token::EqualEmpty => Value::Single(String::new()),
                Token::Equal => match lexer.token() {
                    Token::String(text) => Value::Single(text),
                    Token::Open => Value::Vector(lexer.vector()?),
                    // The real parser gives up here without an error: the rest of the file does not exist.
                    Token::CutOff => return Ok(template),
                    other => return Err(lexer.error(&other)),
                },
                other => return Err(lexer.error(&other)),
            };
            template.attributes.push((name, value));
        }
    }

    /// The first single value of that name: the first one wins.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find_map(|(n, v)| match v {
            Value::Single(v) if n == name => Some(v.as_str()),
            _ => None,
        })
    }

    /// The first vector of that name.
    pub(crate) fn vector(&self, name: &str) -> Option<&[(String, String)]> {
        self.attributes.iter().find_map(|(n, v)| match v {
            Value::Vector(v) if n == name => Some(v.as_slice()),
            _ => None,
        })
    }

    /// A key inside the first vector of that name.
    pub(crate) fn get_in(&self, name: &str, key: &str) -> Option<&str> {
        self.vector(name)?
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// The attributes as children of an element, values as CDATA, sorted by name as the real one prints.
    pub(crate) fn to_xml(&self, root: &str) -> Element {
        let mut sorted = self.attributes.clone();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut element = Element::new(root);
        for (name, value) in sorted {
            element.children.push(match value {
                Value::Single(text) => Element::cdata(&name, text),
                Value::Vector(mut pairs) => {
                    pairs.sort_by(|a, b| a.0.cmp(&b.0));
                    let mut child = Element::new(&name);
                    child.children = pairs.iter().map(|(k, v)| Element::cdata(k, v)).collect();
                    child
                }
            });
        }
        element
    }

    /// A template from text in either notation, `NAME=value` lines or XML.
    pub(crate) fn from_either(text: &str) -> Result<Self, SyntaxError> {
        if !text.trim_start().starts_with('<') {
            return Self::parse(text);
        }
        let root = crate::xml::parse(text).ok_or_else(|| SyntaxError {
            line: 1,
            message: "malformed XML".to_owned(),
        })?;
        let attributes = root
            .children
            .iter()
            .map(|child| {
                let value = if child.children.is_empty() {
                    Value::Single(child.text.clone())
                } else {
                    Value::Vector(
                        child
                            .children
                            .iter()
                            .map(|c| (c.name.clone(), c.text.clone()))
                            .collect(),
                    )
                };
                (child.name.to_uppercase(), value)
            })
            .collect();
        Ok(Self { attributes })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Variable(String),
    Equal,
    EqualEmpty,
    Comma,
    Open,
    Close,
    String(String),
    CutOff,
    End,
}

/// Longest match first, as the real scanner does; what no rule matches is skipped, as it does too.
struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    in_value: bool,
}

fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn blank_or_newline(c: char) -> bool {
    blank(c) || c == '\n'
}

impl Lexer {
    fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            at: 0,
            line: 1,
            in_value: false,
        }
    }

    /// The first position from `from` where `matches` does not hold.
    fn run(&self, from: usize, matches: impl Fn(char) -> bool) -> usize {
        from + self.chars[from..].iter().take_while(|c| matches(**c)).count()
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    fn take(&mut self, end: usize) -> String {
        let text: String = self.chars[self.at..end].iter().collect();
        self.line += text.matches('\n').count();
        self.at = end;
        text
    }

    fn token(&mut self) -> Token {
        while self.at < self.chars.len() {
            let token = if self.in_value {
                self.in_value()
            } else {
                self.outside()
            };
            if let Some(token) = token {
                return token;
            }
        }
        Token::End
    }

    fn outside(&mut self) -> Option<Token> {
        let start = self.at;
        let after_blank = self.run(start, blank);
        let after_lines = self.run(start, blank_or_newline);
        // (end of the match, what it is); `None` is text that is dropped.
        let mut best: (usize, Option<Token>) = (after_lines, None);
        let mut offer = |end: usize, token: Option<Token>| {
            if end > best.0 {
                best = (end, token);
            }
        };
        if self.char_at(after_blank) == Some('#') {
            let end = self.run(after_blank, |c| c != '\n');
            if self.char_at(end) == Some('\n') {
                offer(end + 1, None);
            }
        }
        let word = self.run(start, |c| c.is_ascii_alphanumeric() || c == '_');
        if word > start {
            offer(word, Some(Token::Variable(String::new())));
        }
        if self.char_at(after_blank) == Some('=') {
            let end = self.run(after_blank + 1, blank);
            if self.char_at(end) == Some('\n') {
                offer(end + 1, Some(Token::EqualEmpty));
            } else {
                offer(end, Some(Token::Equal));
            }
        }
        match self.char_at(after_lines) {
            Some(',') => offer(self.run(after_lines + 1, blank_or_newline), Some(Token::Comma)),
            Some(']') => offer(self.run(after_lines + 1, blank_or_newline), Some(Token::Close)),
            _ => {}
        }
        let (end, token) = best;
        let text = self.take(end.max(start + 1));
        match token {
            Some(Token::Variable(_)) => Some(Token::Variable(text)),
            Some(Token::Equal) => {
                self.in_value = true;
                Some(Token::Equal)
            }
            other => other,
        }
    }

    fn in_value(&mut self) -> Option<Token> {
        let start = self.at;
        let open = self.run(start, blank);
        let mut best: (usize, Option<Token>) = (start, None);
        if self.char_at(open) == Some('[') {
            best = (self.run(open + 1, blank_or_newline), Some(Token::Open));
        }
        let line_end = self.run(start, |c| c != '\n');
        if self.chars[start..line_end]
            .windows(3)
            .any(|w| w == [']', ']', '>'])
            && line_end > best.0
        {
            best = (line_end, Some(Token::CutOff));
        }
        if let Some(end) = self.quoted(start).filter(|end| *end > best.0) {
            let text: String = self.chars[start + 1..end - 1].iter().collect();
            best = (end, Some(Token::String(text.replace("\\\"", "\""))));
        }
        let end = self.run(start, |c| !"=# \t\n,[]".contains(c));
        if end > best.0 {
            let text: String = self.chars[start..end].iter().collect();
            best = (end, Some(Token::String(text.replace("\\\"", "\""))));
        }
        let (end, token) = best;
        self.take(end.max(start + 1));
        if token.is_some() {
            self.in_value = false;
        }
        token
    }

    /// The end of a quoted text: the first quote without a backslash before it, else the last one with.
    fn quoted(&self, start: usize) -> Option<usize> {
        if self.char_at(start) != Some('"') {
            return None;
        }
        let mut last = None;
        for at in start + 1..self.chars.len() {
            if self.chars[at] == '"' {
                last = Some(at + 1);
                if self.chars[at - 1] != '\\' || at - 1 == start {
                    break;
                }
            }
        }
        last
    }

    fn vector(&mut self) -> Result<Vec<(String, String)>, SyntaxError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        loop {
            let key = match self.token() {
                Token::Variable(key) => key.to_uppercase(),
                Token::Close if pairs.is_empty() => return Ok(pairs),
                other => return Err(self.error(&other)),
            };
            match (self.token(), self.token()) {
                (Token::Equal, Token::String(value)) => {
                    if !pairs.iter().any(|(k, _)| *k == key) {
                        pairs.push((key, value));
                    }
                }
                (Token::Equal, other) | (other, _) => return Err(self.error(&other)),
            }
            match self.token() {
                Token::Comma => {}
                Token::Close => return Ok(pairs),
                other => return Err(self.error(&other)),
            }
        }
    }

    fn error(&self, found: &Token) -> SyntaxError {
        SyntaxError {
            line: self.line,
            message: format!("syntax error, unexpected {}", found.name()),
        }
    }
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::Variable(_) => "VARIABLE",
            Self::Equal => "EQUAL",
            Self::EqualEmpty => "EQUAL_EMPTY",
            Self::Comma => "COMMA",
            Self::Open => "OBRACKET",
            Self::Close => "CBRACKET",
            Self::String(_) => "STRING",
            Self::CutOff => "CCDATA",
            Self::End => "end of file",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_values_wins() {
        let t = Template::parse("PORT = 1\nport = 2\nDB = [ USER = \"a\", user = \"b\" ]\n").unwrap();
        assert_eq!(t.get("PORT"), Some("1"));
        assert_eq!(t.get_in("DB", "USER"), Some("a"));
    }

    #[test]
    fn comments_stand_anywhere_and_quoted_text_is_kept() {
        let t = Template::parse("# head\nDB = [ # why\n  BACKEND = \"my # sql\", # more\n  PORT = 0 ]\nA = \"two\nlines\" # end\n")
            .unwrap();
        assert_eq!(t.get_in("DB", "BACKEND"), Some("my # sql"));
        assert_eq!(t.get("A"), Some("two\nlines"));
    }

    #[test]
    fn a_trailing_comma_and_an_unquoted_blank_are_errors() {
        // The closing bracket's token takes the newline after it, so the line is the next one.
        assert_eq!(Template::parse("A=1\nDB = [ A = 1, ]\n").unwrap_err().line, 3);
        assert!(Template::parse("A = two words\n").is_err());
    }

    #[test]
    fn an_end_of_cdata_cuts_the_file_without_an_error() {
        let t = Template::parse("A = 1\nX = \"a]]>b\"\nB = 2\n").unwrap();
        assert_eq!((t.get("A"), t.get("X"), t.get("B")), (Some("1"), None, None));
    }

    #[test]
    fn a_backslash_before_the_closing_quote_runs_on_to_the_next_one() {
        assert!(Template::parse("A = \"end\\\"\nB = \"x\"\n").is_err());
        assert_eq!(
            Template::parse("A = \"end\\\"\n").unwrap().get("A"),
            Some("end\\")
        );
        assert_eq!(Template::parse("A = a\\b\\\n").unwrap().get("A"), Some("a\\b\\"));
    }

    #[test]
    fn a_last_comment_needs_its_newline() {
        assert!(Template::parse("A = 1\n# end").is_err());
        assert!(Template::parse("A = 1\n# end\n").is_ok());
    }
}
