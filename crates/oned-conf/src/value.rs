//! Values: from the text's form to what OpenNebula reads, and back.
//!
//! Source of the rules: OpenNebula 7.0.2, `src/parsers/template_parser.l` (which run of characters is a value) and
//! `template_syntax.y` (`\"` is the only escape, in unquoted values too).

use std::borrow::Cow;

use crate::error::Inexpressible;
use crate::syntax::Form;

/// Says whether a value can be written at all, quoted or not.
///
/// Cheap enough to check settings with before anything is touched.
pub fn check_value(value: &str) -> Result<(), Inexpressible> {
    encode(value, Form::Quoted).map(drop)
}

/// The value that OpenNebula reads from the content of a quoted or unquoted run.
pub(crate) fn decode(content: &str) -> Cow<'_, str> {
    if content.contains("\\\"") {
        Cow::Owned(content.replace("\\\"", "\""))
    } else {
        Cow::Borrowed(content)
    }
}

/// Writes a value, in the preferred form where that form can carry it.
pub(crate) fn encode(value: &str, preferred: Form) -> Result<String, Inexpressible> {
    if value.contains('\0') {
        return Err(Inexpressible::Nul);
    }
    if value.contains("]]>") {
        return Err(Inexpressible::CdataEnd);
    }
    let quotable = !value.ends_with('\\');
    let bare = match preferred {
        Form::Bare => !value.contains('"') && bare_is_possible(value),
        Form::Quoted | Form::Empty => false,
    };
    if bare || (!quotable && bare_is_possible(value)) {
        return Ok(value.to_owned());
    }
    if quotable {
        return Ok(format!("\"{}\"", value.replace('"', "\\\"")));
    }
    Err(Inexpressible::TrailingBackslash)
}

/// The form in which a person would write a value that is not in the file yet: numbers bare, the rest quoted.
pub(crate) fn usual_form(value: &str) -> Form {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Form::Bare
    } else {
        Form::Quoted
    }
}

/// True for the bytes that end an unquoted value.
pub(crate) fn ends_bare(byte: u8) -> bool {
    matches!(byte, b'=' | b'#' | b' ' | b'\t' | b'\n' | b',' | b'[' | b']')
}

/// An unquoted run that is read back as it stands: no quote in front (a quoted value would be tried), no `\"`
/// (an escape), no control character (a carriage return looks like a line's end).
fn bare_is_possible(value: &str) -> bool {
    !value.is_empty()
        && !value.starts_with('"')
        && !value.contains("\\\"")
        && !value
            .bytes()
            .any(|byte| ends_bare(byte) || byte.is_ascii_control())
}
