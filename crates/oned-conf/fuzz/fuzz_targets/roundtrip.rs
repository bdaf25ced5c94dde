//! Any bytes: reading never panics, what is accepted is printed as it was, and it is what the second reading of the
//! grammar in the tests accepts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oned_conf::Document;

#[expect(dead_code, reason = "the places of values are used by the tests alone")]
#[path = "../../tests/suite/oracle.rs"]
mod oracle;

fuzz_target!(|bytes: &[u8]| {
    let parsed = Document::parse(bytes);
    if let Ok(document) = &parsed {
        assert_eq!(document.to_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if text.contains(['\0', '\r']) {
        return;
    }
    let whole = matches!(oracle::read(text), oracle::Outcome::Read { skipped: 0, .. });
    assert_eq!(parsed.is_ok(), whole, "{parsed:?}");
});
