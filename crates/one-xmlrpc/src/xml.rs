//! XML as this crate needs it: a pull reader of elements and text, and escaping.
//!
//! Attributes, comments and processing instructions are skipped. Entities other than the five that XML predefines and
//! character references are refused, and so is a document type: nothing of what oned sends has one, and expanding
//! them is how a small answer becomes a large one.

use quick_xml::errors::IllFormedError;
use quick_xml::events::Event;
use quick_xml::{Error, Reader};

/// Elements deeper than this are refused; oned's deepest answers have about 12 levels.
const DEPTH_LIMIT: usize = 64;

/// The first character of `text` that XML 1.0 cannot carry, not even as a character reference.
///
/// Source: production `Char` of XML 1.0, section 2.2.
pub(crate) fn inexpressible(text: &str) -> Option<char> {
    text.chars().find(
        |c| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'),
    )
}

/// Appends `text` to `out` as character data.
///
/// A carriage return becomes a reference, because every XML reader turns a bare one into a line feed.
pub(crate) fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}

/// One step of a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `<name …>`, or the first half of `<name/>`.
    Open(String),
    /// Character data, with CDATA sections and references resolved. Adjacent pieces come as separate tokens.
    Text(String),
    /// `</name>`, or the second half of `<name/>`.
    Close,
}

/// A pull reader over one document: exactly one root element, every element closed.
pub(crate) struct Scanner<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    seen_root: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        // `<a/>` then reads as `<a></a>`: one case less for every caller.
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            depth: 0,
            seen_root: false,
        }
    }

    /// The next step, or `None` after the root element has been closed and nothing but white space followed.
    pub(crate) fn step(&mut self) -> Result<Option<Token>, String> {
        loop {
            let event = self
                .reader
                .read_event()
                .map_err(|error| format!("not well-formed XML: {}", fault(&error)))?;
            let text = match event {
                Event::Start(start) => {
                    if self.depth == 0 && self.seen_root {
                        return Err("more than one root element".to_owned());
                    }
                    self.seen_root = true;
                    self.depth += 1;
                    if self.depth > DEPTH_LIMIT {
                        return Err(format!("elements nested deeper than {DEPTH_LIMIT}"));
                    }
                    return Ok(Some(Token::Open(start.name().as_ref().to_owned())));
                }
                Event::End(_) => {
                    self.depth = self
                        .depth
                        .checked_sub(1)
                        .ok_or("an element is closed that was never opened")?;
                    return Ok(Some(Token::Close));
                }
                Event::Text(text) => text.xml10_content().into_owned(),
                Event::CData(data) => data.xml10_content().into_owned(),
                Event::GeneralRef(reference) => resolve(&reference.xml10_content())?.to_string(),
                Event::DocType(_) => return Err("a document type, which oned never sends".to_owned()),
                Event::Eof if self.depth > 0 => return Err("it ends inside an element".to_owned()),
                Event::Eof if !self.seen_root => return Err("no element in it".to_owned()),
                Event::Eof => return Ok(None),
                // `Empty` does not occur: such elements are expanded.
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            };
            if self.depth > 0 {
                return Ok(Some(Token::Text(text)));
            }
            if !text.trim_matches(is_space).is_empty() {
                return Err("text outside the root element".to_owned());
            }
        }
    }

    /// The next child element's name, or `None` when the present element closes. Text other than white space between
    /// children is refused.
    pub(crate) fn child(&mut self) -> Result<Option<String>, String> {
        loop {
            match self.step()? {
                Some(Token::Open(name)) => return Ok(Some(name)),
                Some(Token::Close) | None => return Ok(None),
                Some(Token::Text(text)) if text.trim_matches(is_space).is_empty() => {}
                Some(Token::Text(_)) => return Err("text where only elements belong".to_owned()),
            }
        }
    }

    /// The next child element, which must exist and be called `name`.
    pub(crate) fn expect_child(&mut self, name: &str) -> Result<(), String> {
        match self.child()? {
            Some(found) if found == name => Ok(()),
            Some(found) => Err(format!("<{}> where <{name}> belongs", shorten(&found))),
            None => Err(format!("no <{name}>")),
        }
    }

    /// Reads to the end of the present element, in which no further child may follow.
    pub(crate) fn expect_close(&mut self) -> Result<(), String> {
        match self.child()? {
            None => Ok(()),
            Some(found) => Err(format!("an unexpected <{}>", shorten(&found))),
        }
    }

    /// Reads to the end of the document, in which nothing may follow.
    pub(crate) fn expect_end(&mut self) -> Result<(), String> {
        match self.step()? {
            None => Ok(()),
            Some(_) => Err("something follows where the document should end".to_owned()),
        }
    }

    /// The whole text of the present element, which must have no children.
    pub(crate) fn text(&mut self) -> Result<String, String> {
        let mut whole = String::new();
        loop {
            match self.step()? {
                // The common case is one piece: take it without copying.
                Some(Token::Text(text)) if whole.is_empty() => whole = text,
                Some(Token::Text(text)) => whole.push_str(&text),
                Some(Token::Close) | None => return Ok(whole),
                Some(Token::Open(name)) => return Err(format!("<{}> inside a plain value", shorten(&name))),
            }
        }
    }

    /// Skips the rest of the present element, whatever is in it.
    pub(crate) fn skip(&mut self) -> Result<(), String> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside && self.step()?.is_some() {}
        Ok(())
    }
}

/// XML's white space, which is less than Unicode's.
pub(crate) fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// An element's name for a message, cut where it is absurdly long.
pub(crate) fn shorten(name: &str) -> String {
    if name.chars().count() <= 40 {
        name.to_owned()
    } else {
        name.chars().take(40).chain(['…']).collect()
    }
}

/// What the reader found wrong. Its own messages quote the names of elements, which may be as long as the answer.
fn fault(error: &Error) -> String {
    match error {
        Error::IllFormed(IllFormedError::MissingEndTag(name)) => format!("<{}> is not closed", shorten(name)),
        Error::IllFormed(IllFormedError::UnmatchedEndTag(name)) => {
            format!("</{}> closes nothing", shorten(name))
        }
        Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
            format!("<{}> is closed by </{}>", shorten(expected), shorten(found))
        }
        Error::IllFormed(IllFormedError::MissingDeclVersion(_)) => "a declaration without version".to_owned(),
        other => other.to_string(),
    }
}

/// The character behind `&name;`.
fn resolve(name: &str) -> Result<char, String> {
    let code = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => name
            .strip_prefix('#')
            .ok_or_else(|| format!("the entity &{};, which XML does not predefine", shorten(name)))?,
    };
    let parsed = match code.strip_prefix('x') {
        // `from_str_radix` takes a sign, XML does not.
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(digits, 16).ok(),
        None if code.bytes().all(|b| b.is_ascii_digit()) => code.parse().ok(),
        _ => None,
    };
    parsed
        .and_then(char::from_u32)
        .filter(|c| inexpressible(c.encode_utf8(&mut [0; 4])).is_none())
        .ok_or_else(|| format!("&{};, which is no character", shorten(name)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn root_text(xml: &str) -> Result<String, String> {
        let mut scanner = Scanner::new(xml);
        scanner.expect_child("a")?;
        let text = scanner.text()?;
        scanner.expect_end()?;
        Ok(text)
    }

    #[test]
    fn text_cdata_and_references_are_one_value() {
        assert_eq!(
            root_text("<a>x &lt;&#65;&#x42;&amp; <![CDATA[<b>]]>y</a>").unwrap(),
            "x <AB& <b>y"
        );
        assert_eq!(
            root_text("<?xml version=\"1.0\"?>\r\n<!-- c --><a\tz='1'/>\n").unwrap(),
            ""
        );
    }

    #[test]
    fn what_is_not_one_plain_document_is_refused() {
        for (xml, reason) in [
            ("", "no element"),
            ("<a>", "ends inside"),
            ("<a></b>", "not well-formed"),
            ("<a/><a/>", "more than one root"),
            ("<a/>x", "outside"),
            ("<a>&b;</a>", "does not predefine"),
            ("<a>&#0;</a>", "no character"),
            ("<a>&#xD800;</a>", "no character"),
            ("<a>&#+65;</a>", "no character"),
            ("<a>& b</a>", "not well-formed"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "document type"),
        ] {
            let found = root_text(xml).unwrap_err();
            assert!(found.contains(reason), "{xml}: {found}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        let skip = |xml: &str| {
            let mut scanner = Scanner::new(xml);
            scanner
                .expect_child("a")
                .and_then(|()| scanner.skip())
                .and_then(|()| scanner.expect_end())
        };
        assert_eq!(skip(&deep(DEPTH_LIMIT)), Ok(()));
        assert!(skip(&deep(DEPTH_LIMIT + 1)).unwrap_err().contains("deeper"));
    }

    // An answer may hold passwords, and an error goes to the log.
    #[test]
    fn an_error_never_quotes_more_than_a_name() {
        let long = "x".repeat(1000);
        for text in [
            format!("<a></{long}>"),
            format!("<{long}></a>"),
            format!("</{long}>"),
            format!("<{long}>"),
            format!("<?xml {long}='1'?><a/>"),
            format!("<a>&{long};</a>"),
            format!("<a><![CDATA[{long}"),
            format!("<a b='{long}"),
            format!("<!DOCTYPE {long}"),
        ] {
            let mut scanner = Scanner::new(&text);
            let error = loop {
                match scanner.step() {
                    Ok(Some(_)) => {}
                    Ok(None) => break String::new(),
                    Err(error) => break error,
                }
            };
            assert!(error.len() < 200, "{error}");
        }
        let mismatched = Scanner::new("<a></b>").text_of_first();
        assert_eq!(
            mismatched,
            Err("not well-formed XML: <a> is closed by </b>".to_owned())
        );
    }

    impl Scanner<'_> {
        fn text_of_first(mut self) -> Result<String, String> {
            self.child()?;
            self.text()
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_reads_back(text in any::<String>()) {
            prop_assume!(inexpressible(&text).is_none());
            let mut xml = String::from("<a>");
            escape_into(&mut xml, &text);
            xml.push_str("</a>");
            prop_assert_eq!(root_text(&xml).unwrap(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(<|>|/|a|&|;|#|x|!|\\[|\\]|CDATA|--|\\?|'|\"| |é){0,40}") {
            let mut scanner = Scanner::new(&text);
            while let Ok(Some(_)) = scanner.step() {}
        }
    }
}
