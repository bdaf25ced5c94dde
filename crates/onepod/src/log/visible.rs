//! Control characters in text of others: shown as what they are, so that nothing is done to the terminal that a log is
//! read in and no line can be made to look like another one. Pure.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// The text with its control characters as escapes, such as `\u{1b}`. Tabs and line feeds stay.
///
/// Others that do not print are those of C0 and C1, DEL, the separators of lines that are not line feeds, and those that
/// change the direction of text (Unicode, `Bidi_Control`).
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if is_printable_ascii(text) || !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_control(char) {
            visible.extend(char.escape_default());
        } else {
            visible.push(char);
        }
    }
    Cow::Owned(visible)
}

/// Whether all bytes are from space to tilde, as those of nearly all lines are. It is asked of every line, and the program is
/// compiled for size: eight bytes at a time are one third of the work of a loop over bytes.
fn is_printable_ascii(text: &str) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = 128 * ONES;
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let words = words.iter().all(|word| {
        let word = u64::from_ne_bytes(*word);
        let delete = word ^ (127 * ONES);
        // The highest bit of a byte that is below a space, DEL, or not of ASCII.
        let below = word.wrapping_sub(32 * ONES) & !word;
        let is_delete = delete.wrapping_sub(ONES) & !delete;
        (below | is_delete | word) & HIGH == 0
    });
    words && rest.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_control(char: char) -> bool {
    match char {
        '\t' | '\n' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        char => char.is_control(),
    }
}

/// A value as JSON on one line, with every control character as an escape of JSON: whoever parses it gets the same text.
pub fn write_json(out: &mut impl Write, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Escaping))
}

/// JSON in which also those control characters are escaped that JSON allows.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if is_printable_ascii(fragment) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((place, char)) = rest.char_indices().find(|(_, char)| is_control(*char)) {
            let (before, after) = rest.split_at(place);
            write!(writer, "{before}\\u{:04x}", u32::from(char))?;
            rest = after.get(char.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_shown() {
        for (text, shown) in [
            ("plain\ttext\nof ä lines 日本", "plain\ttext\nof ä lines 日本"),
            ("\u{1b}]52;c;aGk=\u{7}", "\\u{1b}]52;c;aGk=\\u{7}"),
            ("a\rb\u{8}\u{7f}\0", "a\\rb\\u{8}\\u{7f}\\u{0}"),
            ("\u{9b}31m\u{85}\u{2028}", "\\u{9b}31m\\u{85}\\u{2028}"),
            (
                "\u{202e}gnp\u{2066}\u{61c}\u{200f}",
                "\\u{202e}gnp\\u{2066}\\u{61c}\\u{200f}",
            ),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert!(matches!(visible("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn printable_ascii_is_told_at_any_place() {
        for byte in 0..=127_u8 {
            for place in 0..19 {
                let mut text = [b'x'; 19];
                text[place] = byte;
                let text = std::str::from_utf8(&text).unwrap();
                assert_eq!(
                    is_printable_ascii(text),
                    (b' '..=b'~').contains(&byte),
                    "{text:?}"
                );
            }
        }
        assert!(!is_printable_ascii("12345678ü1234567"));
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_does_not_print_and_json_says_the_same(
            text in prop_oneof![any::<String>(), "[\u{0}-\u{a0}\u{2020}-\u{206f}\"\\\\]{0,40}"]
        ) {
            prop_assert!(!visible(&text).contains(is_control));
            let mut json = Vec::new();
            write_json(&mut json, &text).unwrap();
            let json = String::from_utf8(json).unwrap();
            prop_assert!(!json.contains(is_control) && !json.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
