//! The forms in which programs write a secret: as it is, and escaped or encoded for JSON, XML, URLs, shells, SQL and HTTP.
//! Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter parts of an encoded text could stand for something else.
const MIN_ENCODED: usize = 8;

/// Every form of a secret that is looked for.
pub(super) fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([secret.to_owned()]);
    forms.extend(json(secret));
    // JSON within JSON.
    forms.extend(json(secret).iter().flat_map(|form| json(form)));
    forms.extend(xml(secret));
    forms.extend(url(secret));
    forms.extend(quoted(secret));
    let mut forms: BTreeSet<Vec<u8>> = forms.into_iter().map(String::into_bytes).collect();
    forms.extend(base64(secret.as_bytes()));
    forms
}

/// The text with some of its characters replaced.
fn escaped(text: &str, escape: impl Fn(char) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match escape(char) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(char),
        }
    }
    out
}

/// Strings of JSON, which are those of JavaScript too: with the escapes that it needs, and with those that others add.
fn json(text: &str) -> Vec<String> {
    let needed = |char: char| match char {
        '"' | '\\' => Some(format!("\\{char}")),
        _ => None,
    };
    let unicode = |char: char| {
        let mut out = String::new();
        for unit in char.encode_utf16(&mut [0; 2]) {
            // Writing to a String does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
        out
    };
    // Go and Rails escape what HTML could misread; Python and Ruby what is not ASCII; PHP and others the slash.
    let html = |char: char| matches!(char, '<' | '>' | '&').then(|| unicode(char));
    let html_and_quote = |char: char| (char == '\'').then(|| unicode(char)).or_else(|| html(char));
    let ascii = |char: char| (!char.is_ascii()).then(|| unicode(char));
    let slash = |char: char| (char == '/').then(|| "\\/".to_owned());
    vec![
        escaped(text, needed),
        escaped(text, |char| needed(char).or_else(|| html(char))),
        escaped(text, |char| needed(char).or_else(|| html_and_quote(char))),
        escaped(text, |char| needed(char).or_else(|| ascii(char))),
        escaped(text, |char| needed(char).or_else(|| slash(char))),
    ]
}

/// Text and attributes of XML and HTML. Only some of the quotes need an escape, which has several spellings.
fn xml(text: &str) -> Vec<String> {
    let needed = |char: char| match char {
        '&' => Some("&amp;".to_owned()),
        '<' => Some("&lt;".to_owned()),
        _ => None,
    };
    let more = |quote: &'static str, apostrophe: &'static str| {
        escaped(text, move |char| {
            needed(char).or_else(|| match char {
                '>' => Some("&gt;".to_owned()),
                '"' if !quote.is_empty() => Some(quote.to_owned()),
                '\'' if !apostrophe.is_empty() => Some(apostrophe.to_owned()),
                _ => None,
            })
        })
    };
    let mut forms = vec![escaped(text, needed)];
    for quote in ["", "&quot;", "&#34;"] {
        for apostrophe in ["", "&apos;", "&#39;", "&#x27;", "&#039;"] {
            forms.push(more(quote, apostrophe));
        }
    }
    forms
}

/// Parts of URLs and forms: libraries differ in what they leave as it is, in the case of digits and in the blank.
fn url(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for unreserved in [
        "-._~",
        "-._*",
        "-._~*",
        "-_.!~*'()",
        "-_.~!*'();/?:@&=+$,#",
        "-._",
        "",
    ] {
        for upper in [true, false] {
            let encoded = escaped(text, |char| {
                if char.is_ascii_alphanumeric() || unreserved.contains(char) {
                    return None;
                }
                let mut out = String::new();
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a String does not fail.
                    let _ = if upper {
                        write!(out, "%{byte:02X}")
                    } else {
                        write!(out, "%{byte:02x}")
                    };
                }
                Some(out)
            });
            forms.push(encoded.replace("%20", "+"));
            forms.push(encoded);
        }
    }
    forms
}

/// Words of shells, and literals of Ruby, Python and SQL.
fn quoted(text: &str) -> Vec<String> {
    let backslash = |special: &'static str| {
        escaped(text, move |char| {
            special.contains(char).then(|| format!("\\{char}"))
        })
    };
    let harmless = |others: &'static str| {
        escaped(text, move |char| {
            let plain = char.is_ascii_alphanumeric() || !char.is_ascii() || others.contains(char);
            (!plain).then(|| format!("\\{char}"))
        })
    };
    vec![
        // Within double quotes of a shell; within single ones, in both spellings.
        backslash("\"\\$`"),
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        // Outside of quotes: Ruby's Shellwords, bash's %q, and Rust's and Python's way.
        harmless("_-.,:+/@"),
        harmless("_-.,:+/@%="),
        harmless("_-.,:+/@%=#~"),
        harmless("_-./"),
        // Ruby's inspect, Python's repr, oned.conf, SQL.
        backslash("\"\\")
            .replace("#{", "\\#{")
            .replace("#$", "\\#$")
            .replace("#@", "\\#@"),
        backslash("'\\"),
        backslash("\""),
        backslash("'"),
        backslash("'\"\\"),
        text.replace('\'', "''"),
        text.replace('"', "\"\""),
    ]
}

/// Base64 in both alphabets, wherever in the encoded text the secret begins: only those characters that stem from the secret
/// alone.
fn base64(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    for before in 0..3 {
        let text = [&vec![0; before], secret].concat();
        // A character stands for six bits.
        let (first, end) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&text);
            if let Some(part) = encoded.get(first..end).filter(|part| part.len() >= MIN_ENCODED) {
                forms.insert(part.as_bytes().to_owned());
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;
    use crate::log::hidden::Hidden;

    /// What is left of a text in which the secret stands in some form.
    fn left(secret: &str, text: &str) -> String {
        let mut hidden = Hidden::default();
        hidden.add([secret.to_owned()]);
        String::from_utf8_lossy(&hidden.out_of(text.as_bytes())).into_owned()
    }

    const SECRET: &str = "a'b\"c<d&e/f $g+h\\i%ä";

    #[test]
    fn forms_that_programs_write() {
        for written in [
            // JSON: serde, JavaScript; Go; Python; PHP.
            r#"a'b\"c<d&e/f $g+h\\i%ä"#,
            r#"a'b\"c\u003cd\u0026e/f $g+h\\i%ä"#,
            r#"a'b\"c<d&e/f $g+h\\i%\u00e4"#,
            r#"a'b\"c<d&e\/f $g+h\\i%ä"#,
            // XML: text, attribute, Ruby's CGI.escapeHTML, Python's html.escape.
            "a'b\"c&lt;d&amp;e/f $g+h\\i%ä",
            "a'b&quot;c&lt;d&amp;e/f $g+h\\i%ä",
            "a&#39;b&quot;c&lt;d&amp;e/f $g+h\\i%ä",
            "a&#x27;b&quot;c&lt;d&amp;e/f $g+h\\i%ä",
            // URLs: CGI.escape, ERB's url_encode, encodeURIComponent, curl in lower case.
            "a%27b%22c%3Cd%26e%2Ff+%24g%2Bh%5Ci%25%C3%A4",
            "a%27b%22c%3Cd%26e%2Ff%20%24g%2Bh%5Ci%25%C3%A4",
            "a'b%22c%3Cd%26e%2Ff%20%24g%2Bh%5Ci%25%C3%A4",
            "a%27b%22c%3cd%26e%2ff%20%24g%2bh%5ci%25%c3%a4",
            // Shells.
            r#"a'\''b"c<d&e/f $g+h\i%ä"#,
            r#"a'"'"'b"c<d&e/f $g+h\i%ä"#,
            r#"a'b\"c<d&e/f \$g+h\\i%ä"#,
            r#"a\'b\"c\<d\&e/f\ \$g+h\\i\%ä"#,
            r#"a\'b\"c\<d\&e/f\ \$g+h\\i%ä"#,
            // SQL.
            r#"a''b"c<d&e/f $g+h\i%ä"#,
            r#"a\'b\"c<d&e/f $g+h\\i%ä"#,
        ] {
            assert_eq!(left(SECRET, &format!("x={written};")), "x=(secret);", "{written}");
        }
    }

    proptest! {
        #[test]
        fn base64_hides_it_wherever_it_stands(
            before in "[ -~]{0,5}", secret in "[!-~]{12,40}", after in "[ -~]{0,5}"
        ) {
            let text = format!("{before}{secret}{after}");
            for engine in [STANDARD, URL_SAFE] {
                let encoded = engine.encode(&text);
                let left = left(&secret, &encoded);
                prop_assert!(left.contains("(secret)"), "{encoded} became {left}");
                // At most two characters at each end hold bits of the secret beside those of others.
                let shown = left.len() - "(secret)".len();
                prop_assert!(shown <= (before.len() + after.len()) * 4 / 3 + 8, "{left}");
            }
        }

        #[test]
        fn a_secret_is_found_in_json_and_never_changed_into_one(secret in "[ -~]{8,30}") {
            let json = serde_json::to_string(&secret).unwrap();
            prop_assert_eq!(left(&secret, &format!("[{json}]")), "[\"(secret)\"]");
            let twice = serde_json::to_string(&json).unwrap();
            prop_assert!(left(&secret, &twice).contains("(secret)"));
        }
    }
}
