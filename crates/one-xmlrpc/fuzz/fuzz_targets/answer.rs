//! Any bytes as an answer of oned: reading never panics, and an error never quotes more of the answer than a name.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "only answers are read here")]
#[path = "../../src/wire.rs"]
mod wire;
#[expect(dead_code, reason = "calls are checked before they are sent, answers are not")]
#[path = "../../src/xml.rs"]
mod xml;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(reason) = wire::answer(text) {
        assert!(reason.len() < 400, "{reason}");
    }
});
